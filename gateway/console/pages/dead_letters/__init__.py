"""Dead letters: the list, one of them, revealing it, and decisions about all that match."""

from gateway.console.pages.dead_letters import bulk, decisions

ROUTES = [*bulk.ROUTES, *decisions.ROUTES]

"""Dead letters: the list, one of them, revealing it, and decisions about all that match."""

from console.pages.dead_letters import bulk, decisions

ROUTES = [*bulk.ROUTES, *decisions.ROUTES]

"""Dead letters: the list, one of them, revealing it, and decisions about all that match."""

from gateway.console.pages.dead_letters import bulk, letters

ROUTES = [*bulk.ROUTES, *letters.ROUTES]

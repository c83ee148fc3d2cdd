"""Routes that do not leave their path to a later route with a parameter."""

from collections import defaultdict
from collections.abc import Iterable, MutableMapping
from typing import Any

from starlette.routing import Match, Route
from starlette.types import Scope


class PathRoute(Route):
    """A route that answers 405 for a method that no route of its path has.

    Starlette would try the later routes: `GET /things/decide`, of which only the POST exists, would be `/things/{id}`.
    The first route whose path matches decides, so a specific path comes before one with a parameter in its place.
    """

    path_methods: frozenset[str] = frozenset()
    """The methods of all routes of this path; `complete` sets it."""

    def matches(self, scope: Scope) -> tuple[Match, MutableMapping[str, Any]]:
        """Return a full match also for a method that the path does not have: `handle` then answers 405."""
        match, child_scope = super().matches(scope)
        if match is Match.PARTIAL and scope["method"] not in self.path_methods:
            match = Match.FULL
        return match, child_scope


def complete(routes: Iterable[PathRoute]) -> None:
    """Let each route know the methods of its path."""
    methods: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
    routes = list(routes)
    for route in routes:
        methods[route.path] |= route.methods or frozenset()
    for route in routes:
        route.path_methods = methods[route.path]

"""The routes of the operations, for Starlette's router: one for each path, whose application selects the method.

A last segment that a path names comes before a parameter in its place: `/things/decide` is never `/things/{id}`, for
no method.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NoReturn

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.ingress.api_http.api_problems import MethodNotAllowed, NotFound
from schemas.api.operation import ApiOperation
from schemas.api.operations import OPERATIONS

Endpoint = Callable[[Request], Awaitable[Response]]


class PathApplication:
    """The operations of one path. It notes the operation of a request in the scope."""

    def __init__(self, endpoints: Mapping[str, tuple[ApiOperation, Endpoint]]) -> None:
        """`endpoints` are those of the path by method. GET answers HEAD too."""
        self.endpoints = dict(endpoints)
        if "GET" in endpoints:
            self.endpoints["HEAD"] = endpoints["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises every problem, MethodNotAllowed too."""
        if scope["path"].endswith("\n"):  # the `$` of Starlette's patterns matches before a line feed
            await not_found(scope, receive, send)
        found = self.endpoints.get(scope["method"])
        if found is None:
            allow = ", ".join(sorted(self.endpoints))
            raise MethodNotAllowed("Use one of the methods in the Allow header.", headers={"allow": allow})
        scope["operation"], endpoint = found
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


def routes_of(handlers: Mapping[str, Endpoint], operations: Sequence[ApiOperation] = OPERATIONS) -> list[Route]:
    """Return the routes of all paths. Raises ValueError for an operation without a handler, and the reverse."""
    if unmatched := handlers.keys() ^ {operation.id for operation in operations}:
        raise ValueError(f"an operation without a handler, or a handler without an operation: {sorted(unmatched)}")
    paths: dict[str, dict[str, tuple[ApiOperation, Endpoint]]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = operation, handlers[operation.id]
    # The router takes the first route that matches.
    ordered = sorted(paths, key=lambda path: path.rpartition("/")[2].startswith("{"))
    return [Route(path, PathApplication(paths[path])) for path in ordered]


async def not_found(_scope: Scope, _receive: Receive, _send: Send) -> NoReturn:
    """Raise NotFound: the application of every other path."""
    raise NotFound("Check the path. /openapi.json lists every path.")

"""The routes as a table: the cost of a match does not grow with the number of routes.

A path's number of segments and its last segment select the templates to compare, one or two of them. A last segment
that a template names comes before a parameter in its place: `/things/decide` is never `/things/{id}`, for no method.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from gateway.ingress.http.context import context_of
from gateway.ingress.http.problems import MethodNotAllowed, NotFound
from gateway.ingress.http.responses import ProblemResponse
from runtime.http.problem import Problem
from schemas.api.operation import ApiOperation
from schemas.api.operations import OPERATIONS
from schemas.permissions import Permission

Endpoint = Callable[[Request], Awaitable[Response]]


class PathRoute(Route):
    """A path, its methods and its endpoint. A parameter of the path, such as `{id}`, is one whole segment."""

    endpoint: Endpoint
    methods: set[str]

    def __init__(
        self,
        path: str,
        endpoint: Endpoint,
        *,
        methods: Collection[str] = ("GET",),
        permissions: tuple[Permission, ...] = (),
    ) -> None:
        """`permissions`: the caller needs one of them, if there are some."""
        super().__init__(path, endpoint, methods=methods)
        self.permissions = permissions


def routes_of(handlers: Mapping[str, Endpoint], operations: Sequence[ApiOperation] = OPERATIONS) -> list[PathRoute]:
    """Return the route of each operation. Raises ValueError unless each has a handler, and each handler is of one."""
    if unmatched := handlers.keys() ^ {operation.id for operation in operations}:
        raise ValueError(f"an operation without a handler, or a handler without an operation: {sorted(unmatched)}")
    return [
        PathRoute(
            operation.path, handlers[operation.id], methods=(operation.method,), permissions=operation.permissions
        )
        for operation in operations
    ]


@dataclass(slots=True)
class _Template:
    """One path: the places of its texts and of its parameters among its segments, and its routes by method."""

    texts: tuple[tuple[int, str], ...]
    parameters: tuple[tuple[int, str], ...]
    routes: dict[str, PathRoute] = field(default_factory=dict)

    def match(self, segments: list[str]) -> dict[str, str] | None:
        """Return the parameters of a path with as many segments; None if the path is another one."""
        for place, text in self.texts:
            if segments[place] != text:
                return None
        values = {name: segments[place] for place, name in self.parameters}
        return None if "" in values.values() else values


class RouteTable(Router):
    """The application behind the middleware: it finds the endpoint, and answers every problem that is raised there.

    Starlette's own router, exception middleware and endpoint wrapper take seven coroutines per request for this.
    """

    def __init__(self, routes: Iterable[PathRoute]) -> None:
        routes = tuple(routes)
        super().__init__(routes, redirect_slashes=False)
        # The last segment of a key is "" for a parameter, which is never empty.
        self._templates: defaultdict[tuple[int, str], list[_Template]] = defaultdict(list)
        by_path: dict[str, _Template] = {}
        for route in routes:
            if route.path not in by_path:
                segments = route.path.split("/")
                texts = tuple((place, text) for place, text in enumerate(segments) if not text.startswith("{"))
                names = tuple((place, text[1:-1]) for place, text in enumerate(segments) if text.startswith("{"))
                template = by_path[route.path] = _Template(texts, names)
                last = "" if segments[-1].startswith("{") else segments[-1]
                self._templates[len(segments), last].append(template)
            for method in route.methods:
                by_path[route.path].routes.setdefault(method, route)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            response = await self.find(scope)(Request(scope, receive, send))
            await response(scope, receive, send)
        except Problem as problem:
            if context_of(scope).status is not None:
                raise
            await ProblemResponse(problem)(scope, receive, send)

    def find(self, scope: Scope) -> Endpoint:
        """Return the endpoint and note its route and parameters in the scope. Raises NotFound and MethodNotAllowed."""
        segments = scope["path"].split("/")
        count = len(segments)
        for key in ((count, segments[-1]), (count, "")):
            for template in self._templates.get(key, ()):
                parameters = template.match(segments)
                if parameters is None:
                    continue
                route = template.routes.get(scope["method"])
                if route is None:
                    allow = ", ".join(sorted(template.routes))
                    detail = "Use one of the methods in the Allow header."
                    raise MethodNotAllowed(detail, headers={"allow": allow})
                scope["route"], scope["path_params"] = route, parameters
                return route.endpoint
        raise NotFound("Check the path. /openapi.json lists every path.")

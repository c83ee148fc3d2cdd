"""The addresses, and which handler answers at each."""

from collections.abc import Awaitable, Callable

from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from gateway.ingress.http.exchange import Answer, Exchange, Streaming

Handler = Callable[[Exchange], Awaitable[Answer | Streaming]]


class Endpoint:
    """A handler as the ASGI application that starlette's router wants; the edge sends what it answers."""

    def __init__(self, path: str, handler: Handler) -> None:
        self._path = path
        self._handler = handler

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        """Leave the answer at the exchange."""
        exchange: Exchange = scope["exchange"]
        exchange.facts.route = self._path
        exchange.answer = await self._handler(exchange)


def route(method: str, path: str, handler: Handler) -> BaseRoute:
    """Bind a handler to a method and a path template."""
    return Route(path, Endpoint(path, handler), methods=[method])


def router(routes: list[BaseRoute]) -> Router:
    """Return the router: no redirects, and what is not found is the edge's problem."""
    return Router(routes, redirect_slashes=False)

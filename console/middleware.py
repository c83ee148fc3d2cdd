"""The middleware around the pages, outermost first. Each class has one concern.

RequestIds, RequestLog    the request's id, one log line and the metrics of every page
SecurityHeaders           CSP and the other headers
ErrorBoundary             a page for an unexpected exception
ExceptionMiddleware       Starlette's: a page for a PageError of the middleware below
CrossSiteCheck            403 for an unsafe request from another site
BodyBound                 413 for a large body
sign_in.gate.SignInGate   the signed-in person, or a redirect to the sign-in
PagesInFlight             429 above `MAX_PAGES_PER_PERSON` pages of one person
"""

from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from console.api import current_request_id
from console.errors import PageError
from gateway.middleware.exchange import Exchange, Places, exchange_of, route_label
from gateway.middleware.layers import RequestRecorder
from gateway.middleware.methods import READS
from runtime.logs import line_writer
from runtime.metrics import ConsoleMetrics

if TYPE_CHECKING:
    from console.person import SignedInPerson

MOST_ID_CHARACTERS: Final = 128
MAX_PAGES_PER_PERSON: Final = 8


def begin_exchange(request_id: str, headers: dict[bytes, bytes]) -> Exchange:
    """Return the exchange of a page. The calls of the API for the page have the same id."""
    current_request_id.set(request_id)
    return Exchange(request_id, headers)


def page_recorder(metrics: ConsoleMetrics) -> RequestRecorder:
    """Return the recorder of pages: person, route, ids, status, time."""
    return RequestRecorder(line_writer("console.page_completed"), metrics.pages, metrics.page_seconds, _fields_of)


def _fields_of(scope: Scope) -> dict[str, Any]:
    person: SignedInPerson | None = scope["state"].get("person")
    ids = {} if route_label(scope).startswith("/static/") else scope.get("path_params", {})
    return {
        "person": None if person is None else person.name,
        **{name: str(value)[:MOST_ID_CHARACTERS] for name, value in ids.items()},
    }


class CrossSiteCheck:
    """Rejects an unsafe request that a page of another site may have caused (CSRF).

    Browsers name the origin of a request in Sec-Fetch-Site, and no page can change this header. A browser that does not
    send it, as on plain HTTP, sends Origin with every unsafe request.
    """

    def __init__(self, app: ASGIApp, *, origin: str) -> None:
        """`origin` is the console's own, such as https://handoffs.example."""
        self.app = app
        self._origin = origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or reject one request."""
        request = Request(scope)
        if scope["method"] not in READS and not self._is_own(request):
            raise PageError(
                403, "The request came from another site", "Open the console's own page and use its button there."
            )
        await self.app(scope, receive, send)

    def _is_own(self, request: Request) -> bool:
        sites = request.headers.getlist("sec-fetch-site")
        return sites == ["same-origin"] if sites else request.headers.getlist("origin") == [self._origin]


class PagesInFlight:
    """Serves at most `most` pages of one person at a time. A page counts until its response starts."""

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self.app = app
        self._most = most
        self._in_flight = Places()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or reject one request."""
        person: SignedInPerson | None = scope["state"].get("person")
        if person is not None:
            if self._in_flight.taken(person.name) >= self._most:
                raise PageError(
                    429,
                    "Too many pages at once",
                    f"Up to {self._most} of your pages load at a time. Wait a second and load the page again.",
                    {"retry-after": "1"},
                )
            self._in_flight.take(exchange_of(scope), person.name)
        await self.app(scope, receive, send)

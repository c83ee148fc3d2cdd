"""The middleware around the pages, outermost first. Each class has one concern.

PageLog           the request's id, one log line and the metrics of every page
SecurityHeaders   CSP and the other headers
PageErrors        a page for an unexpected exception
CrossSiteCheck    403 for an unsafe request from another site
BodyBound         413 for a large body
sign_in.gate.SignInGate   the signed-in person, or a redirect to the sign-in
PagesInFlight     429 above `max_pages_per_person` pages of one person
"""

import re
import secrets
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.console.api import current_request_id
from gateway.console.errors import PageError, error_page
from runtime.logs import get_log, line_writer
from runtime.metrics import ConsoleMetrics

if TYPE_CHECKING:
    from gateway.console.person import SignedInPerson

MOST_ID_CHARACTERS: Final = 128
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST"})
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class PageLog:
    """Gives each request an id, and writes its log line: person, route, ids, status, time."""

    def __init__(self, app: ASGIApp, metrics: ConsoleMetrics) -> None:
        self.app = app
        self._metrics = metrics
        self._write_line = line_writer("console.page_completed")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started_at = time.perf_counter()
        request_id = _request_id(Request(scope).headers.get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        current_request_id.set(request_id)
        status = 499  # the browser closed the connection first

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            self._record(scope, status, time.perf_counter() - started_at)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.pages.labels(route, method, status).inc()
        self._metrics.page_seconds.labels(route).observe(seconds)
        person: SignedInPerson | None = scope["state"].get("person")
        ids = {} if route.startswith("/static/") else scope.get("path_params", {})
        line: dict[str, Any] = {
            "request_id": scope["state"]["request_id"],
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1_000, 2),
            "person": None if person is None else person.name,
            **{name: str(value)[:MOST_ID_CHARACTERS] for name, value in ids.items()},
        }
        self._write_line(line)


def _request_id(header: str | None) -> str:
    return header if header is not None and _REQUEST_ID.fullmatch(header) else secrets.token_hex(8)


class PageErrors:
    """Converts an unexpected exception to a log line and a page with status 500."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._log = get_log()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises only after the response has started."""
        has_started = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_started
            has_started = has_started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except ClientDisconnect:
            pass
        except HTTPException as error:
            # Only middleware raises it here: the router handles the exceptions of pages.
            if has_started:
                raise
            await error_page(Request(scope), error)(scope, receive, send)
        except Exception as error:
            if has_started:
                raise
            self._log.error("console.page_failed", request_id=scope["state"]["request_id"], exc_info=error)
            await error_page(Request(scope), HTTPException(500))(scope, receive, send)


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
        if scope["method"] not in _SAFE_METHODS and not self._is_own(request):
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
        self._in_flight: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or reject one request."""
        person: SignedInPerson | None = scope["state"].get("person")
        if person is None:
            await self.app(scope, receive, send)
            return
        if self._in_flight[person.name] >= self._most:
            raise PageError(
                429,
                "Too many pages at once",
                f"Up to {self._most} of your pages load at a time. Wait a second and load the page again.",
                {"retry-after": "1"},
            )
        self._in_flight[person.name] += 1
        counts = True

        def release() -> None:
            nonlocal counts
            if counts:
                counts = False
                self._in_flight[person.name] -= 1
                if not self._in_flight[person.name]:
                    del self._in_flight[person.name]

        async def send_and_release(message: Message) -> None:
            if message["type"] == "http.response.start":
                release()
            await send(message)

        try:
            await self.app(scope, receive, send_and_release)
        finally:
            release()

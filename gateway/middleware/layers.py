"""The middleware that the API and the console share, outermost first. Each class has one concern.

    RequestIds        exchange, X-Request-Id, the end of the request's places
    RequestLog        one log line and the metrics of every request
    ErrorBoundary     500 for an unexpected exception

docs/decisions/0008-http-layer.md gives the reasons. The server runs without websockets and lifespan, so every scope is
an HTTP request. A class without work after the inner app is not `async`: it returns the inner app's awaitable, so that
no further coroutine runs at each step of the request.
"""

import asyncio
import itertools
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.middleware.exchange import Exchange, exchange_of, route_label
from gateway.middleware.methods import method_label
from runtime.http_server.problem import Problem

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# An id of our own is the process's random prefix and a number.
_ID_PREFIX = secrets.token_hex(4)
_id_numbers = itertools.count()


class RequestIds:
    """Creates the exchange of every request. Adds the request's id to its response."""

    def __init__(self, app: ASGIApp, begin: Callable[[str, dict[bytes, bytes]], Exchange]) -> None:
        """`begin` makes the exchange from the request's id and headers."""
        self.app = app
        self._begin = begin

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        # The first value of a repeated header counts.
        headers = dict(reversed(scope["headers"]))
        exchange = self._begin(_request_id(headers.get(b"x-request-id")), headers)
        scope.setdefault("state", {})["context"] = exchange

        def send_with_id(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                exchange.release()
                message["headers"] = [*message["headers"], (b"x-request-id", exchange.request_id.encode())]
            return send(message)

        return self.app(scope, receive, send_with_id)


def _request_id(header: bytes | None) -> str:
    if header is not None and _REQUEST_ID.fullmatch(header):
        return header.decode("ascii")
    return f"{_ID_PREFIX}{next(_id_numbers) & 0xFFFFFFFF:08x}"


class RequestRecorder:
    """Writes the log line of a request and counts it. Shared by `RequestLog` and the server."""

    def __init__(
        self,
        write_line: Callable[[dict[str, Any]], None],
        requests: "Counter",
        seconds: "Histogram",
        fields_of: Callable[[Scope], dict[str, Any]],
    ) -> None:
        """`fields_of` returns the further fields of a request's log line: names, ids and slugs, never content."""
        self._write_line = write_line
        self._requests = requests
        self._seconds = seconds
        self._fields_of = fields_of
        # `labels` takes a lock and builds a key; the series of a process are few.
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def record(self, scope: Scope, seconds: float) -> None:
        """Record a request that has ended. Status 499 means that the client closed the connection first."""
        exchange = exchange_of(scope)
        series = route, method, status = route_label(scope), method_label(scope), exchange.status or 499
        counter = self._counters.get(series)
        if counter is None:
            counter = self._counters[series] = self._requests.labels(*series)
            self._histograms[route] = self._seconds.labels(route)
        counter.inc()
        self._histograms[route].observe(seconds)
        self._write_line(
            {
                "request_id": exchange.request_id,
                "method": method,
                "route": route,
                "status": status,
                "ms": round(seconds * 1_000, 2),
                **self._fields_of(scope),
            }
        )

    def record_rejected(self, problem: Problem, request_id: str) -> None:
        """Record a request that the server rejected before it reached the application."""
        self._requests.labels("unreadable", "other", problem.status).inc()
        self._write_line(
            {"request_id": request_id, "route": "unreadable", "status": problem.status, "problem": problem.slug}
        )


class RequestLog:
    """Records every request when its response is complete, or has failed."""

    def __init__(self, app: ASGIApp, recorder: RequestRecorder) -> None:
        self.app = app
        self._recorder = recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Without a response its places end here."""
        started_at = time.perf_counter()
        try:
            await self.app(scope, receive, send)
        finally:
            exchange_of(scope).release()
            self._recorder.record(scope, time.perf_counter() - started_at)


class ErrorBoundary:
    """Converts an unexpected exception, or a cancellation by a stop, to a response. A disconnected client gets none."""

    def __init__(self, app: ASGIApp, fail: Callable[[Scope, Exception | asyncio.CancelledError], Response]) -> None:
        """`fail` logs the exception and returns the response."""
        self.app = app
        self._fail = fail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises only after the response has started: the server then closes the connection."""
        try:
            await self.app(scope, receive, send)
        except ClientDisconnect:
            pass
        except (Exception, asyncio.CancelledError) as error:
            if exchange_of(scope).status is not None:
                raise
            # Deadlines are inside: only the server cancels here, at the end of a stop.
            if isinstance(error, asyncio.CancelledError) and (task := asyncio.current_task()) is not None:
                task.uncancel()
            await self._fail(scope, error)(scope, receive, send)

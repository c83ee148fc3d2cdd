"""The middleware around the endpoints, outermost first. Each class has one concern.

    RequestIds        context, X-Request-Id
    RequestLog        one log line and the metrics of every request
    InFlightLimit     503 above `max_in_flight` requests, or 408 for the slowest unfinished body
    ErrorBoundary     500 for an unexpected exception
    RequestDeadline   408 or 504 for a request that takes too long
    StrictHeaders     400 for a repeated header
    body.BodyLimit    413 and 415 while the body is read

`auth.authentication.Authentication` is the innermost. docs/decisions/0008-http-layer.md gives the reasons.
The server runs without websockets and lifespan, so every scope is an HTTP request. A class that has nothing to do after
the request returns the awaitable of the next one: a coroutine of its own would run at each step of the request.
"""

import asyncio
import itertools
import re
import secrets
import time
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.ingress.http.body import UnfinishedBodies
from gateway.ingress.http.context import RequestContext, route_label
from gateway.ingress.http.deadlines import Deadlines
from gateway.ingress.http.problems import DeadlinePassed, InternalError
from gateway.ingress.http.responses import ProblemResponse
from runtime.http.body import timed_out
from runtime.http.problem import Fault, Problem
from runtime.http.problems import InvalidHeader, Overloaded
from runtime.http.request_head import RawHeaders
from runtime.logs import get_log, line_writer
from runtime.metrics import IngressMetrics

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# An id of our own is the process's random prefix and a number.
_ID_PREFIX = secrets.token_hex(4)
_id_numbers = itertools.count()
_READS = frozenset({"GET", "HEAD"})
# Other method names come from callers. As labels they would be unbounded.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
# A repetition of these headers is ambiguous: a proxy may have checked another value than the gateway reads.
_SINGLE_HEADERS = frozenset(
    (
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"host",
        b"idempotency-key",
        b"last-event-id",
        b"traceparent",
        b"webhook-id",
        b"webhook-signature",
        b"webhook-timestamp",
        b"x-request-id",
    )
)


class RequestIds:
    """Creates the context of every request. Adds the request's id to its response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        # The first value of a repeated header counts, until `StrictHeaders` rejects the repetition.
        headers = dict(reversed(scope["headers"]))
        context = scope["state"]["context"] = RequestContext(_request_id(headers.get(b"x-request-id")), headers)

        def send_with_id(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                context.status = message["status"]
                for callback in context.on_start:
                    callback()
                message["headers"] = [*message["headers"], (b"x-request-id", context.request_id.encode())]
            return send(message)

        return self.app(scope, receive, send_with_id)


def _request_id(header: bytes | None) -> str:
    if header is not None and _REQUEST_ID.fullmatch(header):
        return header.decode("ascii")
    return f"{_ID_PREFIX}{next(_id_numbers) & 0xFFFFFFFF:08x}"


class RequestRecorder:
    """Writes the log line of a request and counts it. Shared by `RequestLog` and the server."""

    def __init__(self, metrics: IngressMetrics) -> None:
        self._metrics = metrics
        self._write_line = line_writer("ingress.request_completed")
        # `labels` takes a lock and builds a key; the series of a process are few.
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def record(self, scope: Scope, seconds: float) -> None:
        """Record a request that has ended. Status 499 means that the client closed the connection first."""
        context: RequestContext = scope["state"]["context"]
        route, status = route_label(scope), context.status or 499
        method = scope["method"] if scope["method"] in _METHODS else "other"
        series = route, method, status
        counter = self._counters.get(series)
        if counter is None:
            counter = self._counters[series] = self._metrics.requests.labels(*series)
            self._histograms[route] = self._metrics.request_seconds.labels(route)
        counter.inc()
        self._histograms[route].observe(seconds)
        self._write_line(
            {
                "request_id": context.request_id,
                "method": method,
                "route": route,
                "status": status,
                "ms": round(seconds * 1_000, 2),
                "caller": context.caller,
                **context.log_fields,
            }
        )

    def record_rejected(self, problem: Problem, request_id: str) -> None:
        """Record a request that the server rejected before it reached the application."""
        self._metrics.requests.labels("unreadable", "other", problem.status).inc()
        self._write_line(
            {"request_id": request_id, "route": "unreadable", "status": problem.status, "problem": problem.slug}
        )


class RequestLog:
    """Records every request when its response is complete."""

    def __init__(self, app: ASGIApp, recorder: RequestRecorder) -> None:
        self.app = app
        self._recorder = recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started_at = time.perf_counter()
        await self.app(scope, receive, send)
        self._recorder.record(scope, time.perf_counter() - started_at)


class InFlightLimit:
    """Serves at most `max_in_flight` requests at a time. A request counts until its response starts.

    Above the bound a new request ends the one whose body has been unfinished for longest; without one it gets 503.
    """

    def __init__(self, app: ASGIApp, metrics: IngressMetrics, bodies: UnfinishedBodies, *, max_in_flight: int) -> None:
        self.app = app
        self._bodies = bodies
        self._metrics = metrics
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        metrics.requests_in_flight.set_function(lambda: self._in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or reject one request."""
        if self._in_flight >= self._max_in_flight and not self._bodies.evict("slow_bodies"):
            self._metrics.shed.labels("in_flight").inc()
            problem = Overloaded("Please send the request again in a few seconds.", retry_after_seconds=1)
            await ProblemResponse(problem)(scope, receive, send)
            return
        context: RequestContext = scope["state"]["context"]
        context.on_start.append(context.release)
        context.on_release.append(self._release)
        self._in_flight += 1
        try:
            await self.app(scope, receive, send)
        finally:
            if context.status is None:
                context.release()

    def _release(self) -> None:
        self._in_flight -= 1


class ErrorBoundary:
    """Converts an unexpected exception to a log line and a 500. A disconnected client gets no response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._log = get_log()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises only after the response has started: the server then closes the connection."""
        try:
            await self.app(scope, receive, send)
        except ClientDisconnect:
            pass
        except Exception as error:
            context: RequestContext = scope["state"]["context"]
            if context.status is not None:
                raise
            self._log.error("ingress.request_failed", request_id=context.request_id, exc_info=error)
            detail = "Send the request again. If it fails again, report the requestId to the operators."
            await ProblemResponse(InternalError(detail))(scope, receive, send)


class RequestDeadline:
    """Gives every request a deadline by which its response must start. `RequestContext.deadline` may extend it."""

    def __init__(self, app: ASGIApp, deadlines: Deadlines, *, seconds: float) -> None:
        self.app = app
        self._deadlines = deadlines
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        context: RequestContext = scope["state"]["context"]
        deadline = context.deadline = self._deadlines.start(self._seconds)
        context.on_start.append(partial(self._deadlines.end, deadline))
        try:
            await self.app(scope, receive, send)
        except asyncio.CancelledError:
            if not deadline.claim():
                raise
            await ProblemResponse(_problem_of_timeout(context, scope["method"]))(scope, receive, send)
        finally:
            if context.status is None:
                self._deadlines.end(deadline)


def _problem_of_timeout(context: RequestContext, method: str) -> Problem:
    if context.is_reading_body:
        return timed_out()
    if method in _READS:
        return DeadlinePassed(
            "The read could not be answered in time. It changed nothing. Please try again in a few seconds.",
            retry_after_seconds=1,
        )
    return DeadlinePassed(
        "It is unknown whether the command was accepted. Send the same request with the same key again.",
        retry_after_seconds=1,
    )


class StrictHeaders:
    """Rejects a repeated header that must be single. Joins the values of other repeated headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve or reject one request."""
        context: RequestContext = scope["state"]["context"]
        if len(context.headers) < len(scope["headers"]):
            try:
                context.headers = _joined(scope["headers"])
            except InvalidHeader as problem:
                return ProblemResponse(problem)(scope, receive, send)
        return self.app(scope, receive, send)


def _joined(raw_headers: RawHeaders) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for name, value in raw_headers:
        if name not in headers:
            headers[name] = value
        elif name in _SINGLE_HEADERS or name.startswith(b"ce-"):
            fault = Fault("to be given once", header=name.decode("latin-1"))
            raise InvalidHeader("Send this header once.", faults=(fault,))
        else:
            headers[name] += b", " + value
    return headers

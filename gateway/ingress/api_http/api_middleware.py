"""The middleware of the API alone: places, deadlines and headers. `gateway.ingress.app` has the order of all."""

import asyncio
from collections.abc import Awaitable
from functools import partial

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.ingress.api_http.api_problems import DeadlinePassed
from gateway.ingress.api_http.body import UnfinishedBodies
from gateway.ingress.api_http.context import RequestContext, context_of
from gateway.ingress.api_http.deadlines import Deadlines
from gateway.ingress.api_http.responses import ProblemResponse
from gateway.middleware.exchange import Places
from gateway.middleware.methods import READS
from runtime.http_server.body import timed_out
from runtime.http_server.port_problems import InvalidHeader, Overloaded
from runtime.http_server.problem import Fault, Problem
from runtime.http_server.request_head import RawHeaders
from runtime.metrics import IngressMetrics

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
_ALL = "all"


class InFlightLimit:
    """Serves at most `max_in_flight` requests at a time. A request counts until its response starts.

    Above the bound a new request ends the one whose body has been unfinished for longest; without one it gets 503.
    """

    def __init__(self, app: ASGIApp, metrics: IngressMetrics, bodies: UnfinishedBodies, *, max_in_flight: int) -> None:
        self.app = app
        self._bodies = bodies
        self._metrics = metrics
        self._max_in_flight = max_in_flight
        self._places = Places()
        metrics.requests_in_flight.set_function(lambda: self._places.taken(_ALL))

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve or reject one request."""
        if self._places.taken(_ALL) >= self._max_in_flight and not self._bodies.evict("slow_bodies"):
            self._metrics.shed.labels("in_flight").inc()
            problem = Overloaded("Please send the request again in a few seconds.", retry_after_seconds=1)
            return ProblemResponse(problem)(scope, receive, send)
        self._places.take(context_of(scope), _ALL)
        return self.app(scope, receive, send)


class RequestDeadline:
    """Gives every request a deadline by which its response must start. `RequestContext.deadline` may extend it."""

    def __init__(self, app: ASGIApp, deadlines: Deadlines, *, seconds: float) -> None:
        self.app = app
        self._deadlines = deadlines
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        context = context_of(scope)
        deadline = context.deadline = self._deadlines.start(self._seconds)
        context.on_release.append(partial(self._deadlines.end, deadline))
        try:
            await self.app(scope, receive, send)
        except asyncio.CancelledError:
            if not deadline.claim():
                raise
            await ProblemResponse(_problem_of_timeout(context, scope["method"]))(scope, receive, send)
        finally:
            self._deadlines.end(deadline)


def _problem_of_timeout(context: RequestContext, method: str) -> Problem:
    if context.is_reading_body:
        return timed_out()
    if method in READS:
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
        context = context_of(scope)
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

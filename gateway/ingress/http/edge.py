"""The outermost layer of every request: its id, its deadline, its headers, its one log line, its metrics.

A plain ASGI application around the router. Whatever happens inside becomes an answer here, and every problem is
rendered here; no exception and no traceback passes it.
"""

import asyncio
import itertools
import re
import secrets
import time
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.ingress.http.deadlines import Deadlines
from gateway.ingress.http.exchange import Answer, ClientGone, Exchange, Headers, Streaming, with_common
from gateway.ingress.http.problem import Problem
from gateway.ingress.http.problems import DeadlinePassed, InternalError, MethodNotAllowed, NotFound, Overloaded
from runtime.logs import get_log, line_writer
from runtime.metrics import IngressMetrics

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# A request id of our own: which process, and a number.
_OURS = secrets.token_hex(4)
_numbers = itertools.count()
# Callers' method words are a label only if they are HTTP's.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})


class Edge:
    """Wraps the router; at most `max_in_flight` requests are worked on at a time, streams not counted."""

    def __init__(
        self,
        router: ASGIApp,
        metrics: IngressMetrics,
        deadlines: Deadlines,
        *,
        deadline_seconds: float,
        max_in_flight: int,
    ) -> None:
        self._router = router
        self._metrics = metrics
        self._deadlines = deadlines
        self._deadline_seconds = deadline_seconds
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._log = get_log()
        self._write_line = line_writer("request")
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        metrics.requests_in_flight.set_function(lambda: self._in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started = time.perf_counter()
        deadline = self._deadlines.start(self._deadline_seconds)
        exchange = Exchange(scope, receive, _request_id(scope), deadline)
        self._in_flight += 1
        try:
            answer = await self._answer(exchange, send)
        finally:
            self._deadlines.end(deadline)
            self._in_flight -= 1
        if answer is None:
            self._record(exchange, 499, started)
            return
        if isinstance(answer, Streaming):
            await send(_start(200, answer.headers, exchange))
            exchange.facts.fields["ended"] = await answer.write(send)
            self._record(exchange, 200, started)
            return
        # RFC 9110 8.6: of a 304 the length would be that of the body that is not sent.
        length = [] if answer.status == 304 else [(b"content-length", b"%d" % len(answer.body))]
        await send(_start(answer.status, [*answer.headers, *length], exchange))
        await send({"type": "http.response.body", "body": answer.body})
        self._record(exchange, answer.status, started)

    async def _answer(self, exchange: Exchange, send: Send) -> Answer | Streaming | None:
        """Return the answer, or None where nobody is left to hear it."""
        try:
            self._shed()
            exchange.read_headers()
            scope = exchange.scope
            # Known to starlette's router as the sign that somebody turns its exceptions into answers.
            scope["app"] = self
            scope["exchange"] = exchange
            await self._router(scope, exchange.receive, send)
        except Problem as problem:
            return self._render(exchange, problem)
        except asyncio.CancelledError:
            if not exchange.deadline.claim():
                raise
            late = exchange.timed_out() or DeadlinePassed(
                "It is not known whether the command was kept. Send the same request with the same key again.",
                retry_after_seconds=1,
            )
            return self._render(exchange, late)
        except HTTPException as refused:
            return self._render(exchange, _of_router(refused))
        except ClientGone:
            return None
        except Exception as error:  # noqa: BLE001 - the boundary of a request: one caller's bad luck is not the process's
            self._log.error("request failed", request_id=exchange.request_id, exc_info=error)
            return self._render(
                exchange, InternalError("Send the request again; if it fails again, tell us the requestId.")
            )
        return exchange.answer

    def _shed(self) -> None:
        if self._in_flight > self._max_in_flight:
            self._metrics.shed.labels("in_flight").inc()
            raise Overloaded("Send the request again, after Retry-After.", retry_after_seconds=1)

    def _render(self, exchange: Exchange, problem: Problem) -> Answer:
        exchange.facts.fields["problem"] = problem.slug
        return Answer(problem.status, problem.body(exchange.request_id), problem.headers())

    def _record(self, exchange: Exchange, status: int, started: float) -> None:
        seconds = time.perf_counter() - started
        facts, method = exchange.facts, exchange.scope["method"]
        method = method if method in _METHODS else "other"
        series = facts.route, method, status
        counter = self._counters.get(series)
        if counter is None:
            counter = self._counters[series] = self._metrics.requests.labels(*series)
            self._histograms[facts.route] = self._metrics.request_seconds.labels(facts.route)
        counter.inc()
        self._histograms[facts.route].observe(seconds)
        self._write_line(
            {
                "request_id": exchange.request_id,
                "method": method,
                "route": facts.route,
                "status": status,
                "ms": round(seconds * 1_000, 2),
                "caller": facts.caller,
                **facts.fields,
            }
        )

    def refused(self, problem: Problem, request_id: str) -> None:
        """Record a request that was refused before it existed."""
        self._metrics.requests.labels("unreadable", "other", problem.status).inc()
        self._write_line(
            {"request_id": request_id, "route": "unreadable", "status": problem.status, "problem": problem.slug}
        )


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value, "ascii")
    return f"{_OURS}{next(_numbers) & 0xFFFFFFFF:08x}"


def _start(status: int, headers: Headers, exchange: Exchange) -> dict[str, object]:
    return {
        "type": "http.response.start",
        "status": status,
        "headers": with_common(headers, exchange.request_id),
    }


def _of_router(refused: HTTPException) -> Problem:
    if refused.status_code == 405:
        allow = (refused.headers or {}).get("Allow", "")
        return MethodNotAllowed("Use one of the methods in Allow.", headers=((b"allow", allow.encode()),))
    return NotFound("Check the path; /openapi.json lists every address.")

"""The HTTP server: uvicorn's parser with bounds on what comes before a request exists.

uvicorn bounds neither the URL nor the headers nor the time of their arrival. A head that exceeds a bound or breaks the
grammar gets a problem, and the connection is closed. A request that is being served at that time keeps its response.
uvicorn does not bound the time of writing either: a client that does not read its response is disconnected.

This module has every use of uvicorn's undocumented members, all of `HttpToolsProtocol` and its `RequestResponseCycle`.
They were checked against uvicorn 0.54.0: tests/unit/ingress/test_server.py fails when an upgrade changes them.
"""

import asyncio
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.ingress.http.problem import Problem
from gateway.ingress.http.problems import HeadersTooLarge, Overloaded, Unreadable, UrlTooLong
from gateway.ingress.http.responses import with_common_headers


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits of a connection and of a request's head.

    `write_seconds` is longer than the write timeout of an event stream, which names its reason before it disconnects.
    """

    url_bytes: int = 4 << 10
    header_count: int = 64
    header_bytes: int = 16 << 10
    head_bytes: int = 32 << 10
    head_seconds: float = 10.0
    connections: int = 2_000
    write_seconds: float = 30.0


class _Rejected(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.slug)
        self.problem = problem


class LimitedProtocol(HttpToolsProtocol):
    """One connection. Limits and callback are class attributes, because uvicorn creates the instances."""

    limits: ClassVar[ConnectionLimits]

    @staticmethod
    def on_rejected(problem: Problem, request_id: str) -> None:
        """Handle a request that was rejected before it existed."""

    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _in_head = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, unless there are too many."""
        super().connection_made(transport)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # A few bytes do not pause writing, and closing leaves bytes in the kernel: only the kernel can bound these.
            milliseconds = round(self.limits.write_seconds * 1_000)
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        if len(self.connections) > self.limits.connections:
            self._reject(Overloaded("Connect again later, or keep fewer connections.", retry_after_seconds=1))
            return
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        self._stop_head_timer()
        self._stop_write_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the timer of a client that does not read."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.limits.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the timer of a client that reads again."""
        self._stop_write_timer()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Feed the parser. Reject malformed and oversized heads."""
        if self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # the server has no other protocol, so it serves the request as HTTP/1.1
        except httptools.HttpParserError as error:
            rejected = error.__context__ if isinstance(error.__context__, _Rejected) else error.__cause__
            self._reject(
                rejected.problem
                if isinstance(rejected, _Rejected)
                else Unreadable("Send well-formed HTTP/1.1.", close=True)
            )
            return
        if self._in_head:
            self._head_bytes += len(data)
            problem = self._problem_of_head()
            if problem is not None:
                self._reject(problem)
            elif self._head_timer is None:
                self._start_head_timer()

    def on_message_begin(self) -> None:
        """Reset the counters for a new head."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Bound the URL and the headers. Stop the timer of the head."""
        self._in_head = False
        problem = self._problem_of_head()
        if problem is not None:
            raise _Rejected(problem)
        if self._head_timer is not None:
            self._stop_head_timer()
        super().on_headers_complete()

    def _problem_of_head(self) -> Problem | None:
        """Return the problem of a head, complete or not. Called once per request or chunk, not once per header."""
        limits = self.limits
        if len(self.url) > limits.url_bytes:
            return UrlTooLong(f"Send a URL of at most {limits.url_bytes} bytes.", close=True)
        header_bytes = sum(map(len, chain.from_iterable(self.headers)))
        if (
            header_bytes > limits.header_bytes
            or len(self.headers) > limits.header_count
            or self._head_bytes > limits.head_bytes
        ):
            return HeadersTooLarge(
                f"Send at most {limits.header_count} headers and {limits.header_bytes} bytes of them.", close=True
            )
        return None

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.head_seconds, self._close_late_head)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _close_late_head(self) -> None:
        self._head_timer = None
        self.transport.close()

    def _reject(self, problem: Problem) -> None:
        request_id = secrets.token_hex(8)
        self.on_rejected(problem, request_id)
        self._stop_head_timer()
        last: Any = self.cycle
        if last is None or last.response_complete:
            self._write(problem, request_id)
        elif self.pipeline or not last.more_body:
            # An earlier request is being served. It gets its response, and then the connection is closed.
            self.pipeline.clear()
            last.keep_alive = False
            self.timeout_keep_alive = 0
            self.flow.pause_reading()
        else:
            # The malformed bytes belong to the body that is being read.
            last.disconnected = True
            last.message_event.set()
            if last.response_started:
                self.transport.close()
            else:
                self._write(problem, request_id)

    def _write(self, problem: Problem, request_id: str) -> None:
        body = problem.body(request_id)
        fields = problem.headers() | {"content-length": str(len(body)), "connection": "close"}
        raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
        content = [STATUS_LINE[problem.status]]
        for name, value in with_common_headers(raw_headers, request_id):
            content.extend((name, b": ", value, b"\r\n"))
        content.extend((b"\r\n", body))
        self.transport.write(b"".join(content))
        self.transport.close()


def limited_protocol(limits: ConnectionLimits, on_rejected: Callable[[Problem, str], None]) -> type[LimitedProtocol]:
    """Return a protocol class with these limits. It calls `on_rejected` for a request rejected before it exists."""
    return type("ConfiguredProtocol", (LimitedProtocol,), {"limits": limits, "on_rejected": staticmethod(on_rejected)})

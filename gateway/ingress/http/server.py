"""HTTP as it comes off the wire: uvicorn's parser with bounds on the head, before a request exists.

uvicorn bounds neither the URL nor the headers nor the time that they take. What breaks a bound or the grammar is
answered with a problem and the connection is closed; a request that is being served meanwhile keeps its answer.
Nor does uvicorn bound the time in which an answer is taken: a client that does not read is hung up on.
"""

import asyncio
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.ingress.http.exchange import with_common
from gateway.ingress.http.problem import Problem
from gateway.ingress.http.problems import HeadersTooLarge, Overloaded, Unreadable, UrlTooLong


@dataclass(frozen=True, slots=True)
class ConnectionBounds:
    """What a request's head may be, how many connections there may be, and how long an answer may wait to be read.

    `write_seconds` is longer than an event stream's own bound, which drops a slow client with a reason.
    """

    url_bytes: int = 4 << 10
    header_count: int = 64
    header_bytes: int = 16 << 10
    head_bytes: int = 32 << 10
    head_seconds: float = 10.0
    connections: int = 2_000
    write_seconds: float = 30.0


class _Refusal(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.slug)
        self.problem = problem


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Bounds and listener stand at the class, because uvicorn makes the instances."""

    bounds: ClassVar[ConnectionBounds]

    @staticmethod
    def told(problem: Problem, request_id: str) -> None:
        """Hear of a request that was refused before it existed."""

    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _in_head = False
    _head_bytes = 0
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, if there is room."""
        super().connection_made(transport)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # What is too little to pause writing, or is left when we close, waits in the kernel's sight only.
            milliseconds = round(self.bounds.write_seconds * 1_000)
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        if len(self.connections) > self.bounds.connections:
            self._refuse(Overloaded("Connect again later, or keep fewer connections.", retry_after_seconds=1))
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._head_arrived()
        self._written()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the clock of the client that should read."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.bounds.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop that clock."""
        self._written()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and judge what it says."""
        if self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # no protocol to upgrade to: the request is served as HTTP/1.1
        except httptools.HttpParserError as error:
            refusal = error.__context__ if isinstance(error.__context__, _Refusal) else error.__cause__
            self._refuse(
                refusal.problem
                if isinstance(refusal, _Refusal)
                else Unreadable("Send well-formed HTTP/1.1.", close=True)
            )
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.bounds.head_bytes:
                self._refuse(_headers_too_large(self.bounds))
            elif self._head_timer is None:
                self._await_head()

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = self._header_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Bound the URL."""
        super().on_url(url)
        if len(self.url) > self.bounds.url_bytes:
            raise _Refusal(UrlTooLong(f"Send a URL of at most {self.bounds.url_bytes} bytes.", close=True))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Bound the headers."""
        super().on_header(name, value)
        self._header_bytes += len(name) + len(value)
        if len(self.headers) > self.bounds.header_count or self._header_bytes > self.bounds.header_bytes:
            raise _Refusal(_headers_too_large(self.bounds))

    def on_headers_complete(self) -> None:
        """Stop the clock."""
        self._in_head = False
        if self._head_timer is not None:
            self._head_arrived()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.bounds.head_seconds, self._head_is_late)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _written(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        request_id = secrets.token_hex(8)
        self.told(problem, request_id)
        self._head_arrived()
        last: Any = self.cycle
        if last is None or last.response_complete:
            self._write(problem, request_id)
        elif self.pipeline or not last.more_body:
            # An earlier request is being served: it gets its answer, and the connection ends with it.
            self.pipeline.clear()
            last.keep_alive = False
            self.timeout_keep_alive = 0
            self.flow.pause_reading()
        else:
            # The broken bytes belong to the body that is being read.
            last.disconnected = True
            last.message_event.set()
            if last.response_started:
                self.transport.close()
            else:
                self._write(problem, request_id)

    def _write(self, problem: Problem, request_id: str) -> None:
        body = problem.body(request_id)
        content = [STATUS_LINE[problem.status]]
        headers = with_common([*problem.headers(), (b"content-length", str(len(body)).encode())], request_id)
        if not problem.close:
            headers.append((b"connection", b"close"))
        for name, value in headers:
            content.extend((name, b": ", value, b"\r\n"))
        content.extend((b"\r\n", body))
        self.transport.write(b"".join(content))
        self.transport.close()


def bounded_protocol(bounds: ConnectionBounds, on_refused: Callable[[Problem, str], None]) -> type[BoundedProtocol]:
    """Return a protocol class with these bounds, that tells of every request refused before it exists."""
    return type("Bounded", (BoundedProtocol,), {"bounds": bounds, "told": staticmethod(on_refused)})


def _headers_too_large(bounds: ConnectionBounds) -> HeadersTooLarge:
    return HeadersTooLarge(
        f"Send at most {bounds.header_count} headers and {bounds.header_bytes} bytes of them.", close=True
    )

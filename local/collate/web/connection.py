"""A client connection: HTTP/1.1 requests parsed by httptools, replies, and the faults of a connection.

A request has no task of its own: its handler runs synchronously, and the exchange ends immediately or by a timer.
Pipelined requests wait in order.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import unquote

import httptools

from local.collate.faults.rules import Cut
from local.collate.web.message import Reply, Request

_BODY_LIMIT = 1 << 20
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of zero seconds: closing sends RST instead of FIN
# How the ledger calls the end of a call.
_ENDED = {"reset": "reset", "truncate": "truncated", "trickle": "trickled", "drop": "dropped"} | {
    kind: kind for kind in ("garbage", "endless")
}
_ENDLESS_HEADER = b"x-more: %s\r\n" % (b"a" * 1000)
_ENDLESS_CHUNK = b"%x\r\n%s\r\n" % (16_384, b" " * 16_384)


class Exchange:
    """A request that waits for its end. Only the first end counts; it calls `on_end`."""

    __slots__ = ("_connection", "is_over", "on_end")

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self.is_over = False
        self.on_end: Callable[[str], None] | None = None

    def later(self, seconds: float, then: Callable[[], None]) -> None:
        """Call `then` after some seconds of real time, also if the client has disconnected."""
        self._connection.loop.call_later(seconds, then)

    def reply(self, reply: Reply) -> None:
        """Send the reply."""
        if self._ends("answered"):
            self._connection.send(reply)

    def cut(self, cut: Cut, reply: Reply) -> None:
        """End the connection in another way than by the reply alone. `hang` sends nothing, and ends nothing."""
        if cut.kind == "hang" or not self._ends(_ENDED[cut.kind]):
            return
        match cut.kind:
            case "reset":
                self._connection.reset()
            case "truncate":
                self._connection.send_half(reply)
            case "trickle":
                self._connection.send_slowly(reply, cut.seconds)
            case "drop":
                self._connection.send(reply)
                self._connection.close()
            case "garbage":
                self._connection.write_raw(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
                self._connection.close()
            case _:
                self._connection.send_endlessly(cut.part)

    def client_left(self) -> None:
        """Record that the client disconnected before the reply."""
        self._ends("client_left")

    def _ends(self, how: str) -> bool:
        if self.is_over:
            return False
        self.is_over = True
        if self.on_end is not None:
            self.on_end(how)
        return True


class Connection(asyncio.Protocol):
    """Parses requests and writes replies for one socket."""

    def __init__(self, handle: Callable[[Request, Exchange], None], open_connections: set["Connection"]) -> None:
        self._handle = handle
        self._open = open_connections
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = b""
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._exchange: Exchange | None = None
        self._keeps_alive = True
        self._endless_piece = b""
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Transport: a client has connected."""
        # uvloop's transports have the methods, but not the base class.
        self._transport = cast("asyncio.Transport", transport)
        self._open.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Transport: the connection is closed."""
        self._open.discard(self)
        self._waiting.clear()
        self._endless_piece = b""
        if self._exchange is not None:
            self._exchange.client_left()
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Transport: bytes for the parser."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._keeps_alive = False
            self.send(Reply(400, b"not HTTP/1.1\n", "text/plain"))

    def resume_writing(self) -> None:
        """Transport: the client has read; continue an endless reply."""
        if self._endless_piece:
            self.loop.call_soon(self._write_endless)

    def on_message_begin(self) -> None:
        """Parser: a request starts."""
        self._url, self._headers, self._body = b"", {}, b""

    def on_url(self, url: bytes) -> None:
        """Parser: a piece of the request's target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser: one header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Parser: a piece of the body."""
        self._body += body
        if len(self._body) > _BODY_LIMIT:
            self.reset()

    def on_message_complete(self) -> None:
        """Parser: the request is complete; handle it unless another request is running."""
        if self._transport is None or self._transport.is_closing():
            return
        path = httptools.parse_url(self._url).path.decode("latin-1")
        request = Request(
            self._parser.get_method().decode("latin-1"),
            unquote(path) if "%" in path else path,
            self._headers,
            self._body,
        )
        self._waiting.append((request, self._parser.should_keep_alive()))
        if self._exchange is None:
            self._next()

    def send(self, reply: Reply) -> None:
        """Write a complete reply and handle the next request."""
        if self._transport is None:
            return
        self._transport.write(self._head(reply) + reply.body)
        if not self._keeps_alive:
            self._transport.close()
        self._exchange = None
        if self._waiting:
            self.loop.call_soon(self._next)

    def send_half(self, reply: Reply) -> None:
        """Write the head and half of the body, then close."""
        if self._transport is not None:
            self._transport.write(self._head(reply) + reply.body[: len(reply.body) // 2])
            self._transport.close()

    def send_slowly(self, reply: Reply, seconds: float) -> None:
        """Write the head immediately and the body byte by byte."""
        self.write_raw(self._head(reply))
        self._write_byte(reply.body, 0, seconds)

    def send_endlessly(self, part: str) -> None:
        """Write headers, or chunks of a body, until the client disconnects."""
        self._endless_piece = _ENDLESS_HEADER if part == "head" else _ENDLESS_CHUNK
        self.write_raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n")
        if part != "head":
            self.write_raw(b"\r\n")
        self._write_endless()

    def write_raw(self, data: bytes) -> None:
        """Write bytes, if the client is connected."""
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Close with FIN after all written data."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Close with RST."""
        if self._transport is not None:
            own_socket = self._transport.get_extra_info("socket")
            own_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()

    def _next(self) -> None:
        if self._waiting and self._exchange is None:
            request, self._keeps_alive = self._waiting.popleft()
            self._exchange = exchange = Exchange(self)
            self._handle(request, exchange)

    def _write_endless(self) -> None:
        if self._transport is not None and self._endless_piece and not self._transport.is_closing():
            self._transport.write(self._endless_piece)
            if self._transport.get_write_buffer_size() == 0:
                self.loop.call_later(0.001, self._write_endless)

    def _write_byte(self, body: bytes, position: int, seconds: float) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if position == len(body):
            self._transport.close()
            return
        self._transport.write(body[position : position + 1])
        self.loop.call_later(seconds, self._write_byte, body, position + 1, seconds)

    def _head(self, reply: Reply) -> bytes:
        lines = [
            f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Unknown')}",
            f"content-type: {reply.content_type}",
            f"content-length: {len(reply.body)}",
            *(f"{name}: {value}" for name, value in reply.headers),
        ]
        if not self._keeps_alive:
            lines.append("connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

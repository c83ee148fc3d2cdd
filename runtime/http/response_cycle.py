"""One request and its response on a connection: uvicorn's cycle, half-closed clients, joined writes, fixed headers."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

# These names are valid, and only the length changes how a response is written.
_PLAIN_HEADERS = frozenset(
    (
        b"content-length",
        b"content-type",
        b"date",
        b"etag",
        b"idempotency-replayed",
        b"location",
        b"preference-applied",
        b"retry-after",
        b"x-request-id",
    )
)


class ResponseWriter:
    """The transport as uvicorn's cycle sees it.

    The head of a response gets the port's header lines, which uvicorn would check again in every response. It waits
    for the first part of its body: one system call writes both, and one segment has both.
    `close` calls `end_response`, so that the connection closes in stages.
    """

    def __init__(self, transport: asyncio.Transport, end_response: Callable[[], None], lines: bytes) -> None:
        self._transport = transport
        self._lines = lines
        self._end_response = end_response
        self._is_holding = False
        self._head = b""

    def is_closing(self) -> bool:
        """Return whether the connection is closing."""
        return self._transport.is_closing()

    def hold_head(self) -> None:
        """Keep the next data, a complete head, until a later write, `flush` or `close`."""
        self._is_holding = True

    def hold(self, head: bytes) -> None:
        """Keep a head, without its last line, until a later write, `flush` or `close`."""
        self._head = b"%b%b\r\n" % (head, self._lines)

    def write(self, data: bytes) -> None:
        """Write what is held and the data, or hold the data."""
        if self._is_holding:
            self._is_holding = False
            self.hold(data[:-2])
            return
        head, self._head = self._head, b""
        self._transport.write(head + data)

    def flush(self) -> None:
        """Write what is held."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Write what is held, and end the response."""
        self.flush()
        self._end_response()


class ResponseCycle(RequestResponseCycle):
    """One request and its response. After a half-close `receive` reports a disconnect, and `send` still works."""

    scope: Any
    transport: Any
    _is_half_closed = False
    _is_body_delivered = False

    def half_close(self) -> None:
        """Note that the client has closed its sending side."""
        self._is_half_closed = True
        self.message_event.set()

    def disconnect(self) -> None:
        """Note that the client has disconnected, or that the rest of its body is unreadable."""
        self.disconnected = True
        self.message_event.set()

    async def send(self, message: Any) -> None:
        """Send a part of the response. The rest of an unread body would be read as the next request: close then."""
        if self.response_started:
            if not self._send_whole_body(message):
                await super().send(message)
            self.transport.flush()
        elif not self._hold_plain_head(message):
            if self.more_body:
                self.keep_alive = False
            self.transport.hold_head()
            await super().send(message)
            if self.chunked_encoding:  # the first part of a stream may come much later
                self.transport.flush()

    def _hold_plain_head(self, message: Any) -> bool:
        """Hold the head of a usual response, as `super().send` would write it for three times the processor time."""
        if self.more_body or not self.keep_alive or self.disconnected or self.flow.write_paused or self.access_log:
            return False
        if message["type"] != "http.response.start" or self.scope["method"] == "HEAD":
            return False
        length, pieces, values = b"", [STATUS_LINE[message["status"]]], []
        for name, value in (*self.default_headers, *message.get("headers", ())):
            if name not in _PLAIN_HEADERS:
                return False
            if name == b"content-length":
                length = value
            pieces += (name, b": ", value, b"\r\n")
            values.append(value)
        if not length or HEADER_VALUE_RE.search(b"\t".join(values)):
            return False
        self.expected_content_length = int(length)
        self.chunked_encoding = self.waiting_for_100_continue = False
        self.response_started = True
        self.transport.hold(b"".join(pieces))
        return True

    def _send_whole_body(self, message: Any) -> bool:
        """Write a body that is complete in one part, and end the response."""
        body = message.get("body", b"")
        if message["type"] != "http.response.body" or message.get("more_body", False) or self.chunked_encoding:
            return False
        if self.response_complete or self.disconnected or self.flow.write_paused or self.scope["method"] == "HEAD":
            return False
        if len(body) != self.expected_content_length:
            return False
        self.expected_content_length = 0
        self.transport.write(body)
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True

    async def receive(self) -> Any:
        """Return the next part of the body, then the client's disconnect."""
        if self._is_half_closed and self._is_body_delivered:
            return {"type": "http.disconnect"}
        if self._is_body_delivered or self.more_body or self.waiting_for_100_continue or self._is_over():
            message = await super().receive()
            if self._is_half_closed and self._is_body_delivered:
                return {"type": "http.disconnect"}
        else:  # the whole body has arrived
            self.flow.resume_reading()
            self.message_event.clear()
            message = {"type": "http.request", "body": bytes(self.body), "more_body": False}
            self.body = bytearray()
        self._is_body_delivered = not self.more_body
        return message

    def _is_over(self) -> bool:
        return self.disconnected or self.response_complete

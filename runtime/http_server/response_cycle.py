"""One request and its response on a connection: uvicorn's cycle, half-closed clients, joined writes, fixed headers."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


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

    def write(self, data: bytes) -> None:
        """Write what is held and the data, or hold the data."""
        if self._is_holding:
            self._is_holding = False
            self._head = b"%b%b\r\n" % (data[:-2], self._lines)
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
            await super().send(message)
            self.transport.flush()
            return
        if self.more_body:
            self.keep_alive = False
        self.transport.hold_head()
        await super().send(message)
        if self.chunked_encoding:  # the first part of a stream may come much later
            self.transport.flush()

    async def receive(self) -> Any:
        """Return the next part of the body, then the client's disconnect."""
        if self._is_half_closed and self._is_body_delivered:
            return {"type": "http.disconnect"}
        message = await super().receive()
        if self._is_half_closed and self._is_body_delivered:
            return {"type": "http.disconnect"}
        self._is_body_delivered = not self.more_body
        return message

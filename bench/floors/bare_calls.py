"""The floor of HTTP calls: write the request, find the length of the response, one connection per call in flight."""

import asyncio
import re
from collections import deque
from typing import cast

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class BareConnection(asyncio.Protocol):
    """A connection with at most one call."""

    _whole = 0
    _response = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the call in flight."""
        if not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        """Finish the call when its response is complete."""
        self._response += data
        if not self._whole and (end := self._response.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._response, 0, end)
            self._whole = end + 4 + (int(length[1]) if length else 0)
        if self._whole and len(self._response) >= self._whole:
            self._done.set_result(self._response)

    def call(self, request: bytes) -> asyncio.Future[bytes]:
        """Send the request; the future has the response."""
        self._response, self._whole = b"", 0
        self._done = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._done


class BareCalls:
    """Keep-alive connections to one address, as many as calls in flight."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.removeprefix("http://").partition(":")
        self._port = int(port)
        self._idle: deque[BareConnection] = deque()

    async def call(self, request: bytes) -> tuple[int, bytes]:
        """Send a request; return the status and the body of the response."""
        while self._idle and self._idle[-1].transport.is_closing():  # the server has closed it: idle for 75 s
            self._idle.pop()
        if self._idle:
            connection = self._idle.pop()
        else:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(BareConnection, self._host, self._port)
        head, _, body = (await connection.call(request)).partition(b"\r\n\r\n")
        if b"\r\nconnection: close" in head.lower():
            connection.transport.close()
        else:
            self._idle.append(connection)
        return int(head[9:12]), body

    def close(self) -> None:
        """Close the idle connections."""
        for connection in self._idle:
            connection.transport.close()

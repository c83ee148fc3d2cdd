"""HTTP calls with a fixed delay: a server and a minimal client, for the lowest cost of a call."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


async def serve(delay_seconds: float) -> asyncio.Server:
    """Serve on a free port of the loopback interface, and respond to each request after the delay."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(delay_seconds)
                writer.write(_ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return await asyncio.start_server(respond, "127.0.0.1", 0)


class Connections:
    """A minimal client with keep-alive connections to one address, one per concurrent call."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.partition(":")
        self._port = int(port)
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()

    async def call(self, request: bytes) -> tuple[int, bytes]:
        """Send a request; return the status and the body of the response."""
        connection = self._idle.pop() if self._idle else await asyncio.open_connection(self._host, self._port)
        reader, writer = connection
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(length[1])) if length else b""
        self._idle.append(connection)
        return int(head[9:12]), body


async def caller(address: str) -> Callable[[], Awaitable[None]]:
    """Return a function that makes one call over a keep-alive connection."""
    connections = Connections(address)
    request = f"POST / HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n".encode()

    async def call() -> None:
        await connections.call(request)

    return call

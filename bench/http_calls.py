"""One HTTP call of a fixed delay: a server that answers after it, and a lean client, for what calls cost at best."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


async def serve(delay_seconds: float) -> asyncio.Server:
    """Serve on a free port of the loopback; every request is answered after the delay."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(delay_seconds)
                writer.write(_ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


async def caller(address: str) -> Callable[[], Awaitable[None]]:
    """Return a function that makes one call over a kept-alive connection of its own."""
    host, _, port = address.partition(":")
    idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
    request = f"POST / HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n".encode()

    async def call() -> None:
        connection = idle.pop() if idle else await asyncio.open_connection(host, int(port))
        reader, writer = connection
        writer.write(request)
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(2)
        idle.append(connection)

    return call

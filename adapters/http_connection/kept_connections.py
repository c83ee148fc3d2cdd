"""The connections to one server that are kept for a next request, and those with a request under way.

Last in, first out: the connections that are not needed become too old, and are closed. Nothing here opens one.
"""

import asyncio
from collections import deque

import httpx

from adapters.http_connection.connection import Connection


class KeptConnections:
    """The open connections of one transport. One event loop; close it when done."""

    def __init__(self) -> None:
        self.idle: deque[Connection] = deque()
        self.busy: set[Connection] = set()
        self._closed = False

    def take(self) -> Connection | None:
        """Return a connection for the next request; None if a new one must be opened."""
        while self.idle:
            connection = self.idle.pop()
            if connection.usable and connection.is_quiet:
                return connection
            connection.close()
        return None

    async def send(self, connection: Connection, request: bytes, call_ends: float) -> httpx.Response:
        """Send the request on this connection, and keep the connection if it is still usable. Raises NoResponse."""
        self.busy.add(connection)
        try:
            response = await connection.send(request, call_ends)
        except asyncio.CancelledError:
            connection.close()
            raise
        finally:
            self.busy.discard(connection)
        if connection.usable and not self._closed:
            self.idle.append(connection)
        while self.idle and not self.idle[0].usable:
            self.idle.popleft().close()
        return response

    async def close(self) -> None:
        """Close all connections; a request under way ends without a response."""
        self._closed = True
        for connection in (*self.idle, *self.busy):
            connection.close()
        self.idle.clear()
        # asyncio closes the sockets in its next iterations; without them the sockets would leak.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

"""The floor of HTTP calls: write the request, count the bytes of the response, one connection per call in flight."""

from __future__ import annotations

import asyncio
from typing import cast


class BareConnection(asyncio.Protocol):
    """A connection with a known length of each response."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._missing = 0
        self._transport: asyncio.Transport | None = None
        self._done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Count the bytes."""
        self._missing -= len(data)
        if self._missing <= 0 and self._done is not None:
            self._done.set_result(None)

    def call(self, request: bytes) -> asyncio.Future[None]:
        """Send the request; the future is done when the response is complete."""
        self._done = asyncio.get_running_loop().create_future()
        self._missing = self._length
        if self._transport is not None:
            self._transport.write(request)
        return self._done

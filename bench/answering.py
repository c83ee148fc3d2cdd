"""A server process that responds to each request after 5 ms, for the benchmark of transports.

It prints its port, and ends at the end of its standard input.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

DELAY_SECONDS = 0.005
BODY = (
    b'{"id":"auth_1","version":17,"status":"requires_action","nextAction":{"type":"complete_payer_interaction",'
    b'"resolution":{"kind":"manual_handoff"},"covers":{"reviewSnapshotId":"rev_1"}},"activeManualHandoff":null,'
    b'"padding":"' + b"x" * 600 + b'"}'
)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


_COUNT = b"GET /count "


class DelayedServer(asyncio.Protocol):
    """Finds only the ends of requests, so that the client's cost dominates. `GET /count`: the responses so far."""

    answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._unread = b""

    def data_received(self, data: bytes) -> None:
        """Respond to each complete request after the delay."""
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end].lower()
            at = head.find(b"content-length:")
            body = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._unread) < end + 4 + body:
                return
            self._unread = self._unread[end + 4 + body :]
            if head.startswith(_COUNT.lower()):
                number = b"%d" % DelayedServer.answered
                self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(number), number))
                continue
            asyncio.get_running_loop().call_later(DELAY_SECONDS, self._respond)

    def _respond(self) -> None:
        if not self._transport.is_closing():
            DelayedServer.answered += 1
            self._transport.write(ANSWER)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(DelayedServer, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(main())

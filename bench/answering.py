"""A server that answers each request after 5 ms: in a process of its own, or in that of a benchmark.

The process prints its port, and ends at the end of its standard input.
"""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import uvloop

DELAY_SECONDS = 0.005
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class DelayedServer(asyncio.Protocol):
    """Finds only the ends of requests, so that the client's cost dominates. `GET /count`: the responses so far."""

    count = 0

    def __init__(self, on_answer: Callable[[bytes], None] | None = None) -> None:
        """`on_answer` receives the body of each answered request."""
        self._on_answer = on_answer

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
            last = end + 4 + (int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0)
            if len(self._unread) < last:
                return
            body, self._unread = self._unread[end + 4 : last], self._unread[last:]
            if head.startswith(b"get /count "):
                number = b"%d" % DelayedServer.count
                self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(number), number))
                continue
            asyncio.get_running_loop().call_later(DELAY_SECONDS, self._respond, body)

    def _respond(self, body: bytes) -> None:
        if not self._transport.is_closing():
            DelayedServer.count += 1
            self._transport.write(_ANSWER)
            if self._on_answer is not None:
                self._on_answer(body)


async def listen(on_answer: Callable[[bytes], None] | None = None) -> int:
    """Serve until the loop ends; return the port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: DelayedServer(on_answer), "127.0.0.1", 0, backlog=2048)
    port: int = server.sockets[0].getsockname()[1]
    return port


@contextmanager
def answering() -> Iterator[int]:
    """Run the server in a process of its own; yield its port."""
    with subprocess.Popen([sys.executable, "-m", "bench.answering"], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.communicate()


async def _main() -> None:
    print(await listen(), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(_main())

"""Name resolution for one receiver, in a thread of its own.

The event loop's resolver has a few threads for the whole process, so a slow lookup for one receiver would delay the
others. Concurrent requests share one lookup.
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

Lookup = Callable[[str, int], list[str]]


def system_lookup(host: str, port: int) -> list[str]:
    """Return the addresses of a host, best first. Raises socket.gaierror."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Resolver:
    """Resolves names, one lookup at a time. Close it when done."""

    def __init__(self, lookup: Lookup = system_lookup) -> None:
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="webhook-dns")
        self._running: asyncio.Future[list[str]] | None = None

    async def addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses of the host at this moment. Raises OSError."""
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().run_in_executor(self._threads, self._lookup, host, port)
            self._running.add_done_callback(_retrieve)
        return await asyncio.shield(self._running)

    def close(self) -> None:
        """Abandon a lookup that runs."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _retrieve(lookup: asyncio.Future[list[str]]) -> None:
    if not lookup.cancelled():
        lookup.exception()  # every waiting request may have timed out

"""Bounds of waits on a busy machine. A bound is in seconds of a machine whose cores do not have to share their time.

A wait that ends early on a busy machine reports a fault that is not there. A wait that is too long only delays the
report of a real one.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# A quota of processor time stops a process for up to 0.1 s at a time. It does not show in the load.
PROBE_SECONDS = 0.005
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 0.2


def slowness() -> float:
    """Return how many times slower than alone a task runs now, at least 1.

    That is the tasks per core in the last minute, or the time that a little work takes, whichever is more.
    """
    began, ends = time.perf_counter(), time.thread_time() + PROBE_SECONDS
    while time.thread_time() < ends:
        pass
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1), (time.perf_counter() - began) / PROBE_SECONDS)


class Patience:
    """One wait with a bound, which grows with the load of the machine."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = time.monotonic()
        self._slowness = 1.0

    @property
    def is_over(self) -> bool:
        """Whether the bound has passed. Under a quota only some probes are slow, so the slowest one counts."""
        waited = time.monotonic() - self._began
        if waited <= self._seconds * self._slowness:
            return False
        self._slowness = max(self._slowness, slowness())
        return waited > self._seconds * self._slowness

    @property
    def pause(self) -> float:
        """The seconds until the next check: a twentieth of the wait so far, because a check takes processor time."""
        waited = time.monotonic() - self._began
        return min(max(SHORTEST_PAUSE_SECONDS, waited / 20), LONGEST_PAUSE_SECONDS)


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Bound a block like `asyncio.timeout`, by a bound that grows with the load of the machine.

    Raises TimeoutError if the block lasts longer.
    """
    patience, loop = Patience(seconds), asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []

    def look() -> None:
        if patience.is_over:
            bound.reschedule(loop.time())
        else:
            timers[:] = [loop.call_later(LONGEST_PAUSE_SECONDS, look)]

    async with asyncio.timeout(None) as bound:
        timers.append(loop.call_later(seconds, look))
        try:
            yield
        finally:
            timers[-1].cancel()

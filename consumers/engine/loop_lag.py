"""The lag of this process's event loop: whether it has processor time to spare. One for all partitions."""

from __future__ import annotations

import asyncio
from typing import Final

_EVERY_SECONDS: Final = 0.1
_WEIGHT: Final = 0.3
_LATE_SECONDS: Final = 0.002
# A process that was frozen for a minute does not lack processor time for the next minute.
_MOST_SECONDS: Final = 0.05


class LoopLag:
    """A moving mean of how late the event loop runs its timers."""

    __slots__ = ("_seconds",)

    def __init__(self) -> None:
        self._seconds = 0.0

    @property
    def is_late(self) -> bool:
        """Whether the loop lacks processor time: callers then postpone work that is not urgent."""
        return self._seconds > _LATE_SECONDS

    @property
    def seconds(self) -> float:
        """The mean of the last half second, at most 50 ms."""
        return self._seconds

    def sample(self, seconds: float) -> None:
        """Add one measurement."""
        self._seconds += _WEIGHT * (min(seconds, _MOST_SECONDS) - self._seconds)

    async def watch(self) -> None:
        """Measure every 100 ms, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _EVERY_SECONDS
            await asyncio.sleep(_EVERY_SECONDS)
            self.sample(max(0.0, loop.time() - due))

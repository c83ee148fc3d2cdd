"""Whether this process has processor time to spare: how late it does what is due. One for all partitions."""

from __future__ import annotations

import asyncio
from typing import Final

_EVERY_SECONDS: Final = 0.1
_WEIGHT: Final = 0.3
_LATE_SECONDS: Final = 0.002
# One that was frozen for a minute is not short of processor time for a minute.
_MOST_SECONDS: Final = 0.05


class LoopLag:
    """A moving mean of how late the event loop calls. Owned by the engine, asked by the partitions."""

    __slots__ = ("_seconds",)

    def __init__(self) -> None:
        self._seconds = 0.0

    @property
    def is_late(self) -> bool:
        """Whether what is due waits for the processor: what can wait, should."""
        return self._seconds > _LATE_SECONDS

    @property
    def seconds(self) -> float:
        """How late calls come, in the mean of the last half second; at most 50 ms."""
        return self._seconds

    def sample(self, seconds: float) -> None:
        """Take how late one call came."""
        self._seconds += _WEIGHT * (min(seconds, _MOST_SECONDS) - self._seconds)

    async def watch(self) -> None:
        """Sample for ever."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _EVERY_SECONDS
            await asyncio.sleep(_EVERY_SECONDS)
            self.sample(max(0.0, loop.time() - due))

"""The bound on concurrent invocations in this process, shared fairly between its partitions.

Synchronous. Without a free slot, a partition waits in a queue. Each round gives one slot to each waiting partition.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol


class SlotTaker(Protocol):
    """A partition that runs invocations in slots."""

    def start_one(self) -> bool:
        """Start one invocation in a slot that is already acquired. False: nothing was ready, the slot is unused."""
        ...


class ConcurrencyLimiter:
    """A fair bound on concurrent invocations."""

    __slots__ = ("_limit", "_used", "_waiting")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._waiting: deque[SlotTaker] = deque()

    @property
    def used(self) -> int:
        """The number of slots in use."""
        return self._used

    @property
    def has_waiters(self) -> bool:
        """Whether a partition waits: release a slot after each invocation."""
        return bool(self._waiting)

    def acquire(self, taker: SlotTaker) -> bool:
        """Acquire a slot, or queue for one."""
        if self._used < self._limit and not self._waiting:
            self._used += 1
            return True
        if taker not in self._waiting:
            self._waiting.append(taker)
        return False

    def release(self) -> None:
        """Release a slot; the partition that has waited longest gets it."""
        self._used -= 1
        while self._waiting and self._used < self._limit:
            taker = self._waiting.popleft()
            self._used += 1
            if taker.start_one():
                self._waiting.append(taker)  # a partition stays queued until it has nothing ready
            else:
                self._used -= 1

"""How many turns may run at once in this process, shared fairly between its partitions.

Synchronous. A partition that finds no free slot queues, and gets one slot per round; nobody who waits is overtaken.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol


class SlotTaker(Protocol):
    """Who runs turns."""

    def start_one(self) -> bool:
        """Start one turn in a slot that has just been taken for you. False: you had none, the slot is yours to give."""
        ...


class ConcurrencyLimiter:
    """A bound on concurrent turns."""

    __slots__ = ("_limit", "_used", "_waiting")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._waiting: deque[SlotTaker] = deque()

    @property
    def used(self) -> int:
        """How many turns are running."""
        return self._used

    @property
    def has_waiters(self) -> bool:
        """Some partition waits for a slot: give yours back after this turn."""
        return bool(self._waiting)

    def take(self, taker: SlotTaker) -> bool:
        """Take a slot, or queue for one."""
        if self._used < self._limit and not self._waiting:
            self._used += 1
            return True
        if taker not in self._waiting:
            self._waiting.append(taker)
        return False

    def give_back(self) -> None:
        """Give a slot back; it goes to whoever has waited longest."""
        self._used -= 1
        while self._waiting and self._used < self._limit:
            taker = self._waiting.popleft()
            self._used += 1
            if taker.start_one():
                self._waiting.append(taker)  # it may have more; it leaves the queue when it finds that it has not
            else:
                self._used -= 1

"""The share of casualties among the last records of a partition: above the limit it is a bad deploy, not bad data.

Pure. Counts only what is finished; an operator's `reset` starts the count anew.
"""

from __future__ import annotations

from collections import deque


class ShareLimit:
    """Trips when more than `limit` of the last `over` finished records were casualties."""

    __slots__ = ("_casualties", "_last", "_limit", "_over")

    def __init__(self, limit: float, over: int) -> None:
        self._limit = limit
        self._over = over
        self._last: deque[bool] = deque(maxlen=over)
        self._casualties = 0

    def note(self, *, casualty: bool) -> bool:
        """Count one finished record; True if the partition has to stop."""
        if len(self._last) == self._over and self._last[0]:
            self._casualties -= 1
        self._last.append(casualty)
        self._casualties += casualty
        # Too few to judge: until the window is full, the share is taken of a full window.
        return casualty and self._casualties > self._limit * self._over

    def reset(self) -> None:
        """Forget what has been counted."""
        self._last.clear()
        self._casualties = 0

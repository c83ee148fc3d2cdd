"""The share of casualties among the last records of a partition: above the limit it is a bad deploy, not bad data.

Pure. Counts only what is committed: what a failed transaction held is given up once more. Once it has tripped it stays
so, until an operator's `reset` starts the count anew.
"""

from __future__ import annotations

from collections import deque


class FailureRatioLimit:
    """Trips when more than `limit` of the last `over` committed records were casualties."""

    __slots__ = ("_casualties", "_last", "_limit", "_over", "has_tripped")

    def __init__(self, limit: float, over: int) -> None:
        self._limit = limit
        self._over = over
        self._last: deque[bool] = deque(maxlen=over)
        self._casualties = 0
        self.has_tripped = False

    def is_reached_with(self, casualties: int) -> bool:
        """Say whether so many more casualties in a row would trip it."""
        return self._casualties + casualties > self._limit * self._over

    def note(self, *, dead_lettered: bool) -> bool:
        """Count one committed record; True if it has just tripped."""
        if len(self._last) == self._over and self._last[0]:
            self._casualties -= 1
        self._last.append(dead_lettered)
        self._casualties += dead_lettered
        # Too few to judge: until the window is full, the share is taken of a full window.
        trips = not self.has_tripped and dead_lettered and self.is_reached_with(0)
        self.has_tripped |= trips
        return trips

    def reset(self) -> None:
        """Forget what has been counted."""
        self._last.clear()
        self._casualties = 0
        self.has_tripped = False

    @property
    def why(self) -> str:
        """What an operator reads when it has tripped."""
        return (
            f"more than {self._limit:.0%} of {self._over} records were given up: look at the dead letters, mend the "
            "cause, then resume the partition"
        )

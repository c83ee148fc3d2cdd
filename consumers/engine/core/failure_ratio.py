"""The share of dead letters among a partition's last records: above the limit the cause is a bad deploy, not bad data.

Pure. Counts committed records only: after a failed transaction the same records are dead-lettered again. Once tripped,
the limit stays so until an operator's `reset`.
"""

from __future__ import annotations

from collections import deque


class FailureRatioLimit:
    """Trips when more than `share` of the last `window` committed records were dead-lettered."""

    __slots__ = ("_dead_lettered", "_last", "_share", "_window", "has_tripped")

    def __init__(self, share: float, window: int) -> None:
        self._share = share
        self._window = window
        self._last: deque[bool] = deque(maxlen=window)
        self._dead_lettered = 0
        self.has_tripped = False

    def would_trip_with(self, dead_lettered: int) -> bool:
        """Say whether so many more dead letters in a row would trip the limit."""
        return self._dead_lettered + dead_lettered > self._share * self._window

    def count(self, *, dead_lettered: bool) -> bool:
        """Count one committed record; return whether the limit has just tripped."""
        if len(self._last) == self._window and self._last[0]:
            self._dead_lettered -= 1
        self._last.append(dead_lettered)
        self._dead_lettered += dead_lettered
        # Until the window is full the share is taken of a full window: a few records are no evidence.
        trips = not self.has_tripped and dead_lettered and self.would_trip_with(0)
        self.has_tripped |= trips
        return trips

    def reset(self) -> None:
        """Forget the counted records."""
        self._last.clear()
        self._dead_lettered = 0
        self.has_tripped = False

    @property
    def reason(self) -> str:
        """The text for an operator when the limit has tripped."""
        return (
            f"more than {self._share:.0%} of {self._window} records were dead-lettered: read the dead letters, fix the "
            "cause, then resume the partition"
        )

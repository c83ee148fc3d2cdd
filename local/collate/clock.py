"""The world's clock: real time plus an offset that tests move.

Nothing in the simulated Collate sleeps: what is due is found by asking this clock. It never runs backwards.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


def rfc3339(at: float) -> str:
    """Write unix seconds as RFC 3339 in UTC, the form of every time in collate-api.md 3."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock:
    """World time in unix seconds; running, or frozen until it is advanced or released."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._frozen_at: float | None = None

    @property
    def is_frozen(self) -> bool:
        """Time stands still."""
        return self._frozen_at is not None

    def now(self) -> float:
        """World time, unix seconds."""
        return time.time() + self._offset if self._frozen_at is None else self._frozen_at

    def advance(self, seconds: float) -> float:
        """Move the world forward and return its new time."""
        if seconds < 0:
            raise ValueError(f"the clock only moves forward, not by {seconds} s")
        if self._frozen_at is None:
            self._offset += seconds
        else:
            self._frozen_at += seconds
        return self.now()

    def set(self, at: float) -> float:
        """Move the world forward to `at` and return it."""
        return self.advance(at - self.now())

    def freeze(self) -> None:
        """Stop the world's time until it is advanced, set or released."""
        self._frozen_at = self.now()

    def release(self) -> None:
        """Let a frozen world run on from where it stands."""
        if self._frozen_at is not None:
            self._offset = self._frozen_at - time.time()
            self._frozen_at = None

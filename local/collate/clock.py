"""The simulated clock: real time plus an offset that tests change. It never goes back.

The simulated Collate never sleeps: it compares due times with this clock.
"""

import time
from datetime import UTC, datetime


def rfc3339(at: float) -> str:
    """Return Unix seconds as RFC 3339 in UTC, the form of all times in docs/collate-contract.md §3."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock:
    """Simulated time in Unix seconds. It runs, or is frozen until `advance`."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._frozen_at: float | None = None

    def now(self) -> float:
        """Return the simulated time in Unix seconds."""
        return time.time() + self._offset if self._frozen_at is None else self._frozen_at

    def advance(self, seconds: float) -> float:
        """Move the time forward by `seconds` and return it."""
        if seconds < 0:
            raise ValueError(f"the clock only moves forward, not by {seconds} s")
        if self._frozen_at is None:
            self._offset += seconds
        else:
            self._frozen_at += seconds
        return self.now()

    def freeze(self) -> None:
        """Freeze the time."""
        self._frozen_at = self.now()

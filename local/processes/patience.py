"""Bounds of waits on a busy machine. A bound is in seconds of a machine whose cores do not have to share their time.

A wait that ends early on a busy machine reports a fault that is not there. A wait that is too long only delays the
report of a real one.
"""

import os
import time


def slowness() -> float:
    """Return how many times slower than alone a task runs now: the tasks per core in the last minute, at least 1."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


class Patience:
    """One wait with a bound, which grows with the load of the machine."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether the bound has passed."""
        waited = time.monotonic() - self._began
        return waited > self._seconds and waited > self._seconds * slowness()

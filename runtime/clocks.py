"""The clocks of a process, in seconds. Only the Unix clock jumps: NTP and people set it.

unix      times that leave the process or are stored
steady    waits, timers and trust: it also runs while the machine is suspended
awake     how long code has run: it stops while the machine is suspended
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# Python has this name on Linux alone. Elsewhere the monotonic clock may stand still while the machine sleeps.
_STEADY: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady() -> float:
    """Return the seconds of the steady clock, which begins at an unknown time."""
    return time.clock_gettime(_STEADY)


def _unix() -> float:
    return time.time()


def _awake() -> float:
    return time.monotonic()


@dataclass(frozen=True, slots=True)
class Clocks:
    """The three clocks, so that a test can replace them."""

    unix: Callable[[], float] = _unix
    steady: Callable[[], float] = steady
    awake: Callable[[], float] = _awake

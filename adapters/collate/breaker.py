"""A circuit breaker that one authorization alone can't trip. Pure: `now` is an argument, chance comes in at the start.

    closed ──── bad answers in a row from `threshold` different authorizations ────▶ open
    open ──── after `first_seconds`, doubling up to `longest_seconds` ────▶ half open: one probe at a time
    half open ──── `to_close` good probes in a row ────▶ closed        ──── a bad one ────▶ open

"In a row" means no good answer between them. A bad probe doubles the time only if no good one came before it: who
answers some of the time must be asked often, or he would stay shut out for minutes. The budget has one for each thing
that can be wrong with all calls: faults, the key (threshold 1), permissions (2), the rate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class BreakerState(IntEnum):
    """In the order of the metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True, slots=True)
class BreakerConfig:
    """What trips a breaker and how long it then stays open."""

    threshold: int
    first_seconds: float
    longest_seconds: float
    to_close: int = 1


# While a probe is out, ask again after a quarter to one and a quarter of the first wait; spread returns over a quarter.
_RECHECK: Final = 0.25
_JITTER: Final = 0.25


class Breaker:
    """See the module. A call asks `holds`, says `enter` when it goes, and then one of `good`, `bad`, `neutral`."""

    def __init__(self, tripping: BreakerConfig, chance: Callable[[], float]) -> None:
        self.state = BreakerState.CLOSED
        self._tripping = tripping
        self._chance = chance
        self._streak: set[str] = set()
        self._open_until = 0.0
        self._open_seconds = tripping.first_seconds
        self._probing = False
        self._probes_good = 0

    @property
    def suspects(self) -> frozenset[str]:
        """The authorizations whose bad answers count at the moment."""
        return frozenset(self._streak)

    def holds(self, now: float) -> float | None:
        """Return when to ask again, with jitter so that not all do at once; None if a call may go."""
        if self.state is BreakerState.CLOSED:
            return None
        if now < self._open_until:
            return self._open_until + self._open_seconds * _JITTER * self._chance()
        if self._probing:
            return now + self._tripping.first_seconds * (_RECHECK + self._chance())
        return None

    def enter(self, now: float) -> bool:
        """Count a call that goes now; return whether it is the probe."""
        if self.state is BreakerState.CLOSED:
            return False
        if now < self._open_until or self._probing:
            raise RuntimeError("enter() on a breaker that holds")
        self.state = BreakerState.HALF_OPEN
        self._probing = True
        return True

    def good(self, *, probe: bool) -> bool:
        """Take a good answer; return whether it closed the breaker. Late answers to calls from before don't count."""
        if self.state is BreakerState.CLOSED:
            self._streak.clear()
            self._open_seconds = self._tripping.first_seconds
            return False
        if not probe:
            return False
        self._probing = False
        self._probes_good += 1
        if self._probes_good < self._tripping.to_close:
            return False
        self.state = BreakerState.CLOSED
        self._streak.clear()
        return True

    def bad(self, now: float, subject: str, *, probe: bool, at_least_seconds: float = 0.0) -> bool:
        """Take a bad answer about an authorization; return whether it opened the breaker."""
        if self.state is BreakerState.CLOSED:
            self._streak.add(subject)
            if len(self._streak) < self._tripping.threshold:
                return False
            self._open(now, max(self._open_seconds, at_least_seconds))
            return True
        if not probe:
            return False
        if self._probes_good:
            self._open_seconds = self._tripping.first_seconds
        else:
            self._open_seconds = min(2 * self._open_seconds, self._tripping.longest_seconds)
        self._open(now, max(self._open_seconds, at_least_seconds))
        return True

    def neutral(self, now: float, *, probe: bool) -> None:
        """Take an answer that says nothing about this breaker's question: as for a probe, wait as long again."""
        if probe and self.state is not BreakerState.CLOSED:
            self._open(now, self._open_seconds)

    def abandon(self, *, probe: bool) -> None:
        """Forget a call that was cancelled: the next one may probe at once."""
        if probe:
            self._probing = False

    def retry(self, now: float) -> None:
        """Let the next call probe at once: something changed that may have mended it."""
        if self.state is not BreakerState.CLOSED:
            self._open_until = now

    def _open(self, now: float, seconds: float) -> None:
        self.state = BreakerState.OPEN
        self._open_until = now + seconds
        self._probing = False
        self._probes_good = 0

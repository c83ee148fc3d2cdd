"""A circuit breaker that one authorization alone cannot open. Pure: `now` is an argument.

    closed ──── failures in a row of `threshold` different authorizations ────▶ open
    open ──── after `first_seconds`, doubling up to `longest_seconds` ────▶ half open: one probe at a time
    half open ──── `to_close` successful probes in a row ────▶ closed        ──── a failed probe ────▶ open

"In a row" means without a success between them. A failed probe doubles the time only if no probe succeeded before it:
a Collate that fails only sometimes is probed often. The budget has a breaker for each problem that concerns all
calls: faults, the key (threshold 1), permissions (threshold 2), the rate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class BreakerState(IntEnum):
    """States, with the values of the metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True, slots=True)
class BreakerConfig:
    """When a breaker opens and how long it stays open."""

    threshold: int
    first_seconds: float
    longest_seconds: float
    to_close: int = 1


# During a probe, other calls are retried after 0.25 to 1.25 of the first wait. Jitter spreads retries over a quarter.
_RECHECK: Final = 0.25
_JITTER: Final = 0.25


class Breaker:
    """One breaker. A call checks `retry_at`, then calls `enter`, then one of the `record_` methods or `abandon`."""

    def __init__(self, config: BreakerConfig, chance: Callable[[], float]) -> None:
        self.state = BreakerState.CLOSED
        self._config = config
        self._chance = chance
        self._streak: set[str] = set()
        self._open_until = 0.0
        self._open_seconds = config.first_seconds
        self._probing = False
        self._probes_good = 0

    def retry_at(self, now: float) -> float | None:
        """Return when a deferred call may be retried, with jitter; None if a call may start now."""
        if self.state is BreakerState.CLOSED:
            return None
        if now < self._open_until:
            return self._open_until + self._open_seconds * _JITTER * self._chance()
        if self._probing:
            return now + self._config.first_seconds * (_RECHECK + self._chance())
        return None

    def enter(self, now: float) -> bool:
        """Count a call that starts now; return whether it is the probe."""
        if self.state is BreakerState.CLOSED:
            return False
        if now < self._open_until or self._probing:
            raise RuntimeError("enter() on an open breaker")
        self.state = BreakerState.HALF_OPEN
        self._probing = True
        return True

    def record_success(self, *, probe: bool) -> bool:
        """Count a success; return whether it closed the breaker. Calls from before it opened do not count."""
        if self.state is BreakerState.CLOSED:
            self._streak.clear()
            self._open_seconds = self._config.first_seconds
            return False
        if not probe:
            return False
        self._probing = False
        self._probes_good += 1
        if self._probes_good < self._config.to_close:
            return False
        self.state = BreakerState.CLOSED
        self._streak.clear()
        return True

    def record_failure(self, now: float, subject: str, *, probe: bool, at_least_seconds: float = 0.0) -> bool:
        """Count a failure of an authorization; return whether it opened the breaker.

        `at_least_seconds` is the wait that Collate requested. A late answer can lengthen the open time, and no more.
        """
        if self.state is BreakerState.CLOSED:
            self._streak.add(subject)
            if len(self._streak) < self._config.threshold:
                return False
            self._open(now, max(self._open_seconds, at_least_seconds))
            return True
        if not probe:
            if self.state is BreakerState.OPEN:
                self._open_until = max(self._open_until, now + at_least_seconds)
            return False
        if self._probes_good:
            self._open_seconds = self._config.first_seconds
        else:
            self._open_seconds = min(2 * self._open_seconds, self._config.longest_seconds)
        self._open(now, max(self._open_seconds, at_least_seconds))
        return True

    def record_neutral(self, now: float, *, probe: bool) -> None:
        """Count a call without evidence for this breaker. If it was the probe, wait for the same time again."""
        if probe and self.state is not BreakerState.CLOSED:
            self._open(now, self._open_seconds)

    def abandon(self, *, probe: bool) -> None:
        """Forget a cancelled call; if it was the probe, the next call may probe immediately."""
        if probe:
            self._probing = False

    def retry(self, now: float) -> None:
        """Let the next call probe immediately, because a change may have removed the cause."""
        if self.state is not BreakerState.CLOSED:
            self._open_until = now

    def _open(self, now: float, seconds: float) -> None:
        self.state = BreakerState.OPEN
        self._open_until = now + seconds
        self._probing = False
        self._probes_good = 0

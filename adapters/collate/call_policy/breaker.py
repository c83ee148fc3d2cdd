"""A circuit breaker for calls of many authorizations. Pure."""

from collections.abc import Callable
from enum import Enum, IntEnum
from typing import NamedTuple

from schemas.events.wait_reasons import HoldReason


class Evidence(Enum):
    """What a call shows about the cause that a breaker watches."""

    GOOD = "good"
    BAD = "bad"
    NOTHING = "nothing"


class BreakerState(IntEnum):
    """States, with the values of the metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class BreakerConfig(NamedTuple):
    """When a breaker opens and how long it stays open."""

    threshold: int
    first_seconds: float
    longest_seconds: float
    to_close: int = 1


class Breaker:
    """A circuit breaker that one authorization alone cannot open, unless `threshold` is 1.

        closed ──── failures in a row of `threshold` different authorizations ────▶ open
        open ──── after `first_seconds`, doubling up to `longest_seconds` ────▶ half open: one probe at a time
        half open ──── `to_close` successful probes in a row ────▶ closed        ──── a failed probe ────▶ open

    "In a row" means without a success between them. A failed probe doubles the time only if no probe succeeded before
    it: a Collate that fails only sometimes is probed often. A call checks `retry_at`, then calls `enter`, then `record`
    or `abandon`.
    """

    def __init__(self, reason: HoldReason, calls: str, config: BreakerConfig, chance: Callable[[], float]) -> None:
        self.reason = reason
        self.calls = calls
        self.state = BreakerState.CLOSED
        self.failing: set[str] = set()  # the authorizations of the failures in a row
        self.failing_since = float("inf")
        self.good_at = float("-inf")
        self._chance = chance
        self._config = config
        self._open_seconds = config.first_seconds
        self._open_until = 0.0
        self._probing = False
        self._probes_good = 0

    def retry_at(self, now: float) -> float | None:
        """Return when a deferred call may be retried, with jitter; None if a call may start now."""
        if self.state is BreakerState.CLOSED:
            return None
        if now < self._open_until:
            return self._open_until + self._open_seconds * self._chance() / 4
        if self._probing:
            return now + self._config.first_seconds * (0.25 + self._chance())
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

    def record(
        self, now: float, subject: str, evidence: Evidence, *, probe: bool, at_least_seconds: float = 0.0
    ) -> bool:
        """Count the end of a call for an authorization; return whether it closed the breaker.

        A probe that shows nothing is repeated after the same time. `at_least_seconds` is the wait that Collate
        requested. The late answer of a call from before the breaker opened can only lengthen the open time.
        """
        if evidence is Evidence.GOOD:
            self.good_at, self.failing_since = now, float("inf")
        elif evidence is Evidence.BAD:
            self.failing_since = min(self.failing_since, now)
        if self.state is BreakerState.CLOSED:
            if evidence is Evidence.GOOD:
                self.failing.clear()
            elif evidence is Evidence.BAD:
                self.failing.add(subject)
                if len(self.failing) >= self._config.threshold:
                    self._open(now, max(self._open_seconds, at_least_seconds))
        elif probe:
            return self._end_probe(now, evidence, at_least_seconds)
        elif evidence is Evidence.BAD and self.state is BreakerState.OPEN:
            self._open_until = max(self._open_until, now + at_least_seconds)
        return False

    def abandon(self) -> None:
        """Forget a cancelled probe; the next call may probe immediately."""
        self._probing = False

    def retry(self, now: float) -> None:
        """Let the next call probe immediately, because a change may have removed the cause."""
        self._open_until = min(self._open_until, now)

    def _end_probe(self, now: float, evidence: Evidence, at_least_seconds: float) -> bool:
        self._probing = False
        if evidence is Evidence.GOOD:
            self._probes_good += 1
            if self._probes_good < self._config.to_close:
                return False
            self.state = BreakerState.CLOSED
            self._open_seconds = self._config.first_seconds
            self.failing.clear()
            return True
        if evidence is Evidence.BAD:
            longer = self._config.first_seconds if self._probes_good else 2 * self._open_seconds
            self._open_seconds = min(longer, self._config.longest_seconds)
        self._open(now, max(self._open_seconds, at_least_seconds))
        return False

    def _open(self, now: float, seconds: float) -> None:
        self.state = BreakerState.OPEN
        self._open_until = now + seconds
        self._probing = False
        self._probes_good = 0

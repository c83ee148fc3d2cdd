"""Whether a subscription's receiver may be called now. Pure; one for each subscription and process.

    open     every key may send
    held     the receiver sent Retry-After with 429 or 503: no key sends before that time
    down     five keys failed in a row without a success: one probe at a time, with growing pauses
    stopped  the receiver answered 410: no request until an operator resumes, or the URL changes

Times are those of the monotonic clock.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple

FAILING_KEYS: Final = 5
FIRST_PAUSE_SECONDS: Final = 1.0
LAST_PAUSE_SECONDS: Final = 30.0
_LEAST_HOLD_SECONDS: Final = 2.0
_STOPPED_SECONDS: Final = 10.0


class DeliveryWait(StrEnum):
    """Why an event waits. The values are labels of a metric."""

    FAILED = "failed"
    RETRY_AFTER = "retry_after"
    DOWN = "down"
    STOPPED = "stopped"


class Held(NamedTuple):
    """The key must wait `seconds` before it asks again."""

    seconds: float
    reason: DeliveryWait


class Gate:
    """The state of one receiver, as this process sees it."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._failing: set[bytes] = set()
        self._held_until = 0.0
        self._pause = 0.0  # 0: not down
        self._probe_at = 0.0
        self._prober: bytes | None = None
        self.is_stopped = False
        self.resumes = 0  # a 410 to a request that began before the newest resume stops nothing

    @property
    def is_down(self) -> bool:
        """Whether the receiver counts as down."""
        return self._pause > 0

    def is_held(self, now: float) -> bool:
        """Whether the receiver's Retry-After has not passed."""
        return now < self._held_until

    def enter(self, key: bytes, now: float) -> Held | None:
        """Return None if the key may call now; every call must end with `succeeded`, `failed` or `left`."""
        if self.is_stopped:
            return Held(_STOPPED_SECONDS * (0.5 + self._chance()), DeliveryWait.STOPPED)
        if now < self._held_until:
            return Held(self._held_until - now + self._chance(), DeliveryWait.RETRY_AFTER)
        if not self.is_down:
            return None
        if self._prober is None and now >= self._probe_at:
            self._prober = key
            return None
        wait = max(0.0, self._probe_at - now)
        return Held(wait + max(_LEAST_HOLD_SECONDS, self._pause) * self._chance() + 0.1, DeliveryWait.DOWN)

    def succeeded(self) -> None:
        """Record that the receiver accepted an event."""
        self._failing.clear()
        self._pause, self._prober = 0.0, None

    def failed(self, key: bytes, now: float, retry_after_seconds: float | None = None) -> None:
        """Record that a request failed. `retry_after_seconds` is the wait for all keys; None without one."""
        if retry_after_seconds is not None:
            self._held_until = max(self._held_until, now + retry_after_seconds)
        if self.is_down:
            if key == self._prober:
                self._pause = min(LAST_PAUSE_SECONDS, 2 * self._pause)
                self._prober, self._probe_at = None, now + self._pause
            return
        self._failing.add(key)
        if len(self._failing) >= FAILING_KEYS:
            self._failing.clear()
            self._pause = FIRST_PAUSE_SECONDS
            self._prober, self._probe_at = None, now + self._pause

    def left(self, key: bytes) -> None:
        """Record that a request ended without a result, so that another key may probe."""
        if key == self._prober:
            self._prober = None

    def stop(self) -> None:
        """Stop the subscription: the receiver is gone."""
        self.is_stopped = True

    def resume(self) -> None:
        """Open the gate for every key, also after `stop`."""
        self.is_stopped = False
        self.resumes += 1
        self._failing.clear()
        self._held_until = self._pause = self._probe_at = 0.0
        self._prober = None

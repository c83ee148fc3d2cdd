"""The breakers of this process, what each end of a call shows them, and the waits of single authorizations. Pure."""

from collections.abc import Callable
from typing import Final

from adapters.collate.call_policy.breaker import Breaker, BreakerConfig, BreakerState, Evidence
from adapters.collate.call_policy.calls import Call, CallSignal, Hold
from schemas.events.wait_reasons import HoldReason

# More authorizations than have calls at a time; above this number the first one is forgotten.
_MOST_ASKED: Final = 4_096
# A breaker for faults stays open for at most this many times `open_seconds`.
_LONGEST_OPEN: Final = 6
# A 403 concerns only its authorization if Collate accepted a call for another authorization within this time.
_FRESH_SECONDS: Final = 30.0
_GOOD, _BAD, _NOTHING = Evidence
# What each signal shows about the key, the permissions, Collate's health and the rate.
_SHOWN: Final = {
    CallSignal.ANSWERED: (_GOOD, _GOOD, _GOOD, _GOOD),
    CallSignal.KEY_REFUSED: (_BAD, _NOTHING, _GOOD, _GOOD),
    CallSignal.FORBIDDEN: (_GOOD, _BAD, _GOOD, _GOOD),
    CallSignal.LIMITED: (_GOOD, _NOTHING, _GOOD, _BAD),
    CallSignal.FAILED: (_NOTHING, _NOTHING, _BAD, _NOTHING),
    # A 2xx in a shape that the gateway does not know: neither Collate's failure nor the proof that it works.
    CallSignal.UNREADABLE: (_GOOD, _GOOD, _NOTHING, _GOOD),
}
# A fault whose answer has a Retry-After is a limit too: Collate asks all calls to wait.
_FAILED_WITH_WAIT: Final = (_NOTHING, _NOTHING, _BAD, _BAD)

_KEY: Final = BreakerConfig(threshold=1, first_seconds=5.0, longest_seconds=15.0)
_FORBIDDEN: Final = BreakerConfig(threshold=2, first_seconds=5.0, longest_seconds=60.0)
_LONGEST_RETRY_AFTER_SECONDS: Final = 60.0
_LIMITED: Final = BreakerConfig(threshold=3, first_seconds=1.0, longest_seconds=_LONGEST_RETRY_AFTER_SECONDS)


class Breakers:
    """All breakers. A call passes `hold`, then `enter`; its end goes to `record`."""

    def __init__(self, failures: int, open_seconds: float, chance: Callable[[], float]) -> None:
        faults = BreakerConfig(failures, open_seconds, _LONGEST_OPEN * open_seconds, to_close=3)
        kinds = ("reads", "writes")
        self.key = Breaker(HoldReason.CREDENTIALS, "all", _KEY, chance)
        self.forbidden = tuple(Breaker(HoldReason.FORBIDDEN, kind, _FORBIDDEN, chance) for kind in kinds)
        self.faults = tuple(Breaker(HoldReason.BREAKER, kind, faults, chance) for kind in kinds)
        self.limited = Breaker(HoldReason.RATE_LIMITED, "all", _LIMITED, chance)
        # The most serious trouble first.
        self.all = (self.key, *self.forbidden, *self.faults, self.limited)
        self._gates = tuple((self.key, self.forbidden[i], self.faults[i], self.limited) for i in (False, True))
        self._asked: dict[str, float] = {}  # until when Collate wants no call for an authorization

    def hold(self, now: float, call: Call) -> Hold | None:
        """Return why and until when the call must wait; None if it may start."""
        for breaker in self._gates[call.writes]:
            if breaker.state is not BreakerState.CLOSED and (until := breaker.retry_at(now)) is not None:
                return Hold(until, breaker.reason)
        asked_until = self._asked.get(call.subject, now)
        return Hold(asked_until, HoldReason.RATE_LIMITED) if asked_until > now else None

    def enter(self, now: float, call: Call) -> tuple[Breaker, ...]:
        """Count a call that starts now; return the breakers whose probe it is."""
        return tuple(breaker for breaker in self._gates[call.writes] if breaker.enter(now))

    def record(
        self, now: float, call: Call, probes: tuple[Breaker, ...], signal: CallSignal, retry_after: float
    ) -> list[Breaker]:
        """Count the end of a call; return the breakers that it closed. `retry_after`: the wait of Collate's answer."""
        has_wait = signal in {CallSignal.LIMITED, CallSignal.FAILED}
        wait = min(retry_after, _LONGEST_RETRY_AFTER_SECONDS) if has_wait else 0.0
        if wait:
            self._asked[call.subject] = max(now + wait, self._asked.pop(call.subject, now))
            if len(self._asked) > _MOST_ASKED:
                del self._asked[next(iter(self._asked))]
        shown = _FAILED_WITH_WAIT if wait and signal is CallSignal.FAILED else _SHOWN[signal]
        return [
            breaker
            for breaker, evidence in zip(self._gates[call.writes], shown, strict=True)
            if breaker.record(now, call.subject, evidence, probe=breaker in probes, at_least_seconds=wait)
        ]

    def suspends(self, now: float, call: Call) -> bool:
        """Return whether the 401 or 403 of this call may be caused by our API key.

        A 403 concerns only its authorization if Collate accepted a call for another authorization lately, or if no
        second authorization got a 403 within half a minute.
        """
        forbidden = self.forbidden[call.writes]
        if self.key.state is not BreakerState.CLOSED or forbidden.state is not BreakerState.CLOSED:
            return True
        return now - forbidden.good_at >= _FRESH_SECONDS and now - forbidden.failing_since < _FRESH_SECONDS

    @property
    def trouble(self) -> HoldReason | None:
        """The most serious reason that defers calls now; None if there is none."""
        return next((breaker.reason for breaker in self.all if breaker.state is not BreakerState.CLOSED), None)

    def key_changed(self, now: float) -> None:
        """Try a new key immediately."""
        for breaker in (self.key, *self.forbidden):
            breaker.retry(now)

"""The call budget of a process: which call may start now. Pure: `now` (monotonic seconds) is an argument.

    acquire ─▶ key refused? ─▶ forbidden? ─▶ Collate faulty? ─▶ rate limited? ─▶ token left? ─▶ slot free? ─▶ Ticket
                  └─────────────┴──────────────┴──────────────┴────────────────┴──────────────┴▶ Hold(until, reason)

Live calls may use the whole budget, those of one caller at most half of the slots. If a live call came in the last
minute, commands leave a share to live calls. Observations leave a further share to commands, except for every tenth
call, which may be an observation. After a breaker closes, concurrency restarts at 1 and the rate at a twentieth.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from adapters.collate.answers import HoldReason
from adapters.collate.breaker import Breaker, BreakerConfig, BreakerState
from adapters.collate.caller_turns import CallerTurns
from adapters.collate.concurrency import ConcurrencyLimit
from adapters.collate.rate import Rate

_LIVE_REMEMBERED_SECONDS: Final = 60.0
_LEFT_TO_COMMANDS: Final = 0.25
_OBSERVATION_EVERY: Final = 10
_LONGEST_RETRY_AFTER_SECONDS: Final = 60.0
_LONGEST_HOLD_SECONDS: Final = 10.0
# More authorizations than have calls at a time; above this number the first one is forgotten.
_MOST_ASKED: Final = 4_096
# A breaker for faults stays open for at most this many times `open_seconds`.
_LONGEST_OPEN: Final = 6
_SHORTEST_HOLD_SECONDS: Final = 0.01
# A 403 concerns only its authorization if Collate accepted a call for another authorization within this time.
_FRESH_SECONDS: Final = 30.0


class Priority(IntEnum):
    """The kinds of calls, the most urgent first."""

    LIVE = 0
    COMMAND = 1
    OBSERVATION = 2


class CallSignal(Enum):
    """What the end of a call shows about Collate."""

    ANSWERED = "answered"
    KEY_REFUSED = "key_refused"
    FORBIDDEN = "forbidden"
    LIMITED = "limited"
    FAILED = "failed"
    UNREADABLE = "unreadable"


_CLOSED: Final = BreakerState.CLOSED
# What each signal shows about the key, the permissions, Collate's health and the rate: good, bad or nothing.
_EVIDENCE: Final = {
    CallSignal.ANSWERED: (True, True, True, True),
    CallSignal.KEY_REFUSED: (False, None, True, True),
    CallSignal.FORBIDDEN: (True, False, True, True),
    CallSignal.LIMITED: (True, None, True, False),
    CallSignal.FAILED: (None, None, False, None),
    # A 2xx in a shape that the gateway does not know: neither Collate's failure nor the proof that it works.
    CallSignal.UNREADABLE: (True, True, None, True),
}
# A fault whose answer has a Retry-After is a limit too: Collate asks all calls to wait.
_FAILED_WITH_WAIT: Final = (None, None, False, False)


@dataclass(frozen=True, slots=True)
class Call:
    """A call that needs budget; `subject` is its authorization, `caller` the caller of a live call.

    `continues`: an observation has used budget for its first call, which is lost if this call is deferred.
    """

    priority: Priority
    writes: bool
    subject: str
    caller: str = ""
    continues: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """This process's share of the calls that Collate allows."""

    per_second: float
    concurrency: int
    live_share: float
    failures: int
    open_seconds: float
    ramp_seconds: float


@dataclass(eq=False, slots=True)
class Ticket:
    """Permission to make one call. It ends once, by `release` or `abandon`."""

    call: Call
    probes: frozenset[Breaker]


_NO_PROBES: Final[frozenset[Breaker]] = frozenset()


@dataclass(frozen=True, slots=True)
class Hold:
    """No permission before `until` (monotonic seconds). `for_slot`: earlier if another call ends earlier."""

    until: float
    reason: HoldReason
    for_slot: bool = False


class Budget:
    """The call budget of a process. Owned by one event loop; never awaits."""

    def __init__(self, bounds: Bounds, now: float, chance: Callable[[], float]) -> None:
        self._bounds = bounds
        self._chance = chance
        self.concurrency = ConcurrencyLimit(bounds.concurrency)
        self.rate = Rate(bounds.per_second, bounds.ramp_seconds, now)
        self.key = Breaker(BreakerConfig(threshold=1, first_seconds=5.0, longest_seconds=15.0), chance)
        self.forbidden = tuple(Breaker(BreakerConfig(2, 5.0, 60.0), chance) for _ in ("reads", "writes"))
        faults = BreakerConfig(bounds.failures, bounds.open_seconds, _LONGEST_OPEN * bounds.open_seconds, to_close=3)
        self.faults = tuple(Breaker(faults, chance) for _ in ("reads", "writes"))
        self.limited = Breaker(BreakerConfig(3, 1.0, _LONGEST_RETRY_AFTER_SECONDS), chance)
        self._gates = tuple(
            (
                (self.key, HoldReason.CREDENTIALS),
                (forbidden, HoldReason.FORBIDDEN),
                (faulty, HoldReason.BREAKER),
                (self.limited, HoldReason.RATE_LIMITED),
            )
            for forbidden, faulty in zip(self.forbidden, self.faults, strict=True)
        )
        self.in_flight = dict.fromkeys(Priority, 0)
        self.turns = CallerTurns()
        self._limited_in_a_row: set[str] = set()
        self._asked: dict[str, float] = {}  # until when Collate wants no call for an authorization
        self._live_at = float("-inf")
        self._since_observation = 0
        self._last_deferred_until = now
        self._seconds = 0.05
        self._accepted_at: dict[bool, float] = {}
        self._forbidden_since: dict[bool, float] = {}

    def acquire(self, now: float, call: Call) -> Ticket | Hold:
        """Return a ticket, or why and until when the call must wait."""
        if call.priority is Priority.LIVE:
            self._live_at = now
        gates = self._gates[call.writes]
        for breaker, reason in gates:
            if breaker.state is not _CLOSED and (until := breaker.retry_at(now)) is not None:
                return Hold(until, reason)
        if (asked_until := self._asked.get(call.subject, now)) > now:
            return Hold(asked_until, HoldReason.RATE_LIMITED)
        reserved = self._reserved(now, call.priority)
        token_in = self.rate.wait(now, reserved)
        if token_in > 0:
            return Hold(now + token_in, HoldReason.BUDGET)
        limit = self.concurrency.limit
        has_slot = sum(self.in_flight.values()) < max(1, limit - int(limit * reserved))
        if not has_slot or not self.turns.may_begin(call.caller, limit):
            return Hold(now + self._seconds / limit, HoldReason.BUDGET, for_slot=True)
        self.turns.begin(call.caller)
        self.rate.take(now)
        self.in_flight[call.priority] += 1
        if call.priority is Priority.OBSERVATION:
            self._since_observation = 0
        elif call.priority is Priority.COMMAND:
            self._since_observation += 1
        probes = [breaker for breaker, _ in gates if breaker.state is not _CLOSED and breaker.enter(now)]
        return Ticket(call, frozenset(probes) if probes else _NO_PROBES)

    def release(
        self, now: float, ticket: Ticket, signal: CallSignal, seconds: float, retry_after: float | None = None
    ) -> None:
        """Count the end of a call. `seconds` is its duration, `retry_after` the wait that Collate requested."""
        in_flight = sum(self.in_flight.values())
        self._leave(ticket.call)
        writes, subject = ticket.call.writes, ticket.call.subject
        # The durations of refusals and failed connections do not show how slow Collate is. A timeout does.
        if signal is CallSignal.ANSWERED or (
            signal is CallSignal.FAILED and self.concurrency.is_slow(seconds, writes=writes)
        ):
            self.concurrency.sample(now, seconds, in_flight, writes=writes)
            self._seconds += 0.05 * (seconds - self._seconds)
        has_wait = retry_after is not None and signal in {CallSignal.LIMITED, CallSignal.FAILED}
        wait = min(retry_after or 0.0, _LONGEST_RETRY_AFTER_SECONDS) if has_wait else 0.0
        shown = _FAILED_WITH_WAIT if wait and signal is CallSignal.FAILED else _EVIDENCE[signal]
        for (breaker, _), evidence in zip(self._gates[writes], shown, strict=True):
            probe = breaker in ticket.probes
            if evidence is None:
                breaker.record_neutral(now, probe=probe)
            elif evidence:
                if breaker.record_success(probe=probe):
                    self._recover(now, breaker)
            else:
                breaker.record_failure(now, subject, probe=probe, at_least_seconds=wait)
        if wait:
            self._note_wait(subject, now + wait)
        self._note_limits(now, signal, subject)
        self._note_access(now, signal, writes)

    def abandon(self, ticket: Ticket) -> None:
        """Forget a cancelled call; it shows nothing about Collate."""
        self._leave(ticket.call)
        for breaker in ticket.probes:
            breaker.abandon(probe=True)

    @property
    def order(self) -> tuple[Priority, ...]:
        """The order in which waiting calls are served."""
        if self._observation_is_due:
            return Priority.LIVE, Priority.OBSERVATION, Priority.COMMAND
        return Priority.LIVE, Priority.COMMAND, Priority.OBSERVATION

    def deferred_until(self, now: float, hold: Hold) -> float:
        """Return when a deferred call may be retried. Retries are spread at the rate at which calls can be served."""
        if hold.reason is not HoldReason.BUDGET:
            return hold.until
        per_second = min(self.rate.per_second(now), self.concurrency.limit / max(self._seconds, 1e-3))
        earliest = max(hold.until, now + _SHORTEST_HOLD_SECONDS)
        self._last_deferred_until = max(self._last_deferred_until + 1 / per_second, earliest)
        latest = now + _LONGEST_HOLD_SECONDS
        if self._last_deferred_until > latest:
            self._last_deferred_until = latest
            return max(earliest, now + _LONGEST_HOLD_SECONDS * (0.5 + 0.5 * self._chance()))
        return self._last_deferred_until

    def suspends(self, now: float, call: Call) -> bool:
        """Return whether the 401 or 403 of this call may be caused by our API key.

        A 403 concerns only its authorization if Collate accepted a call for another authorization lately, or if no
        second authorization got a 403 within half a minute.
        """
        if self.key.state is not BreakerState.CLOSED or self.forbidden[call.writes].state is not BreakerState.CLOSED:
            return True
        if now - self._accepted_at.get(call.writes, float("-inf")) < _FRESH_SECONDS:
            return False
        return now - self._forbidden_since.get(call.writes, now) < _FRESH_SECONDS

    @property
    def trouble(self) -> HoldReason | None:
        """The most serious reason that defers calls now; None if there is none."""
        found = (
            (HoldReason.CREDENTIALS, (self.key,)),
            (HoldReason.FORBIDDEN, self.forbidden),
            (HoldReason.BREAKER, self.faults),
            (HoldReason.RATE_LIMITED, (self.limited,)),
        )
        return next((reason for reason, breakers in found if any(one.state is not _CLOSED for one in breakers)), None)

    def key_changed(self, now: float) -> None:
        """Try a new key immediately."""
        for breaker in (self.key, *self.forbidden):
            breaker.retry(now)

    def _leave(self, call: Call) -> None:
        self.in_flight[call.priority] -= 1
        self.turns.end(call.caller)

    def _reserved(self, now: float, priority: Priority) -> float:
        if priority is Priority.LIVE:
            return 0.0
        live = self._bounds.live_share if now - self._live_at < _LIVE_REMEMBERED_SECONDS else 0.0
        if priority is Priority.COMMAND or self._observation_is_due:
            return live
        return min(0.9, live + _LEFT_TO_COMMANDS)

    @property
    def _observation_is_due(self) -> bool:
        return self._since_observation >= _OBSERVATION_EVERY - 1

    def _recover(self, now: float, closed: Breaker) -> None:
        self._last_deferred_until = now
        if closed is self.limited:
            self.concurrency.cut(now)
            self.rate.cut(now)
        else:
            self.concurrency.restart()
            self.rate.restart(now)

    def _note_wait(self, subject: str, until: float) -> None:
        self._asked[subject] = max(until, self._asked.pop(subject, until))
        if len(self._asked) > _MOST_ASKED:
            del self._asked[next(iter(self._asked))]

    def _note_limits(self, now: float, signal: CallSignal, subject: str) -> None:
        # Refusals of two authorizations in a row show a limit for all calls, not for one authorization.
        if signal is CallSignal.LIMITED:
            self._limited_in_a_row.add(subject)
            if len(self._limited_in_a_row) > 1:
                self.concurrency.cut(now)
                self.rate.cut(now)
        elif signal is not CallSignal.FAILED:
            self._limited_in_a_row.clear()

    def _note_access(self, now: float, signal: CallSignal, writes: bool) -> None:  # noqa: FBT001 - a dict's key
        if signal is CallSignal.ANSWERED:
            self._accepted_at[writes] = now
            self._forbidden_since.pop(writes, None)
        elif signal is CallSignal.FORBIDDEN:
            self._forbidden_since.setdefault(writes, now)

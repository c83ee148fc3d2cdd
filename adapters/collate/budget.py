"""Which call may go now: one budget for all calls of a process. Pure: `now` (monotonic seconds) is an argument.

    ask ─▶ key refused? ─▶ forbidden? ─▶ Collate faulty? ─▶ rate limited? ─▶ a slot free? ─▶ a token left? ─▶ Ticket
              └─────────────┴──────────────┴──────────────┴────────────────┴──────────────┴──▶ Hold(until, reason)

Live calls may use everything; while they have been seen in the last minute, commands leave a share to them, and
observations leave some more to commands, except every tenth call, which is an observation's if one wants it. The way
out of every trouble (a breaker that closes) is slow: concurrency from 1, rate from a twentieth.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from adapters.collate.answers import HoldReason
from adapters.collate.breaker import Breaker, BreakerConfig, BreakerState
from adapters.collate.concurrency import ConcurrencyLimit
from adapters.collate.rate import Rate

_LIVE_REMEMBERED_SECONDS: Final = 60.0
_LEFT_TO_COMMANDS: Final = 0.25
_OBSERVATION_EVERY: Final = 10
_LONGEST_RETRY_AFTER_SECONDS: Final = 60.0
_LONGEST_HOLD_SECONDS: Final = 10.0
# How many times its first time a breaker for faults may stay open.
_LONGEST_OPEN: Final = 6
_SHORTEST_HOLD_SECONDS: Final = 0.01
# How recently somebody else must have been let in for a 403 to count as its authorization's own.
_FRESH_SECONDS: Final = 30.0


class Priority(IntEnum):
    """Who goes first."""

    LIVE = 0
    COMMAND = 1
    OBSERVATION = 2


class CallSignal(Enum):
    """What an attempt's end says about Collate."""

    ANSWERED = "answered"
    KEY_REFUSED = "key_refused"
    FORBIDDEN = "forbidden"
    LIMITED = "limited"
    FAILED = "failed"


_CLOSED: Final = BreakerState.CLOSED
# What each end of a call says of the key, the permissions, Collate's health and the rate: good, bad, or nothing.
_OPINIONS: Final = {
    CallSignal.ANSWERED: (True, True, True, True),
    CallSignal.KEY_REFUSED: (False, None, True, True),
    CallSignal.FORBIDDEN: (True, False, True, True),
    CallSignal.LIMITED: (True, None, True, False),
    CallSignal.FAILED: (None, None, False, None),
}


@dataclass(frozen=True, slots=True)
class Call:
    """What wants to go: for whom, about which authorization."""

    priority: Priority
    writes: bool
    subject: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """This process's share of what Collate may be asked."""

    per_second: float
    concurrency: int
    live_share: float
    failures: int
    open_seconds: float
    ramp_seconds: float


@dataclass(eq=False, slots=True)
class Ticket:
    """Leave to make one call. Ends with `heard` or `abandon`, once."""

    call: Call
    probes: frozenset[Breaker]


_NO_PROBES: Final[frozenset[Breaker]] = frozenset()


@dataclass(frozen=True, slots=True)
class Hold:
    """Not now: ask again at `until` (monotonic seconds). `for_slot`: sooner, if a call ends sooner."""

    until: float
    reason: HoldReason
    for_slot: bool = False


class Budget:
    """See the module. Owned by one event loop; never awaits."""

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
        self._limited_in_a_row: set[str] = set()
        self._live_at = float("-inf")
        self._since_observation = 0
        self._promised = now
        self._seconds = 0.05
        self._let_in: dict[bool, float] = {}
        self._doubted_at: dict[bool, float] = {}

    def ask(self, now: float, call: Call) -> Ticket | Hold:
        """Let a call go, or say until when not and why."""
        if call.priority is Priority.LIVE:
            self._live_at = now
        gates = self._gates[call.writes]
        for breaker, reason in gates:
            if breaker.state is not _CLOSED and (until := breaker.holds(now)) is not None:
                return Hold(until, reason)
        reserved = self._reserved(now, call.priority)
        token_in = self.rate.wait(now, reserved)
        if token_in > 0:
            return Hold(now + token_in, HoldReason.BUDGET)
        limit = self.concurrency.limit
        if sum(self.in_flight.values()) >= max(1, limit - int(limit * reserved)):
            return Hold(now + self._seconds / limit, HoldReason.BUDGET, for_slot=True)
        self.rate.take(now)
        self.in_flight[call.priority] += 1
        if call.priority is Priority.OBSERVATION:
            self._since_observation = 0
        elif call.priority is Priority.COMMAND:
            self._since_observation += 1
        probes = [breaker for breaker, _ in gates if breaker.state is not _CLOSED and breaker.enter(now)]
        return Ticket(call, frozenset(probes) if probes else _NO_PROBES)

    def heard(
        self, now: float, ticket: Ticket, what: CallSignal, seconds: float, retry_after: float | None = None
    ) -> None:
        """Take the end of a call. `seconds` is how long it took, `retry_after` what Collate asked to wait."""
        in_flight = sum(self.in_flight.values())
        self.in_flight[ticket.call.priority] -= 1
        writes, subject = ticket.call.writes, ticket.call.subject
        # A refusal is quick and a failed connection quicker; neither says how long calls take. A time-out does.
        if what is CallSignal.ANSWERED or (
            what is CallSignal.FAILED and self.concurrency.is_slow(seconds, writes=writes)
        ):
            self.concurrency.sample(now, seconds, in_flight, writes=writes)
            self._seconds += 0.05 * (seconds - self._seconds)
        wait = min(retry_after or 0.0, _LONGEST_RETRY_AFTER_SECONDS) if what is CallSignal.LIMITED else 0.0
        for (breaker, _), opinion in zip(self._gates[writes], _OPINIONS[what], strict=True):
            probe = breaker in ticket.probes
            if opinion is None:
                breaker.neutral(now, probe=probe)
            elif opinion:
                if breaker.good(probe=probe):
                    self._recover(now, breaker)
            else:
                breaker.bad(now, subject, probe=probe, at_least_seconds=wait)
        self._note_limits(now, what, subject)
        self._note_let_in(now, what, writes)

    def abandon(self, ticket: Ticket) -> None:
        """Forget a call that was cancelled: it says nothing."""
        self.in_flight[ticket.call.priority] -= 1
        for breaker in ticket.probes:
            breaker.abandon(probe=True)

    @property
    def order(self) -> tuple[Priority, ...]:
        """Who of those that wait goes first."""
        if self._observation_is_due:
            return Priority.LIVE, Priority.OBSERVATION, Priority.COMMAND
        return Priority.LIVE, Priority.COMMAND, Priority.OBSERVATION

    def come_back(self, now: float, hold: Hold) -> float:
        """Return when somebody who is sent away shall ask again: spread as calls can be served, not all at once."""
        if hold.reason is not HoldReason.BUDGET:
            return hold.until
        per_second = min(self.rate.per_second(now), self.concurrency.limit / max(self._seconds, 1e-3))
        earliest = max(hold.until, now + _SHORTEST_HOLD_SECONDS)
        self._promised = max(self._promised + 1 / per_second, earliest)
        latest = now + _LONGEST_HOLD_SECONDS
        if self._promised > latest:
            self._promised = latest
            return max(earliest, now + _LONGEST_HOLD_SECONDS * (0.5 + 0.5 * self._chance()))
        return self._promised

    def suspends(self, now: float, call: Call) -> bool:
        """Say whether a 401 or 403 just heard by this call is, or may be, our credentials' fault and not its own.

        A 403 is its authorization's own if another one was let in lately, or if half a minute brought no second one.
        """
        if self.key.state is not BreakerState.CLOSED or self.forbidden[call.writes].state is not BreakerState.CLOSED:
            return True
        if now - self._let_in.get(call.writes, float("-inf")) < _FRESH_SECONDS:
            return False
        return now - self._doubted_at.get(call.writes, now) < _FRESH_SECONDS

    @property
    def trouble(self) -> HoldReason | None:
        """What holds calls back at the moment, the worst first; None if nothing is wrong."""
        found = (
            (HoldReason.CREDENTIALS, (self.key,)),
            (HoldReason.FORBIDDEN, self.forbidden),
            (HoldReason.BREAKER, self.faults),
            (HoldReason.RATE_LIMITED, (self.limited,)),
        )
        return next((why for why, them in found if any(it.state is not BreakerState.CLOSED for it in them)), None)

    def key_changed(self, now: float) -> None:
        """Try a new key at once."""
        for breaker in (self.key, *self.forbidden):
            breaker.retry(now)

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
        self._promised = now
        if closed is self.limited:
            self.concurrency.cut(now)
            self.rate.cut(now)
        else:
            self.concurrency.restart()
            self.rate.restart(now)

    def _note_limits(self, now: float, what: CallSignal, subject: str) -> None:
        # Two authorizations in a row: a limit that concerns all, not one authorization's own.
        if what is CallSignal.LIMITED:
            self._limited_in_a_row.add(subject)
            if len(self._limited_in_a_row) > 1:
                self.concurrency.cut(now)
                self.rate.cut(now)
        elif what is not CallSignal.FAILED:
            self._limited_in_a_row.clear()

    def _note_let_in(self, now: float, what: CallSignal, writes: bool) -> None:  # noqa: FBT001 - a dict's key
        if what is CallSignal.ANSWERED:
            self._let_in[writes] = now
            self._doubted_at.pop(writes, None)
        elif what is CallSignal.FORBIDDEN:
            self._doubted_at.setdefault(writes, now)

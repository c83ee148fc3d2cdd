"""The calls that this process may make, and the calls that wait for their turn. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from adapters.collate.call_policy.breaker import Breaker, BreakerConfig, BreakerState, Evidence
from adapters.collate.call_policy.calls import Call, CallSignal, Priority
from adapters.collate.call_policy.throttle import Throttle
from runtime.turns import OTHERS_EVERY, Turns
from schemas.events.wait_reasons import HoldReason

# A deferred command is read and decided again, which costs more than waiting; at full load only that work would be
# done. The engine bounds the number of waiting commands. Shorter than the wait that emits an event.
COMMAND_WAIT_SECONDS: Final = 5.0
_LIVE_REMEMBERED_SECONDS: Final = 60.0
_LEFT_TO_COMMANDS: Final = 0.25
_OBSERVATION_EVERY: Final = 10
_LONGEST_RETRY_AFTER_SECONDS: Final = 60.0
_SHORTEST_HOLD_SECONDS: Final = 0.01
_LONGEST_HOLD_SECONDS: Final = 10.0
# More authorizations than have calls at a time; above this number the first one is forgotten.
_MOST_ASKED: Final = 4_096
# A breaker for faults stays open for at most this many times `open_seconds`.
_LONGEST_OPEN: Final = 6
# A 403 concerns only its authorization if Collate accepted a call for another authorization within this time.
_FRESH_SECONDS: Final = 30.0
# A deferred observation only sets its timer again. One of an open handoff gets a token of a small budget too in this
# time, for which the handoff's commands wait behind it.
_WAIT_SECONDS: Final = {Priority.OBSERVATION: 2.0, Priority.IDLE: 0.05}

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
_LIMITED: Final = BreakerConfig(threshold=3, first_seconds=1.0, longest_seconds=_LONGEST_RETRY_AFTER_SECONDS)


@dataclass(frozen=True, slots=True)
class Bounds:
    """This process's share of the calls that Collate allows, and how long and how many of its calls wait."""

    per_second: float
    concurrency: int
    live_share: float
    failures: int
    open_seconds: float
    ramp_seconds: float
    live_wait_seconds: float = 2.0
    most_waiting: int = 1_024


@dataclass(eq=False, slots=True)
class Ticket:
    """Permission to make one call. It ends once, by `release` or `abandon`."""

    call: Call
    probes: tuple[Breaker, ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """No permission before `until` (monotonic seconds). `for_slot`: earlier if another call ends earlier."""

    until: float
    reason: HoldReason
    for_slot: bool = False


@dataclass(eq=False, slots=True)
class WaitingCall:
    """A call that waits for its turn, at most until `until`."""

    call: Call
    until: float


class Budget:
    """The calls that this process may make, and the calls that wait. Owned by one event loop; never awaits."""

    def __init__(self, bounds: Bounds, now: float, chance: Callable[[], float]) -> None:
        self._bounds = bounds
        self._chance = chance
        self.throttle = Throttle(bounds.per_second, bounds.concurrency, bounds.ramp_seconds, now)
        faults = BreakerConfig(bounds.failures, bounds.open_seconds, _LONGEST_OPEN * bounds.open_seconds, to_close=3)
        kinds = ("reads", "writes")
        self.key = Breaker(HoldReason.CREDENTIALS, "all", _KEY, chance)
        self.forbidden = tuple(Breaker(HoldReason.FORBIDDEN, kind, _FORBIDDEN, chance) for kind in kinds)
        self.faults = tuple(Breaker(HoldReason.BREAKER, kind, faults, chance) for kind in kinds)
        self.limited = Breaker(HoldReason.RATE_LIMITED, "all", _LIMITED, chance)
        # The most serious trouble first.
        self.breakers = (self.key, *self.forbidden, *self.faults, self.limited)
        self._gates = tuple((self.key, self.forbidden[i], self.faults[i], self.limited) for i in (False, True))
        self.in_flight = dict.fromkeys(Priority, 0)
        self.wake_at = float("inf")
        self._by_caller: Counter[str] = Counter()  # calls in flight
        self._lines: dict[Priority, Turns[WaitingCall]] = {priority: Turns() for priority in Priority}
        self._waiting = 0
        self._asked: dict[str, float] = {}  # until when Collate wants no call for an authorization
        self._live_at = float("-inf")
        self._since_observation = self._since_other_command = self._since_idle = 0
        self._last_deferred_until = now
        self._seconds = 0.05  # the mean duration of a call

    # A call begins

    def ask(self, now: float, call: Call) -> Ticket | Hold | WaitingCall:
        """Return a ticket; or the call's place among those that wait; or when it may be retried, if that is long."""
        hold, line = None, self._lines[call.priority]
        if not (self._waiting and self._has_calls_ahead(call)):
            answer = self.acquire(now, call)
            if isinstance(answer, Ticket):
                line.count_place(call.caller)
                return answer
            if answer.reason is not HoldReason.BUDGET:
                return answer
            hold = answer
        per_second = self._served_per_second(now)
        first = now + 1 / per_second if hold is None else hold.until
        longest = self._longest_wait(call)
        if first - now + line.ahead(call.caller) / per_second > longest or self._waiting >= self._bounds.most_waiting:
            return self._deferred(now, hold or Hold(now, HoldReason.BUDGET))
        waiting = WaitingCall(call, now + longest)
        line.add(call.caller, waiting)
        self._waiting += 1
        return waiting

    def serve(self, now: float) -> Iterator[tuple[WaitingCall, Ticket | Hold]]:
        """Give each waiting call its ticket, or the time of its retry, until the rest must wait until `wake_at`."""
        self.wake_at = float("inf")
        while waiting := self._next(now):
            answer = self.acquire(now, waiting.call)
            if isinstance(answer, Hold) and answer.reason is HoldReason.BUDGET and waiting.until > now:
                if not answer.for_slot:
                    self.wake_at = answer.until
                break
            yield self._take_out(now, waiting, answer)
        for line in self._lines.values():
            while (oldest := line.oldest) is not None and oldest.until <= now:
                yield self._take_out(now, oldest, self.acquire(now, oldest.call))
            if oldest is not None:
                self.wake_at = min(self.wake_at, oldest.until)

    def leave(self, waiting: WaitingCall) -> None:
        """Forget a waiting call."""
        self._waiting -= self._lines[waiting.call.priority].discard(waiting)

    def waiting(self, priority: Priority) -> int:
        """Count the waiting calls of a priority."""
        return len(self._lines[priority])

    def acquire(self, now: float, call: Call) -> Ticket | Hold:
        """Return a ticket, or why and until when the call must wait; calls that wait do not count here."""
        if call.priority is Priority.LIVE:
            self._live_at = now
        gates = self._gates[call.writes]
        for breaker in gates:
            if breaker.state is not BreakerState.CLOSED and (until := breaker.retry_at(now)) is not None:
                return Hold(until, breaker.reason)
        if (asked_until := self._asked.get(call.subject, now)) > now:
            return Hold(asked_until, HoldReason.RATE_LIMITED)
        reserved = self._reserved(now, call.priority)
        token_in = self.throttle.wait(now, reserved)
        if token_in > 0:
            return Hold(now + token_in, HoldReason.BUDGET)
        limit = self.throttle.limit(now)
        has_slot = sum(self.in_flight.values()) < max(1, limit - int(limit * reserved))
        if not has_slot or (call.priority is Priority.LIVE and self._has_its_half(call.caller, limit)):
            return Hold(now + self._seconds / limit, HoldReason.BUDGET, for_slot=True)
        self._begin(now, call)
        return Ticket(call, tuple(breaker for breaker in gates if breaker.enter(now)))

    def _begin(self, now: float, call: Call) -> None:
        self.throttle.take(now)
        self.in_flight[call.priority] += 1
        if call.caller:
            self._by_caller[call.caller] += 1
        match call.priority:
            case Priority.OBSERVATION:
                self._since_observation = 0
                self._since_idle += 1
            case Priority.IDLE:
                self._since_observation = self._since_idle = 0
            case Priority.URGENT:
                self._since_observation += 1
                self._since_other_command += 1
            case Priority.COMMAND:
                self._since_observation += 1
                self._since_other_command = 0

    # A call ends

    def release(
        self, now: float, ticket: Ticket, signal: CallSignal, seconds: float, retry_after: float | None = None
    ) -> None:
        """Count the end of a call. `seconds` is its duration, `retry_after` the wait that Collate requested."""
        self._end(ticket)
        subject = ticket.call.subject
        # The durations of refusals and failed connections do not show how slow Collate is. A timeout does.
        if signal is CallSignal.ANSWERED or (signal is CallSignal.FAILED and seconds > self._seconds):
            self._seconds += 0.05 * (seconds - self._seconds)
        has_wait = signal in {CallSignal.LIMITED, CallSignal.FAILED}
        wait = min(retry_after or 0.0, _LONGEST_RETRY_AFTER_SECONDS) if has_wait else 0.0
        shown = _FAILED_WITH_WAIT if wait and signal is CallSignal.FAILED else _SHOWN[signal]
        for breaker, evidence in zip(self._gates[ticket.call.writes], shown, strict=True):
            if breaker.record(now, subject, evidence, probe=breaker in ticket.probes, at_least_seconds=wait):
                self._recover(now, breaker)
        if wait:
            self._asked[subject] = max(now + wait, self._asked.pop(subject, now))
            if len(self._asked) > _MOST_ASKED:
                del self._asked[next(iter(self._asked))]
        # Refusals of two authorizations in a row show a limit for all calls, not for one authorization.
        if signal is CallSignal.LIMITED and len(self.limited.failing) > 1:
            self.throttle.cut(now)

    def abandon(self, ticket: Ticket) -> None:
        """Forget a cancelled call; it shows nothing about Collate."""
        self._end(ticket)
        for breaker in ticket.probes:
            breaker.abandon()

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
        return next((breaker.reason for breaker in self.breakers if breaker.state is not BreakerState.CLOSED), None)

    def key_changed(self, now: float) -> None:
        """Try a new key immediately."""
        for breaker in (self.key, *self.forbidden):
            breaker.retry(now)

    def _end(self, ticket: Ticket) -> None:
        self.in_flight[ticket.call.priority] -= 1
        if caller := ticket.call.caller:
            self._by_caller[caller] -= 1
            if not self._by_caller[caller]:
                del self._by_caller[caller]

    def _recover(self, now: float, closed: Breaker) -> None:
        self._last_deferred_until = now
        if closed is self.limited:
            self.throttle.cut(now)
        else:
            self.throttle.restart(now)

    # Turns

    def _order(self) -> tuple[Priority, ...]:
        live, urgent, command, observation, idle = Priority
        is_others_turn = self._since_other_command >= OTHERS_EVERY - 1
        commands = (command, urgent) if is_others_turn else (urgent, command)
        is_idles_turn = self._since_idle >= OTHERS_EVERY - 1
        observations = (idle, observation) if is_idles_turn else (observation, idle)
        return (live, *observations, *commands) if self._observation_is_due else (live, *commands, *observations)

    def _next(self, now: float) -> WaitingCall | None:
        """Return the call whose turn it is. A caller with half of the slots comes after the others."""
        line = next((line for name in self._order() if (line := self._lines[name])), None) if self._waiting else None
        if line is None:
            return None
        limit = self.throttle.limit(now)
        return next((first for first in line if not self._has_its_half(first.call.caller, limit)), next(iter(line)))

    def _has_its_half(self, caller: str, limit: int) -> bool:
        return bool(caller) and self._by_caller[caller] >= max(1, (limit + 1) // 2)

    def _has_calls_ahead(self, call: Call) -> bool:
        order = self._order()
        return any(self._lines[name] for name in order[: order.index(call.priority) + 1])

    def _longest_wait(self, call: Call) -> float:
        if call.priority is Priority.LIVE:
            return self._bounds.live_wait_seconds
        return _WAIT_SECONDS.get(call.priority, COMMAND_WAIT_SECONDS)

    def _take_out(self, now: float, waiting: WaitingCall, answer: Ticket | Hold) -> tuple[WaitingCall, Ticket | Hold]:
        if isinstance(answer, Ticket):
            self._lines[waiting.call.priority].end_turn(waiting)
            self._waiting -= 1
            return waiting, answer
        self.leave(waiting)
        return waiting, self._deferred(now, answer)

    @property
    def _observation_is_due(self) -> bool:
        return self._since_observation >= _OBSERVATION_EVERY - 1

    def _reserved(self, now: float, priority: Priority) -> float:
        if priority is Priority.LIVE:
            return 0.0
        live = self._bounds.live_share if now - self._live_at < _LIVE_REMEMBERED_SECONDS else 0.0
        if priority < Priority.OBSERVATION or self._observation_is_due:
            return live
        return min(0.9, live + _LEFT_TO_COMMANDS)

    def _served_per_second(self, now: float) -> float:
        return min(self.throttle.per_second(now), self.throttle.limit(now) / max(self._seconds, 1e-3))

    def _deferred(self, now: float, hold: Hold) -> Hold:
        """Spread the retries of deferred calls at the rate at which calls can be served."""
        if hold.reason is not HoldReason.BUDGET:
            return hold
        earliest = max(hold.until, now + _SHORTEST_HOLD_SECONDS)
        latest = now + _LONGEST_HOLD_SECONDS
        until = max(self._last_deferred_until + 1 / self._served_per_second(now), earliest)
        self._last_deferred_until = min(until, latest)
        if until > latest:
            until = max(earliest, now + _LONGEST_HOLD_SECONDS * (0.5 + 0.5 * self._chance()))
        return replace(hold, until=until)

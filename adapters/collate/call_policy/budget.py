"""The calls that this process may make, and the calls that wait for their turn. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from adapters.collate.call_policy.breaker import Breaker
from adapters.collate.call_policy.breakers import Breakers
from adapters.collate.call_policy.calls import Call, CallSignal, Hold, Priority
from adapters.collate.call_policy.throttle import Throttle
from runtime.turns import OTHERS_EVERY, Turns
from schemas.events.wait_reasons import HoldReason

# A deferred command is read and decided again, which costs more than waiting; at full load only that work would be
# done. The engine bounds the number of waiting commands. Shorter than the wait that emits an event.
COMMAND_WAIT_SECONDS: Final = 5.0
_LIVE_REMEMBERED_SECONDS: Final = 60.0
_LEFT_TO_COMMANDS: Final = 0.25
_OBSERVATION_EVERY: Final = 10
_SHORTEST_HOLD_SECONDS: Final = 0.01
_LONGEST_HOLD_SECONDS: Final = 10.0
# A deferred observation only sets its timer again. One of an open handoff gets a token of a small budget too in this
# time, for which the handoff's commands wait behind it.
_WAIT_SECONDS: Final = {Priority.OBSERVATION: 2.0, Priority.IDLE: 0.05}


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
        self.breakers = Breakers(bounds.failures, bounds.open_seconds, chance)
        self.in_flight = dict.fromkeys(Priority, 0)
        self.wake_at = float("inf")
        self._by_caller: Counter[str] = Counter()  # calls in flight
        self._lines: dict[Priority, Turns[WaitingCall]] = {priority: Turns() for priority in Priority}
        self._waiting = 0
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
        if (hold := self.breakers.hold(now, call)) is not None:
            return hold
        reserved = self._reserved(now, call.priority)
        token_in = self.throttle.wait(now, reserved)
        if token_in > 0:
            return Hold(now + token_in, HoldReason.BUDGET)
        limit = self.throttle.limit(now)
        has_slot = sum(self.in_flight.values()) < max(1, limit - int(limit * reserved))
        if not has_slot or (call.priority is Priority.LIVE and self._has_its_half(call.caller, limit)):
            return Hold(now + self._seconds / limit, HoldReason.BUDGET, for_slot=True)
        self._begin(now, call)
        return Ticket(call, self.breakers.enter(now, call))

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
        # The durations of refusals and failed connections do not show how slow Collate is. A timeout does.
        if signal is CallSignal.ANSWERED or (signal is CallSignal.FAILED and seconds > self._seconds):
            self._seconds += 0.05 * (seconds - self._seconds)
        for closed in self.breakers.record(now, ticket.call, ticket.probes, signal, retry_after or 0.0):
            self._last_deferred_until = now
            if closed is self.breakers.limited:
                self.throttle.cut(now)
            else:
                self.throttle.restart(now)
        # Refusals of two authorizations in a row show a limit for all calls, not for one authorization.
        if signal is CallSignal.LIMITED and len(self.breakers.limited.failing) > 1:
            self.throttle.cut(now)

    def abandon(self, ticket: Ticket) -> None:
        """Forget a cancelled call; it shows nothing about Collate."""
        self._end(ticket)
        for breaker in ticket.probes:
            breaker.abandon()

    def _end(self, ticket: Ticket) -> None:
        self.in_flight[ticket.call.priority] -= 1
        if caller := ticket.call.caller:
            self._by_caller[caller] -= 1
            if not self._by_caller[caller]:
                del self._by_caller[caller]

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

"""The policy for calls to Collate: which call starts now, which waits for its turn, and which is deferred.

    an observation's timer ─▶ Slowdown: the next step, longer while observations of its class are deferred
         │ due
         ▼
    a call ─▶ its turn?  live, urgent, command, observation, idle; callers take turns ─ no ──▶ WaitingCall
         ─▶ breakers     401: the key, all calls · 403 of two authorizations · faults in a row · 429s in a row
         ─▶ Retry-After  of its own authorization                  each of these: no ──▶ Hold (not budget)
         ─▶ token        calls per second, less the reserved shares ─┐
         ─▶ slot         calls in flight; a live caller has half ────┴──── no ──▶ WaitingCall, or Hold if it is long
         ─▶ Ticket ─▶ the call ─▶ CallSignal, which moves the breakers and the throttle

A long wait is returned as a hold, so that it costs the caller a timer and not a waiting task. Live calls may use the
whole budget. If a live call came in the last minute, commands leave a share to live calls. Observations leave a further
share to commands, except for every tenth call, which may be an observation's. Urgent commands come before the others,
except for every ninth call of a command (decision 0022). In the same way observations of open handoffs come before the
others, which are *idle*: no person waits for them. So an observation of an open handoff is deferred, and its `Slowdown`
lengthens its steps, only if these alone exceed the budget. All of this is pure: `now` (monotonic seconds) is an
argument. `CallQueue` is its shell: it owns the clock, the timer and the waiting tasks.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from typing import Final, NamedTuple

from adapters.collate.answers import HoldReason
from runtime.turns import OTHERS_EVERY, Turns

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


class Priority(IntEnum):
    """The kinds of calls, the most urgent first."""

    LIVE = 0
    URGENT = 1  # commands about handoffs, and commands of people
    COMMAND = 2
    OBSERVATION = 3  # of an authorization with an open handoff, or whose handoff is reconciled
    IDLE = 4  # of another authorization


# A deferred observation only sets its timer again. One of an open handoff gets a token of a small budget too in this
# time, for which the handoff's commands wait behind it.
_WAIT_SECONDS: Final = {Priority.OBSERVATION: 2.0, Priority.IDLE: 0.05}


class CallSignal(Enum):
    """What the end of a call shows about Collate."""

    ANSWERED = "answered"
    KEY_REFUSED = "key_refused"
    FORBIDDEN = "forbidden"
    LIMITED = "limited"
    FAILED = "failed"
    UNREADABLE = "unreadable"


class Evidence(Enum):
    """What a call shows about the cause that a breaker watches."""

    GOOD = "good"
    BAD = "bad"
    NOTHING = "nothing"


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


@dataclass(frozen=True, slots=True)
class Call:
    """A call that needs budget; `subject` is its authorization; an observation has no `caller`."""

    priority: Priority
    writes: bool
    subject: str
    caller: str = ""


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


_KEY: Final = BreakerConfig(threshold=1, first_seconds=5.0, longest_seconds=15.0)
_FORBIDDEN: Final = BreakerConfig(threshold=2, first_seconds=5.0, longest_seconds=60.0)
_LIMITED: Final = BreakerConfig(threshold=3, first_seconds=1.0, longest_seconds=_LONGEST_RETRY_AFTER_SECONDS)


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
        if evidence is _GOOD:
            self.good_at, self.failing_since = now, float("inf")
        elif evidence is _BAD:
            self.failing_since = min(self.failing_since, now)
        if self.state is BreakerState.CLOSED:
            if evidence is _GOOD:
                self.failing.clear()
            elif evidence is _BAD:
                self.failing.add(subject)
                if len(self.failing) >= self._config.threshold:
                    self._open(now, max(self._open_seconds, at_least_seconds))
        elif probe:
            return self._end_probe(now, evidence, at_least_seconds)
        elif evidence is _BAD and self.state is BreakerState.OPEN:
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
        if evidence is _GOOD:
            self._probes_good += 1
            if self._probes_good < self._config.to_close:
                return False
            self.state = BreakerState.CLOSED
            self._open_seconds = self._config.first_seconds
            self.failing.clear()
            return True
        if evidence is _BAD:
            longer = self._config.first_seconds if self._probes_good else 2 * self._open_seconds
            self._open_seconds = min(longer, self._config.longest_seconds)
        self._open(now, max(self._open_seconds, at_least_seconds))
        return False

    def _open(self, now: float, seconds: float) -> None:
        self.state = BreakerState.OPEN
        self._open_until = now + seconds
        self._probing = False
        self._probes_good = 0


class Throttle:
    """The share of the bounds that Collate takes now: 1 without refusals. It sets calls per second and in flight.

    A refusal because of load cuts the share, an outage ends at a twentieth. It returns linearly in `ramp_seconds`.
    Calls per second are a token bucket.
    """

    _LEAST: Final = 0.05
    _CUT: Final = 0.7
    _CUT_EVERY_SECONDS: Final = 1.0

    def __init__(self, per_second: float, concurrency: int, ramp_seconds: float, now: float) -> None:
        self._full = per_second
        self._concurrency = concurrency
        # A burst is the calls of a quarter of a second, at least 1; a smaller one would delay a single call.
        self._burst = max(1.0, per_second / 4)
        self._climb = 1.0 / ramp_seconds if ramp_seconds > 0 else float("inf")
        self._share = 1.0
        self._share_at = now
        self._tokens = self._burst
        self._cut_at = float("-inf")

    def share(self, now: float) -> float:
        """Return the current share."""
        gone = max(0.0, now - self._share_at)
        return min(1.0, self._share + gone * self._climb) if gone else self._share

    def per_second(self, now: float) -> float:
        """Return the current rate."""
        return self._full * self.share(now)

    def limit(self, now: float) -> int:
        """Return the current limit of calls in flight; at least 1."""
        return max(1, int(self._concurrency * self.share(now)))

    def wait(self, now: float, reserved: float = 0.0) -> float:
        """Return the seconds until a call may start and leave the reserved part of a burst to others."""
        self._refill(now)
        most = self._most()
        missing = min(most, 1.0 + reserved * (most - 1.0)) - self._tokens
        return 0.0 if missing <= 1e-9 else missing / self.per_second(now)

    def take(self, now: float) -> None:
        """Count a call that starts now."""
        self._refill(now)
        self._tokens -= 1.0

    def cut(self, now: float) -> None:
        """Slow down after a refusal because of load, at most once a second."""
        if now - self._cut_at >= self._CUT_EVERY_SECONDS:
            self._cut_at = now
            self._slow_to(now, self.share(now) * self._CUT)

    def restart(self, now: float) -> None:
        """Restart at the least share with at most one token, after an outage."""
        self._slow_to(now, 0.0)
        self._tokens = min(self._tokens, 1.0)

    def _slow_to(self, now: float, share: float) -> None:
        self._refill(now)
        self._share = max(self._LEAST, share)
        self._tokens = min(self._tokens, self._most())

    def _most(self) -> float:
        return max(1.0, self._burst * self._share)

    def _refill(self, now: float) -> None:
        gone = max(0.0, now - self._share_at)
        if gone == 0.0:
            return
        before, self._share = self._share, self.share(now)
        self._share_at = now
        # The share grows linearly, so the mean of both ends is exact until the share reaches 1.
        self._tokens = min(self._most(), self._tokens + gone * self._full * (before + self._share) / 2)


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


class Slowdown:
    """The factor of the steps of all observations of one priority: 1 while the budget suffices, at most `longest`.

    Timers keep the steps of the cadence. A timer before the end of the longer step only sets the next timer (`due`). So
    every authorization returns to the cadence within one step once the budget suffices again, for any factor.

    A deferred observation is retried after half its step on average; a completed one repeats after `factor` steps. If
    the observations need `s` times the budget, 1 / (1 + 2 (s - factor)) of all tries complete: each missing unit of
    budget costs two deferred tries. So the share of deferred tries shows how much budget is missing. The factor rises
    only after every authorization was due since the last rise. It falls while less than a tenth is deferred, and faster
    the longer that lasts.
    """

    _LEAST_WINDOW_SECONDS: Final = 5.0
    _LEAST_OBSERVATIONS: Final = 20
    _MOST_WINDOWS: Final = 4.0
    _FEW_DEFERRED: Final = 0.1
    _DECREASE: Final = 0.1
    # No slowed step is longer (twice an hour times sixteen), so older entries have no effect.
    _KEPT_SECONDS: Final = 32 * 3600.0
    _LEAST_KEPT: Final = 1024

    def __init__(self, longest: float = 16.0) -> None:
        self.factor = 1.0
        self._longest = longest
        self._decrease = self._DECREASE
        # A window collects what happens between two adjustments. It opens at the first event after `_opens_at`.
        self._opens_at, self._opened_at = float("-inf"), float("inf")
        self._rises_from = float("-inf")
        self._observations = self._deferred = self._events = 0
        self._steps = 0.0
        self._observed_at: dict[bytes, float] = {}
        self._most_kept = self._LEAST_KEPT

    def due(self, key: bytes, step: float, now: float) -> float:
        """Return when an authorization with this step is due; minus infinity if it is due now."""
        observed_at = self._observed_at.get(key)
        if observed_at is None:
            return float("-inf")
        due = observed_at + step * self.factor
        if due > now:
            # A waiting authorization advances the window too: otherwise a few slow ones would block the adjustment.
            self._advance(now, step)
        return due

    def observed(self, key: bytes, now: float) -> None:
        """Record an observation that used the budget."""
        if self.factor == 1.0:
            return
        self._observed_at[key] = now
        if len(self._observed_at) > self._most_kept:  # also deleted keys, and keys of lost partitions
            self._observed_at = {one: at for one, at in self._observed_at.items() if at > now - self._KEPT_SECONDS}
            self._most_kept = max(self._LEAST_KEPT, 2 * len(self._observed_at))

    def count(self, now: float, step: float, *, deferred: bool) -> None:
        """Count an observation that completed or was deferred; `step` is its step in the cadence."""
        if now >= self._opens_at:
            self._observations += 1
            self._deferred += deferred
            self._advance(now, step)

    def _advance(self, now: float, step: float) -> None:
        if now < self._opens_at:
            return
        self._opened_at = min(self._opened_at, now)
        self._events += 1
        self._steps += step
        mean = self._steps / self._events
        window, elapsed = max(self._LEAST_WINDOW_SECONDS, mean), now - self._opened_at
        is_sparse = self._deferred > 0 and self._observations < self._LEAST_OBSERVATIONS
        if elapsed < window or (is_sparse and elapsed < self._MOST_WINDOWS * window):
            return
        before = self.factor
        self._adjust(now, self._deferred / self._observations if self._observations else 0.0, mean)
        self._opens_at, self._opened_at = now + (mean if self.factor < before else 0.0), float("inf")
        self._observations = self._deferred = self._events = 0
        self._steps = 0.0

    def _adjust(self, now: float, deferred: float, mean: float) -> None:
        if deferred < self._FEW_DEFERRED:
            self.factor = max(1.0, self.factor - self._decrease)
            self._decrease *= 2.0
        elif now >= self._rises_from:
            self.factor = min(self._longest, self.factor + deferred / (2.0 * max(1.0 - deferred, 0.01)))
            self._decrease = self._DECREASE
            self._rises_from = now + mean * self.factor
        if self.factor == 1.0:
            self._decrease = self._DECREASE
            self._observed_at.clear()
            self._most_kept = self._LEAST_KEPT


def make_slowdowns(longest: float = 16.0) -> dict[Priority, Slowdown]:
    """Return the slowdown of each priority of observations."""
    return {priority: Slowdown(longest) for priority in (Priority.OBSERVATION, Priority.IDLE)}

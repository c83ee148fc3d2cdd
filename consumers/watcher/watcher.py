"""The watcher: a timer of a key is one observation of its authorization. All events come from the shared reducer.

not watched, or settled    ─▶ delete the state, once it is old enough
a write may be in flight   ─▶ next timer; the command reads the authorization itself, and knows its own effect
watched for too long       ─▶ authorization.watch_ended (max_age)
slowdown of its class      ─▶ next timer, at the end of the slowed step
observation ─▶ repeated    ─▶ next timer; nothing is decoded (repeated_reads.py)
            ─▶ nothing new ─▶ next timer; nothing is written
            ─▶ news        ─▶ events and the public record
            ─▶ failed      ─▶ a later timer, as Collate or the budget requires
            ─▶ not found   ─▶ a later timer; for a whole day: authorization.watch_ended (not_found)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from adapters.collate.answers import Ambiguous, Deferred, Refused
from adapters.collate.call_policy.slowdown import Slowdown, make_slowdowns
from consumers.authorization import event_factory
from consumers.authorization.facts import TimePassed
from consumers.authorization.handoffs import RiskRules
from consumers.authorization.observation import MissingAuthorization, ReadFailed, observe
from consumers.authorization.passing_time import next_event_at
from consumers.authorization.retry_policy import MOST_OBSERVATION_FAILURES, UNREADABLE_STATE_SECONDS
from consumers.authorization.state import AuthorizationState, Missing, StateUnreadable
from consumers.authorization.unit_of_work import UnitOfWork
from consumers.engine import UNCHANGED, Done, RetryAt
from consumers.watcher.cadence import Cadence, delete_at, is_watched, priority_of
from consumers.watcher.repeated_reads import LastObservation, LastObservations, ObservationReads
from runtime.logs import get_log
from schemas.events.wait_reasons import HoldReason, WaitReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from adapters.collate.call_policy.calls import Priority
    from adapters.collate.reader import CollateReader
    from consumers.authorization.event_writer import EventWriter
    from consumers.engine import Invocation
    from runtime.metrics import CommandMetrics

_DELETION_SPREAD_SECONDS: Final = 3600.0
# A replica may lag for minutes, and access may be revoked and restored within a working day.
_MISSING_SECONDS: Final = 86_400.0
_LEAST_MISSING_OBSERVATIONS: Final = 3
_BUDGET_TOO_SMALL: Final = (HoldReason.BUDGET, HoldReason.RATE_LIMITED)


@dataclass(frozen=True, slots=True)
class Watcher:
    """The handler of timers."""

    collate: CollateReader
    event_writer: EventWriter
    metrics: CommandMetrics
    chance: Callable[[], float]
    cadence: Cadence = field(default_factory=Cadence)
    rules: RiskRules = field(default_factory=RiskRules)
    slowdowns: Mapping[Priority, Slowdown] = field(default_factory=make_slowdowns)
    command_max_age_seconds: float = 24 * 3600.0
    last: LastObservations = field(default_factory=LastObservations)

    def __post_init__(self) -> None:
        """Let the gauge read the factors."""
        for priority, slowdown in self.slowdowns.items():
            factor = partial(getattr, slowdown, "factor")
            self.metrics.observation_slowdown.labels(priority.name.lower()).set_function(factor)

    def next_timer(self, state: AuthorizationState, now: float) -> float | None:
        """Return the time of the next timer; the applier calls this at the end of each command."""
        at = self.cadence.next_timer(state, now, self.chance)
        if at is None or not is_watched(state):
            return at
        event_at = next_event_at(state, self.rules)
        return event_at if now < event_at < at else at

    def spread_seconds(self, state: bytes | None, now: float) -> float:
        """Return the time over which an overdue timer may be spread after a restart: one step of the cadence."""
        try:
            decoded = AuthorizationState.decode(state)
        except StateUnreadable:
            return UNREADABLE_STATE_SECONDS
        return self.cadence.every(decoded, now) if is_watched(decoded) else _DELETION_SPREAD_SECONDS

    async def on_timer(self, invocation: Invocation) -> Done | RetryAt:
        """Observe the authorization once."""
        reads = ObservationReads(self.collate)
        last = self.last.of(invocation.key, invocation.state, invocation.now)
        if (
            last is not None
            and self.slowdowns[last.pace.priority].factor == 1.0
            and await reads.repeat(invocation.key.decode(), last)
        ):
            return self._nothing_new(invocation, last)
        try:
            state = AuthorizationState.decode(invocation.state)
        except StateUnreadable as unreadable:
            get_log().error("watcher.state_unreadable", detail=str(unreadable))
            return RetryAt(invocation.now + UNREADABLE_STATE_SECONDS, WaitReason.STATE_UNREADABLE)
        unit_of_work = UnitOfWork(
            invocation,
            state,
            self.event_writer,
            self.rules,
            caused_at=invocation.now if invocation.timer_at is None else invocation.timer_at,
        )
        watch = state.watch
        if watch is None or not is_watched(state):
            return self._delete(invocation, unit_of_work)
        if watch.until <= invocation.now:
            return self._end(invocation, unit_of_work, "max_age")
        if _has_write_in_flight(state, since=invocation.now - self.command_max_age_seconds):
            return self._postpone(invocation, unit_of_work, invocation.now + self.cadence.step(state, invocation.now))
        now, steady = invocation.now, invocation.steady
        reads.priority = priority_of(state)
        due = self.slowdowns[reads.priority].due(invocation.key, self.cadence.step(state, now), steady)
        wait = due - steady
        if wait > 0:
            return self._postpone(invocation, unit_of_work, now + wait)
        return await self._observe(invocation, unit_of_work, reads)

    def _nothing_new(self, invocation: Invocation, last: LastObservation) -> Done:
        now, step = invocation.now, last.pace.every(invocation.now)
        self.metrics.observations.labels("nothing").inc()
        self.slowdowns[last.pace.priority].count(invocation.steady, step, deferred=False)
        return Done(timer_at=min(self.cadence.after(last.pace, step, now, self.chance), last.quiet_until))

    async def _observe(self, invocation: Invocation, unit_of_work: UnitOfWork, reads: ObservationReads) -> Done:
        observation = await observe(reads, invocation.key.decode(), unit_of_work.state, thorough=True)
        if isinstance(observation, ReadFailed):
            return self._read_failed(invocation, unit_of_work, observation)
        if isinstance(observation, MissingAuthorization):
            return self._not_found(invocation, unit_of_work)
        is_stale = observation.authorization.version < unit_of_work.state.floor
        unit_of_work.apply(observation)
        if is_stale:
            return self._fail(invocation, unit_of_work, "stale", None)
        watch = unit_of_work.state.watch
        if watch is not None and watch.failures:
            unit_of_work.change(watch=watch.replace(failures=0))
        self.metrics.observations.labels("news" if unit_of_work.has_pending_events else "nothing").inc()
        self.slowdowns[priority_of(unit_of_work.state)].observed(invocation.key, invocation.steady)
        self._count(invocation, unit_of_work, deferred=False)
        done = unit_of_work.done(self.next_timer(unit_of_work.state, invocation.now))
        if watch is not None and done.state is UNCHANGED and not done.outputs:
            quiet_until = min(watch.until, next_event_at(unit_of_work.state, self.rules))
            pace = self.cadence.pace(unit_of_work.state, watch)
            last = reads.last_observation(invocation.state, pace, quiet_until)
            if last is not None:
                self.last.remember(invocation.key, last, invocation.now)
        return done

    def _not_found(self, invocation: Invocation, unit_of_work: UnitOfWork) -> Done:
        """End the watch only after Collate has found no such authorization for a whole day."""
        watch = unit_of_work.state.watch
        missing = (watch.missing if watch else None) or Missing(since=invocation.now)
        is_confirmed = missing.observations >= _LEAST_MISSING_OBSERVATIONS
        if is_confirmed and missing.since + _MISSING_SECONDS <= invocation.now:
            self.metrics.observations.labels("not_found").inc()
            return self._end(invocation, unit_of_work, "not_found")
        if watch is not None and not is_confirmed:
            missing = missing.replace(observations=missing.observations + 1)
            unit_of_work.change(watch=watch.replace(missing=missing))
        return self._fail(invocation, unit_of_work, "not_found", None)

    def _postpone(self, invocation: Invocation, unit_of_work: UnitOfWork, due: float) -> Done:
        unit_of_work.apply(TimePassed())
        at = self.next_timer(unit_of_work.state, invocation.now)
        return unit_of_work.done(due if at is None else min(at, due))

    def _read_failed(self, invocation: Invocation, unit_of_work: UnitOfWork, failed: ReadFailed) -> Done:
        match failed.result:
            case Deferred():
                return self._defer(invocation, unit_of_work, failed.result)
            case Ambiguous(names_fields=True):
                return self._fail(invocation, unit_of_work, "unreadable", None)
            case Refused(retry_after_seconds=seconds) | Ambiguous(retry_after_seconds=seconds):
                return self._fail(invocation, unit_of_work, "no_answer", seconds)
            case _:
                return self._fail(invocation, unit_of_work, "no_answer", None)

    def _defer(self, invocation: Invocation, unit_of_work: UnitOfWork, deferred: Deferred) -> Done:
        """Postpone an observation that the call budget deferred. This is not a failure of Collate."""
        self.metrics.observations.labels("held").inc()
        unit_of_work.apply(TimePassed())
        # At a random time within the next step: immediate retries would never stop, and equal times would coincide.
        now = invocation.now
        at = self.next_timer(unit_of_work.state, now)
        at = now if at is None else now + (at - now) * self.chance()
        if deferred.reason in _BUDGET_TOO_SMALL:
            self._count(invocation, unit_of_work, deferred=True)
        return unit_of_work.done(max(now + deferred.wait_seconds, at))

    def _count(self, invocation: Invocation, unit_of_work: UnitOfWork, *, deferred: bool) -> None:
        step = self.cadence.every(unit_of_work.state, invocation.now)
        self.slowdowns[priority_of(unit_of_work.state)].count(invocation.steady, step, deferred=deferred)

    def _fail(
        self, invocation: Invocation, unit_of_work: UnitOfWork, result: str, retry_after_seconds: float | None
    ) -> Done:
        self.metrics.observations.labels(result).inc()
        self.slowdowns[priority_of(unit_of_work.state)].observed(invocation.key, invocation.steady)
        unit_of_work.apply(TimePassed())
        if (watch := unit_of_work.state.watch) is not None and watch.failures < MOST_OBSERVATION_FAILURES:
            unit_of_work.change(watch=watch.replace(failures=watch.failures + 1))
        at = self.next_timer(unit_of_work.state, invocation.now)
        if retry_after_seconds is not None and at is not None:
            at = max(at, invocation.now + retry_after_seconds)
        return unit_of_work.done(at)

    def _end(self, invocation: Invocation, unit_of_work: UnitOfWork, reason: str) -> Done:
        state, now = unit_of_work.state, invocation.now
        if state.watch is not None:
            unit_of_work.change(watch=state.watch.replace(ended=True, moved_at=now))
            if state.known is not None:
                unit_of_work.emit(event_factory.watch_ended(state.known, state.watch.since, reason))
        return unit_of_work.done(self.next_timer(unit_of_work.state, now))

    def _delete(self, invocation: Invocation, unit_of_work: UnitOfWork) -> Done:
        at = delete_at(unit_of_work.state, self.cadence.forget_after_seconds)
        if at is not None and at > invocation.now:
            return unit_of_work.done(at)
        if at is not None and at > invocation.partition.read_until():
            # A repeat of a recent command may be unread: it was accepted within the day, and must find its id.
            return unit_of_work.done(invocation.now + _DELETION_SPREAD_SECONDS * self.chance())
        outputs = (self.event_writer.tombstone(invocation.key),) if unit_of_work.state.known is not None else ()
        return Done(outputs, state=None)


def _has_write_in_flight(state: AuthorizationState, since: float) -> bool:
    """Whether a command will still resolve a write that may have been applied, as after a restart.

    A write sent before `since` is older than the maximum age of a command, so its record no longer exists.
    """
    work = state.work
    if work is None:
        return False
    sent_at = work.intent.first_sent_at if work.intent else work.ambiguous.since if work.ambiguous else None
    return sent_at is not None and sent_at > since

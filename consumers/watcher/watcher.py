"""The watcher: an alarm of the lane is one observation of its authorization. Events only through the shared reducer.

not watched, or over ─▶ forget, once nothing is worth remembering
a write is under way ─▶ Done, the next alarm; its command looks, and knows what it did
too old              ─▶ authorization.watch_ended (max_age)
budget is short      ─▶ Done, the next alarm; a look once its stretched step is over
look ─▶ nothing new  ─▶ Done, nothing written, the next alarm
     ─▶ news         ─▶ events and record
     ─▶ no answer    ─▶ Done, the next alarm later (as Collate or the budget says)
     ─▶ not there    ─▶ likewise; for a whole day: authorization.watch_ended (not_found)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from adapters.collate.answers import Ambiguous, Deferred, HoldReason, Refused
from adapters.collate.budget import Priority
from consumers.authorization import event_factory
from consumers.authorization.facts import TimePassed
from consumers.authorization.observation import NotThere, Unread, observe
from consumers.authorization.reducer import Rules
from consumers.authorization.state import AuthorizationState, Missing, StateUnreadable
from consumers.authorization.unit_of_work import UnitOfWork
from consumers.authorization.wait_reasons import WaitReason
from consumers.engine import Done, RetryAt
from consumers.watcher.cadence import Cadence, forget_at, is_watched
from consumers.watcher.slowdown import Slowdown
from runtime.logs import get_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.collate.answers import Result
    from consumers.authorization.event_writer import EventWriter
    from consumers.engine import Invocation
    from runtime.metrics import CommandMetrics
    from schemas.collate.authorization import PriorAuthorization
    from schemas.collate.handoff import ManualHandoff

_UNREADABLE_SECONDS: Final = 60.0
_FORGETTING_SECONDS: Final = 3600.0
_MOST_FAILURES: Final = 8
# A replica may lag for minutes, and somebody may take our access away and give it back within a working day.
_MISSING_SECONDS: Final = 86_400.0
_MISSING_LOOKS: Final = 3
_TOO_SHORT: Final = (HoldReason.BUDGET, HoldReason.RATE_LIMITED)


class ObservationCalls(Protocol):
    """What the watcher may ask of Collate."""

    async def get_authorization(self, authorization_id: str, *, priority: Priority) -> Result[PriorAuthorization]:
        """Read an authorization."""
        ...

    async def get_handoff(self, authorization_id: str, handoff_id: str, *, priority: Priority) -> Result[ManualHandoff]:
        """Read a handoff."""
        ...


@dataclass(frozen=True, slots=True)
class _Observing:
    """Reads that let commands and people go first."""

    collate: ObservationCalls

    async def get_authorization(self, authorization_id: str) -> Result[PriorAuthorization]:
        return await self.collate.get_authorization(authorization_id, priority=Priority.OBSERVATION)

    async def get_handoff(self, authorization_id: str, handoff_id: str) -> Result[ManualHandoff]:
        return await self.collate.get_handoff(authorization_id, handoff_id, priority=Priority.OBSERVATION)


@dataclass(frozen=True, slots=True)
class Watcher:
    """The engine's handler of alarms."""

    collate: ObservationCalls
    publication: EventWriter
    metrics: CommandMetrics
    chance: Callable[[], float]
    cadence: Cadence = field(default_factory=Cadence)
    rules: Rules = field(default_factory=Rules)
    stretch: Slowdown = field(default_factory=Slowdown)
    command_life_seconds: float = 24 * 3600.0

    def next_look(self, memory: AuthorizationState, now: float) -> float | None:
        """Say when to look next; the applier asks this at the end of every command."""
        return self.cadence.next_look(memory, now, self.chance)

    def spread_seconds(self, memory: bytes | None, now: float) -> float:
        """Say over which time a look that is overdue after a restart may be put: one step of its own."""
        try:
            decoded = AuthorizationState.decode(memory)
        except StateUnreadable:
            return _UNREADABLE_SECONDS
        return self.cadence.every(decoded, now) if is_watched(decoded) else _FORGETTING_SECONDS

    async def on_timer(self, turn: Invocation) -> Done | RetryAt:
        """Observe once."""
        try:
            memory = AuthorizationState.decode(turn.state)
        except StateUnreadable as unreadable:
            get_log().error("memory.unreadable", detail=str(unreadable))
            return RetryAt(turn.now + _UNREADABLE_SECONDS, WaitReason.MEMORY_UNREADABLE)
        draft = UnitOfWork(turn, memory, self.publication, self.rules)
        watch = memory.watch
        if watch is None or not is_watched(memory):
            return self._forget(turn, draft)
        if watch.until <= turn.now:
            return self._end(turn, draft, "max_age")
        if _is_being_written(memory, since=turn.now - self.command_life_seconds):
            return self._postponed(turn, draft, turn.now + self.cadence.step(memory, turn.now))
        due = self.stretch.due(turn.key, self.cadence.step(memory, turn.now), turn.now)
        if due > turn.now:
            return self._postponed(turn, draft, due)
        return await self._observe(turn, draft)

    async def _observe(self, turn: Invocation, draft: UnitOfWork) -> Done:
        seen = await observe(_Observing(self.collate), turn.key.decode(), draft.memory, observing=True)
        if isinstance(seen, Unread):
            return self._unread(turn, draft, seen)
        if isinstance(seen, NotThere):
            return self._missing(turn, draft)
        is_stale = seen.authorization.version < draft.memory.floor
        draft.absorb(seen)
        if is_stale:
            return self._failed(turn, draft, "stale", None)
        watch = draft.memory.watch
        if watch is not None and watch.failures:
            draft.memory = draft.memory.but(watch=watch.but(failures=0))
        self.metrics.observations.labels("news" if draft.has_news else "nothing").inc()
        self.stretch.looked(turn.key, turn.now)
        self._note(turn, draft, held=False)
        return draft.done(self.next_look(draft.memory, turn.now))

    def _missing(self, turn: Invocation, draft: UnitOfWork) -> Done:
        """Believe that Collate knows it no more only once it has said nothing else for long."""
        watch = draft.memory.watch
        missing = (watch.missing if watch else None) or Missing(since=turn.now)
        if missing.looks >= _MISSING_LOOKS and missing.since + _MISSING_SECONDS <= turn.now:
            self.metrics.observations.labels("not_found").inc()
            return self._end(turn, draft, "not_found")
        if watch is not None and missing.looks < _MISSING_LOOKS:
            draft.memory = draft.memory.but(watch=watch.but(missing=missing.but(looks=missing.looks + 1)))
        return self._failed(turn, draft, "not_found", None)

    def _postponed(self, turn: Invocation, draft: UnitOfWork, due: float) -> Done:
        draft.absorb(TimePassed())
        at = self.next_look(draft.memory, turn.now)
        return draft.done(due if at is None else min(at, due))

    def _unread(self, turn: Invocation, draft: UnitOfWork, unread: Unread) -> Done:
        match unread.result:
            case Deferred():
                return self._held(turn, draft, unread.result)
            case Refused(retry_after_seconds=seconds) | Ambiguous(retry_after_seconds=seconds):
                return self._failed(turn, draft, "no_answer", seconds)
            case _:
                return self._failed(turn, draft, "no_answer", None)

    def _held(self, turn: Invocation, draft: UnitOfWork, held: Deferred) -> Done:
        """Not Collate's failure: the budget has other things to do, or knows that it is no use now."""
        self.metrics.observations.labels("held").inc()
        draft.absorb(TimePassed())
        # Somewhere in the next step: at once, all who are held would ask all the time; together, they'd stay a herd.
        at = self.next_look(draft.memory, turn.now)
        at = turn.now if at is None else turn.now + (at - turn.now) * self.chance()
        if held.reason in _TOO_SHORT:
            self._note(turn, draft, held=True)
        return draft.done(max(held.until, at))

    def _note(self, turn: Invocation, draft: UnitOfWork, *, held: bool) -> None:
        self.stretch.note(turn.now, self.cadence.every(draft.memory, turn.now), held=held)
        self.metrics.observation_slowdown.set(self.stretch.factor)

    def _failed(self, turn: Invocation, draft: UnitOfWork, result: str, retry_after_seconds: float | None) -> Done:
        self.metrics.observations.labels(result).inc()
        self.stretch.looked(turn.key, turn.now)
        draft.absorb(TimePassed())
        if (watch := draft.memory.watch) is not None and watch.failures < _MOST_FAILURES:
            draft.memory = draft.memory.but(watch=watch.but(failures=watch.failures + 1))
        at = self.next_look(draft.memory, turn.now)
        if retry_after_seconds is not None and at is not None:
            at = max(at, turn.now + retry_after_seconds)
        return draft.done(at)

    def _end(self, turn: Invocation, draft: UnitOfWork, reason: str) -> Done:
        memory, now = draft.memory, turn.now
        if memory.watch is not None:
            draft.memory = memory.but(watch=memory.watch.but(ended=True, moved_at=now))
            if memory.known is not None:
                draft.tell(event_factory.watch_ended(memory.known, memory.watch.since, reason))
        return draft.done(self.next_look(draft.memory, now))

    def _forget(self, turn: Invocation, draft: UnitOfWork) -> Done:
        at = forget_at(draft.memory, self.cadence.forget_after_seconds)
        if at is not None and at > turn.now:
            return draft.done(at)
        outputs = (self.publication.tombstone(turn.key),) if draft.memory.known is not None else ()
        return Done(outputs, state=None)


def _is_being_written(memory: AuthorizationState, since: float) -> bool:
    """Whether a write may have been applied whose command comes again: as after a restart, before its record.

    One sent before `since` has outlived its command, whose record must be gone.
    """
    work = memory.work
    if work is None:
        return False
    sent_at = work.intent.first_sent_at if work.intent else work.maybe.since if work.maybe else None
    return sent_at is not None and sent_at > since

"""The changes of one invocation so far: the state, and the events that are committed together with it.

All writes to Kafka pass through this module, so state and events are always committed together: `checkpoint` commits
now, `done` at the end. What a handler logs and counts of them waits for the same commit. Owned by one invocation.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from consumers.authorization import recent_callers, recent_commands
from consumers.authorization.facts import Observed
from consumers.authorization.reducer import reduce
from consumers.authorization.reduction import PendingEvent
from consumers.authorization.state import (
    DEAD_LETTER_SECONDS,
    MOST_DEAD_LETTERS,
    AuthorizationState,
    OpenDeadLetter,
    WatchStatus,
)
from consumers.engine import UNCHANGED, Done, Failure, Output
from schemas.callers import pool_of
from schemas.events import CommandDeadLettered, CommandFinished

# A time in Unix seconds is exact to a quarter of a microsecond, and records show whole ones.
TICK: Final = 1e-5
# The record in hand cannot be accepted later than now: beyond this its clock is wrong by more than clocks differ. With
# the delay of a commit it is below the margin of `gateway audit export`, an hour.
MOST_AHEAD_SECONDS: Final = 1800.0

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumers.authorization.event_writer import EventWriter
    from consumers.authorization.facts import Fact
    from consumers.authorization.handoffs import RiskRules
    from consumers.authorization.recent_commands import CommandEnd
    from consumers.engine import Invocation
    from schemas.events import Event


class UnitOfWork:
    """The state as changed so far; `committed` is the state that a successor would find."""

    __slots__ = (
        "_ahead",
        "_caused_at",
        "_event_writer",
        "_invocation",
        "_on_commit",
        "_pending",
        "_recent_until",
        "_rules",
        "_traceparent",
        "_was_unknown",
        "committed",
        "state",
    )

    def __init__(
        self,
        invocation: Invocation,
        state: AuthorizationState,
        event_writer: EventWriter,
        rules: RiskRules,
        traceparent: str | None = None,
        *,
        caused_at: float,
        accepted_at: float = math.inf,
        called_at: float = 0.0,
    ) -> None:
        """`caused_at`: when the record was appended, or the timer due. `accepted_at` is infinite for a timer.

        `called_at`: when the last call to Collate for the record began.
        """
        self.state = self.committed = state
        self._was_unknown = state.unknown_caller is not None
        self._invocation = invocation
        self._event_writer = event_writer
        self._rules = rules
        self._traceparent = traceparent
        self._caused_at = caused_at
        # A late worker still has to recognise the repeats that were accepted soon after the record in hand.
        self._recent_until = min(invocation.now, accepted_at)
        self._pending: list[PendingEvent] = []
        self._on_commit: list[Callable[[], object]] = []
        # Other processes, with other clocks, wrote the times of what happened before.
        accepted_before = accepted_at if accepted_at < invocation.now + MOST_AHEAD_SECONDS else 0.0
        before = max(state.last_event_at, called_at, accepted_before)
        self._ahead = max(0.0, before + TICK - invocation.now)

    @property
    def time(self) -> float:
        """Unix seconds for readers: later than the last event, than the record in hand and than its calls.

        So a timeline that is sorted by time follows the sequence, and shows a command before its first event.
        """
        return self._invocation.now + self._ahead

    @property
    def has_pending_events(self) -> bool:
        """Whether there are events that are not committed yet."""
        return bool(self._pending)

    @property
    def starts_watch(self) -> bool:
        """Whether this invocation started a watch, so that no observation is scheduled yet."""
        before, now = self.committed.watch, self.state.watch
        return now is not None and not now.ended and (before is None or before.ended)

    def change(self, **changes: Any) -> None:
        """Replace fields of the state."""
        self.state = self.state.replace(**changes)

    def apply(self, fact: Fact) -> None:
        """Reduce a fact, and keep its events for the next commit."""
        self.state, events = reduce(self.state, fact, self._invocation.now, self._rules)
        if isinstance(fact, Observed):
            if (watch := self.state.watch) is not None and watch.missing is not None:
                self.change(watch=watch.replace(missing=None))
            if self.state.unknown_caller is not None:
                self.change(unknown_caller=None)
        if events:
            self._pending += events
            if (watch := self.state.watch) is not None:
                self.change(watch=watch.replace(moved_at=self._invocation.now))

    def emit(self, event: Event, cause: str | None = None, first: str | None = None) -> None:
        """Publish an event with the next commit.

        `cause` is the id of the command that caused it; `first` that of the first command of its flow, if another one.
        """
        is_unknown = self.state.known is None
        if isinstance(event, CommandFinished | CommandDeadLettered) and (is_unknown or self._was_unknown):
            pool = pool_of(event.caller)
            others = self._invocation.partition.groups.get(pool.encode(), 0) - (self.committed.unknown_caller == pool)
            event = event.model_copy(update={"unknown_authorizations": others + is_unknown})
        self._pending.append(PendingEvent(event, cause, first or cause))

    def on_commit(self, say: Callable[..., object], *values: Any, **fields: Any) -> None:
        """Write a log line, or count, after the next commit; never if the commit is lost."""
        self._on_commit.append(partial(say, *values, **fields))

    def watch(self, watch_seconds: float) -> None:
        """Start or prolong the watch, at least to the due date, unless the authorization is settled."""
        state, now = self.state, self._invocation.now
        if state.settled_at is not None:
            return
        watch, due_at = state.watch, state.due.at if state.due else now
        until = max(now + watch_seconds, due_at)
        if watch is None or watch.ended:
            watch = WatchStatus.model_construct(since=now, until=until, moved_at=now)
        elif watch.until < max(now + 0.9 * watch_seconds, due_at):
            # Only when a tenth has passed: otherwise every command would write a new time.
            watch = watch.replace(until=until)
        if watch is not state.watch:
            self.change(watch=watch)

    def add_recent_command(
        self, record_id: str, digest: bytes, end: CommandEnd, caller: str, *, over_share: bool = False
    ) -> None:
        """Keep the id of a record that ended, so that a duplicate is recognised."""
        now, until = self._invocation.now, self._recent_until
        self.state = recent_callers.add_id(
            self.state, record_id, digest, end, caller, now=now, until=until, over_share=over_share
        )

    def add_recent_run(self, command_id: str, record_id: str, digest: bytes, end: CommandEnd, caller: str) -> None:
        """Keep the ids of a command's run that ended."""
        now, until = self._invocation.now, self._recent_until
        self.state = recent_callers.add_run(
            self.state, command_id, record_id, digest, end, caller=caller, now=now, until=until
        )

    def add_recent_grant(self, record_id: str, digest: bytes, caller: str) -> None:
        """Keep the id of an access grant, unless its caller's share is full."""
        now, until = self._invocation.now, self._recent_until
        self.state = recent_callers.add_grant(self.state, record_id, digest, caller, now=now, until=until)

    def empty_recent_commands(self, caller: str | None) -> int:
        """Forget the recent commands of a caller, or of all; return their number."""
        before = recent_commands.ids(self.state.recent_commands)
        packed, callers = recent_callers.emptied(self.state.recent_commands, self.state.recent_callers, caller)
        own = set() if caller is None else {tag.hex() for tag in recent_callers.tags(caller)}
        forgotten = {tag: at for tag, at in self.state.recent_forgotten.items() if own and tag not in own}
        self.change(recent_commands=packed, recent_callers=callers, recent_forgotten=forgotten)
        return len(before) - len(recent_commands.ids(packed))

    def recent_commands_of(self, caller: str) -> int:
        """Return how many of the recent commands are the caller's."""
        state = self.state
        return recent_callers.count(state.recent_commands, state.recent_callers, caller, self._recent_until)

    def may_have_forgotten(self, caller: str) -> bool:
        """Whether an unknown id of the caller can be one that ended within a day."""
        forgotten, until = self.state.recent_forgotten, self._recent_until
        return any(
            recent_commands.is_kept(forgotten.get(tag.hex(), -math.inf), until) for tag in recent_callers.tags(caller)
        )

    def add_dead_letter(self, command_id: str, dead_letter: OpenDeadLetter) -> tuple[str, OpenDeadLetter] | None:
        """Store a dead letter until its decision; drop those that are too old.

        Above 64 the caller with the most dead letters loses its oldest. Return it with its id: its command must end.
        """
        oldest = self._invocation.now - DEAD_LETTER_SECONDS
        kept = {key: known for key, known in self.state.dead_letters.items() if key != command_id and known.at > oldest}
        kept[command_id] = dead_letter
        displaced = None
        if len(kept) > MOST_DEAD_LETTERS:
            by_caller = Counter(known.caller for known in kept.values())
            fullest = max(by_caller, key=lambda caller: (by_caller[caller], caller == dead_letter.caller))
            loser = next(key for key, known in kept.items() if known.caller == fullest)
            displaced = loser, kept.pop(loser)
        self.change(dead_letters=kept)
        return displaced

    def remove_dead_letter(self, command_id: str) -> None:
        """Remove a dead letter after its decision."""
        if command_id in self.state.dead_letters:
            others = {key: one for key, one in self.state.dead_letters.items() if key != command_id}
            self.change(dead_letters=others)

    async def checkpoint(self, *others: Output) -> None:
        """Commit state and events now. Raise PartitionLost."""
        state, outputs = self._outputs()
        await self._invocation.checkpoint(state.encode(), outputs + others, tuple(self._on_commit))
        self.state = self.committed = state
        self._pending, self._on_commit = [], []

    def done(self, timer_at: float | None, *others: Output, dead_lettered: Failure | None = None) -> Done:
        """Return the result of the invocation with all state and events so far."""
        state, outputs = self._outputs()
        encoded = UNCHANGED if state is self.committed else state.encode()
        return Done(outputs + others, encoded, timer_at, dead_lettered, on_commit=tuple(self._on_commit))

    def _outputs(self) -> tuple[AuthorizationState, tuple[Output, ...]]:
        now = self._invocation.now
        if self._pending and (numbers := self._event_writer.numbers) is not None:
            self.on_commit(numbers.count, self.committed, self.state, self._pending, now)
        return self._event_writer.outputs(
            self._invocation.key,
            self.state,
            self._pending,
            now=self.time,
            caused_at=self._caused_at,
            traceparent=self._traceparent,
        )

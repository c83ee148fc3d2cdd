"""The changes of one invocation so far: the state, and the events that are committed together with it.

All writes to Kafka pass through this module, so state and events are always committed together: `checkpoint` commits
now, `done` at the end. Owned by one invocation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumers.authorization import recent_callers, recent_commands
from consumers.authorization.facts import Observed
from consumers.authorization.reducer import RiskRules, reduce
from consumers.authorization.reduction import PendingEvent
from consumers.authorization.state import (
    DEAD_LETTER_SECONDS,
    MOST_DEAD_LETTERS,
    AuthorizationState,
    OpenDeadLetter,
    WatchStatus,
)
from consumers.engine import UNCHANGED, Done, Failure, Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumers.authorization.event_writer import EventWriter
    from consumers.authorization.facts import Fact
    from consumers.authorization.recent_commands import CommandEnd
    from consumers.engine import Invocation
    from schemas.events import Event


class UnitOfWork:
    """The state as changed so far; `committed` is the state that a successor would find."""

    __slots__ = ("_elapsed", "_event_writer", "_invocation", "_pending", "_rules", "_traceparent", "committed", "state")

    def __init__(
        self,
        invocation: Invocation,
        state: AuthorizationState,
        event_writer: EventWriter,
        rules: RiskRules,
        traceparent: str | None = None,
        *,
        elapsed: Callable[[], float] = float,
    ) -> None:
        """`elapsed` returns the seconds since the invocation began; an event's time is the time of its commit."""
        self.state = self.committed = state
        self._invocation = invocation
        self._event_writer = event_writer
        self._rules = rules
        self._traceparent = traceparent
        self._elapsed = elapsed
        self._pending: list[PendingEvent] = []

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
        if isinstance(fact, Observed) and (watch := self.state.watch) is not None and watch.missing is not None:
            self.change(watch=watch.replace(missing=None))
        if events:
            self._pending += events
            if (watch := self.state.watch) is not None:
                self.change(watch=watch.replace(moved_at=self._invocation.now))

    def emit(self, event: Event, cause: str | None = None) -> None:
        """Publish an event with the next commit; `cause` is the id of the command that caused it."""
        self._pending.append(PendingEvent(event, cause))

    def watch(self, watch_seconds: float) -> None:
        """Start or prolong the watch, unless the authorization is settled."""
        state, now = self.state, self._invocation.now
        if state.settled_at is not None:
            return
        watch = state.watch
        if watch is None or watch.ended:
            watch = WatchStatus(since=now, until=now + watch_seconds, moved_at=now)
        elif watch.until < now + 0.9 * watch_seconds:
            # Only when a tenth has passed: otherwise every command would write a new time.
            watch = watch.replace(until=now + watch_seconds)
        if watch is not state.watch:
            self.change(watch=watch)

    def add_recent_command(self, command_id: str, digest: bytes, end: CommandEnd, caller: str) -> None:
        """Store the id of a command that ended, so that a duplicate is recognised."""
        state, now = self.state, self._invocation.now
        packed, callers = recent_callers.add(
            state.recent_commands, state.recent_callers, command_id, digest, end, caller=caller, now=now
        )
        self.change(recent_commands=packed, recent_callers=callers)

    def empty_recent_commands(self, caller: str | None) -> int:
        """Forget the recent commands of a caller, or of all; return their number."""
        before = recent_commands.ids(self.state.recent_commands)
        packed, callers = recent_callers.emptied(self.state.recent_commands, self.state.recent_callers, caller)
        self.change(recent_commands=packed, recent_callers=callers)
        return len(before) - len(recent_commands.ids(packed))

    def recent_commands_of(self, caller: str) -> int:
        """Return how many of the recent commands are the caller's."""
        state = self.state
        return recent_callers.count(state.recent_commands, state.recent_callers, caller, self._invocation.now)

    def add_dead_letter(self, command_id: str, dead_letter: OpenDeadLetter) -> None:
        """Store a dead letter until its decision; drops those that are too old, and the oldest above 64."""
        oldest = self._invocation.now - DEAD_LETTER_SECONDS
        others = {key: one for key, one in self.state.dead_letters.items() if key != command_id and one.at > oldest}
        kept = dict(list(others.items())[-(MOST_DEAD_LETTERS - 1) :])
        self.change(dead_letters=kept | {command_id: dead_letter})

    def remove_dead_letter(self, command_id: str) -> None:
        """Remove a dead letter after its decision."""
        if command_id in self.state.dead_letters:
            others = {key: one for key, one in self.state.dead_letters.items() if key != command_id}
            self.change(dead_letters=others)

    async def checkpoint(self, *others: Output) -> None:
        """Commit state and events now. Raise PartitionLost."""
        state, outputs = self._outputs()
        await self._invocation.checkpoint(state.encode(), outputs + others)
        self.state = self.committed = state
        self._pending = []

    def done(self, timer_at: float | None, *others: Output, dead_lettered: Failure | None = None) -> Done:
        """Return the result of the invocation with all state and events so far."""
        state, outputs = self._outputs()
        encoded = UNCHANGED if state is self.committed else state.encode()
        return Done(outputs + others, encoded, timer_at, dead_lettered=dead_lettered)

    def _outputs(self) -> tuple[AuthorizationState, tuple[Output, ...]]:
        now = self._invocation.now + self._elapsed()
        return self._event_writer.outputs(
            self._invocation.key, self.committed, self.state, self._pending, now=now, traceparent=self._traceparent
        )

"""What one turn has changed so far: the memory, and the events that must become visible with it.

Every road to Kafka leads through here, so memory and events can't be committed apart: `checkpoint` now, `done` at the
end. Owned by one turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.authorization import recent_commands
from consumers.authorization.facts import Observed
from consumers.authorization.reducer import Rules, reduce
from consumers.authorization.reduction import PendingEvent
from consumers.authorization.state import DEAD_KEPT_SECONDS, MOST_DEAD, AuthorizationState, OpenDeadLetter, Watch
from consumers.engine import UNCHANGED, Done, Output

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from consumers.authorization.event_writer import EventWriter
    from consumers.authorization.facts import Fact
    from consumers.authorization.recent_commands import Ending
    from consumers.engine import Invocation
    from schemas.events import Event


class UnitOfWork:
    """See the module. `memory` is the newest; `saved` is what a successor would find."""

    __slots__ = ("_publication", "_rules", "_taken", "_told", "_traceparent", "_turn", "memory", "saved")

    def __init__(
        self,
        turn: Invocation,
        memory: AuthorizationState,
        publication: EventWriter,
        rules: Rules,
        traceparent: str | None = None,
        *,
        taken: Callable[[], float] = float,
    ) -> None:
        """`taken` says how many seconds the turn has taken so far: events are of the time at which they are told."""
        self.memory = self.saved = memory
        self._turn = turn
        self._publication = publication
        self._rules = rules
        self._traceparent = traceparent
        self._taken = taken
        self._told: list[PendingEvent] = []

    @property
    def has_news(self) -> bool:
        """Whether there are events that nobody has seen yet."""
        return bool(self._told)

    @property
    def watches_anew(self) -> bool:
        """Whether the authorization is watched now, and was not as it was committed: no look of it is due yet."""
        before, now = self.saved.watch, self.memory.watch
        return now is not None and not now.ended and (before is None or before.ended)

    def absorb(self, fact: Fact) -> None:
        """Let a fact change what is known, and keep what is to be told."""
        self.memory, told = reduce(self.memory, fact, self._turn.now, self._rules)
        if isinstance(fact, Observed) and (watch := self.memory.watch) is not None and watch.missing is not None:
            self.memory = self.memory.but(watch=watch.but(missing=None))
        if told:
            self._told += told
            if (watch := self.memory.watch) is not None:
                self.memory = self.memory.but(watch=watch.but(moved_at=self._turn.now))

    def tell(self, event: Event, cause: str | None = None) -> None:
        """Publish an event with the next commit."""
        self._told.append(PendingEvent(event, cause))

    def follow(self, watch_seconds: float) -> None:
        """Watch the authorization from now on, unless it is settled."""
        memory, now = self.memory, self._turn.now
        if memory.settled_at is not None:
            return
        watch = memory.watch
        if watch is None or watch.ended:
            watch = Watch(since=now, until=now + watch_seconds, moved_at=now)
        else:
            # Every command postpones the end, but not by writing a new time each second.
            watch = watch if watch.until >= now + 0.9 * watch_seconds else watch.but(until=now + watch_seconds)
        if watch is not memory.watch:
            self.memory = memory.but(watch=watch)

    def remember(self, command_id: str, digest: bytes, ending: Ending) -> None:
        """Know a command again that has ended."""
        packed = recent_commands.add(self.memory.remembered, command_id, digest, ending, self._turn.now)
        self.memory = self.memory.but(remembered=packed)

    def bury(self, command_id: str, dead: OpenDeadLetter) -> None:
        """Know a dead letter until a person has decided; the oldest go first where there are too many."""
        oldest = self._turn.now - DEAD_KEPT_SECONDS
        others = {key: one for key, one in self.memory.dead.items() if key != command_id and one.at > oldest}
        kept = dict(list(others.items())[-(MOST_DEAD - 1) :])
        self.memory = self.memory.but(dead=kept | {command_id: dead})

    def raise_dead(self, command_id: str) -> None:
        """Forget a dead letter that a person has decided."""
        if command_id in self.memory.dead:
            kept: Mapping[str, OpenDeadLetter] = {
                key: dead for key, dead in self.memory.dead.items() if key != command_id
            }
            self.memory = self.memory.but(dead=kept)

    async def checkpoint(self, *others: Output) -> None:
        """Commit memory and events now. Raises Lost."""
        memory, outputs = self._frozen()
        await self._turn.checkpoint(memory.encode(), outputs + others)
        self.memory = self.saved = memory
        self._told = []

    def done(self, timer_at: float | None, *others: Output, dead_lettered: bool = False) -> Done:
        """End the turn with everything so far."""
        memory, outputs = self._frozen()
        encoded = UNCHANGED if memory is self.saved else memory.encode()
        return Done(outputs + others, encoded, timer_at, dead_lettered=dead_lettered)

    def _frozen(self) -> tuple[AuthorizationState, tuple[Output, ...]]:
        now = self._turn.now + self._taken()
        return self._publication.outputs(
            self._turn.key, self.saved, self.memory, self._told, now=now, traceparent=self._traceparent
        )

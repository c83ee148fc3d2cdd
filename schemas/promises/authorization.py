"""What the events of one authorization have shown so far, and the rules that the next event can break. Pure.

Everything is bounded: what a bound takes can only hide a violation.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.callers import person_of
from schemas.enums import Outcome, short_type
from schemas.events import EVENTS
from schemas.events.reasons import OutcomeReason
from schemas.promises.ends import KEPT_SECONDS, OWN_EVENT_OF, REFUSALS
from schemas.promises.seen import SeenEvent
from schemas.promises.violations import PromiseRule

MOST_IDS: Final = 64
MOST_ENDS: Final = 1024
MOST_HANDOFFS: Final = 16
# Twice the worker's: it lets another caller's oldest go, and those of 30 days without an event.
MOST_DEAD_LETTERS: Final = 128
OWN: Final = -1
"""In place of a redrive's number: the key of an event that a record of the gateway itself caused."""
# How far two clocks may differ, and the delay between them and a commit.
CLOCK_SECONDS: Final = 1_800.0

_FINISHED, _DEAD_LETTERED = "command.finished", "command.dead_lettered"
_OWN_EVENTS: Final = frozenset(map(short_type, OWN_EVENT_OF.values()))
ACTS: Final = frozenset(short_type(kind) for kind, model in EVENTS.items() if "caller" in model.model_fields)
_NAMES: Final = ("operator", "requestedBy", "acceptedBy", "reportedBy", "by")
_NEVER: Final = float("-inf")


@dataclass(slots=True)
class SeenAuthorization:
    """One authorization.

    Attributes:
        last: the number, the time and the offset of the last event; `count` are all so far.
        is_whole: its first event has been seen.
        is_known: Collate has shown it, so it has a record on `authorizations`.
        ends: the place of the first event, and the times of the last end and of the last `command.finished`.
        has_dropped: an end, because of the bound.
        dead: the open dead letters.
        furthest: the place of the last end, while the commands are compared.
    """

    last: tuple[int, float, int] | None = None
    count: int = 0
    is_whole: bool = False
    is_known: bool = False
    ids: tuple[int, ...] = ()
    ends: dict[tuple[str, int], tuple[int, float, float]] = field(default_factory=dict)
    has_dropped: bool = False
    dead: dict[str, None] = field(default_factory=dict)
    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    furthest: int = 0

    def see(self, event: SeenEvent) -> Iterator[tuple[PromiseRule, str]]:
        """Take the next event; yield each rule that it breaks, with a detail."""
        yield from self._numbers(event)
        yield from self._handoffs(event)
        if event.kind in {_FINISHED, _DEAD_LETTERED}:
            yield from self._end(event)
        elif event.kind in _OWN_EVENTS and event.cause is not None:
            self._add_end((event.cause, OWN), event.time, _NEVER)
        if event.kind == "authorization.recent_commands_emptied":
            # Of one caller or of all: a later repeat is a new command.
            self.ends = {key: (place, _NEVER, _NEVER) for key, (place, _, _) in self.ends.items()}
        yield from _acts(event)

    def _numbers(self, event: SeenEvent) -> Iterator[tuple[PromiseRule, str]]:
        number, before = event.sequence, self.last
        if before is None:
            self.is_whole = number == 1
        elif number == 1 and event.time >= before[1] + KEPT_SECONDS - CLOCK_SECONDS:
            self.is_known = False
        elif number != before[0] + 1:
            yield PromiseRule.SEQUENCE, f"expected {before[0] + 1}, found {number}"
        elif event.time < before[1]:
            yield PromiseRule.TIME, f"sequence {number}"
        self.last = number, event.time, event.offset
        self.count += 1
        if event.id is not None:
            id_ = hash(event.id)
            if id_ in self.ids:
                yield PromiseRule.EVENT_ID, event.id
            self.ids = (*self.ids[1 - MOST_IDS :], id_)

    def _handoffs(self, event: SeenEvent) -> Iterator[tuple[PromiseRule, str]]:
        id_ = str(event.data.get("handoffId"))
        match event.kind:
            case "handoff.opened":
                if id_ in self.closed or id_ in self.opened:
                    yield PromiseRule.OPENED_AGAIN, id_
                self.opened = (*self.opened[1 - MOST_HANDOFFS :], id_)
            case "handoff.closed":
                if id_ in self.closed:
                    yield PromiseRule.CLOSED_TWICE, id_
                elif id_ not in self.opened and self.is_whole:
                    yield PromiseRule.CLOSED_UNOPENED, id_
                self.opened = tuple(one for one in self.opened if one != id_)
                self.closed = (*self.closed[1 - MOST_HANDOFFS :], id_)
            case "handoff.reconciled":
                if id_ in self.opened or (self.is_whole and id_ not in self.closed):
                    yield PromiseRule.RECONCILED_EARLY, id_
            case "authorization.changed":
                self.is_known = True
            case "authorization.version_floor_lowered":  # Collate was restored, and may show an earlier state again
                self.opened, self.closed, self.is_whole = (), (), False

    def _end(self, event: SeenEvent) -> Iterator[tuple[PromiseRule, str]]:
        data, time = event.data, event.time
        command, reason = str(data.get("commandId")), data.get("reason")
        key = command, int(data.get("redrive") or 0)
        if event.kind == _FINISHED and reason in REFUSALS:
            self._add_end(key, *self.ends.get(key, (0, _NEVER, _NEVER))[1:])
            return
        if data.get("decision") and command not in self.dead and self.is_whole:
            yield PromiseRule.DECISION, command
        _, ended_at, finished_at = self.ends.get(key, (0, _NEVER, _NEVER))
        # A discard ends a dead letter, which was the end of the command until then.
        before = finished_at if data.get("outcome") == Outcome.DISCARDED else ended_at
        if time < before + KEPT_SECONDS - CLOCK_SECONDS:
            yield PromiseRule.TWO_ENDS, f"{command}, redrive {key[1]}"
        if event.kind == _DEAD_LETTERED:
            self.dead = dict.fromkeys([*self.dead, command][-MOST_DEAD_LETTERS:])
            self._add_end(key, time, finished_at)
            return
        self.dead.pop(command, None)
        # An unreadable record that lost its place is recognised by nothing: it may become a dead letter again.
        is_forgotten = reason == OutcomeReason.TOO_MANY_DEAD_LETTERS
        self._add_end(key, *((_NEVER, _NEVER) if is_forgotten else (time, time)))

    def _add_end(self, key: tuple[str, int], time: float, finished_at: float) -> None:
        place = self.ends[key][0] if key in self.ends else self.count
        self.ends[key] = place, time, finished_at
        if len(self.ends) > MOST_ENDS:
            del self.ends[next(iter(self.ends))]
            self.has_dropped = True


def _acts(event: SeenEvent) -> Iterator[tuple[PromiseRule, str]]:
    data, kind = event.data, event.kind
    # Another actor may have opened a handoff, or ended it.
    is_ours = {"handoff.opened": "effect" in data, "handoff.closed": data.get("by") == "us"}.get(kind, True)
    if kind in ACTS and is_ours and not data.get("caller"):
        yield PromiseRule.NAMELESS, f"{kind}, sequence {event.sequence}"
    for act in (data, data.get("decision") or {}):
        if act.get("assertedBy") == "person" and not _names_person(act):
            yield PromiseRule.NO_PERSON, f"{kind}, sequence {event.sequence}"


def _names_person(act: Any) -> bool:
    return bool(person_of(act.get("caller") or "")) and any(act.get(name) for name in _NAMES)

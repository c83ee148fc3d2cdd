"""When to look at an authorization next: a table of settings. Pure; `chance` is uniform in [0, 1).

    class        the authorization                            looked at
    ended        a handoff has ended, Collate reconciles      every 2 s, after a minute 5 s, after ten 30 s
    open         a handoff is open                            every 5 s, after ten minutes 15 s, after an hour 60 s
    processing   Collate works                                every 10 s, after ten minutes 60 s, after a day 15 min
    action       somebody must act                            every 30 s, after an hour 5 min, after a day 30 min
    payer        the payer decides                            every 60 s, after an hour 10 min, after a day 1 h
    (else)       a status that we don't know                  as `action`

The age counts from when something new was last seen. Each step is spread by ± 10 %. A look that failed waits longer
each time, up to the class's own step or a minute, whichever is more. What isn't watched is only kept to be forgotten.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from consumers.memory import remembered
from consumers.memory.memory import DEAD_KEPT_SECONDS, Memory
from schemas.collate import HandoffState, Status

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR


class Kind(StrEnum):
    """The classes of the table."""

    ENDED = "ended"
    OPEN = "open"
    PROCESSING = "processing"
    ACTION = "action"
    PAYER = "payer"


@dataclass(frozen=True, slots=True)
class Step:
    """Look this often while nothing new has been seen for less than `until_age_seconds`."""

    every_seconds: float
    until_age_seconds: float = float("inf")


def _table() -> dict[Kind, tuple[Step, ...]]:
    return {
        Kind.ENDED: (Step(2.0, _MINUTE), Step(5.0, 10 * _MINUTE), Step(30.0)),
        Kind.OPEN: (Step(5.0, 10 * _MINUTE), Step(15.0, _HOUR), Step(60.0)),
        Kind.PROCESSING: (Step(10.0, 10 * _MINUTE), Step(60.0, _DAY), Step(15 * _MINUTE)),
        Kind.ACTION: (Step(30.0, _HOUR), Step(5 * _MINUTE, _DAY), Step(30 * _MINUTE)),
        Kind.PAYER: (Step(60.0, _HOUR), Step(10 * _MINUTE, _DAY), Step(_HOUR)),
    }


@dataclass(frozen=True, slots=True)
class Cadence:
    """The table, and how long one that is over is remembered."""

    steps: dict[Kind, tuple[Step, ...]] = field(default_factory=_table)
    spread: float = 0.1
    forget_after_seconds: float = 90 * _DAY

    def next_look(self, memory: Memory, now: float, chance: Callable[[], float]) -> float | None:
        """Return when to look next, or when to forget; None if there is nothing to remember."""
        watch = memory.watch
        if watch is None or watch.ended or is_over(memory):
            return forget_at(memory, self.forget_after_seconds)
        every = self.every(memory, now)
        failing = min(max(every, _MINUTE), every * 2.0 ** min(watch.failures, 10)) if watch.failures else every
        spread = failing * self.spread
        return min(now + failing - spread + 2 * spread * chance(), max(watch.until, now))

    def every(self, memory: Memory, now: float) -> float:
        """Return the step that holds."""
        age = now - memory.watch.moved_at if memory.watch else 0.0
        steps = self.steps[kind_of(memory)]
        return next((step.every_seconds for step in steps if age < step.until_age_seconds), steps[-1].every_seconds)


def kind_of(memory: Memory) -> Kind:
    """Return the class of an authorization."""
    active, last = memory.active, memory.last
    if active is not None:
        return Kind.ENDED if active.state == HandoffState.CLOSING else Kind.OPEN
    if last is not None and last.agreement is None:
        return Kind.ENDED
    status = memory.known.status if memory.known else None
    if status == Status.PROCESSING:
        return Kind.PROCESSING
    return Kind.PAYER if status == Status.WAITING_ON_PAYER else Kind.ACTION


def is_over(memory: Memory) -> bool:
    """Whether nothing more can happen: settled, and no handoff left to hear of."""
    return memory.settled_at is not None and memory.active is None


def forget_at(memory: Memory, after_seconds: float) -> float | None:
    """Return when nothing of this authorization is worth remembering any more; None if nothing is remembered.

    Its `sequence` outlives its events (30 days) by far, so that no event number is ever used twice for one that a
    subscriber may still have.
    """
    ends = [dead.at + DEAD_KEPT_SECONDS for dead in memory.dead.values()]
    if (last := remembered.last_at(memory.remembered)) is not None:
        ends.append(last + remembered.KEPT_SECONDS)
    if memory.watch is not None:
        ends.append(memory.watch.moved_at)
    if memory.settled_at is not None:
        ends.append(memory.settled_at)
    if not ends:
        return None
    return max(ends) + (after_seconds if memory.sequence else 0.0)

"""When to look at an authorization next: the table of the `watch` settings. Pure; `chance` is uniform in [0, 1).

    class        the authorization
    ended        a handoff has ended, Collate reconciles
    open         a handoff is open
    processing   Collate works
    action       somebody must act; also a status that we don't know
    payer        the payer decides

A class's steps grow with age, which counts from when something new was last seen. Each is jittered. A look that failed
waits longer each time, up to the class's own step or a minute, whichever is more. What isn't watched is only kept to be
forgotten. What happens while the call budget is short is `stretch`'s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from consumers.authorization import recent_commands
from consumers.authorization.state import DEAD_KEPT_SECONDS, AuthorizationState
from runtime.settings import WatchSettings
from schemas.collate.authorization import Status
from schemas.collate.handoff import HandoffState

_MINUTE: Final = 60.0


class PollClass(StrEnum):
    """The classes of the table, named as their settings."""

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


def _table(watch: WatchSettings) -> dict[PollClass, tuple[Step, ...]]:
    return {
        kind: tuple(
            Step(step.every.total_seconds(), step.until.total_seconds() if step.until else float("inf"))
            for step in getattr(watch, kind.value)
        )
        for kind in PollClass
    }


@dataclass(frozen=True, slots=True)
class Cadence:
    """The table, and how long one that is over is remembered."""

    steps: Mapping[PollClass, tuple[Step, ...]] = field(default_factory=lambda: _table(WatchSettings()))
    jitter: float = 0.1
    forget_after_seconds: float = 90 * 86_400.0

    @classmethod
    def of(cls, watch: WatchSettings) -> "Cadence":
        """Take what the settings say."""
        return cls(_table(watch), watch.jitter, watch.forget_after.total_seconds())

    def next_look(self, memory: AuthorizationState, now: float, chance: Callable[[], float]) -> float | None:
        """Return when to look next, or when to forget; None if there is nothing to remember."""
        watch = memory.watch
        if watch is None or not is_watched(memory):
            return forget_at(memory, self.forget_after_seconds)
        step = self.step(memory, now)
        jitter = step * self.jitter
        return min(now + step - jitter + 2 * jitter * chance(), max(watch.until, now))

    def step(self, memory: AuthorizationState, now: float) -> float:
        """Return how long to wait before the next look, without jitter: the step that holds, or more after failures."""
        every, failures = self.every(memory, now), memory.watch.failures if memory.watch else 0
        return min(max(every, _MINUTE), every * 2.0 ** min(failures, 10)) if failures else every

    def every(self, memory: AuthorizationState, now: float) -> float:
        """Return the step that holds."""
        age = now - memory.watch.moved_at if memory.watch else 0.0
        steps = self.steps[kind_of(memory)]
        return next((step.every_seconds for step in steps if age < step.until_age_seconds), steps[-1].every_seconds)


def kind_of(memory: AuthorizationState) -> PollClass:
    """Return the class of an authorization."""
    active, last = memory.active, memory.last
    if active is not None:
        return PollClass.ENDED if active.state == HandoffState.CLOSING else PollClass.OPEN
    if last is not None and last.agreement is None:
        return PollClass.ENDED
    status = memory.known.status if memory.known else None
    if status == Status.PROCESSING:
        return PollClass.PROCESSING
    return PollClass.PAYER if status == Status.WAITING_ON_PAYER else PollClass.ACTION


def is_watched(memory: AuthorizationState) -> bool:
    """Whether anybody still looks at it."""
    return memory.watch is not None and not memory.watch.ended and not is_over(memory)


def is_over(memory: AuthorizationState) -> bool:
    """Whether nothing more can happen: settled, and no handoff left to hear of."""
    return memory.settled_at is not None and memory.active is None


def forget_at(memory: AuthorizationState, after_seconds: float) -> float | None:
    """Return when nothing of this authorization is worth remembering any more; None if nothing is remembered.

    Its `sequence` outlives its events (30 days) by far, so that no event number is ever used twice for one that a
    subscriber may still have.
    """
    ends = [dead.at + DEAD_KEPT_SECONDS for dead in memory.dead.values()]
    if (last := recent_commands.last_at(memory.remembered)) is not None:
        ends.append(last + recent_commands.KEPT_SECONDS)
    if memory.watch is not None:
        ends.append(memory.watch.moved_at)
    if memory.settled_at is not None:
        ends.append(memory.settled_at)
    if not ends:
        return None
    return max(ends) + (after_seconds if memory.sequence else 0.0)

"""When to observe an authorization next: the table of the `watch` settings. Pure.

    class        the authorization
    ended        a handoff has ended, and Collate reconciles it
    open         a handoff is open
    processing   Collate processes the authorization
    action       an action is required; also any unknown status
    payer        the payer decides

The steps of a class grow with the age: the time since the last news. Each step is jittered. After a failure the step
grows (retry_policy). The timer of an authorization that is not watched deletes its state. `slowdown` lengthens
the steps while the call budget is too small.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from consumers.authorization import recent_commands
from consumers.authorization.retry_policy import observation_backoff
from consumers.authorization.state import DEAD_LETTER_SECONDS, AuthorizationState
from runtime.settings import WatchSettings
from schemas.collate.authorization import Status
from schemas.collate.handoff import HandoffState


class PollClass(StrEnum):
    """The classes of the table. The values are the names of their settings."""

    ENDED = "ended"
    OPEN = "open"
    PROCESSING = "processing"
    ACTION = "action"
    PAYER = "payer"


@dataclass(frozen=True, slots=True)
class CadenceStep:
    """The interval between observations while the last news is younger than `until_age_seconds`."""

    every_seconds: float
    until_age_seconds: float = float("inf")


def _table(watch: WatchSettings) -> dict[PollClass, tuple[CadenceStep, ...]]:
    return {
        poll_class: tuple(
            CadenceStep(step.every.total_seconds(), step.until.total_seconds() if step.until else float("inf"))
            for step in getattr(watch, poll_class.value)
        )
        for poll_class in PollClass
    }


@dataclass(frozen=True, slots=True)
class Cadence:
    """The table, and how long a state is kept after its last use."""

    steps: Mapping[PollClass, tuple[CadenceStep, ...]] = field(default_factory=lambda: _table(WatchSettings()))
    jitter: float = 0.1
    forget_after_seconds: float = 90 * 86_400.0

    @classmethod
    def of(cls, watch: WatchSettings) -> "Cadence":
        """Convert the process's settings."""
        return cls(_table(watch), watch.jitter, watch.forget_after.total_seconds())

    def next_timer(self, state: AuthorizationState, now: float, chance: Callable[[], float]) -> float | None:
        """Return the time of the next observation, or of the deletion; None without a state to delete.

        `chance` is uniform in [0, 1).
        """
        watch = state.watch
        if watch is None or not is_watched(state):
            return delete_at(state, self.forget_after_seconds)
        step = self.step(state, now)
        jitter = step * self.jitter
        return min(now + step - jitter + 2 * jitter * chance(), max(watch.until, now))

    def step(self, state: AuthorizationState, now: float) -> float:
        """Return the seconds until the next observation without jitter, longer after failures."""
        return observation_backoff(self.every(state, now), state.watch.failures if state.watch else 0)

    def every(self, state: AuthorizationState, now: float) -> float:
        """Return the interval from the table."""
        age = now - state.watch.moved_at if state.watch else 0.0
        steps = self.steps[poll_class_of(state)]
        return next((step.every_seconds for step in steps if age < step.until_age_seconds), steps[-1].every_seconds)


def poll_class_of(state: AuthorizationState) -> PollClass:
    """Return the class of an authorization."""
    active, last = state.active, state.last
    if active is not None:
        return PollClass.ENDED if active.state == HandoffState.CLOSING else PollClass.OPEN
    if last is not None and last.agreement is None:
        return PollClass.ENDED
    status = state.known.status if state.known else None
    if status == Status.PROCESSING:
        return PollClass.PROCESSING
    return PollClass.PAYER if status == Status.WAITING_ON_PAYER else PollClass.ACTION


def is_watched(state: AuthorizationState) -> bool:
    """Whether the authorization is still observed."""
    return state.watch is not None and not state.watch.ended and not is_settled(state)


def is_settled(state: AuthorizationState) -> bool:
    """Whether nothing more can happen: the authorization is settled, and no handoff is open."""
    return state.settled_at is not None and state.active is None


def delete_at(state: AuthorizationState, after_seconds: float) -> float | None:
    """Return when the state may be deleted; None if it is empty.

    Its `sequence` must outlive its events (30 days), so that no subscriber sees two events with the same number.
    """
    ends = [dead_letter.at + DEAD_LETTER_SECONDS for dead_letter in state.dead_letters.values()]
    if (last := recent_commands.last_at(state.recent_commands)) is not None:
        ends.append(last + recent_commands.KEPT_SECONDS)
    if state.watch is not None:
        ends.append(state.watch.moved_at)
    if state.settled_at is not None:
        ends.append(state.settled_at)
    if not ends:
        return None
    return max(ends) + (after_seconds if state.sequence else 0.0)

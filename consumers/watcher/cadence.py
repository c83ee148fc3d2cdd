"""When to observe an authorization next: the table of the `watch` settings. Pure.

    class        the authorization
    ended        a handoff has ended, and Collate reconciles it
    access       a handoff is open, and its operator waits for access
    open         a handoff is open, and its operator can work in it
    processing   Collate processes the authorization
    action       an action is required; also any unknown status
    payer        the payer decides

The steps follow what a reader of the events gains. A person waits for access and for a reconciliation, so these classes
are quick. During the work no one waits: the gateway's own close is published without an observation.

The steps of a class grow with the age: the time since the last news. Each step is jittered. After a failure the step
grows (retry_policy). The timer of an authorization that is not watched deletes its state. `Slowdown` lengthens the
steps while the call budget is too small: first those of the last three classes, which are idle.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from adapters.collate.call_policy.calls import Priority
from consumers.authorization import recent_commands
from consumers.authorization.retry_policy import observation_backoff
from consumers.authorization.state import DEAD_LETTER_SECONDS, AuthorizationState, WatchStatus
from runtime.settings import WatchSettings
from schemas.collate.authorization import Status
from schemas.collate.handoff import HandoffState
from schemas.promises.ends import KEPT_SECONDS

# The random share added to or subtracted from each step, so that reads are spread over time.
JITTER = 0.1


class PollClass(StrEnum):
    """The classes of the table. The values are the names of their settings."""

    ENDED = "ended"
    ACCESS = "access"
    OPEN = "open"
    PROCESSING = "processing"
    ACTION = "action"
    PAYER = "payer"


_IDLE = frozenset({PollClass.PROCESSING, PollClass.ACTION, PollClass.PAYER})


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
class Pace:
    """The steps of one authorization until its next news, without its state."""

    steps: tuple[CadenceStep, ...]
    moved_at: float
    until: float
    priority: Priority

    def every(self, now: float) -> float:
        """Return the interval from the table."""
        age = now - self.moved_at
        return next((step.every_seconds for step in self.steps if age < step.until_age_seconds), self._longest)

    @property
    def _longest(self) -> float:
        return self.steps[-1].every_seconds


@dataclass(frozen=True, slots=True)
class Cadence:
    """The table, and how long a state is kept after its last use."""

    steps: Mapping[PollClass, tuple[CadenceStep, ...]] = field(default_factory=lambda: _table(WatchSettings()))
    jitter: float = JITTER
    forget_after_seconds: float = 90 * 86_400.0

    @classmethod
    def of(cls, watch: WatchSettings) -> "Cadence":
        """Convert the process's settings."""
        return cls(_table(watch), forget_after_seconds=watch.forget_after.total_seconds())

    def next_timer(self, state: AuthorizationState, now: float, chance: Callable[[], float]) -> float | None:
        """Return the time of the next observation, or of the deletion; None without a state to delete.

        `chance` is uniform in [0, 1).
        """
        watch = state.watch
        if watch is None or not is_watched(state):
            return delete_at(state, self.forget_after_seconds)
        return self.after(self.pace(state, watch), self.step(state, now), now, chance)

    def after(self, pace: Pace, step: float, now: float, chance: Callable[[], float]) -> float:
        """Return the time of the next observation after a step, jittered."""
        jitter = step * self.jitter
        return min(now + step - jitter + 2 * jitter * chance(), max(pace.until, now))

    def pace(self, state: AuthorizationState, watch: WatchStatus) -> Pace:
        """Return the steps of a watched authorization."""
        return Pace(self.steps[poll_class_of(state)], watch.moved_at, watch.until, priority_of(state))

    def step(self, state: AuthorizationState, now: float) -> float:
        """Return the seconds until the next observation without jitter, longer after failures."""
        return observation_backoff(self.every(state, now), state.watch.failures if state.watch else 0)

    def every(self, state: AuthorizationState, now: float) -> float:
        """Return the interval from the table."""
        moved_at = state.watch.moved_at if state.watch else now
        return Pace(self.steps[poll_class_of(state)], moved_at, now, priority_of(state)).every(now)


def poll_class_of(state: AuthorizationState) -> PollClass:
    """Return the class of an authorization."""
    active, last = state.active, state.last
    if active is not None:
        if active.state == HandoffState.CLOSING:
            return PollClass.ENDED
        return PollClass.OPEN if active.access_available else PollClass.ACCESS
    if last is not None and last.agreement is None:
        return PollClass.ENDED
    status = state.known.status if state.known else None
    if status == Status.PROCESSING:
        return PollClass.PROCESSING
    return PollClass.PAYER if status == Status.WAITING_ON_PAYER else PollClass.ACTION


def priority_of(state: AuthorizationState) -> Priority:
    """Return the priority of an authorization's observations."""
    return Priority.IDLE if poll_class_of(state) in _IDLE else Priority.OBSERVATION


def is_watched(state: AuthorizationState) -> bool:
    """Whether the authorization is still observed."""
    return state.watch is not None and not state.watch.ended and not is_settled(state)


def is_settled(state: AuthorizationState) -> bool:
    """Whether nothing more can happen: the authorization is settled, and no handoff is open."""
    return state.settled_at is not None and state.active is None


def is_unknown(state: AuthorizationState) -> bool:
    """Whether Collate has never shown the authorization, and nothing but commands of it ended (decision 0028)."""
    return (state.known, state.watch, state.early_grant, state.content_read_at) == (None, None, None, None)


def delete_at(state: AuthorizationState, after_seconds: float) -> float | None:
    """Return when the state may be deleted; None if it is empty.

    Its `sequence` outlives its events. Not that of an unknown authorization: any caller can make such a state, so it
    ends with its last id, and a later event begins a new life with number 1.
    """
    ends = [dead_letter.at + DEAD_LETTER_SECONDS for dead_letter in state.dead_letters.values()]
    if (last := recent_commands.last_at(state.recent_commands)) is not None:
        ends.append(last + recent_commands.REMEMBERED_SECONDS)
    if is_unknown(state) and state.last_event_at:
        # Not every event leaves an id, and a subscriber knows a new life by the time since the last event.
        ends.append(state.last_event_at + KEPT_SECONDS)
    if state.waiting is not None:
        ends.append(state.waiting.until + KEPT_SECONDS)
    if state.watch is not None:
        ends.append(state.watch.moved_at)
    if state.settled_at is not None:
        ends.append(state.settled_at)
    if state.content_read_at is not None:
        ends.append(state.content_read_at)
    if not ends:
        return None
    # The event of a first read is not numbered yet when its timer is set.
    has_events = state.sequence > 0 or state.content_read_at is not None
    return max(ends) + (after_seconds if has_events and not is_unknown(state) else 0.0)

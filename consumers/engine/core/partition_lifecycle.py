"""The states of an assigned partition, and the events that move it from one to the next. Pure.

    WAITING ----- start began -----> STARTING ------ succeeded -----> RUNNING <-------+
       ^                                | rebalance                      | rebalance  |
       |                                v                                v            |
       |                         STARTING_RELEASED -- succeeded --> RELEASED          | return verified
       |                            ^        | returned                ^     | returned |
       |                  rebalance |        v               rebalance |     v        |
       |                         STARTING_RETURNED -- succeeded --> RETURNED ---------+
       |
       |    from the six states on the right:
       +-- discarded --------- ABORTED  <-- session invalid
       +-- discarded --------- RETRYING <-- failed
       +-- operator resumed -- STOPPED  <-- operator needed (during a start)

    every state -- close requested --> CLOSING -- ended --> CLOSED

A session continues after a rebalance if no other producer of the partition was initialised in between. One marker
transaction that begins after the assignment proves it. A second assignment is checked the same way.
"""

from __future__ import annotations

from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class PartitionStatus(StrEnum):
    """The state that an operator sees. The values are metric labels."""

    WAITING = "waiting"  # for an assignment
    STARTING = "starting"
    RUNNING = "running"
    RELEASED = "released"  # during a rebalance
    RETRYING = "retrying"
    STOPPED = "stopped"  # until an operator resumes it
    CLOSED = "closed"


class PartitionState(Enum):
    """The states of the diagram in the module."""

    WAITING = auto()  # no session; the partition starts when the group has assigned it
    STARTING = auto()  # under the current assignment
    STARTING_RELEASED = auto()  # a rebalance began during the start
    STARTING_RETURNED = auto()  # the rebalance returned the partition
    RUNNING = auto()
    RELEASED = auto()  # a rebalance has begun: the session starts nothing new, and commits finished results
    RETURNED = auto()  # the partition has yet to prove that no other process has started it
    ABORTED = auto()  # the session, or the result of the start, is invalid; the partition discards it
    RETRYING = auto()  # Kafka failed; the partition discards the session and pauses
    STOPPED = auto()
    CLOSING = auto()
    CLOSED = auto()


class PartitionEvent(Enum):
    """The reports of the group, the operator and the partition's own task."""

    ASSIGNED = auto()
    REBALANCE_BEGAN = auto()
    START_BEGAN = auto()
    START_SUCCEEDED = auto()
    RETURN_VERIFIED = auto()
    SESSION_INVALID = auto()  # its data may differ from Kafka
    FAILED = auto()
    OPERATOR_NEEDED = auto()
    OPERATOR_RESUMED = auto()
    DISCARDED = auto()  # the session and the producer are closed, and the pause has ended
    CLOSE_REQUESTED = auto()
    ENDED = auto()  # the partition's task


class TransitionRefused(Exception):
    """An event that cannot occur in the current state: a bug in the engine."""


if TYPE_CHECKING:
    _Row = Mapping[PartitionEvent, PartitionState]


def _of_group(assigned: PartitionState, rebalance: PartitionState) -> _Row:
    return {PartitionEvent.ASSIGNED: assigned, PartitionEvent.REBALANCE_BEGAN: rebalance}


def _starting(succeeded: PartitionState) -> _Row:
    return {
        **_of_group(PartitionState.STARTING_RETURNED, PartitionState.STARTING_RELEASED),
        PartitionEvent.START_SUCCEEDED: succeeded,
        PartitionEvent.FAILED: PartitionState.RETRYING,
        PartitionEvent.OPERATOR_NEEDED: PartitionState.STOPPED,
        PartitionEvent.CLOSE_REQUESTED: PartitionState.CLOSING,
    }


def _with_session(assigned: PartitionState) -> _Row:
    return {
        **_of_group(assigned, PartitionState.RELEASED),
        PartitionEvent.SESSION_INVALID: PartitionState.ABORTED,
        PartitionEvent.FAILED: PartitionState.RETRYING,
        PartitionEvent.CLOSE_REQUESTED: PartitionState.CLOSING,
    }


def _unmoved(state: PartitionState) -> _Row:
    """Return the row of a state in which the group changes nothing: only the end of the assignment matters later."""
    return {**_of_group(state, state), PartitionEvent.CLOSE_REQUESTED: PartitionState.CLOSING}


# An event that is missing in a row is refused.
TRANSITIONS: Final[Mapping[PartitionState, _Row]] = {
    PartitionState.WAITING: {
        **_unmoved(PartitionState.WAITING),
        PartitionEvent.START_BEGAN: PartitionState.STARTING,
        PartitionEvent.DISCARDED: PartitionState.WAITING,  # an operator resumed the partition before the discard
    },
    PartitionState.STARTING: _starting(PartitionState.RUNNING),
    PartitionState.STARTING_RELEASED: _starting(PartitionState.RELEASED),
    PartitionState.STARTING_RETURNED: _starting(PartitionState.RETURNED),
    PartitionState.RUNNING: _with_session(PartitionState.RETURNED),
    PartitionState.RELEASED: _with_session(PartitionState.RETURNED),
    PartitionState.RETURNED: {
        **_with_session(PartitionState.RETURNED),
        PartitionEvent.RETURN_VERIFIED: PartitionState.RUNNING,
    },
    PartitionState.ABORTED: {
        **_unmoved(PartitionState.ABORTED),
        PartitionEvent.SESSION_INVALID: PartitionState.ABORTED,
        PartitionEvent.FAILED: PartitionState.RETRYING,
        PartitionEvent.OPERATOR_NEEDED: PartitionState.STOPPED,
        PartitionEvent.DISCARDED: PartitionState.WAITING,
    },
    PartitionState.RETRYING: {
        **_unmoved(PartitionState.RETRYING),
        PartitionEvent.SESSION_INVALID: PartitionState.RETRYING,
        PartitionEvent.DISCARDED: PartitionState.WAITING,
    },
    PartitionState.STOPPED: {
        **_unmoved(PartitionState.STOPPED),
        PartitionEvent.OPERATOR_RESUMED: PartitionState.WAITING,
        PartitionEvent.DISCARDED: PartitionState.STOPPED,
    },
    PartitionState.CLOSING: {
        **_unmoved(PartitionState.CLOSING),
        PartitionEvent.SESSION_INVALID: PartitionState.CLOSING,
        PartitionEvent.FAILED: PartitionState.CLOSING,
        PartitionEvent.OPERATOR_NEEDED: PartitionState.CLOSING,
        PartitionEvent.DISCARDED: PartitionState.CLOSING,
        PartitionEvent.ENDED: PartitionState.CLOSED,
    },
    PartitionState.CLOSED: {
        **_unmoved(PartitionState.CLOSED),
        PartitionEvent.CLOSE_REQUESTED: PartitionState.CLOSED,
    },
}

# ABORTED and CLOSING pass within seconds; an operator sees the status before them.
_STATUS: Final[Mapping[PartitionState, PartitionStatus]] = {
    PartitionState.WAITING: PartitionStatus.WAITING,
    PartitionState.STARTING: PartitionStatus.STARTING,
    PartitionState.STARTING_RELEASED: PartitionStatus.STARTING,
    PartitionState.STARTING_RETURNED: PartitionStatus.STARTING,
    PartitionState.RUNNING: PartitionStatus.RUNNING,
    PartitionState.RELEASED: PartitionStatus.RELEASED,
    PartitionState.RETURNED: PartitionStatus.RELEASED,
    PartitionState.RETRYING: PartitionStatus.RETRYING,
    PartitionState.STOPPED: PartitionStatus.STOPPED,
    PartitionState.CLOSED: PartitionStatus.CLOSED,
}


class PartitionLifecycle:
    """The current state of one partition, and the status that an operator sees."""

    __slots__ = ("state", "status")

    def __init__(self) -> None:
        self.state = PartitionState.WAITING
        self.status = PartitionStatus.WAITING

    def apply(self, event: PartitionEvent) -> bool:
        """Move to the next state. Return whether the state has changed.

        Raises TransitionRefused if the event cannot occur in this state.
        """
        before = self.state
        after = TRANSITIONS[before].get(event)
        if after is None:
            raise TransitionRefused(f"{event.name} in state {before.name}")
        self.state = after
        self.status = _STATUS.get(after, self.status)
        return after is not before

"""The lifecycle as a table: every state with every event."""

import pytest

from consumers.engine.core.partition_lifecycle import (
    PartitionEvent,
    PartitionLifecycle,
    PartitionState,
    TransitionRefused,
)

# Rows are states, columns are events; `.` keeps the state, `-` refuses the event.
TABLE = """
                  ASSIGNED          REBALANCE_BEGAN   START_BEGAN START_SUCCEEDED RETURN_VERIFIED
WAITING           .                 .                 STARTING    -               -
STARTING          STARTING_RETURNED STARTING_RELEASED -           RUNNING         -
STARTING_RELEASED STARTING_RETURNED .                 -           RELEASED        -
STARTING_RETURNED .                 STARTING_RELEASED -           RETURNED        -
RUNNING           RETURNED          RELEASED          -           -               -
RELEASED          RETURNED          .                 -           -               -
RETURNED          .                 RELEASED          -           -               RUNNING
ABORTED           .                 .                 -           -               -
RETRYING          .                 .                 -           -               -
STOPPED           .                 .                 -           -               -
CLOSING           .                 .                 -           -               -
CLOSED            .                 .                 -           -               -

                  SESSION_INVALID FAILED   OPERATOR_NEEDED OPERATOR_RESUMED DISCARDED CLOSE_REQUESTED ENDED
WAITING           -               -        -               -                .         CLOSING         -
STARTING          -               RETRYING STOPPED         -                -         CLOSING         -
STARTING_RELEASED -               RETRYING STOPPED         -                -         CLOSING         -
STARTING_RETURNED -               RETRYING STOPPED         -                -         CLOSING         -
RUNNING           ABORTED         RETRYING -               -                -         CLOSING         -
RELEASED          ABORTED         RETRYING -               -                -         CLOSING         -
RETURNED          ABORTED         RETRYING -               -                -         CLOSING         -
ABORTED           .               RETRYING STOPPED         -                WAITING   CLOSING         -
RETRYING          .               -        -               -                WAITING   CLOSING         -
STOPPED           -               -        -               WAITING          .         CLOSING         -
CLOSING           .               .        .               -                .         .               CLOSED
CLOSED            -               -        -               -                -         .               -
"""


def rows():
    for half in TABLE.strip("\n").split("\n\n"):
        header, *lines = half.splitlines()
        for line in lines:
            state, *cells = line.split()
            for event, cell in zip(header.split(), cells, strict=True):
                yield state, event, {".": state, "-": None}.get(cell, cell)


ROWS = list(rows())


def in_state(state):
    lifecycle = PartitionLifecycle()
    lifecycle.state = PartitionState[state]
    return lifecycle


@pytest.mark.parametrize(("state", "event", "after"), ROWS)
def test_every_event_in_every_state(state, event, after):
    lifecycle = in_state(state)
    if after is None:
        with pytest.raises(TransitionRefused, match=f"{event} in state {state}"):
            lifecycle.apply(PartitionEvent[event])
        assert lifecycle.state is PartitionState[state]
    else:
        assert lifecycle.apply(PartitionEvent[event]) is (after != state)
        assert lifecycle.state is PartitionState[after]


def test_the_table_is_complete():
    cells = [(state, event) for state, event, _ in ROWS]
    assert sorted(cells) == sorted((state.name, event.name) for state in PartitionState for event in PartitionEvent)


def statuses(*events):
    lifecycle = PartitionLifecycle()
    seen = [lifecycle.status.value]
    for event in events:
        lifecycle.apply(PartitionEvent[event])
        seen.append(lifecycle.status.value)
    return seen


def test_the_statuses_of_a_start_a_rebalance_and_a_close():
    assert statuses(
        "ASSIGNED",
        "START_BEGAN",
        "REBALANCE_BEGAN",
        "ASSIGNED",
        "START_SUCCEEDED",
        "RETURN_VERIFIED",
        "REBALANCE_BEGAN",
        "CLOSE_REQUESTED",
        "ENDED",
    ) == ["waiting", "waiting", *["starting"] * 3, "released", "running", "released", "released", "closed"]

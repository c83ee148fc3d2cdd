"""A timeline is in order whatever the clocks of ingress and workers say.

The read model sorts by (time, rank, number). Each worker here has another clock than the one before.
"""

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.postgres.rows import Rank, Rows
from consumers.applier.attempts import Attempts
from consumers.authorization.event_writer import EventWriter
from consumers.authorization.handoffs import RiskRules
from consumers.authorization.state import NEW
from consumers.authorization.unit_of_work import UnitOfWork
from consumers.projector.fold import fold
from consumers.projector.parsing import EventRecord, parse
from schemas.attempts import Attempt
from schemas.commands import AuthorizationWatch, HandoffRequest
from schemas.enums import CommandType, EventType
from schemas.events import CommandWaiting
from schemas.records import read_event
from tests.process.key_queue import TOPICS

NOW = 1_800_000_000.0
FIRST, SECOND = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10", "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b11"


def by_key(row):
    """The order of `adapters.postgres.queries.TimelinePage`."""
    return row.at, row.rank, row.ordinal


class Written:
    """A record as the projector reads it."""

    def __init__(self, offset, headers, value):
        self.offset, self.headers, self.value = offset, headers, value


def timeline_of(queue):
    rows = Rows()
    fold(rows, [parse("commands", 0, Written(n, one.headers, one.value)) for n, one in enumerate(queue.records)])
    fold(rows, [EventRecord(event) for event in queue.events()])
    return sorted(rows.timeline, key=by_key)


def require_order(timeline, events):
    """A command, then its calls to Collate, then the first event with them; events by sequence."""
    assert [row.ordinal for row in timeline if row.rank == Rank.EVENT] == [event.sequence for event in events]
    places = {id(row): place for place, row in enumerate(timeline)}
    place_of_event = {row.ordinal: places[id(row)] for row in timeline if row.rank == Rank.EVENT}
    for event in events:
        command = event.causation_id
        asked = [places[id(row)] for row in timeline if row.rank == Rank.COMMAND and row.command_id == command]
        assert all(place < place_of_event[event.sequence] for place in asked[:1]), event
        for attempt in getattr(event.data, "attempts", None) or ():
            (place,) = (
                places[id(row)]
                for row in timeline
                if (row.rank, row.at, row.command_id) == (Rank.ATTEMPT, attempt.at, command)
            )
            assert max(asked[:1], default=-1) < place < place_of_event[event.sequence]


@pytest.mark.parametrize("ahead", [0, 60, -60])
async def test_two_workers_whose_clocks_are_30_s_apart_write_a_timeline_in_order(make_queue, close, ahead):
    """`ahead`: the error of the clock of the ingress, in seconds."""
    queue, clocks = make_queue(), itertools.cycle([15.0, -15.0])

    async def by_another_worker(command):
        queue.ahead = next(clocks)
        queue.restart()
        sent = queue.send(command, accepted_at=queue.sim.now() + ahead)
        await queue.drain()
        return queue.check(sent)

    handoff = (await by_another_worker(HandoffRequest())).handoff_id
    await by_another_worker(AuthorizationWatch())
    await by_another_worker(close(handoff))
    await by_another_worker(AuthorizationWatch())
    queue.ahead = next(clocks)
    queue.restart()
    await queue.observe_until(EventType.HANDOFF_RECONCILED)
    events, timeline = queue.events(), timeline_of(queue)
    times = [event.time for event in events]
    assert times == sorted(times)
    require_order(timeline, events)
    assert queue.public_record().updated_at == times[-1]


class Invocation:
    """An invocation of a worker whose clock is `ahead`."""

    key = b"auth_1"

    def __init__(self, now):
        self.now = now


STEPS = st.lists(
    st.tuples(
        st.floats(-60, 60), st.none() | st.floats(-60, 60), st.integers(0, 2), st.integers(0, 2), st.integers(0, 1)
    ),
    max_size=12,
)


@given(STEPS)
def test_every_schedule_of_clocks_gives_one_order(steps):
    """A step: the clock of a worker, that of an ingress or None for a timer, calls, events, and the command."""
    state, writer, events, attempts = NEW, EventWriter(TOPICS, "/test"), [], {FIRST: Attempts(), SECOND: Attempts()}
    rows = Rows()
    for number, (worker, ingress, calls, emitted, which) in enumerate(steps):
        true, command = NOW + number * 0.001, (FIRST, SECOND)[which]
        accepted = {} if ingress is None else {"accepted_at": true + ingress}
        work = UnitOfWork(
            Invocation(true + worker),
            state,
            writer,
            RiskRules(),
            caused_at=true,
            called_at=attempts[command].last_at,
            **accepted,
        )
        for _ in range(calls):
            attempts[command].add(attempt_at(work.time))
        for _ in range(emitted):
            work.emit(
                CommandWaiting(
                    command_id=command,
                    command=CommandType.HANDOFF_REQUEST,
                    caller="intake",
                    reason="breaker",
                    attempts=attempts[command].kept,
                ),
                cause=command,
            )
        before, (state, outputs) = state, work._outputs()
        new = [read_event(one.headers, one.value) for one in outputs if one.topic == TOPICS.events.name]
        for event in new:
            assert event.time.timestamp() > before.last_event_at
            assert "accepted_at" not in accepted or event.time.timestamp() > accepted["accepted_at"]
            assert all(attempt.at <= event.time for attempt in event.data.attempts or ())
        events += new
    fold(rows, map(EventRecord, events))
    in_order = sorted(rows.timeline, key=by_key)
    assert [row.ordinal for row in in_order if row.rank == Rank.EVENT] == list(range(1, len(events) + 1))


def attempt_at(time):
    return Attempt(at=datetime.fromtimestamp(time, UTC), operation="create_handoff", result="answered", ms=1)

"""Due dates from the command to the event, through crashes: the applier and the watcher on a simulated Collate."""

import math
from datetime import UTC, datetime

import pytest

from schemas.commands import AuthorizationWatch, HandoffRequest
from schemas.enums import EventType
from schemas.records import read_authorization
from tests.process.authorization.in_memory import simulated
from tests.process.await_points import MOST_POINTS
from tests.process.key_queue import TOPICS

OVERDUE, SETTLED = EventType.AUTHORIZATION_OVERDUE, EventType.AUTHORIZATION_SETTLED
DAY = 86_400.0


@pytest.fixture
def make_queue(tmp_path):
    return lambda: simulated(tmp_path)


def after(queue, seconds):
    return datetime.fromtimestamp(math.floor(queue.now() + seconds), UTC)


def record(queue):
    last = [output for output in queue.outputs if output.topic == TOPICS.authorizations.name][-1]
    return read_authorization(last.headers, last.value)[1]


def test_a_crash_at_every_await_point_publishes_overdue_once(make_queue):
    for point in range(MOST_POINTS):
        queue = make_queue()
        due_at = after(queue, 40.0)
        queue.send(AuthorizationWatch(due_at=due_at, metadata={"case": "42"}))
        queue.run_for(30.0)
        queue.fuse.arm(point)
        queue.run_for(15.0)
        passed, queue.fuse.blows_at = queue.fuse.passed, None
        queue.run_for(3_600.0)
        (overdue,) = queue.events(OVERDUE)
        assert (overdue.data.due_at, overdue.data.metadata) == (due_at, {"case": "42"})
        assert overdue.time >= due_at
        assert (record(queue).due_at, record(queue).overdue_at) == (due_at, overdue.time)
        if passed <= point:
            assert point >= 2, "the timer of the due date has two await points"
            break
    else:
        raise AssertionError("more await points than expected")


def test_the_timer_is_the_due_date_if_it_is_before_the_next_step(make_queue):
    queue = make_queue()
    due_at = after(queue, 12.0)
    queue.send(AuthorizationWatch(due_at=due_at))
    queue.run_for(1.0)
    assert queue.timer_at == due_at.timestamp()


def test_the_watch_lasts_until_the_due_date(make_queue):
    queue = make_queue()
    queue.send(AuthorizationWatch())
    queue.run_for(1.0)
    assert queue.decoded_state().watch.until < queue.now() + 91 * DAY
    due_at = after(queue, 200 * DAY)
    queue.send(AuthorizationWatch(due_at=due_at))
    queue.run_for(1.0)
    assert queue.decoded_state().watch.until == due_at.timestamp()


def test_only_a_command_that_is_applied_or_already_done_states_a_due_date(make_queue):
    queue = make_queue()
    first, second, third = (after(queue, seconds) for seconds in (1_000.0, 2_000.0, 3_000.0))
    queue.send(HandoffRequest(accepted_review_snapshot_id="rev_wrong", due_at=first))
    queue.run_for(1.0)
    (rejected,) = queue.events(EventType.COMMAND_FINISHED)
    assert (rejected.data.outcome, queue.decoded_state().due) == ("rejected", None)
    queue.send(HandoffRequest(due_at=first))
    queue.run_for(1.0)
    assert record(queue).due_at == first
    queue.send(HandoffRequest(due_at=second))
    queue.run_for(1.0)
    assert queue.events(EventType.COMMAND_FINISHED)[-1].data.outcome == "already_done"
    assert record(queue).due_at == second
    queue.send(AuthorizationWatch())
    queue.run_for(1.0)
    assert record(queue).due_at == second, "a command without a due date keeps it"
    command = queue.send(AuthorizationWatch(due_at=third))
    queue.run_for(1.0)
    queue.send(AuthorizationWatch(due_at=first))
    queue.send(AuthorizationWatch(due_at=third), command)
    queue.run_for(1.0)
    assert record(queue).due_at == first, "a repeat states nothing again"

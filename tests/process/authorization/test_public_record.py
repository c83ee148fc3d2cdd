"""The public record, where late joiners start: from the first observation until its deletion."""

from itertools import groupby

import pytest

from consumers.authorization.event_factory import at
from runtime.settings import WorkerSettings
from schemas.commands import AuthorizationWatch, Completed, HandoffClose, HandoffRequest, RecordRead
from schemas.enums import EventType, ReadContent, ReportedOutcome
from schemas.records import read_authorization, read_event
from tests.process.authorization.in_memory import simulated
from tests.process.key_queue import TOPICS

DAY = 86_400.0


@pytest.fixture
def queue(tmp_path):
    return simulated(tmp_path, review_backed=True)


def record(queue):
    last = [output for output in queue.outputs if output.topic == TOPICS.authorizations.name][-1]
    return read_authorization(last.headers, last.value)[1] if last.value is not None else None


def records_of_a_life(queue):
    """Watch, open, close and settle an authorization; return its record after each step."""
    queue.send(AuthorizationWatch())
    queue.run_for(1.0)
    yield record(queue)
    queue.send(HandoffRequest(accepted_review_snapshot_id=record(queue).covers_review_snapshot_id))
    queue.run_for(1.0)
    yield record(queue)
    completed = Completed(reported_outcome=ReportedOutcome.SUBMITTED)
    queue.send(HandoffClose(handoff_id=record(queue).active_handoff.id, result=completed))
    queue.run_for(60.0)
    yield record(queue)
    queue.sim.act(queue.authorization_id, "payer", truth="denied")
    queue.run_for(3600.0)
    yield record(queue)


def test_the_record_agrees_with_the_events_at_every_step(queue):
    needed, running, reported, settled = records_of_a_life(queue)
    assert (needed.status, needed.next_action, needed.resolution) == (
        *("requires_action", "complete_payer_interaction", "manual_handoff"),
    )
    assert needed.covers_review_snapshot_id is not None
    assert (running.active_handoff.state, running.active_handoff.access_available) == ("active", True)
    assert running.active_handoff.final_submit_capable
    last = reported.last_handoff
    assert (last.id, last.result, last.by, last.reported, last.agreement) == (
        *(running.active_handoff.id, "completed_reported", "us", "submitted", "agrees"),
    )
    assert (reported.active_handoff, reported.status, reported.receipt_seen) == (None, "waiting_on_payer", True)
    assert (settled.status, settled.outcome, settled.decision_seen) == ("completed", "denied", True)
    assert settled.settled_at is not None
    assert {one.watched_since for one in (needed, running, reported, settled)} == {needed.watched_since}


def test_every_event_is_committed_with_the_record_that_includes_it(queue):
    list(records_of_a_life(queue))
    kinds = groupby(queue.outputs, lambda output: output.topic)
    written = [(topic, list(outputs)) for topic, outputs in kinds]
    assert {topic for topic, _ in written[1::2]} == {TOPICS.authorizations.name}
    for (_, events), (_, records) in zip(written[::2], written[1::2], strict=True):
        _, first = read_authorization(records[0].headers, records[0].value)
        assert first.sequence == read_event(events[-1].headers, events[-1].value).sequence


def test_the_record_shows_the_end_of_a_watch_until_the_next_watch(queue):
    queue.limits = WorkerSettings(watch_max_age="600s")
    queue.restart()
    queue.send(AuthorizationWatch())
    queue.run_for(599.0)
    assert record(queue).watch_ended_at is None
    queue.run_for(60.0)
    (ended,) = queue.events(EventType.AUTHORIZATION_WATCH_ENDED)
    assert record(queue).watch_ended_at == ended.time
    assert record(queue).sequence == ended.sequence
    queue.send(AuthorizationWatch())
    queue.run_for(1.0)
    assert record(queue).watch_ended_at is None
    assert record(queue).watched_since > at(queue.now() - 10.0)


def test_the_record_is_deleted_long_after_its_last_event_and_the_sequence_restarts(queue):
    *_, settled = records_of_a_life(queue)
    queue.run_for(89 * DAY)
    assert record(queue) == settled, "the record of a settled authorization stays"
    queue.run_for(5 * DAY)
    assert (record(queue), queue.state, queue.timer_at) == (None, None, None)
    last = queue.events()[-1]
    assert queue.now() - last.time.timestamp() > 90 * DAY
    queue.send(AuthorizationWatch())
    queue.run_for(1.0)
    assert record(queue).status == "completed"
    assert [event.sequence for event in queue.events() if event.time > last.time] == [1, 2, 3]


def test_the_state_of_an_authorization_that_is_only_read_is_deleted_long_after_its_last_event(queue):
    for _ in range(2):
        queue.send(RecordRead(content=ReadContent.REVIEW_SNAPSHOT, operator="op-7"))
        queue.run_for(30 * DAY)
    last = queue.events()[-1]
    queue.run_for(59 * DAY)
    assert queue.decoded_state().sequence == last.sequence == 2
    queue.run_for(5 * DAY)
    assert (queue.state, queue.timer_at) == (None, None)
    assert not [output for output in queue.outputs if output.topic == TOPICS.authorizations.name]


def test_a_read_keeps_the_sequence_of_a_settled_authorization(queue):
    list(records_of_a_life(queue))
    queue.run_for(80 * DAY)
    queue.send(RecordRead(content=ReadContent.PAYER_EVIDENCE, operator="op-7"))
    queue.run_for(60 * DAY)
    assert queue.decoded_state().sequence == queue.events()[-1].sequence
    queue.run_for(40 * DAY)
    assert queue.state is None

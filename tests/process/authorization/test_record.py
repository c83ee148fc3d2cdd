"""The public record: all that a late joiner has to go by, from the first look until it is forgotten."""

from dataclasses import replace
from itertools import groupby

import pytest

from consumers.authorization.event_factory import at
from local.collate import Options
from local.collate.simulation import Simulation
from schemas.commands import AuthorizationWatch, Completed, HandoffClose, HandoffRequest
from schemas.enums import EventType, ReportedOutcome
from schemas.records import read_authorization, read_event
from tests.process.authorization.harness import TOPICS, Lane, key_file

DAY = 86_400.0


@pytest.fixture
def lane(tmp_path):
    sim = Simulation(Options(seed=1))
    sim.clock.freeze()
    (authorization,) = sim.create(review_backed=True)
    return Lane(sim, key_file(tmp_path), authorization)


def record(lane):
    last = [output for output in lane.outputs if output.topic == TOPICS.authorizations.name][-1]
    return read_authorization(last.headers, last.value)[1] if last.value is not None else None


def walked(lane):
    """Watch, open, close, hear the truth."""
    lane.send(AuthorizationWatch())
    lane.run_for(1.0)
    yield record(lane)
    lane.send(HandoffRequest(accepted_review_snapshot_id=record(lane).covers_review_snapshot_id))
    lane.run_for(1.0)
    yield record(lane)
    completed = Completed(reported_outcome=ReportedOutcome.SUBMITTED)
    lane.send(HandoffClose(handoff_id=record(lane).active_handoff.id, result=completed))
    lane.run_for(60.0)
    yield record(lane)
    lane.sim.act(lane.authorization_id, "payer", truth="denied")
    lane.run_for(3600.0)
    yield record(lane)


def test_it_tells_at_every_station_what_the_events_told(lane):
    needed, running, reported, settled = walked(lane)
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


def test_every_event_comes_with_the_record_that_includes_it(lane):
    list(walked(lane))
    kinds = groupby(lane.outputs, lambda output: output.topic)
    said = [(topic, list(outputs)) for topic, outputs in kinds]
    assert {topic for topic, _ in said[1::2]} == {TOPICS.authorizations.name}
    for (_, events), (_, records) in zip(said[::2], said[1::2], strict=True):
        _, first = read_authorization(records[0].headers, records[0].value)
        assert first.sequence == read_event(events[-1].headers, events[-1].value).sequence


def test_one_that_is_no_longer_followed_says_so_until_it_is_followed_again(lane):
    lane.policy = replace(lane.policy, watch_seconds=600.0)
    lane.restart()
    lane.send(AuthorizationWatch())
    lane.run_for(599.0)
    assert record(lane).watch_ended_at is None
    lane.run_for(60.0)
    (ended,) = lane.events(EventType.AUTHORIZATION_WATCH_ENDED)
    assert record(lane).watch_ended_at == ended.time
    assert record(lane).sequence == ended.sequence
    lane.send(AuthorizationWatch())
    lane.run_for(1.0)
    assert record(lane).watch_ended_at is None
    assert record(lane).watched_since > at(lane.now() - 10.0)


def test_one_that_is_forgotten_is_removed_long_after_its_last_event_and_its_numbers_begin_anew(lane):
    *_, settled = walked(lane)
    lane.run_for(89 * DAY)
    assert record(lane) == settled, "a settled one is left alone"
    lane.run_for(5 * DAY)
    assert (record(lane), lane.memory, lane.timer_at) == (None, None, None)
    last = lane.events()[-1]
    assert lane.now() - last.time.timestamp() > 90 * DAY
    lane.send(AuthorizationWatch())
    lane.run_for(1.0)
    assert record(lane).status == "completed"
    assert [event.sequence for event in lane.events() if event.time > last.time] == [1, 2, 3]

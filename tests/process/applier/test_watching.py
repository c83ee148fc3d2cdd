"""Observations against the simulated Collate: what is found, what is written, when it ends."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from consumers.engine import UNCHANGED, Done
from schemas.commands import AuthorizationWatch, HandoffRequest, RecordAccess
from schemas.enums import EventType

DAY = 86_400.0


async def watched(lane):
    lane.send(AuthorizationWatch())
    await lane.drain()
    return lane


async def test_an_observation_of_nothing_new_writes_nothing_and_makes_one_call(make_lane):
    lane = await watched(make_lane())
    before, calls = len(lane.outputs), len(lane.collate.calls)
    answer = await lane.observe()
    assert (answer.outputs, answer.state) == ((), UNCHANGED)
    assert answer.timer_at > lane.now()
    assert (len(lane.outputs), len(lane.collate.calls)) == (before, calls + 1)


async def test_an_open_handoff_is_observed_with_one_call_as_long_as_nothing_moves(make_lane):
    lane = make_lane()
    lane.send(HandoffRequest())
    await lane.drain()
    await lane.observe()
    calls = len(lane.collate.calls)
    assert (await lane.observe()).state is UNCHANGED
    assert [name for name, _ in lane.collate.calls[calls:]] == ["get_authorization"]


async def test_a_handoff_of_another_actor_is_seen_from_its_opening_to_its_end(make_lane):
    lane = await watched(make_lane())
    lane.sim.act(lane.authorization_id, "open_handoff")
    opened = await lane.observe_until(EventType.HANDOFF_OPENED)
    assert opened.causation_id is None
    lane.sim.act(lane.authorization_id, "unable_to_complete", reason="other")
    closed = await lane.observe_until(EventType.HANDOFF_CLOSED)
    assert (closed.data.by, closed.data.reported, closed.data.result) == ("other", *["unable_to_complete"] * 2)
    reconciled = await lane.observe_until(EventType.HANDOFF_RECONCILED)
    assert reconciled.data.handoff_id == opened.data.handoff_id


@pytest.mark.parametrize(("doing", "by"), [("expire", "expiry"), ("lose_session", "loss"), ("cancel", "cancellation")])
async def test_passive_ends_are_found(make_lane, doing, by):
    lane = make_lane(state="handoff_active")
    await watched(lane)
    lane.sim.act(lane.authorization_id, doing)
    closed = await lane.observe_until(EventType.HANDOFF_CLOSED)
    assert closed.data.by == by
    reconciled = await lane.observe_until(EventType.HANDOFF_RECONCILED)
    assert reconciled.data.agreement == "no_report"


async def test_it_ends_at_settled_and_is_forgotten_long_after(make_lane):
    lane = await watched(make_lane())
    lane.sim.act(lane.authorization_id, "cancel")
    await lane.observe_until(EventType.AUTHORIZATION_SETTLED)
    calls, settled_at = len(lane.collate.calls), lane.now()
    assert lane.timer_at > settled_at + 30 * DAY
    while lane.memory is not None:
        answer = await lane.observe()
        assert isinstance(answer, Done)
    assert len(lane.collate.calls) == calls
    assert lane.now() > settled_at + 89 * DAY
    last = lane.outputs[-1]
    assert (last.topic, last.key, last.value) == ("t.authorizations", lane.key, None)


async def test_it_ends_at_its_greatest_age(make_lane):
    lane = make_lane()
    lane.policy = replace(lane.policy, watch_seconds=100.0)
    lane.restart()
    await watched(lane)
    ended = await lane.observe_until(EventType.AUTHORIZATION_WATCH_ENDED)
    assert (ended.data.status, ended.data.reason) == ("requires_action", "max_age")
    assert lane.timer_at > lane.now() + 30 * DAY, "kept, but not looked at"
    again = lane.send(AuthorizationWatch())
    await lane.drain()
    assert lane.finished_of(again).outcome == "applied"
    assert lane.remembered().watch.ended is False


def hidden(lane, **more):
    """Collate says that it knows no such authorization."""
    lane.sim.fault("answer", method="GET", status=404, code="prior_authorization_not_found", **more)


async def test_one_that_collate_knows_no_more_ends_after_a_day_across_restarts(make_lane):
    lane = await watched(make_lane())
    hidden(lane)
    began = lane.now()
    while not lane.events(EventType.AUTHORIZATION_WATCH_ENDED):
        lane.restart()
        answer = await lane.observe()
        assert lane.now() - began < 1.1 * DAY
    (ended,) = lane.events(EventType.AUTHORIZATION_WATCH_ENDED)
    assert (ended.data.reason, ended.data.status) == ("not_found", "requires_action")
    assert lane.now() - began >= DAY
    assert lane.remembered().watch.ended
    assert answer.timer_at > lane.now() + 30 * DAY, "kept, but not looked at"


async def test_what_is_only_missing_in_the_memory_is_counted_a_few_times_and_then_writes_nothing(make_lane):
    lane = await watched(make_lane())
    hidden(lane)
    writes = [(await lane.observe()).state is not UNCHANGED for _ in range(12)]
    assert writes == [True] * 8 + [False] * 4, "failures up to the longest step, looks up to three"
    assert len(lane.memory) < 1024


@pytest.mark.parametrize("seen_by", ["a look", "a command"])
async def test_one_that_was_only_hidden_for_a_while_begins_its_day_anew(make_lane, seen_by):
    lane = await watched(make_lane())
    began = lane.now()
    hidden(lane)
    while lane.now() < began + 0.9 * DAY:
        await lane.observe()
    lane.sim.faults.clear()
    if seen_by == "a look":
        await lane.observe()
    else:
        lane.send(AuthorizationWatch())
        await lane.drain()
    assert lane.remembered().watch.missing is None
    hidden(lane)
    again = lane.now()
    await lane.observe_until(EventType.AUTHORIZATION_WATCH_ENDED, most=2_000)
    assert lane.now() >= again + DAY


async def test_two_looks_a_day_apart_are_not_enough(make_lane):
    lane = await watched(make_lane())
    hidden(lane)
    await lane.observe()
    lane.sim.advance(2 * DAY)
    await lane.observe()
    assert not lane.events(EventType.AUTHORIZATION_WATCH_ENDED)


async def test_one_that_was_never_read_ends_untold_after_the_same_day(make_lane):
    lane = make_lane(state="handoff_active")
    hidden(lane)
    access(lane)
    await lane.drain()
    began = lane.now()
    while not lane.remembered().watch.ended:
        await lane.observe()
    assert lane.now() >= began + DAY
    assert not lane.events(EventType.AUTHORIZATION_WATCH_ENDED)


async def ended_watch(make_lane):
    """A lane whose watch has ended by its age."""
    lane = make_lane(state="handoff_active")
    lane.policy = replace(lane.policy, watch_seconds=100.0)
    lane.restart()
    await watched(lane)
    await lane.observe_until(EventType.AUTHORIZATION_WATCH_ENDED)
    return lane


def access(lane, seconds=300.0):
    """An operator is let into the handoff that is open."""
    (handoff,) = lane.sim.world.authorizations[lane.authorization_id].handoffs
    until = datetime.fromtimestamp(lane.now() + seconds, UTC)
    lane.send(RecordAccess(handoff_id=handoff.id, operator="op", grant_expires_at=until))


async def test_a_watch_that_a_grant_begins_anew_looks_again_at_once_not_when_it_would_be_forgotten(make_lane):
    lane = await ended_watch(make_lane)
    access(lane)
    await lane.drain()
    assert lane.remembered().watch.ended is False
    assert lane.timer_at < lane.now() + 60, "the next look, not the end of the memory"
    lane.sim.act(lane.authorization_id, "revoke", reason="somebody else")
    closed = await lane.observe_until(EventType.HANDOFF_CLOSED, most=3)
    assert closed.data.by == "other"


async def test_a_grant_leaves_the_alarm_of_a_watch_that_goes_on(make_lane):
    lane = await watched(make_lane(state="handoff_active"))
    standing = lane.timer_at
    lane.sim.advance(1.0)
    access(lane)
    await lane.drain()
    assert lane.timer_at == standing


async def test_retry_after_is_honoured(make_lane):
    lane = await watched(make_lane())
    lane.sim.fault("answer", method="GET", status=503, retryAfter="900", count=1)
    answer = await lane.observe()
    assert answer.timer_at >= lane.now() + 500, "capped by the client, but far beyond the cadence"


async def test_failures_stretch_the_cadence_and_success_ends_that(make_lane):
    lane = await watched(make_lane())
    lane.sim.fault("reset", method="GET", count=4)
    gaps = []
    for _ in range(5):
        await lane.observe()
        gaps.append(lane.timer_at - lane.now())
    assert gaps[1] > gaps[0]
    assert gaps[-1] < 40
    assert lane.events(EventType.AUTHORIZATION_CHANGED)[-1].data.from_status is None
    assert lane.remembered().watch.failures == 0


async def test_while_steps_are_stretched_alarms_go_by_without_a_call_and_then_stay_at_the_table(make_lane):
    lane = await watched(make_lane())
    lane.watcher.stretch.factor = 8.0
    await lane.observe()
    calls = len(lane.collate.calls)
    for _ in range(5):
        answer = await lane.observe()
        assert (answer.outputs, answer.state) == ((), UNCHANGED)
        assert answer.timer_at - lane.now() <= 1.1 * lane.watcher.cadence.every(lane.remembered(), lane.now())
    assert len(lane.collate.calls) == calls, "not yet eight steps since the last look"
    lane.watcher.stretch.factor = 2.0
    await lane.observe()
    assert len(lane.collate.calls) == calls + 1, "what was set while it was worse doesn't count any more"


async def test_a_stale_replica_tells_nothing(make_lane):
    lane = make_lane(readings={"closing_seconds": 0.0})
    await watched(lane)
    lane.sim.act(lane.authorization_id, "open_handoff")
    await lane.observe_until(EventType.HANDOFF_OPENED)
    lane.sim.change(stale_probability=0.6, stale_seconds=60.0)
    lane.sim.act(lane.authorization_id, "complete", reportedOutcome="submitted")
    await lane.observe_until(EventType.HANDOFF_RECONCILED)
    statuses = [event.data.to_status for event in lane.events(EventType.AUTHORIZATION_CHANGED)]
    assert statuses in (["requires_action", "processing", "waiting_on_payer"], ["requires_action", "waiting_on_payer"])


async def test_an_alarm_keeps_the_intent_of_a_waiting_command(make_lane):
    lane = await watched(make_lane())
    lane.sim.fault("reset", method="POST", when="after", count=1)
    asked = lane.send(HandoffRequest())
    await lane.turn()
    intent = lane.remembered().work.intent
    await lane.observe()
    assert lane.remembered().work.intent == intent
    await lane.drain()
    assert lane.check(asked).effect == "ours"
    assert len(lane.events(EventType.HANDOFF_OPENED)) == 1

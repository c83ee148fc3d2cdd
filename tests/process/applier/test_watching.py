"""Observations against the simulated Collate: what is found, what is written, when it ends."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from consumers.engine import UNCHANGED, Done
from schemas.commands import AuthorizationWatch, HandoffRequest, RecordAccess
from schemas.enums import EventType

DAY = 86_400.0


async def watched(queue):
    queue.send(AuthorizationWatch())
    await queue.drain()
    return queue


async def test_an_observation_of_nothing_new_writes_nothing_and_makes_one_call(make_queue):
    queue = await watched(make_queue())
    before, calls = len(queue.outputs), len(queue.collate.calls)
    answer = await queue.observe()
    assert (answer.outputs, answer.state) == ((), UNCHANGED)
    assert answer.timer_at > queue.now()
    assert (len(queue.outputs), len(queue.collate.calls)) == (before, calls + 1)


async def test_an_open_handoff_is_observed_with_one_call_as_long_as_nothing_moves(make_queue):
    queue = make_queue()
    queue.send(HandoffRequest())
    await queue.drain()
    await queue.observe()
    calls = len(queue.collate.calls)
    assert (await queue.observe()).state is UNCHANGED
    assert [name for name, _ in queue.collate.calls[calls:]] == ["get_authorization"]


async def test_a_handoff_of_another_actor_is_seen_from_its_opening_to_its_end(make_queue):
    queue = await watched(make_queue())
    queue.sim.act(queue.authorization_id, "open_handoff")
    opened = await queue.observe_until(EventType.HANDOFF_OPENED)
    assert opened.causation_id is None
    queue.sim.act(queue.authorization_id, "unable_to_complete", reason="other")
    closed = await queue.observe_until(EventType.HANDOFF_CLOSED)
    assert (closed.data.by, closed.data.reported, closed.data.result) == ("other", *["unable_to_complete"] * 2)
    reconciled = await queue.observe_until(EventType.HANDOFF_RECONCILED)
    assert reconciled.data.handoff_id == opened.data.handoff_id


@pytest.mark.parametrize(("doing", "by"), [("expire", "expiry"), ("lose_session", "loss"), ("cancel", "cancellation")])
async def test_passive_ends_are_found(make_queue, doing, by):
    queue = make_queue(state="handoff_active")
    await watched(queue)
    queue.sim.act(queue.authorization_id, doing)
    closed = await queue.observe_until(EventType.HANDOFF_CLOSED)
    assert closed.data.by == by
    reconciled = await queue.observe_until(EventType.HANDOFF_RECONCILED)
    assert reconciled.data.agreement == "no_report"


async def test_it_ends_at_settled_and_is_forgotten_long_after(make_queue):
    queue = await watched(make_queue())
    queue.sim.act(queue.authorization_id, "cancel")
    await queue.observe_until(EventType.AUTHORIZATION_SETTLED)
    calls, settled_at = len(queue.collate.calls), queue.now()
    assert queue.timer_at > settled_at + 30 * DAY
    while queue.state is not None:
        answer = await queue.observe()
        assert isinstance(answer, Done)
    assert len(queue.collate.calls) == calls
    assert queue.now() > settled_at + 89 * DAY
    last = queue.outputs[-1]
    assert (last.topic, last.key, last.value) == ("t.authorizations", queue.key, None)


async def test_it_ends_at_its_greatest_age(make_queue):
    queue = make_queue()
    queue.settings = replace(queue.settings, watch_seconds=100.0)
    queue.restart()
    await watched(queue)
    ended = await queue.observe_until(EventType.AUTHORIZATION_WATCH_ENDED)
    assert (ended.data.status, ended.data.reason) == ("requires_action", "max_age")
    assert queue.timer_at > queue.now() + 30 * DAY, "kept, but not looked at"
    again = queue.send(AuthorizationWatch())
    await queue.drain()
    assert queue.finished_of(again).outcome == "applied"
    assert queue.decoded_state().watch.ended is False


def hidden(queue, **more):
    """Collate says that it knows no such authorization."""
    queue.sim.fault("answer", method="GET", status=404, code="prior_authorization_not_found", **more)


async def test_one_that_collate_knows_no_more_ends_after_a_day_across_restarts(make_queue):
    queue = await watched(make_queue())
    hidden(queue)
    began = queue.now()
    while not queue.events(EventType.AUTHORIZATION_WATCH_ENDED):
        queue.restart()
        answer = await queue.observe()
        assert queue.now() - began < 1.1 * DAY
    (ended,) = queue.events(EventType.AUTHORIZATION_WATCH_ENDED)
    assert (ended.data.reason, ended.data.status) == ("not_found", "requires_action")
    assert queue.now() - began >= DAY
    assert queue.decoded_state().watch.ended
    assert answer.timer_at > queue.now() + 30 * DAY, "kept, but not looked at"


async def test_what_is_only_missing_in_the_memory_is_counted_a_few_times_and_then_writes_nothing(make_queue):
    queue = await watched(make_queue())
    hidden(queue)
    writes = [(await queue.observe()).state is not UNCHANGED for _ in range(12)]
    assert writes == [True] * 8 + [False] * 4, "failures up to the longest step, looks up to three"
    assert len(queue.state) < 1024


@pytest.mark.parametrize("seen_by", ["a look", "a command"])
async def test_one_that_was_only_hidden_for_a_while_begins_its_day_anew(make_queue, seen_by):
    queue = await watched(make_queue())
    began = queue.now()
    hidden(queue)
    while queue.now() < began + 0.9 * DAY:
        await queue.observe()
    queue.sim.faults.clear()
    if seen_by == "a look":
        await queue.observe()
    else:
        queue.send(AuthorizationWatch())
        await queue.drain()
    assert queue.decoded_state().watch.missing is None
    hidden(queue)
    again = queue.now()
    await queue.observe_until(EventType.AUTHORIZATION_WATCH_ENDED, most=2_000)
    assert queue.now() >= again + DAY


async def test_two_looks_a_day_apart_are_not_enough(make_queue):
    queue = await watched(make_queue())
    hidden(queue)
    await queue.observe()
    queue.sim.advance(2 * DAY)
    await queue.observe()
    assert not queue.events(EventType.AUTHORIZATION_WATCH_ENDED)


async def test_one_that_was_never_read_ends_untold_after_the_same_day(make_queue):
    queue = make_queue(state="handoff_active")
    hidden(queue)
    access(queue)
    await queue.drain()
    began = queue.now()
    while not queue.decoded_state().watch.ended:
        await queue.observe()
    assert queue.now() >= began + DAY
    assert not queue.events(EventType.AUTHORIZATION_WATCH_ENDED)


async def ended_watch(make_queue):
    """A queue whose watch has ended by its age."""
    queue = make_queue(state="handoff_active")
    queue.settings = replace(queue.settings, watch_seconds=100.0)
    queue.restart()
    await watched(queue)
    await queue.observe_until(EventType.AUTHORIZATION_WATCH_ENDED)
    return queue


def access(queue, seconds=300.0):
    """An operator is let into the handoff that is open."""
    (handoff,) = queue.sim.state.authorizations[queue.authorization_id].handoffs
    until = datetime.fromtimestamp(queue.now() + seconds, UTC)
    queue.send(RecordAccess(handoff_id=handoff.id, operator="op", grant_expires_at=until))


async def test_a_watch_that_a_grant_begins_anew_looks_again_at_once_not_when_it_would_be_forgotten(make_queue):
    queue = await ended_watch(make_queue)
    access(queue)
    await queue.drain()
    assert queue.decoded_state().watch.ended is False
    assert queue.timer_at < queue.now() + 60, "the next look, not the end of the state"
    queue.sim.act(queue.authorization_id, "revoke", reason="somebody else")
    closed = await queue.observe_until(EventType.HANDOFF_CLOSED, most=3)
    assert closed.data.by == "other"


async def test_a_grant_leaves_the_alarm_of_a_watch_that_goes_on(make_queue):
    queue = await watched(make_queue(state="handoff_active"))
    standing = queue.timer_at
    queue.sim.advance(1.0)
    access(queue)
    await queue.drain()
    assert queue.timer_at == standing


async def test_retry_after_is_honoured(make_queue):
    queue = await watched(make_queue())
    queue.sim.fault("answer", method="GET", status=503, retryAfter="900", count=1)
    answer = await queue.observe()
    assert answer.timer_at >= queue.now() + 500, "capped by the client, but far beyond the cadence"


async def test_failures_stretch_the_cadence_and_success_ends_that(make_queue):
    queue = await watched(make_queue())
    queue.sim.fault("reset", method="GET", count=4)
    gaps = []
    for _ in range(5):
        await queue.observe()
        gaps.append(queue.timer_at - queue.now())
    assert gaps[1] > gaps[0]
    assert gaps[-1] < 40
    assert queue.events(EventType.AUTHORIZATION_CHANGED)[-1].data.from_status is None
    assert queue.decoded_state().watch.failures == 0


async def test_while_steps_are_stretched_alarms_go_by_without_a_call_and_then_stay_at_the_table(make_queue):
    queue = await watched(make_queue())
    queue.watcher.slowdown.factor = 8.0
    await queue.observe()
    calls = len(queue.collate.calls)
    for _ in range(5):
        answer = await queue.observe()
        assert (answer.outputs, answer.state) == ((), UNCHANGED)
        assert answer.timer_at - queue.now() <= 1.1 * queue.watcher.cadence.every(queue.decoded_state(), queue.now())
    assert len(queue.collate.calls) == calls, "not yet eight steps since the last look"
    queue.watcher.slowdown.factor = 2.0
    await queue.observe()
    assert len(queue.collate.calls) == calls + 1, "what was set while it was worse doesn't count any more"


async def test_a_stale_replica_tells_nothing(make_queue):
    queue = make_queue(readings={"closing_seconds": 0.0})
    await watched(queue)
    queue.sim.act(queue.authorization_id, "open_handoff")
    await queue.observe_until(EventType.HANDOFF_OPENED)
    queue.sim.change(stale_probability=0.6, stale_seconds=60.0)
    queue.sim.act(queue.authorization_id, "complete", reportedOutcome="submitted")
    await queue.observe_until(EventType.HANDOFF_RECONCILED)
    statuses = [event.data.to_status for event in queue.events(EventType.AUTHORIZATION_CHANGED)]
    assert statuses in (["requires_action", "processing", "waiting_on_payer"], ["requires_action", "waiting_on_payer"])


async def test_an_alarm_keeps_the_intent_of_a_waiting_command(make_queue):
    queue = await watched(make_queue())
    queue.sim.fault("reset", method="POST", when="after", count=1)
    asked = queue.send(HandoffRequest())
    await queue.invoke()
    intent = queue.decoded_state().work.intent
    await queue.observe()
    assert queue.decoded_state().work.intent == intent
    await queue.drain()
    assert queue.check(asked).effect == "ours"
    assert len(queue.events(EventType.HANDOFF_OPENED)) == 1

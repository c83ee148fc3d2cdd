"""Observations of the simulated Collate: their events, their writes, and the end of a watch."""

from datetime import UTC, datetime

import pytest

from adapters.collate.call_policy.calls import Priority
from consumers.engine import UNCHANGED, Done
from runtime.settings import WorkerSettings
from schemas.commands import AuthorizationWatch, HandoffRequest, RecordAccess
from schemas.enums import EventType
from schemas.identity import event_id
from tests.measured import value_of

DAY = 86_400.0


async def watched(queue):
    await queue.apply(AuthorizationWatch())
    return queue


async def test_an_observation_of_nothing_new_writes_nothing_and_makes_one_call(make_queue):
    queue = await watched(make_queue())
    before, calls = len(queue.outputs), len(queue.collate.calls)
    result = await queue.observe()
    assert (result.outputs, result.state) == ((), UNCHANGED)
    assert result.timer_at > queue.now()
    assert (len(queue.outputs), len(queue.collate.calls)) == (before, calls + 1)


async def test_an_unchanged_open_handoff_takes_two_calls(make_queue):
    queue = make_queue()
    await queue.apply(HandoffRequest())
    await queue.observe()
    calls = len(queue.collate.calls)
    assert (await queue.observe()).state is UNCHANGED
    assert [name for name, _ in queue.collate.calls[calls:]] == ["reread_authorization", "reread_handoff"]


async def test_a_handoff_of_another_actor_is_published_from_opening_to_end(make_queue):
    queue = await watched(make_queue())
    queue.sim.act(queue.authorization_id, "open_handoff")
    opened = await queue.observe_until(EventType.HANDOFF_OPENED)
    assert opened.causation_id is None
    queue.sim.act(queue.authorization_id, "unable_to_complete", reason="other")
    closed = await queue.observe_until(EventType.HANDOFF_CLOSED)
    assert (closed.data.by, closed.data.reported, closed.data.result) == ("other", *["unable_to_complete"] * 2)
    reconciled = await queue.observe_until(EventType.HANDOFF_RECONCILED)
    assert reconciled.data.handoff_id == opened.data.handoff_id


@pytest.mark.parametrize(("action", "by"), [("expire", "expiry"), ("lose_session", "loss"), ("cancel", "cancellation")])
async def test_an_end_without_a_report_is_published(make_queue, action, by):
    queue = make_queue(state="handoff_active")
    await watched(queue)
    queue.sim.act(queue.authorization_id, action)
    closed = await queue.observe_until(EventType.HANDOFF_CLOSED)
    assert closed.data.by == by
    reconciled = await queue.observe_until(EventType.HANDOFF_RECONCILED)
    assert reconciled.data.agreement == "no_report"


async def test_a_watch_ends_at_settlement_and_the_state_is_deleted_months_later(make_queue):
    queue = await watched(make_queue())
    queue.sim.act(queue.authorization_id, "cancel")
    await queue.observe_until(EventType.AUTHORIZATION_SETTLED)
    calls, settled_at = len(queue.collate.calls), queue.now()
    assert queue.timer_at > settled_at + 30 * DAY
    while queue.state is not None:
        result = await queue.observe()
        assert isinstance(result, Done)
    assert len(queue.collate.calls) == calls
    assert queue.now() > settled_at + 89 * DAY
    last = queue.outputs[-1]
    assert (last.topic, last.key, last.value) == ("t.authorizations", queue.key, None)


async def test_no_event_after_a_deletion_has_the_id_of_an_event_before_it(make_queue):
    queue = await watched(make_queue())
    queue.sim.act(queue.authorization_id, "cancel")
    await queue.observe_until(EventType.AUTHORIZATION_SETTLED)
    while queue.state is not None:
        await queue.observe()
    before = queue.events()
    await watched(queue)
    after = queue.events()[len(before) :]
    assert [event.sequence for event in after] == list(range(1, len(after) + 1))
    assert after[0].sequence == before[0].sequence
    ids, states = [event.id for event in queue.events()], queue.state_ids()
    assert len(ids) == len(set(ids))
    assert len(states) == len(set(states)) > len(after) / 2
    # One life has one `life`; later records do not change it.
    life = queue.decoded_state().life
    assert life is not None
    await queue.apply(AuthorizationWatch())
    assert queue.decoded_state().life == life


async def test_an_invocation_that_is_repeated_after_a_crash_gives_event_one_the_same_id(make_queue):
    for point in range(4):
        queue = make_queue()
        queue.send(AuthorizationWatch())
        queue.records[0] = queue.records[0]._replace(timestamp=1_780_409_161.25)
        queue.fuse.arm(point)
        queue.pass_until(queue.now() + point)
        await queue.drain()
        first = queue.events()[0]
        assert first.id == event_id(queue.authorization_id, 1_780_409_161_250, 1)


async def test_a_watch_ends_at_its_maximum_age(make_queue):
    queue = make_queue()
    queue.limits = WorkerSettings(watch_max_age="100s")
    queue.restart()
    await watched(queue)
    ended = await queue.observe_until(EventType.AUTHORIZATION_WATCH_ENDED)
    assert (ended.data.status, ended.data.reason) == ("requires_action", "max_age")
    assert queue.timer_at > queue.now() + 30 * DAY, "kept, but not observed"
    again = await queue.apply(AuthorizationWatch())
    assert queue.finished_of(again).outcome == "applied"
    assert queue.decoded_state().watch.ended is False


def hidden(queue, **more):
    """Make Collate answer that it does not find the authorization."""
    queue.sim.fault("answer", method="GET", status=404, code="prior_authorization_not_found", **more)


async def test_a_watch_ends_after_a_day_of_not_found_across_restarts(make_queue):
    queue = await watched(make_queue())
    hidden(queue)
    began = queue.now()
    while not queue.events(EventType.AUTHORIZATION_WATCH_ENDED):
        queue.restart()
        result = await queue.observe()
        assert queue.now() - began < 1.1 * DAY
    (ended,) = queue.events(EventType.AUTHORIZATION_WATCH_ENDED)
    assert (ended.data.reason, ended.data.status) == ("not_found", "requires_action")
    assert queue.now() - began >= DAY
    assert queue.decoded_state().watch.ended
    assert result.timer_at > queue.now() + 30 * DAY, "kept, but not observed"


async def test_not_found_is_written_a_few_times_and_then_no_more(make_queue):
    queue = await watched(make_queue())
    hidden(queue)
    writes = [(await queue.observe()).state is not UNCHANGED for _ in range(12)]
    assert writes == [True] * 8 + [False] * 4, "8 failures are counted, and 3 observations"
    assert len(queue.state) < 1024


@pytest.mark.parametrize("read_by", ["an observation", "a command"])
async def test_a_successful_read_restarts_the_day_of_not_found(make_queue, read_by):
    queue = await watched(make_queue())
    began = queue.now()
    hidden(queue)
    while queue.now() < began + 0.9 * DAY:
        await queue.observe()
    queue.sim.faults.clear()
    if read_by == "an observation":
        await queue.observe()
    else:
        await queue.apply(AuthorizationWatch())
    assert queue.decoded_state().watch.missing is None
    hidden(queue)
    again = queue.now()
    await queue.observe_until(EventType.AUTHORIZATION_WATCH_ENDED, most=2_000)
    assert queue.now() >= again + DAY


async def test_two_observations_a_day_apart_do_not_end_a_watch(make_queue):
    queue = await watched(make_queue())
    hidden(queue)
    await queue.observe()
    queue.sim.advance(2 * DAY)
    await queue.observe()
    assert not queue.events(EventType.AUTHORIZATION_WATCH_ENDED)


async def test_a_watch_that_never_read_its_authorization_ends_without_an_event(make_queue):
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
    """Return a queue whose watch has reached its maximum age."""
    queue = make_queue(state="handoff_active")
    queue.limits = WorkerSettings(watch_max_age="100s")
    queue.restart()
    await watched(queue)
    await queue.observe_until(EventType.AUTHORIZATION_WATCH_ENDED)
    return queue


def access(queue, seconds=300.0):
    """Return a recorded grant for the open handoff."""
    (handoff,) = queue.sim.state.authorizations[queue.authorization_id].handoffs
    until = datetime.fromtimestamp(queue.now() + seconds, UTC)
    queue.send(RecordAccess(handoff_id=handoff.id, operator="op", grant_expires_at=until))


async def test_a_grant_that_restarts_a_watch_replaces_the_deletion_timer(make_queue):
    queue = await ended_watch(make_queue)
    access(queue)
    await queue.drain()
    assert queue.decoded_state().watch.ended is False
    assert queue.timer_at < queue.now() + 60, "the next observation, not the deletion of the state"
    queue.sim.act(queue.authorization_id, "revoke", reason="another actor")
    closed = await queue.observe_until(EventType.HANDOFF_CLOSED, most=3)
    assert closed.data.by == "other"


async def test_a_grant_keeps_the_timer_of_a_running_watch(make_queue):
    queue = await watched(make_queue(state="handoff_active"))
    standing = queue.timer_at
    queue.sim.advance(1.0)
    access(queue)
    await queue.drain()
    assert queue.timer_at == standing


async def test_an_observation_obeys_retry_after(make_queue):
    queue = await watched(make_queue())
    queue.sim.fault("answer", method="GET", status=503, retryAfter="900", count=1)
    result = await queue.observe()
    assert result.timer_at >= queue.now() + 500, "capped by the client, but far beyond the cadence"


async def test_failures_lengthen_the_cadence_until_a_success(make_queue):
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


async def test_during_a_slowdown_timers_make_no_call_and_afterwards_follow_the_cadence(make_queue):
    queue = await watched(make_queue())
    slowdown = queue.watcher.slowdowns[Priority.IDLE]
    slowdown.factor = 8.0
    await queue.observe()
    calls = len(queue.collate.calls)
    for _ in range(5):
        result = await queue.observe()
        assert (result.outputs, result.state) == ((), UNCHANGED)
        assert result.timer_at - queue.now() <= 1.1 * queue.watcher.cadence.every(queue.decoded_state(), queue.now())
    assert value_of(queue.metrics.commands.observation_slowdown.labels("idle")) == slowdown.factor > 7.0
    assert len(queue.collate.calls) == calls, "eight steps have not passed since the last observation"
    slowdown.factor = 2.0
    await queue.observe()
    assert len(queue.collate.calls) == calls + 1, "the timer of the higher factor no longer counts"


async def test_a_slowdown_of_idle_authorizations_leaves_open_handoffs_at_their_cadence(make_queue):
    queue = await watched(make_queue())
    queue.watcher.slowdowns[Priority.IDLE].factor = 8.0
    queue.collate.turns.clear()
    await queue.observe()
    assert {priority for *_, priority in queue.collate.turns} == {Priority.IDLE}
    await queue.apply(HandoffRequest())
    for _ in range(3):
        queue.collate.turns.clear()
        await queue.observe()
        assert {(name.split("_")[-1], priority) for name, _, priority in queue.collate.turns} == {
            ("authorization", Priority.OBSERVATION),
            ("handoff", Priority.OBSERVATION),
        }


async def test_a_stale_read_publishes_nothing(make_queue):
    queue = make_queue(readings={"closing_seconds": 0.0})
    await watched(queue)
    queue.sim.act(queue.authorization_id, "open_handoff")
    await queue.observe_until(EventType.HANDOFF_OPENED)
    queue.sim.change(stale_probability=0.6, stale_seconds=60.0)
    queue.sim.act(queue.authorization_id, "complete", reportedOutcome="submitted")
    await queue.observe_until(EventType.HANDOFF_RECONCILED)
    statuses = [event.data.to_status for event in queue.events(EventType.AUTHORIZATION_CHANGED)]
    assert statuses in (["requires_action", "processing", "waiting_on_payer"], ["requires_action", "waiting_on_payer"])


async def test_a_timer_keeps_the_intent_of_a_waiting_command(make_queue):
    queue = await watched(make_queue())
    queue.sim.fault("reset", method="POST", when="after", count=1)
    command = queue.send(HandoffRequest())
    await queue.invoke()
    intent = queue.decoded_state().work.intent
    await queue.observe()
    assert queue.decoded_state().work.intent == intent
    await queue.drain()
    assert queue.check(command).effect == "ours"
    assert len(queue.events(EventType.HANDOFF_OPENED)) == 1

"""What a handler answers, and what becomes of it. What a handler does wrong is in test_turns_gone_wrong.py."""

import asyncio

import pytest

from consumers.authorization.wait_reasons import WaitReason
from consumers.engine.interface import Done, Output, PartitionLost, RetryAt
from consumers.engine.state_store import state_record


async def test_what_a_turn_returns_is_handed_over_together(harness):
    event = Output("events", b"k", b"happened")

    async def record(invocation, record):
        return Done((event,), state=b"one", dead_lettered=True)

    harness.handler.record = record
    harness.add(b"k")
    await harness.rest()
    (pending,) = harness.session.pending
    assert (pending.outputs, pending.offset, pending.waiter) == ((event,), 0, None)
    assert pending.state == Output("state", b"k", b"one")
    assert harness.session.dead_letters == 1


async def test_the_next_turn_of_a_key_sees_its_memory_before_it_is_committed(harness):
    async def record(invocation, record):
        return Done(state=(invocation.state or b"") + b"x")

    harness.handler.record = record
    harness.add(b"k", b"k", b"k")
    await harness.rest()
    assert [pending.state.value for pending in harness.session.pending] == [b"x", b"xx", b"xxx"]


async def test_a_key_runs_one_turn_at_a_time_and_other_keys_go_on(harness):
    gate = asyncio.Event()

    async def record(invocation, record):
        if invocation.key == b"slow":
            await gate.wait()
        return Done()

    harness.handler.record = record
    harness.add(b"slow", b"slow", b"quick", b"quick")
    await harness.rest()
    assert harness.session.offsets == [2, 3]
    gate.set()
    await harness.rest()
    assert harness.session.offsets == [2, 3, 0, 1]


async def test_an_unchanged_memory_is_not_written_again(harness):
    answers = iter([Done(state=b"one"), Done(state=b"one"), Done()])

    async def record(invocation, record):
        return next(answers)

    harness.handler.record = record
    harness.add(b"k", b"k", b"k")
    await harness.rest()
    assert [pending.state is not None for pending in harness.session.pending] == [True, False, False]


async def test_none_forgets_the_key(harness):
    harness.states.put(b"k", b"old", None)

    async def record(invocation, record):
        return Done(state=None)

    harness.handler.record = record
    harness.add(b"k", b"k")
    await harness.rest()
    assert [pending.state for pending in harness.session.pending] == [Output("state", b"k", None), None]
    assert harness.states.get(b"k") is None


async def test_an_alarm_is_carried_by_the_memory_and_calls_the_handler(harness):
    async def record(invocation, record):
        return Done(state=b"one", timer_at=invocation.now + 60)

    async def timer(invocation):
        return Done((Output("events", invocation.key, b"rang"),), state=invocation.state + b"!")

    harness.handler.record, harness.handler.timer = record, timer
    harness.add(b"k")
    await harness.rest()
    assert harness.session.pending[0].state == state_record("state", b"k", b"one", 1_060.0)
    harness.pass_time(59)
    await harness.rest()
    assert harness.handler.seen == [0]
    harness.pass_time(1)
    await harness.rest()
    assert harness.handler.seen == [0, b"k"]
    rang = harness.session.pending[1]
    assert (rang.offset, rang.state) == (None, Output("state", b"k", b"one!"))
    assert harness.key_queues.timers == 0


async def test_an_alarm_that_says_nothing_new_writes_nothing(harness):
    harness.states.put(b"k", b"one", 1_000.0)
    harness.key_queues.set_timer(b"k", 1_000.0)

    async def timer(invocation):
        return Done(timer_at=invocation.now + 60)

    harness.handler.timer = timer
    harness.dispatcher.start()
    await harness.rest()
    assert harness.handler.seen == [b"k"]
    assert harness.session.pending == []
    assert harness.key_queues.timer_of(b"k") == 1_060.0


@pytest.mark.parametrize(
    ("stood", "timer_at", "is_written"),
    [(None, 2_000.0, True), (2_000.0, None, True), (2_000.0, 1_500.0, True), (2_000.0, 2_000.0, False)],
    ids=["new", "removed", "sooner", "same"],
)
async def test_an_alarm_that_a_restart_must_not_miss_is_written_though_the_memory_is_the_same(
    harness, stood, timer_at, is_written
):
    harness.states.put(b"k", b"one", stood)

    async def record(invocation, record):
        return Done(timer_at=timer_at)

    harness.handler.record = record
    harness.add(b"k")
    await harness.rest()
    state = harness.session.pending[0].state
    assert state == (state_record("state", b"k", b"one", timer_at) if is_written else None)


async def test_a_lane_stays_on_its_record_until_then(harness):
    tries = []

    async def record(invocation, record):
        tries.append((invocation.tries, invocation.failures, invocation.since, invocation.now))
        return RetryAt(invocation.now + 5, WaitReason.RETRY_AFTER) if len(tries) < 3 else Done()

    harness.handler.record = record
    harness.add(b"k", b"k")
    await harness.rest()
    assert harness.key_queues.waits() == {WaitReason.RETRY_AFTER: 1}
    for _ in range(2):
        assert harness.session.pending == []
        harness.pass_time(5)
        await harness.rest()
    assert tries[:3] == [(0, 0, 1_000.0, 1_000.0), (1, 0, 1_000.0, 1_005.0), (2, 0, 1_000.0, 1_010.0)]
    assert tries[3] == (0, 0, 1_010.0, 1_010.0)
    assert harness.session.offsets == [0, 1]


async def test_a_record_that_comes_before_the_first_step_of_its_keys_alarm_runs_after_it(harness):
    harness.key_queues.set_timer(b"k", 1_000.0)
    harness.dispatcher.start()
    harness.add(b"k")
    await harness.rest()
    assert harness.handler.seen == [b"k", 0]
    harness.key_queues.set_timer(b"late", 1_000.0)
    harness.session.has_time_to_spare = False
    harness.dispatcher.start()
    await harness.rest()
    assert harness.handler.seen == [b"k", 0, b"late"], "a record is counted that does not run"


async def test_an_alarm_answered_with_again_is_due_again_then(harness):
    harness.key_queues.set_timer(b"k", 1_000.0)

    async def timer(invocation):
        return RetryAt(invocation.now + 7, WaitReason.BUDGET)

    harness.handler.timer = timer
    harness.dispatcher.start()
    await harness.rest()
    assert (harness.key_queues.next_due(), len(harness.key_queues), harness.session.pending) == (1_007.0, 0, [])


async def test_a_checkpoint_returns_when_it_is_committed_and_finishes_nothing(harness):
    intended, noted = [], Output("events", b"k", b"about to")

    async def record(invocation, record):
        await invocation.checkpoint(b"intent", (noted,))
        intended.append(invocation.state)
        return Done(state=b"done", timer_at=None)

    harness.states.put(b"k", b"old", None)
    harness.key_queues.set_timer(b"k", 9_000.0)
    harness.handler.record = record
    harness.add(b"k")
    await harness.rest()
    (pending,) = harness.session.pending
    assert (pending.offset, pending.outputs) == (None, (noted,))
    assert pending.state == state_record("state", b"k", b"intent", 9_000.0)
    assert intended == []
    harness.session.commit()
    await harness.rest()
    assert intended == [b"intent"]
    assert harness.session.offsets == [0]
    assert harness.session.pending[1].state == Output("state", b"k", b"done")


async def test_no_effect_begins_after_the_partition_is_lost(harness):
    effects = []

    async def record(invocation, record):
        await invocation.ensure_owned()
        effects.append("before")
        await invocation.checkpoint(b"intent")
        effects.append("after")
        return Done()

    harness.handler.record = record
    harness.add(b"k")
    await harness.rest()
    harness.session.is_lost = True
    harness.session.commit()
    await harness.rest()
    assert effects == ["before"]
    assert harness.session.offsets == []


async def test_a_checkpoint_that_is_thrown_away_is_lost(harness):
    async def record(invocation, record):
        with pytest.raises(PartitionLost):
            await invocation.checkpoint(b"intent")
        raise PartitionLost

    harness.handler.record = record
    harness.add(b"k")
    await harness.rest()
    harness.session.fail()
    await harness.rest()
    assert harness.dispatcher.running == 0


async def test_closing_cancels_turns_and_waits_for_their_end(harness):
    ended = []
    gate = asyncio.Event()

    async def record(invocation, record):
        try:
            if invocation.key == b"in a checkpoint":
                await invocation.checkpoint(b"intent")
            else:
                await gate.wait()
        finally:
            await asyncio.sleep(0)
            ended.append(invocation.key)

    harness.handler.record = record
    harness.add(b"in a checkpoint", b"in a call")
    await harness.rest()
    harness.dispatcher.close()
    await harness.dispatcher.closed()
    assert sorted(ended) == [b"in a call", b"in a checkpoint"]
    assert (harness.dispatcher.running, harness.limiter.used, harness.session.offsets) == (0, 0, [])
    harness.add(b"late")
    await harness.rest()
    assert harness.handler.seen == [0, 1]


async def test_turns_that_are_closed_before_their_first_step_give_their_slots_back(harness):
    harness.add(b"a", b"b", b"c")
    assert harness.limiter.used == 3
    harness.dispatcher.close()
    await harness.dispatcher.closed()
    assert (harness.dispatcher.running, harness.limiter.used, harness.handler.seen) == (0, 0, [])


async def test_a_turn_that_had_no_first_step_yet_does_not_hang_whatever_the_clock_says(harness):
    harness.add(b"k")
    harness.clock.now += 1_000
    assert harness.dispatcher.cancel_overdue() == 0
    await harness.rest()
    assert harness.session.offsets == [0]


async def test_a_turn_that_will_not_be_cancelled_hands_nothing_over(harness):
    async def record(invocation, record):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Done(state=b"late")

    harness.handler.record = record
    harness.add(b"k")
    await harness.rest()
    harness.dispatcher.close()
    await harness.dispatcher.closed()
    assert harness.session.pending == []
    assert harness.states.get(b"k") is None


async def test_closed_turns_own_nothing(harness):
    harness.dispatcher.close()
    with pytest.raises(PartitionLost):
        await harness.dispatcher.ensure_owned()


async def test_a_partition_gives_its_slot_to_another_that_waits(harness):
    class Other:
        started = 0

        def start_one(self):
            self.started += 1
            return self.started == 1

    harness.limiter._limit = 1
    gate = asyncio.Event()

    async def record(invocation, record):
        await gate.wait()
        return Done()

    harness.handler.record = record
    harness.add(b"a")
    other = Other()
    assert not harness.limiter.acquire(other)
    harness.add(b"b")
    gate.set()
    await harness.rest()
    assert (other.started, harness.session.offsets) == (1, [0])
    harness.limiter.release()
    await harness.rest()
    assert harness.session.offsets == [0, 1]


async def test_turns_are_measured(harness):
    async def record(invocation, record):
        harness.clock.now += 2
        if not invocation.failures:
            raise ValueError("a bug")
        return Done(timer_at=invocation.now + 10)

    harness.handler.record = record
    harness.add(b"k")
    await harness.rest()
    harness.pass_time(1)
    await harness.rest()
    harness.pass_time(15)
    await harness.rest()
    assert harness.metric("handler_failures_total", reason="handler_failed") == 1
    assert harness.metric("handler_seconds_sum", kind="record") == 4
    assert harness.metric("handler_seconds_count", kind="alarm") == 1
    assert harness.metric("alarm_late_seconds_sum") == 7

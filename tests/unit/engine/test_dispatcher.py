"""The results of a handler. test_dispatcher_failures.py has the failures."""

import asyncio

import pytest

from consumers.engine.interface import Done, Failure, Output, PartitionLost, RetryAt
from consumers.engine.state_store import state_record
from schemas.events.wait_reasons import WaitReason
from tests.unit.engine.conftest import returning


async def test_the_parts_of_a_result_are_queued_together(harness):
    event = Output("events", b"k", b"happened")

    harness.handler.record = returning(
        Done((event,), state=b"one", dead_lettered=Failure("refused", counts=True), source="a")
    )
    await harness.run(b"k")
    (pending,) = harness.results.pending
    assert (pending.outputs, pending.offset, pending.waiter) == ((event,), 0, None)
    assert pending.state == Output("state", b"k", b"one")
    assert pending.record == (b"k", "a", "refused", True)
    assert harness.results.dead_letters == 1


async def test_a_keys_next_invocation_reads_the_state_before_its_commit(harness):
    async def record(invocation, record):
        return Done(state=(invocation.state or b"") + b"x")

    harness.handler.record = record
    await harness.run(b"k", b"k", b"k")
    assert [pending.state.value for pending in harness.results.pending] == [b"x", b"xx", b"xxx"]


async def test_a_key_runs_one_invocation_at_a_time_beside_other_keys(harness):
    gate = asyncio.Event()

    async def record(invocation, record):
        if invocation.key == b"slow":
            await gate.wait()
        return Done()

    harness.handler.record = record
    await harness.run(b"slow", b"slow", b"quick", b"quick")
    assert harness.results.offsets == [2, 3]
    gate.set()
    await harness.rest()
    assert harness.results.offsets == [2, 3, 0, 1]


async def test_an_unchanged_state_is_not_written_again(harness):
    results = iter([Done(state=b"one"), Done(state=b"one"), Done()])

    harness.handler.record = returning(next(results))
    await harness.run(b"k", b"k", b"k")
    assert [pending.state is not None for pending in harness.results.pending] == [True, False, False]


async def test_none_deletes_the_state(harness):
    harness.states.put(b"k", b"old", None)

    harness.handler.record = returning(Done(state=None))
    await harness.run(b"k", b"k")
    assert [pending.state for pending in harness.results.pending] == [Output("state", b"k", None), None]
    assert harness.states.get(b"k") is None


async def test_a_timer_is_written_with_the_state_and_calls_the_handler(harness):
    async def record(invocation, record):
        return Done(state=b"one", timer_at=invocation.now + 60)

    async def timer(invocation):
        return Done((Output("events", invocation.key, b"expired"),), state=invocation.state + b"!")

    harness.handler.record, harness.handler.timer = record, timer
    await harness.run(b"k")
    assert harness.results.pending[0].state == state_record("state", b"k", b"one", 1_060.0)
    await harness.run(after=59)
    assert harness.handler.seen == [0]
    await harness.run(after=1)
    assert harness.handler.seen == [0, b"k"]
    expired = harness.results.pending[1]
    assert (expired.offset, expired.state) == (None, Output("state", b"k", b"one!"))
    assert harness.key_queues.timers == 0


async def test_a_timer_without_a_change_writes_nothing(harness):
    harness.states.put(b"k", b"one", 1_000.0)
    harness.key_queues.set_timer(b"k", 1_000.0)

    async def timer(invocation):
        return Done(timer_at=invocation.now + 60)

    harness.handler.timer = timer
    harness.dispatcher.start()
    await harness.rest()
    assert harness.handler.seen == [b"k"]
    assert harness.results.pending == []
    assert harness.key_queues.timer_of(b"k") == 1_060.0


@pytest.mark.parametrize(
    ("written", "timer_at", "is_written"),
    [(None, 2_000.0, True), (2_000.0, None, True), (2_000.0, 1_500.0, True), (2_000.0, 2_000.0, False)],
    ids=["new", "removed", "sooner", "same"],
)
async def test_a_timer_that_a_restart_would_miss_is_written_with_an_unchanged_state(
    harness, written, timer_at, is_written
):
    harness.states.put(b"k", b"one", written)

    harness.handler.record = returning(Done(timer_at=timer_at))
    await harness.run(b"k")
    state = harness.results.pending[0].state
    assert state == (state_record("state", b"k", b"one", timer_at) if is_written else None)


async def test_a_key_queue_keeps_its_record_until_the_retry(harness):
    tries = []

    async def record(invocation, record):
        tries.append((invocation.tries, invocation.failures, invocation.since, invocation.now))
        return RetryAt(invocation.now + 5, WaitReason.RETRY_AFTER) if len(tries) < 3 else Done()

    harness.handler.record = record
    await harness.run(b"k", b"k")
    assert harness.key_queues.waits() == {WaitReason.RETRY_AFTER: 1}
    for _ in range(2):
        assert harness.results.pending == []
        await harness.run(after=5)
    assert tries[:3] == [(0, 0, 1_000.0, 1_000.0), (1, 0, 1_000.0, 1_005.0), (2, 0, 1_000.0, 1_010.0)]
    assert tries[3] == (0, 0, 1_010.0, 1_010.0)
    assert harness.results.offsets == [0, 1]


async def test_a_record_that_arrives_before_the_first_step_of_its_keys_timer_runs_after_it(harness):
    harness.key_queues.set_timer(b"k", 1_000.0)
    harness.dispatcher.start()
    await harness.run(b"k")
    assert harness.handler.seen == [b"k", 0]
    harness.key_queues.set_timer(b"late", 1_000.0)
    harness.dispatcher._loop_lag.is_late = True
    harness.dispatcher.start()
    await harness.rest()
    assert harness.handler.seen == [b"k", 0, b"late"], "the count of running records includes one that does not run"


async def test_a_timer_that_returns_retry_at_is_due_again_at_that_time(harness):
    harness.key_queues.set_timer(b"k", 1_000.0)

    async def timer(invocation):
        return RetryAt(invocation.now + 7, WaitReason.BUDGET)

    harness.handler.timer = timer
    harness.dispatcher.start()
    await harness.rest()
    assert (harness.key_queues.next_due(), len(harness.key_queues), harness.results.pending) == (1_007.0, 0, [])


async def test_a_checkpoint_returns_after_its_commit_and_finishes_nothing(harness):
    seen_states, noted = [], Output("events", b"k", b"about to")

    async def record(invocation, record):
        await invocation.checkpoint(b"intent", (noted,))
        seen_states.append(invocation.state)
        return Done(state=b"done", timer_at=None)

    harness.states.put(b"k", b"old", None)
    harness.key_queues.set_timer(b"k", 9_000.0)
    harness.handler.record = record
    await harness.run(b"k")
    (pending,) = harness.results.pending
    assert (pending.offset, pending.outputs) == (None, (noted,))
    assert pending.state == state_record("state", b"k", b"intent", 9_000.0)
    assert seen_states == []
    harness.results.commit()
    await harness.rest()
    assert seen_states == [b"intent"]
    assert harness.results.offsets == [0]
    assert harness.results.pending[1].state == Output("state", b"k", b"done")


async def test_no_external_call_begins_after_the_partition_is_lost(harness):
    calls = []

    async def record(invocation, record):
        await invocation.ensure_owned()
        calls.append("before")
        await invocation.checkpoint(b"intent")
        calls.append("after")
        return Done()

    harness.handler.record = record
    await harness.run(b"k")
    harness.dispatcher._membership.is_trusted = False
    harness.results.commit()
    await harness.rest()
    assert calls == ["before"]
    assert harness.results.offsets == []


async def test_a_discarded_checkpoint_raises_partition_lost(harness):
    async def record(invocation, record):
        with pytest.raises(PartitionLost):
            await invocation.checkpoint(b"intent")
        raise PartitionLost

    harness.handler.record = record
    await harness.run(b"k")
    harness.results.fail()
    await harness.rest()
    assert harness.dispatcher.running == 0


async def test_closing_cancels_invocations_and_waits_for_their_end(harness):
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
    await harness.run(b"in a checkpoint", b"in a call")
    harness.dispatcher.close()
    await harness.dispatcher.wait_closed()
    assert sorted(ended) == [b"in a call", b"in a checkpoint"]
    assert (harness.dispatcher.running, harness.limiter.used, harness.results.offsets) == (0, 0, [])
    await harness.run(b"late")
    assert harness.handler.seen == [0, 1]


async def test_invocations_that_are_closed_before_their_first_step_release_their_slots(harness):
    harness.add(b"a", b"b", b"c")
    assert harness.limiter.used == 3
    harness.dispatcher.close()
    await harness.dispatcher.wait_closed()
    assert (harness.dispatcher.running, harness.limiter.used, harness.handler.seen) == (0, 0, [])


async def test_an_invocation_without_a_first_step_is_never_overdue(harness):
    harness.add(b"k")
    harness.clock.now += 1_000
    assert harness.dispatcher.cancel_overdue() == 0
    await harness.rest()
    assert harness.results.offsets == [0]


async def test_an_invocation_that_ignores_cancellation_queues_nothing(harness):
    async def record(invocation, record):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Done(state=b"late")

    harness.handler.record = record
    await harness.run(b"k")
    harness.dispatcher.close()
    await harness.dispatcher.wait_closed()
    assert harness.results.pending == []
    assert harness.states.get(b"k") is None


async def test_invocations_are_measured(harness):
    async def record(invocation, record):
        began = invocation.now
        harness.clock.now += 2
        if not invocation.failures:
            raise ValueError("a bug")
        return Done(timer_at=began + 10)

    harness.handler.record = record
    await harness.run(b"k")
    await harness.run(after=1)
    await harness.run(after=15)
    assert harness.metric("handler_failures_total", reason="handler_failed") == 1
    assert harness.metric("handler_seconds_sum", kind="record") == 4
    assert harness.metric("handler_seconds_count", kind="timer") == 1
    assert harness.metric("timer_late_seconds_sum") == 7

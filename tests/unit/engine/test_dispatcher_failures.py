"""Failures of a handler: its key waits, other keys run, and nothing of the failed invocation is committed."""

import asyncio

import pytest

from consumers.engine.interface import Done, HandlerFailure, Output, PartitionLost, RetryAt
from schemas.events.wait_reasons import WaitReason
from tests.unit.engine.conftest import returning


async def test_a_key_whose_invocation_raises_waits_longer_each_time_alone(harness):
    began = []

    async def record(invocation, record):
        if invocation.key == b"good":
            return Done()
        began.append((invocation.now, invocation.failures))
        raise ValueError("a bug")

    harness.handler.record = record
    harness.add(b"bad", b"good")
    for _ in range(40):
        await harness.rest()
        harness.pass_time(0.5)
    assert harness.results.offsets == [1]
    assert began == [(1_000.0, 0), (1_001.0, 1), (1_003.0, 2), (1_007.0, 3), (1_015.0, 4)]
    assert harness.key_queues.waits() == {HandlerFailure.RAISED: 1}


async def test_a_timer_that_raises_waits_longer_each_time(harness):
    began = []

    async def timer(invocation):
        began.append((invocation.now, invocation.failures))
        raise ValueError("a bug")

    harness.handler.timer = timer
    harness.key_queues.set_timer(b"k", 1_000.0)
    for _ in range(40):
        harness.dispatcher.start()
        await harness.rest()
        harness.pass_time(0.5)
    assert began == [(1_000.0, 0), (1_001.0, 1), (1_003.0, 2), (1_007.0, 3), (1_015.0, 4)]
    harness.handler.timer = None
    await harness.run(after=10)
    harness.handler.timer = timer
    harness.key_queues.set_timer(b"k", 1_031.0)
    await harness.run(after=10)
    assert began[5:] == [(1_040.0, 0)]


@pytest.mark.parametrize(
    "result",
    [
        Done(state=bytes(101)),
        Done(tuple(Output("events", b"k", bytes(300)) for _ in range(4))),
        Done((Output("events", b"k", b"v", (("header", bytes(950_000)),)),)),
    ],
    ids=["state", "outputs", "one record"],
)
async def test_a_result_that_is_too_large_is_rejected_and_the_state_kept(harness, result):
    harness.states.put(b"k", b"old", None)

    harness.handler.record = returning(result)
    await harness.run(b"k")
    assert harness.key_queues.waits() == {HandlerFailure.RESULT_TOO_LARGE: 1}
    assert (harness.results.pending, harness.states.get(b"k")) == ([], b"old")


async def test_a_checkpoint_that_is_too_large_is_rejected(harness):
    async def record(invocation, record):
        await invocation.checkpoint(bytes(101))

    harness.handler.record = record
    await harness.run(b"k")
    assert harness.key_queues.waits() == {HandlerFailure.RESULT_TOO_LARGE: 1}
    assert harness.results.pending == []


async def test_a_checkpoint_that_kafka_cannot_write_is_rejected(harness):
    async def record(invocation, record):
        if invocation.key == b"state":
            await invocation.checkpoint("text")
        await invocation.checkpoint(b"state", (Output("events", b"k", "text"),))

    harness.handler.record = record
    await harness.run(b"state", b"output")
    assert harness.key_queues.waits() == {HandlerFailure.RAISED: 2}
    assert (harness.results.pending, len(harness.states)) == ([], 0)


async def test_a_key_that_leaves_no_room_for_its_state_is_too_large(harness):
    harness.handler.record = returning(Done(state=b"one"))
    await harness.run(bytes(900_000))
    assert harness.key_queues.waits() == {HandlerFailure.RESULT_TOO_LARGE: 1}


@pytest.mark.parametrize("result", [None, Done(state="text"), Done((Output("events", b"k", "text"),))])
async def test_an_invalid_result_is_a_failure(harness, result):
    harness.handler.record = returning(result)
    await harness.run(b"k")
    assert harness.key_queues.waits() == {HandlerFailure.RAISED: 1}
    assert harness.results.pending == []
    assert harness.key_queues.next_due() == 1_001.0


async def test_a_foreign_cancellation_is_a_failure_and_frees_the_slot(harness):
    async def record(invocation, record):
        if invocation.key == b"awaits what was cancelled" and not invocation.failures:
            cancelled = asyncio.get_running_loop().create_future()
            cancelled.cancel()
            await cancelled
        if invocation.key == b"cancels itself" and not invocation.failures:
            asyncio.current_task().cancel()
            await asyncio.sleep(0)
        return Done()

    harness.handler.record = record
    harness.limiter._limit = 1
    await harness.run(b"awaits what was cancelled", b"cancels itself", b"good")
    assert harness.key_queues.waits() == {HandlerFailure.RAISED: 2}
    assert harness.metric("handler_failures_total", reason="handler_failed") == 2
    assert harness.results.offsets == [2]
    await harness.run(after=1)
    assert sorted(harness.results.offsets) == [0, 1, 2]


async def test_a_handler_that_never_awaits_does_not_stop_the_process(harness):
    async def record(invocation, record):
        return RetryAt(invocation.now, WaitReason.RETRY_AFTER)

    async def timer(invocation):
        return Done(timer_at=invocation.now)

    harness.handler.record, harness.handler.timer = record, timer
    harness.key_queues.set_timer(b"timer", 1_000.0)
    await harness.run(b"k")


async def test_an_invocation_that_hangs_is_cancelled_and_retried(harness):
    async def record(invocation, record):
        if invocation.failures == 0:
            await asyncio.Event().wait()
        return Done()

    harness.handler.record = record
    await harness.run(b"k")
    harness.clock.now += 9
    assert harness.dispatcher.cancel_overdue() == 0
    harness.clock.now += 2
    assert harness.dispatcher.cancel_overdue() == 1
    assert harness.dispatcher.cancel_overdue() == 0
    await harness.rest()
    assert harness.key_queues.waits() == {HandlerFailure.TIMED_OUT: 1}
    assert harness.results.pending == []
    await harness.run(after=1)
    assert harness.results.offsets == [0]


async def test_an_invocation_that_hangs_in_a_checkpoint_waits_for_its_commit(harness):
    states = []

    async def record(invocation, record):
        states.append(invocation.state)
        if invocation.state is None:
            await invocation.checkpoint(b"intent")
        return Done()

    harness.handler.record = record
    await harness.run(b"k")
    for _ in range(3):
        harness.clock.now += 11
        harness.dispatcher.cancel_overdue()
        await harness.rest()
        harness.dispatcher.start()
    assert states == [None]
    harness.results.commit()
    await harness.rest()
    assert harness.key_queues.waits() == {HandlerFailure.TIMED_OUT: 1}
    await harness.run(after=1)
    assert states == [None, b"intent"]
    assert harness.results.offsets == [0]


async def test_an_invocation_that_hangs_in_a_checkpoint_ends_with_its_partition(harness):
    async def record(invocation, record):
        await invocation.checkpoint(b"intent")

    harness.handler.record = record
    await harness.run(b"k")
    harness.clock.now += 11
    harness.dispatcher.cancel_overdue()
    await harness.rest()
    harness.dispatcher.close()
    await asyncio.wait_for(harness.dispatcher.wait_closed(), 1)


async def test_a_result_after_a_cancellation_counts_and_the_next_call_can_be_cancelled(harness):
    async def record(invocation, record):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if invocation.key == b"stubborn":
                return Done()
            raise

    harness.handler.record = record
    harness.limiter._limit = 1
    harness.add(b"stubborn", b"hangs")
    for _ in range(2):
        await harness.rest()
        harness.clock.now += 11
        assert harness.dispatcher.cancel_overdue() == 1
    await harness.rest()
    assert harness.results.offsets == [0]
    assert harness.key_queues.waits() == {HandlerFailure.TIMED_OUT: 1}


async def test_an_invocation_that_hangs_in_its_cleanup_is_cancelled_again(harness, logged):
    async def record(invocation, record):
        if invocation.failures == 0:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.Event().wait()
        return Done()

    harness.handler.record = record
    await harness.run(b"k")
    for _ in range(2):
        assert harness.key_queues.waits() == {}
        harness.clock.now += 11
        assert (harness.dispatcher.cancel_overdue(), harness.dispatcher.cancel_overdue()) == (1, 0)
        await harness.rest()
    assert harness.key_queues.waits() == {HandlerFailure.TIMED_OUT: 1}
    assert [entry["offset"] for entry in logged if entry["event"] == "engine.cancellation_ignored"] == [0]
    assert harness.metric("handler_failures_total", reason="handler_hung") == 2
    await harness.run(after=1)
    assert (harness.results.offsets, harness.limiter.used) == ([0], 0)


@pytest.mark.parametrize("result", [Done(), RetryAt(1_000.0, WaitReason.BACKOFF), ValueError("a bug")])
async def test_the_next_invocation_waits_for_an_abandoned_checkpoint(harness, result):
    """Otherwise the next invocation could start a call whose intent is not committed."""
    states = []

    async def record(invocation, record):
        states.append(invocation.state)
        if invocation.state is None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await invocation.checkpoint(b"intent")
            if isinstance(result, Exception):
                raise result
            return result
        return Done()

    harness.handler.record = record
    harness.add(b"k", b"k")
    for _ in range(3):
        await harness.rest()
        harness.pass_time(11)
        harness.dispatcher.cancel_overdue()
    assert states == [None]
    harness.results.commit()
    await harness.rest()
    await harness.run(after=11)
    assert states[:2] == [None, b"intent"]
    assert harness.results.offsets == [0, 1]


@pytest.fixture
def short_deadline(monkeypatch):
    monkeypatch.setattr("consumers.engine.task_pool._CLOSING_SECONDS", 0.01)


async def test_closing_abandons_an_invocation_that_does_not_end_and_drops_its_result(harness, short_deadline, logged):
    may_end = asyncio.Event()
    ended = []

    async def record(invocation, record):
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                ended.append("cancelled")
        for begin in (invocation.ensure_owned(), invocation.checkpoint(b"intent")):
            with pytest.raises(PartitionLost):
                await begin
        ended.append("ended")
        return Done(state=b"late")

    harness.handler.record = record
    await harness.run(b"k")
    harness.dispatcher.close()
    await asyncio.wait_for(harness.dispatcher.wait_closed(), 5)
    assert ended == ["cancelled", "cancelled"]
    assert (harness.dispatcher.running, harness.limiter.used) == (0, 0)
    assert [entry["invocations"] for entry in logged if entry["event"] == "engine.invocations_abandoned"] == [1]
    assert harness.metric("invocations_left_behind") == 1
    may_end.set()
    await harness.rest()
    assert ended[2:] == ["ended"]
    assert (harness.metric("invocations_left_behind"), harness.limiter.used) == (0, 0)
    assert (harness.results.pending, harness.states.get(b"k")) == ([], None)


@pytest.mark.parametrize("kind", ["record", "timer"])
async def test_failures_count_in_a_row(harness, kind):
    failures = []

    async def step(invocation, _=None):
        failures.append(invocation.failures)
        if len(failures) % 3 == 0:
            return RetryAt(invocation.now, WaitReason.RETRY_AFTER)
        raise ValueError("a bug")

    harness.handler.record = harness.handler.timer = step
    harness.key_queues.set_timer(b"timer", 1_000.0) if kind == "timer" else harness.add(b"k")
    for _ in range(7):
        await harness.run(after=8)
    harness.dispatcher.close()
    assert failures[:7] == [0, 1, 2, 0, 1, 2, 0]

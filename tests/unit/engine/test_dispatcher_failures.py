"""The lane's boundary: whatever a handler does is that key's wait, and nothing of it is handed over."""

import asyncio
import math

import pytest

from consumers.authorization.wait_reasons import WaitReason
from consumers.engine.interface import Done, HandlerFailure, Output, PartitionLost, RetryAt


async def test_a_turn_that_raises_waits_longer_each_time_and_no_other_key_with_it(bench):
    began = []

    async def record(turn, record):
        if turn.key == b"good":
            return Done()
        began.append((turn.now, turn.failures))
        raise ValueError("a bug")

    bench.handler.record = record
    bench.add(b"bad", b"good")
    for _ in range(40):
        await bench.rest()
        bench.pass_time(0.5)
    assert bench.owner.offsets == [1]
    assert began == [(1_000.0, 0), (1_001.0, 1), (1_003.0, 2), (1_007.0, 3), (1_015.0, 4)]
    assert bench.lanes.waits() == {HandlerFailure.RAISED: 1}


async def test_an_alarm_that_raises_waits_longer_each_time(bench):
    began = []

    async def alarm(turn):
        began.append((turn.now, turn.failures))
        raise ValueError("a bug")

    bench.handler.alarm = alarm
    bench.lanes.set_alarm(b"k", 1_000.0)
    for _ in range(40):
        bench.turns.start()
        await bench.rest()
        bench.pass_time(0.5)
    assert began == [(1_000.0, 0), (1_001.0, 1), (1_003.0, 2), (1_007.0, 3), (1_015.0, 4)]
    bench.handler.alarm = None
    bench.pass_time(10)
    await bench.rest()
    bench.handler.alarm = alarm
    bench.lanes.set_alarm(b"k", 1_031.0)
    bench.pass_time(10)
    await bench.rest()
    assert began[5:] == [(1_040.0, 0)]


@pytest.mark.parametrize(
    "answer",
    [
        Done(state=bytes(101)),
        Done(tuple(Output("events", b"k", bytes(300)) for _ in range(4))),
        Done((Output("events", b"k", b"v", (("header", bytes(950_000)),)),)),
    ],
    ids=["memory", "outputs", "one record"],
)
async def test_a_turn_that_returns_too_much_waits_and_leaves_the_memory_as_it_was(bench, answer):
    bench.memories.put(b"k", b"old", None)

    async def record(turn, record):
        return answer

    bench.handler.record = record
    bench.add(b"k")
    await bench.rest()
    assert bench.lanes.waits() == {HandlerFailure.RESULT_TOO_LARGE: 1}
    assert (bench.owner.pending, bench.memories.get(b"k")) == ([], b"old")


async def test_a_checkpoint_that_is_too_large_waits_likewise(bench):
    async def record(turn, record):
        await turn.checkpoint(bytes(101))

    bench.handler.record = record
    bench.add(b"k")
    await bench.rest()
    assert bench.lanes.waits() == {HandlerFailure.RESULT_TOO_LARGE: 1}
    assert bench.owner.pending == []


async def test_a_checkpoint_that_kafka_could_not_take_waits_likewise(bench):
    async def record(turn, record):
        if turn.key == b"memory":
            await turn.checkpoint("text")
        await turn.checkpoint(b"memory", (Output("events", b"k", "text"),))

    bench.handler.record = record
    bench.add(b"memory", b"output")
    await bench.rest()
    assert bench.lanes.waits() == {HandlerFailure.RAISED: 2}
    assert (bench.owner.pending, len(bench.memories)) == ([], 0)


async def test_a_key_that_leaves_no_room_for_its_memory_is_too_large(bench):
    async def record(turn, record):
        return Done(state=b"one")

    bench.handler.record = record
    bench.add(bytes(900_000))
    await bench.rest()
    assert bench.lanes.waits() == {HandlerFailure.RESULT_TOO_LARGE: 1}


@pytest.mark.parametrize(
    "answer",
    [
        None,
        RetryAt(math.nan, WaitReason.BACKOFF),
        RetryAt(math.inf, WaitReason.BACKOFF),
        RetryAt(1_000.0, "backoff"),
        Done(timer_at=math.nan),
        Done(state="text"),
        Done(state=bytearray(b"may change")),
        Done(Output("events", b"k", output) for output in (b"once",)),
        Done((Output("events", b"k", "text"),)),
        Done((Output("events", b"k", bytearray(b"may change")),)),
        Done((Output("events", "text", b"v"),)),
        Done((Output("events", None, b"v"),)),
        Done((Output(b"events", b"k", b"v"),)),
        Done((Output("events", b"k", b"v", ((b"name", b"v"),)),)),
        Done((Output("events", b"k", b"v", (("\udc00", b"v"),)),)),
        Done((Output("events", b"k", b"v", (("name", "text"),)),)),
        Done((Output("events", b"k", b"v", (("name", None),)),)),
        Done((Output("events", b"k", b"v", ("name",)),)),
        Done((("events", b"k", b"v", ()),)),
        Done((Output("events", b"k", b"v", iter([("name", b"v")])),)),
    ],
)
async def test_an_answer_that_means_nothing_is_a_failure(bench, answer):
    async def record(turn, record):
        return answer

    bench.handler.record = record
    bench.add(b"k")
    await bench.rest()
    assert bench.lanes.waits() == {HandlerFailure.RAISED: 1}
    assert bench.owner.pending == []
    assert bench.lanes.next_due() == 1_001.0


async def test_a_turn_that_ends_with_a_cancellation_of_others_waits_and_the_slot_takes_the_next(bench):
    async def record(turn, record):
        if turn.key == b"awaits what was cancelled" and not turn.failures:
            cancelled = asyncio.get_running_loop().create_future()
            cancelled.cancel()
            await cancelled
        if turn.key == b"cancels itself" and not turn.failures:
            asyncio.current_task().cancel()
            await asyncio.sleep(0)
        return Done()

    bench.handler.record = record
    bench.slots._limit = 1
    bench.add(b"awaits what was cancelled", b"cancels itself", b"good")
    await bench.rest()
    assert bench.lanes.waits() == {HandlerFailure.RAISED: 2}
    assert bench.metric("handler_failures_total", reason="handler_failed") == 2
    assert bench.owner.offsets == [2]
    bench.pass_time(1)
    await bench.rest()
    assert sorted(bench.owner.offsets) == [0, 1, 2]


@pytest.mark.timeout(10)
async def test_a_handler_that_never_awaits_does_not_stop_the_process(bench):
    async def record(turn, record):
        return RetryAt(turn.now, WaitReason.RETRY_AFTER)

    async def alarm(turn):
        return Done(timer_at=turn.now)

    bench.handler.record, bench.handler.alarm = record, alarm
    bench.lanes.set_alarm(b"alarm", 1_000.0)
    bench.add(b"k")
    await bench.rest()


async def test_a_turn_that_hangs_is_cancelled_and_tried_again(bench):
    async def record(turn, record):
        if turn.failures == 0:
            await asyncio.Event().wait()
        return Done()

    bench.handler.record = record
    bench.add(b"k")
    await bench.rest()
    bench.clock.now += 9
    assert bench.turns.cancel_hung() == 0
    bench.clock.now += 2
    assert bench.turns.cancel_hung() == 1
    assert bench.turns.cancel_hung() == 0
    await bench.rest()
    assert bench.lanes.waits() == {HandlerFailure.TIMED_OUT: 1}
    assert bench.owner.pending == []
    bench.pass_time(1)
    await bench.rest()
    assert bench.owner.offsets == [0]


async def test_a_turn_that_hangs_in_a_checkpoint_waits_for_its_commit_however_long(bench):
    memories = []

    async def record(turn, record):
        memories.append(turn.state)
        if turn.state is None:
            await turn.checkpoint(b"intent")
        return Done()

    bench.handler.record = record
    bench.add(b"k")
    await bench.rest()
    for _ in range(3):
        bench.clock.now += 11
        bench.turns.cancel_hung()
        await bench.rest()
        bench.turns.start()
    assert memories == [None]
    bench.owner.commit()
    await bench.rest()
    assert bench.lanes.waits() == {HandlerFailure.TIMED_OUT: 1}
    bench.pass_time(1)
    await bench.rest()
    assert memories == [None, b"intent"]
    assert bench.owner.offsets == [0]


async def test_a_turn_that_hangs_in_a_checkpoint_ends_when_the_partition_does(bench):
    async def record(turn, record):
        await turn.checkpoint(b"intent")

    bench.handler.record = record
    bench.add(b"k")
    await bench.rest()
    bench.clock.now += 11
    bench.turns.cancel_hung()
    await bench.rest()
    bench.turns.close()
    await asyncio.wait_for(bench.turns.closed(), 1)


async def test_a_turn_that_answers_though_cancelled_is_heard_and_the_next_can_still_be_cancelled(bench):
    async def record(turn, record):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if turn.key == b"stubborn":
                return Done()
            raise

    bench.handler.record = record
    bench.slots._limit = 1
    bench.add(b"stubborn", b"hangs")
    for _ in range(2):
        await bench.rest()
        bench.clock.now += 11
        assert bench.turns.cancel_hung() == 1
    await bench.rest()
    assert bench.owner.offsets == [0]
    assert bench.lanes.waits() == {HandlerFailure.TIMED_OUT: 1}


async def test_a_turn_that_hangs_while_it_tidies_up_is_cancelled_again(bench, logged):
    async def record(turn, record):
        if turn.failures == 0:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.Event().wait()
        return Done()

    bench.handler.record = record
    bench.add(b"k")
    await bench.rest()
    for _ in range(2):
        assert bench.lanes.waits() == {}
        bench.clock.now += 11
        assert (bench.turns.cancel_hung(), bench.turns.cancel_hung()) == (1, 0)
        await bench.rest()
    assert bench.lanes.waits() == {HandlerFailure.TIMED_OUT: 1}
    assert [entry["offset"] for entry in logged if entry["event"] == "engine.turn_will_not_end"] == [0]
    assert bench.metric("handler_failures_total", reason="handler_hung") == 2
    bench.pass_time(1)
    await bench.rest()
    assert (bench.owner.offsets, bench.slots.used) == ([0], 0)


@pytest.mark.parametrize("answer", [Done(), RetryAt(1_000.0, WaitReason.BACKOFF), ValueError("a bug")])
async def test_a_turn_that_does_not_wait_for_its_checkpoint_is_waited_for(bench, answer):
    """Else the next turn would begin an effect whose intent is not committed."""
    memories = []

    async def record(turn, record):
        memories.append(turn.state)
        if turn.state is None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await turn.checkpoint(b"intent")
            if isinstance(answer, Exception):
                raise answer
            return answer
        return Done()

    bench.handler.record = record
    bench.add(b"k", b"k")
    for _ in range(3):
        await bench.rest()
        bench.pass_time(11)
        bench.turns.cancel_hung()
    assert memories == [None]
    bench.owner.commit()
    await bench.rest()
    bench.pass_time(11)
    await bench.rest()
    assert memories[:2] == [None, b"intent"]
    assert bench.owner.offsets == [0, 1]


@pytest.fixture
def no_patience(monkeypatch):
    monkeypatch.setattr("consumers.engine.task_pool._CLOSING_SECONDS", 0.01)


async def test_closing_goes_on_without_a_turn_that_will_not_end_and_nothing_of_it_counts(bench, no_patience, logged):
    may_end = asyncio.Event()
    ended = []

    async def record(turn, record):
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                ended.append("cancelled")
        for begin in (turn.ensure_owned(), turn.checkpoint(b"intent")):
            with pytest.raises(PartitionLost):
                await begin
        ended.append("ended")
        return Done(state=b"late")

    bench.handler.record = record
    bench.add(b"k")
    await bench.rest()
    bench.turns.close()
    await asyncio.wait_for(bench.turns.closed(), 5)
    assert ended == ["cancelled", "cancelled"]
    assert (bench.turns.running, bench.slots.used) == (0, 0)
    assert [entry["turns"] for entry in logged if entry["event"] == "engine.turns_left_behind"] == [1]
    assert bench.metric("turns_left_behind") == 1
    may_end.set()
    await bench.rest()
    assert ended[2:] == ["ended"]
    assert (bench.metric("turns_left_behind"), bench.slots.used) == (0, 0)
    assert (bench.owner.pending, bench.memories.get(b"k")) == ([], None)

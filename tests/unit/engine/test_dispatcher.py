"""What a handler answers, and what becomes of it. What a handler does wrong is in test_turns_gone_wrong.py."""

import asyncio

import pytest

from consumers.authorization.wait_reasons import WaitReason
from consumers.engine.interface import Done, Output, PartitionLost, RetryAt
from consumers.engine.state_store import state_record


async def test_what_a_turn_returns_is_handed_over_together(bench):
    event = Output("events", b"k", b"happened")

    async def record(turn, record):
        return Done((event,), state=b"one", dead_lettered=True)

    bench.handler.record = record
    bench.add(b"k")
    await bench.rest()
    (pending,) = bench.owner.pending
    assert (pending.outputs, pending.offset, pending.waiter) == ((event,), 0, None)
    assert pending.state == Output("state", b"k", b"one")
    assert bench.owner.casualties == 1


async def test_the_next_turn_of_a_key_sees_its_memory_before_it_is_committed(bench):
    async def record(turn, record):
        return Done(state=(turn.state or b"") + b"x")

    bench.handler.record = record
    bench.add(b"k", b"k", b"k")
    await bench.rest()
    assert [pending.state.value for pending in bench.owner.pending] == [b"x", b"xx", b"xxx"]


async def test_a_key_runs_one_turn_at_a_time_and_other_keys_go_on(bench):
    gate = asyncio.Event()

    async def record(turn, record):
        if turn.key == b"slow":
            await gate.wait()
        return Done()

    bench.handler.record = record
    bench.add(b"slow", b"slow", b"quick", b"quick")
    await bench.rest()
    assert bench.owner.offsets == [2, 3]
    gate.set()
    await bench.rest()
    assert bench.owner.offsets == [2, 3, 0, 1]


async def test_an_unchanged_memory_is_not_written_again(bench):
    answers = iter([Done(state=b"one"), Done(state=b"one"), Done()])

    async def record(turn, record):
        return next(answers)

    bench.handler.record = record
    bench.add(b"k", b"k", b"k")
    await bench.rest()
    assert [pending.state is not None for pending in bench.owner.pending] == [True, False, False]


async def test_none_forgets_the_key(bench):
    bench.memories.put(b"k", b"old", None)

    async def record(turn, record):
        return Done(state=None)

    bench.handler.record = record
    bench.add(b"k", b"k")
    await bench.rest()
    assert [pending.state for pending in bench.owner.pending] == [Output("state", b"k", None), None]
    assert bench.memories.get(b"k") is None


async def test_an_alarm_is_carried_by_the_memory_and_calls_the_handler(bench):
    async def record(turn, record):
        return Done(state=b"one", timer_at=turn.now + 60)

    async def alarm(turn):
        return Done((Output("events", turn.key, b"rang"),), state=turn.state + b"!")

    bench.handler.record, bench.handler.alarm = record, alarm
    bench.add(b"k")
    await bench.rest()
    assert bench.owner.pending[0].state == state_record("state", b"k", b"one", 1_060.0)
    bench.pass_time(59)
    await bench.rest()
    assert bench.handler.seen == [0]
    bench.pass_time(1)
    await bench.rest()
    assert bench.handler.seen == [0, b"k"]
    rang = bench.owner.pending[1]
    assert (rang.offset, rang.state) == (None, Output("state", b"k", b"one!"))
    assert bench.lanes.alarms == 0


async def test_an_alarm_that_says_nothing_new_writes_nothing(bench):
    bench.memories.put(b"k", b"one", 1_000.0)
    bench.lanes.set_alarm(b"k", 1_000.0)

    async def alarm(turn):
        return Done(timer_at=turn.now + 60)

    bench.handler.alarm = alarm
    bench.turns.start()
    await bench.rest()
    assert bench.handler.seen == [b"k"]
    assert bench.owner.pending == []
    assert bench.lanes.alarm_of(b"k") == 1_060.0


@pytest.mark.parametrize(
    ("stood", "timer_at", "is_written"),
    [(None, 2_000.0, True), (2_000.0, None, True), (2_000.0, 1_500.0, True), (2_000.0, 2_000.0, False)],
    ids=["new", "removed", "sooner", "same"],
)
async def test_an_alarm_that_a_restart_must_not_miss_is_written_though_the_memory_is_the_same(
    bench, stood, timer_at, is_written
):
    bench.memories.put(b"k", b"one", stood)

    async def record(turn, record):
        return Done(timer_at=timer_at)

    bench.handler.record = record
    bench.add(b"k")
    await bench.rest()
    state = bench.owner.pending[0].state
    assert state == (state_record("state", b"k", b"one", timer_at) if is_written else None)


async def test_a_lane_stays_on_its_record_until_then(bench):
    tries = []

    async def record(turn, record):
        tries.append((turn.tries, turn.failures, turn.since, turn.now))
        return RetryAt(turn.now + 5, WaitReason.RETRY_AFTER) if len(tries) < 3 else Done()

    bench.handler.record = record
    bench.add(b"k", b"k")
    await bench.rest()
    assert bench.lanes.waits() == {WaitReason.RETRY_AFTER: 1}
    for _ in range(2):
        assert bench.owner.pending == []
        bench.pass_time(5)
        await bench.rest()
    assert tries[:3] == [(0, 0, 1_000.0, 1_000.0), (1, 0, 1_000.0, 1_005.0), (2, 0, 1_000.0, 1_010.0)]
    assert tries[3] == (0, 0, 1_010.0, 1_010.0)
    assert bench.owner.offsets == [0, 1]


async def test_a_record_that_comes_before_the_first_step_of_its_keys_alarm_runs_after_it(bench):
    bench.lanes.set_alarm(b"k", 1_000.0)
    bench.turns.start()
    bench.add(b"k")
    await bench.rest()
    assert bench.handler.seen == [b"k", 0]
    bench.lanes.set_alarm(b"late", 1_000.0)
    bench.owner.has_time_to_spare = False
    bench.turns.start()
    await bench.rest()
    assert bench.handler.seen == [b"k", 0, b"late"], "a record is counted that does not run"


async def test_an_alarm_answered_with_again_is_due_again_then(bench):
    bench.lanes.set_alarm(b"k", 1_000.0)

    async def alarm(turn):
        return RetryAt(turn.now + 7, WaitReason.BUDGET)

    bench.handler.alarm = alarm
    bench.turns.start()
    await bench.rest()
    assert (bench.lanes.next_due(), len(bench.lanes), bench.owner.pending) == (1_007.0, 0, [])


async def test_a_checkpoint_returns_when_it_is_committed_and_finishes_nothing(bench):
    intended, noted = [], Output("events", b"k", b"about to")

    async def record(turn, record):
        await turn.checkpoint(b"intent", (noted,))
        intended.append(turn.state)
        return Done(state=b"done", timer_at=None)

    bench.memories.put(b"k", b"old", None)
    bench.lanes.set_alarm(b"k", 9_000.0)
    bench.handler.record = record
    bench.add(b"k")
    await bench.rest()
    (pending,) = bench.owner.pending
    assert (pending.offset, pending.outputs) == (None, (noted,))
    assert pending.state == state_record("state", b"k", b"intent", 9_000.0)
    assert intended == []
    bench.owner.commit()
    await bench.rest()
    assert intended == [b"intent"]
    assert bench.owner.offsets == [0]
    assert bench.owner.pending[1].state == Output("state", b"k", b"done")


async def test_no_effect_begins_after_the_partition_is_lost(bench):
    effects = []

    async def record(turn, record):
        await turn.ensure_owned()
        effects.append("before")
        await turn.checkpoint(b"intent")
        effects.append("after")
        return Done()

    bench.handler.record = record
    bench.add(b"k")
    await bench.rest()
    bench.owner.is_lost = True
    bench.owner.commit()
    await bench.rest()
    assert effects == ["before"]
    assert bench.owner.offsets == []


async def test_a_checkpoint_that_is_thrown_away_is_lost(bench):
    async def record(turn, record):
        with pytest.raises(PartitionLost):
            await turn.checkpoint(b"intent")
        raise PartitionLost

    bench.handler.record = record
    bench.add(b"k")
    await bench.rest()
    bench.owner.fail()
    await bench.rest()
    assert bench.turns.running == 0


async def test_closing_cancels_turns_and_waits_for_their_end(bench):
    ended = []
    gate = asyncio.Event()

    async def record(turn, record):
        try:
            if turn.key == b"in a checkpoint":
                await turn.checkpoint(b"intent")
            else:
                await gate.wait()
        finally:
            await asyncio.sleep(0)
            ended.append(turn.key)

    bench.handler.record = record
    bench.add(b"in a checkpoint", b"in a call")
    await bench.rest()
    bench.turns.close()
    await bench.turns.closed()
    assert sorted(ended) == [b"in a call", b"in a checkpoint"]
    assert (bench.turns.running, bench.slots.used, bench.owner.offsets) == (0, 0, [])
    bench.add(b"late")
    await bench.rest()
    assert bench.handler.seen == [0, 1]


async def test_turns_that_are_closed_before_their_first_step_give_their_slots_back(bench):
    bench.add(b"a", b"b", b"c")
    assert bench.slots.used == 3
    bench.turns.close()
    await bench.turns.closed()
    assert (bench.turns.running, bench.slots.used, bench.handler.seen) == (0, 0, [])


async def test_a_turn_that_had_no_first_step_yet_does_not_hang_whatever_the_clock_says(bench):
    bench.add(b"k")
    bench.clock.now += 1_000
    assert bench.turns.cancel_hung() == 0
    await bench.rest()
    assert bench.owner.offsets == [0]


async def test_a_turn_that_will_not_be_cancelled_hands_nothing_over(bench):
    async def record(turn, record):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Done(state=b"late")

    bench.handler.record = record
    bench.add(b"k")
    await bench.rest()
    bench.turns.close()
    await bench.turns.closed()
    assert bench.owner.pending == []
    assert bench.memories.get(b"k") is None


async def test_closed_turns_own_nothing(bench):
    bench.turns.close()
    with pytest.raises(PartitionLost):
        await bench.turns.ours()


async def test_a_partition_gives_its_slot_to_another_that_waits(bench):
    class Other:
        started = 0

        def start_one(self):
            self.started += 1
            return self.started == 1

    bench.slots._limit = 1
    gate = asyncio.Event()

    async def record(turn, record):
        await gate.wait()
        return Done()

    bench.handler.record = record
    bench.add(b"a")
    other = Other()
    assert not bench.slots.take(other)
    bench.add(b"b")
    gate.set()
    await bench.rest()
    assert (other.started, bench.owner.offsets) == (1, [0])
    bench.slots.give_back()
    await bench.rest()
    assert bench.owner.offsets == [0, 1]


async def test_turns_are_measured(bench):
    async def record(turn, record):
        bench.clock.now += 2
        if not turn.failures:
            raise ValueError("a bug")
        return Done(timer_at=turn.now + 10)

    bench.handler.record = record
    bench.add(b"k")
    await bench.rest()
    bench.pass_time(1)
    await bench.rest()
    bench.pass_time(15)
    await bench.rest()
    assert bench.metric("handler_failures_total", reason="handler_failed") == 1
    assert bench.metric("handler_seconds_sum", kind="record") == 4
    assert bench.metric("handler_seconds_count", kind="alarm") == 1
    assert bench.metric("alarm_late_seconds_sum") == 7

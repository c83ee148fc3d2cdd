"""A running partition whose machine's clock is set: nothing is cancelled, and no wait ends sooner or later."""

import asyncio
import time

import pytest

from consumers.engine.interface import Done, RetryAt
from schemas.events.wait_reasons import WaitReason
from tests.unit.engine.partitions import suspended

WAIT = 0.2
# A slow machine may take thirty times as long. A jump of the clock would take far longer, or no time.
LONGEST = 30 * WAIT


@pytest.fixture
def wall(monkeypatch):
    """The wall clock, which a test may set."""
    real, shift = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + shift[0])

    def jump(seconds):
        shift[0] += seconds

    return jump


@pytest.fixture
async def running(wall, make_running):
    return make_running()


@pytest.mark.parametrize("seconds", [200.0, -3600.0])
async def test_a_healthy_invocation_is_not_cancelled(running, harness, wall, seconds):
    gate = asyncio.Event()

    async def record(invocation, record):
        await gate.wait()
        return Done()

    harness.handler.record = record
    running.feed(1)
    await harness.rest()
    wall(seconds)
    assert running.session.dispatcher.cancel_overdue() == 0
    gate.set()


@pytest.mark.parametrize("seconds", [200.0, -3600.0])
async def test_a_wait_of_a_record_takes_its_time(running, harness, wall, seconds):
    began = time.monotonic()
    again = asyncio.get_running_loop().create_future()

    async def record(invocation, record):
        if invocation.tries:
            again.set_result(time.monotonic() - began)
            return Done()
        wall(seconds)
        return RetryAt(invocation.now + WAIT, WaitReason.RETRY_AFTER)

    harness.handler.record = record
    running.feed(1)
    await asyncio.sleep(0.01)
    wall(seconds)
    assert WAIT <= await asyncio.wait_for(again, LONGEST) < LONGEST


@pytest.mark.parametrize("seconds", [200.0, -3600.0])
async def test_a_timer_takes_its_time_and_is_stored_as_a_time(running, harness, wall, seconds):
    called = asyncio.get_running_loop().create_future()
    began, unix = time.monotonic(), time.time()

    async def timer(invocation):
        called.set_result((time.monotonic() - began, invocation.timer_at - invocation.now))
        return Done()

    async def record(invocation, record):
        return Done(state=b"s", timer_at=invocation.now + WAIT)

    harness.handler.record, harness.handler.timer = record, timer
    running.feed(1)
    await harness.rest()
    assert WAIT <= running.session.dispatcher.states.written_timer(b"0") - unix < LONGEST
    wall(seconds)
    passed, ahead = await asyncio.wait_for(called, LONGEST)
    assert WAIT <= passed < LONGEST
    assert -LONGEST < ahead <= 0.0


async def test_a_suspended_machine_ends_a_wait_and_cancels_nothing(running, harness, monkeypatch):
    gate = asyncio.Event()

    async def record(invocation, record):
        if record.offset == 0:
            await gate.wait()
        return Done() if invocation.tries else RetryAt(invocation.now + 190.0, WaitReason.RETRY_AFTER)

    harness.handler.record = record
    running.feed(2)
    await harness.rest()
    suspended(monkeypatch, 200.0)
    dispatcher = running.session.dispatcher
    assert dispatcher.cancel_overdue() == 0
    dispatcher.start()
    await harness.rest()
    assert harness.handler.seen == [0, 1, 1]
    gate.set()


async def test_a_kept_timer_is_not_written_again_although_the_clocks_drift(harness):
    timers = []

    async def record(invocation, record):
        timers.append(harness.key_queues.timer_of(b"k"))
        return Done(state=b"s", timer_at=invocation.timer_at or invocation.now + 60.0001)

    harness.handler.record = record
    harness.clock.now, harness.set_back = 1_000.1, -1.8e9
    for _ in range(4):
        await harness.run(b"k")
        harness.set_back += 0.1
    assert timers[0] is None
    assert len(set(timers[1:])) == 1
    assert sum(pending.state is not None for pending in harness.results.pending) == 1

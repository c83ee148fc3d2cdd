import asyncio

import pytest

from gateway.ingress.api_http.deadlines import Deadlines


async def late(deadlines, seconds, work):
    deadline = deadlines.start(seconds)
    try:
        await work
    except asyncio.CancelledError:
        if not deadline.claim():
            raise
        return "late"
    finally:
        deadlines.end(deadline)
    return "in time"


async def test_late_work_is_cancelled_and_its_task_continues():
    deadlines = Deadlines()
    task = asyncio.create_task(late(deadlines, 0, asyncio.Event().wait()))
    await asyncio.sleep(0)
    deadlines.sweep(now=float("inf"))
    assert await task == "late"
    assert task.cancelling() == 0


async def test_work_in_time_is_not_cancelled():
    deadlines = Deadlines()
    assert await late(deadlines, 60, asyncio.sleep(0)) == "in time"
    deadlines.sweep(now=float("inf"))
    await asyncio.sleep(0)


async def test_a_cancellation_with_another_cause_passes():
    deadlines = Deadlines()
    task = asyncio.create_task(late(deadlines, 60, asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_extended_deadline_counts_from_now():
    deadlines = Deadlines()
    deadline = deadlines.start(1)
    before = deadline.at
    deadline.extend(100)
    assert deadline.at >= before + 99
    deadlines.sweep(now=before + 50)
    assert not deadline.has_passed
    deadlines.end(deadline)


async def test_run_sweeps_without_calls():
    deadlines = Deadlines()
    running = asyncio.create_task(deadlines.run())
    assert await late(deadlines, 0.01, asyncio.Event().wait()) == "late"
    running.cancel()

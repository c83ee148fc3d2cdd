import asyncio

from consumers.engine.loop_lag import LoopLag
from tests.unit.engine.partitions import until


def test_one_late_timer_is_no_lag_and_a_lag_ends_after_half_a_second():
    loop_lag = LoopLag()
    loop_lag.sample(0.006)
    assert not loop_lag.is_late
    for _ in range(10):
        loop_lag.sample(0.010)
    assert loop_lag.is_late
    for _ in range(5):
        loop_lag.sample(0.0)
    assert not loop_lag.is_late


def test_the_lag_of_a_frozen_process_ends_within_a_second():
    loop_lag = LoopLag()
    loop_lag.sample(60.0)
    assert loop_lag.seconds <= 0.05
    for _ in range(10):
        loop_lag.sample(0.0)
    assert not loop_lag.is_late


async def test_a_busy_loop_is_late():
    loop_lag = LoopLag()
    watching = asyncio.create_task(loop_lag.watch())

    def keep_busy(left):
        until = asyncio.get_running_loop().time() + 0.05
        while asyncio.get_running_loop().time() < until:
            pass
        if left:
            asyncio.get_running_loop().call_soon(keep_busy, left - 1)

    keep_busy(10)
    await until(lambda: loop_lag.is_late)
    watching.cancel()

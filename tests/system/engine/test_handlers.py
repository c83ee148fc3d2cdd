"""Handlers on real Kafka."""

import pytest

from tests.chaos.tally import Task


@pytest.mark.promise(3, 4)
async def test_inputs_become_outcomes_once_and_in_order(laboratory):
    async with laboratory.engine() as running:
        await laboratory.append_many(
            (f"key-{number % 7}", Task(f"{number}", checkpoint=number % 3 == 0, waits=number % 5 == 4))
            for number in range(200)
        )
        await laboratory.all_finished()
        assert running.owns(4)
    assert await laboratory.violations() == []


async def test_a_handler_that_hangs_is_cancelled_and_delays_no_other_key(laboratory):
    async with laboratory.engine(timeout_seconds=1.0):
        await laboratory.append("bad", Task("hangs", hangs=1, checkpoint=True), Task("behind"), partition=0)
        for number in range(20):
            await laboratory.append("good", Task(f"{number}"), partition=0)
        await laboratory.all_finished()
    assert [seen.cause for seen in laboratory.seen] == [*(f"{number}" for number in range(20)), "hangs", "behind"]
    assert await laboratory.violations() == []


async def test_a_record_near_the_brokers_limit_is_written(laboratory):
    async with laboratory.engine():
        await laboratory.append("key", *(Task(f"{number}", size=890_000) for number in range(3)))
        await laboratory.append("key", *(Task(f"small {number}") for number in range(3)))
        await laboratory.all_finished()
    assert await laboratory.violations() == []

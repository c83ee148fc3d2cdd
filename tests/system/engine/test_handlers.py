"""What handlers do, right and wrong, on real Kafka."""

from tests.chaos.tally import Task


async def test_inputs_become_outcomes_once_and_in_order(laboratory):
    async with laboratory.engine() as running:
        await laboratory.append_many(
            (f"key-{number % 7}", Task(f"{number}", checkpoint=number % 3 == 0, waits=number % 5 == 4))
            for number in range(200)
        )
        await laboratory.all_finished()
        assert running.owns(4)
    assert await laboratory.violations() == []

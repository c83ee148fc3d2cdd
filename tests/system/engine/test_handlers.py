"""Handlers on real Kafka: a failure delays its own key only."""

from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.interface import HandlerFailure
from consumers.engine.status import key_queues_report
from tests.chaos.laboratory import until
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


async def test_a_handler_that_raises_delays_its_key_and_no_other(laboratory):
    async with laboratory.engine() as running:
        await laboratory.append("bad", Task("raises", failures=3, checkpoint=True), Task("behind"), partition=0)
        await laboratory.append("good", Task("beside"), partition=0)
        await until(lambda: laboratory.finished == {"beside"})
        (row,) = [row for row in key_queues_report(running.engine)["partitions"] if row["partition"] == 0]
        assert [(queue["key"], queue["records"]) for queue in row["lanes"]] == [("bad", 2)]
        await laboratory.all_finished()
    assert [seen.cause for seen in laboratory.seen] == ["beside", "raises", "behind"]
    assert await laboratory.violations() == []


async def test_a_handler_that_hangs_is_cancelled_and_delays_no_other_key(laboratory):
    async with laboratory.engine(timeout_seconds=1.0):
        await laboratory.append("bad", Task("hangs", hangs=1, checkpoint=True), Task("behind"), partition=0)
        for number in range(20):
            await laboratory.append("good", Task(f"{number}"), partition=0)
        await laboratory.all_finished()
    assert [seen.cause for seen in laboratory.seen] == [*(f"{number}" for number in range(20)), "hangs", "behind"]
    assert await laboratory.violations() == []


async def test_a_result_that_is_too_large_does_not_reach_kafka(laboratory):
    async with laboratory.engine(state_bytes=2_000, outputs_bytes=300_000) as running:
        await laboratory.append("large output", Task("output", first_size=400_000, checkpoint=True))
        await laboratory.append("large record", Task("record", size=200_000))
        await laboratory.append("large state", Task("state", first_state=2_001, checkpoint=True), Task("behind it"))
        await laboratory.append("good", *(Task(f"{number}") for number in range(5)))
        await laboratory.all_finished()
        assert running.failed_starts("MessageSizeTooLargeError") == 0
        assert running.failed_invocations(HandlerFailure.RESULT_TOO_LARGE) == 2
    assert await laboratory.violations() == []


async def test_a_record_near_the_brokers_limit_is_written(laboratory):
    async with laboratory.engine():
        await laboratory.append("key", *(Task(f"{number}", size=890_000) for number in range(3)))
        await laboratory.append("key", *(Task(f"small {number}") for number in range(3)))
        await laboratory.all_finished()
    assert await laboratory.violations() == []


async def test_too_many_dead_letters_stop_the_partition_until_an_operator_resumes_it(laboratory):
    async with laboratory.engine() as running:
        await until(lambda: running.owns(4))
        await laboratory.append_many((f"key-{number}", Task(f"{number}", dead_lettered=True)) for number in range(400))
        await until(lambda: all(partition.is_stopped for partition in running.engine.partitions.values()))
        stopped_at = len(laboratory.seen)
        assert stopped_at < 400
        assert set(running.statuses().values()) == {PartitionStatus.RUNNING}
        while len(laboratory.seen) < 400:
            seen = len(laboratory.seen)
            await until(lambda: running.resume() or len(laboratory.seen) == 400)
            await until(lambda seen=seen: len(laboratory.seen) > seen)
    assert await laboratory.violations() == []

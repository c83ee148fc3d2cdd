"""Transactions that fail, and unusable offsets."""

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.core.progress import PROGRESS_KEY
from consumers.engine.status import readiness
from tests.chaos.laboratory import cuttable_network, until
from tests.chaos.tally import Task, tasks


async def test_a_send_that_is_rejected_inside_a_transaction_is_repeated(laboratory):
    """The topic rejects a large record for a while, which makes the producer useless."""
    events = laboratory.orders.events

    async def allow(size):
        await laboratory.admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, events, {"max.message.bytes": str(size)})]
        )

    async with laboratory.engine() as running:
        await laboratory.append_many(tasks(*range(8)))
        await laboratory.all_finished()
        await allow(600)
        await laboratory.append("key-0", Task("large", size=2_000, checkpoint=True), Task("behind it"))
        await until(lambda: running.failed_starts("MessageSizeTooLargeError") >= 2)
        assert not readiness(running.engine)[0]
        await allow(1_000_000)
        await laboratory.all_finished()
        await until(lambda: readiness(running.engine)[0])
    assert await laboratory.violations() == []


async def delete_records(laboratory, before):
    source = TopicPartition(laboratory.orders.commands, 0)
    await laboratory.admin.delete_records({source: RecordsToDelete(before_offset=before)})


@pytest.mark.promise(5)
async def test_records_deleted_before_they_were_processed_stop_the_partition(laboratory):
    await laboratory.append("stuck", Task("0", failures=1_000), partition=0)
    async with laboratory.engine() as running:
        for number in range(1, 10):
            await laboratory.append(f"key-{number}", Task(f"{number}"), partition=0)
        await until(lambda: len(laboratory.finished) == 9)
    await delete_records(laboratory, 5)
    async with laboratory.engine() as running:
        await until(lambda: running.statuses().get(0) is PartitionStatus.STOPPED)
        assert "retention has deleted 5 offsets" in running.engine.partitions[0].detail
        assert not readiness(running.engine)[0]
        await laboratory.append("key-1", Task("10"), partition=0)
        await laboratory.append("elsewhere", Task("other"), partition=1)
        await until(lambda: "other" in laboratory.finished)
        assert running.resume() == [0]
        await until(lambda: "10" in laboratory.finished)
        assert readiness(running.engine)[0]
    # Records that were finished beyond the gap are not processed again, although the log still holds them.
    assert sorted(seen.cause for seen in laboratory.seen) == sorted(
        [*(f"{number}" for number in range(1, 11)), "other"]
    )


async def test_records_deleted_under_the_reader_stop_the_partition(laboratory):
    with cuttable_network() as network:
        async with laboratory.engine(session_seconds=10.0) as running:
            await laboratory.append("key", Task("0"), partition=0)
            await laboratory.all_finished()
            network.cut("one")
            await until(lambda: "FetchRequest" in network.waiting)
            for number in range(1, 10):
                await laboratory.append("key", Task(f"{number}"), partition=0)
            await delete_records(laboratory, 5)
            network.mend()
            await until(lambda: running.statuses().get(0) is PartitionStatus.STOPPED)
            assert "retention has deleted 4 offsets" in running.engine.partitions[0].detail
            assert running.resume() == [0]
            await until(lambda: "9" in laboratory.finished)
    assert sorted(seen.cause for seen in laboratory.seen) == ["0", "5", "6", "7", "8", "9"]


async def test_missing_offsets_with_states_and_no_record_stop_the_partition(laboratory):
    async with laboratory.engine():
        await laboratory.append("key", Task("0"), partition=0)
        await laboratory.all_finished()
    await laboratory.forget_offsets()
    await laboratory.producer.send_and_wait(laboratory.orders.state, None, key=PROGRESS_KEY, partition=0)
    async with laboratory.engine() as running:
        await until(lambda: running.statuses().get(0) is PartitionStatus.STOPPED)
        assert "offsets were lost" in running.engine.partitions[0].detail
        await until(lambda: [running.statuses().get(number) for number in (1, 2, 3)] == [PartitionStatus.RUNNING] * 3)
        assert running.resume() == [0]
        await until(lambda: len(laboratory.seen) == 2)
    assert [seen.cause for seen in laboratory.seen] == ["0", "0"]

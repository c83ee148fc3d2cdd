"""The progress survives a real compaction of `state`, which keeps only the newest record of each key."""

import asyncio

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from consumers.engine.core.progress import MARKER_KEY, PROGRESS_KEY
from local.processes.patience import within
from tests.chaos.laboratory import until
from tests.chaos.records import read_topic
from tests.chaos.tally import Task

WRITES, FEW = 6, 2
COMPACTED = {
    "cleanup.policy": "compact",
    "segment.ms": "100",  # the newest segment is never compacted
    "min.cleanable.dirty.ratio": "0.01",
}


async def compact(laboratory):
    """Compact the topic of the states from now on."""
    resource = ConfigResource(ConfigResourceType.TOPIC, laboratory.orders.state, COMPACTED)
    (answer,) = await laboratory.admin.alter_configs([resource])
    for code, *_ in answer.resources:
        if code:
            raise for_code(code)


async def compacted(laboratory, key):
    """Return when a compaction has left few records of this key; the newest segment keeps its own."""
    orders = laboratory.orders
    async with within(30):
        while True:
            records = await read_topic(orders.bootstrap, orders.state, orders.partitions)
            if sum((record.partition, record.key) == (0, key) for record in records) <= FEW:
                return
            await asyncio.sleep(0.2)


async def test_a_start_after_compactions_repeats_and_loses_nothing(laboratory):
    await compact(laboratory)
    await laboratory.append("stuck", Task("stuck", failures=1_000), partition=0)
    async with laboratory.owner(drain_seconds=0.0) as running:
        for number in range(WRITES):
            await laboratory.append("key", Task(f"{number}", checkpoint=True), partition=0)
            await until(lambda number=number: len(laboratory.finished) > number)
        partition = running.engine.partitions[0]
        await until(lambda: partition.session.dispatcher.results.commits.is_flushed)
        progress = partition.session.committed
        assert (progress.offset, bool(progress.bitmap)) == (0, True)  # all but the first record
        # Each start writes a marker, and nothing else if the progress has not changed.
        for _ in range(2 * FEW):
            session = partition.session
            partition.restart("the test starts the partition again")
            await until(lambda session=session: running.owns(4) and partition.session is not session)
    await compacted(laboratory, PROGRESS_KEY)
    await compacted(laboratory, MARKER_KEY)
    async with laboratory.owner(drain_seconds=0.0) as running:
        assert running.engine.partitions[0].session.committed == progress
        await laboratory.append("key", Task("last"), partition=0)
        await until(lambda: "last" in laboratory.finished)
    assert [seen.cause for seen in laboratory.seen] == [one for one in laboratory.appended if one != "stuck"]

"""Reads a whole topic as a read_committed reader."""

import asyncio

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition


async def read_topic(
    bootstrap: str,
    topic: str,
    partitions: int,
    *,
    since: int = 0,
    within: float = 30.0,
    isolation: str = "read_committed",
) -> list[ConsumerRecord]:
    """Return every record of a topic since a timestamp (Unix milliseconds), by partition and offset.

    Raises:
        TimeoutError: an open transaction delays the reader.
    """
    sources = [TopicPartition(topic, number) for number in range(partitions)]
    # A read_committed reader stops at an open transaction: only a read_uncommitted reader sees the true end.
    ends = await _ends(bootstrap, sources)
    records: list[ConsumerRecord] = []
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, isolation_level=isolation) as consumer:
        consumer.assign(sources)
        await consumer.seek_to_beginning(*sources)
        late = await consumer.offsets_for_times(dict.fromkeys(sources, since)) if since else {}
        for source, found in late.items():
            consumer.seek(source, ends[source] if found is None else found.offset)
        async with asyncio.timeout(within):
            while any([await consumer.position(source) < ends[source] for source in sources]):
                for fetched in (await consumer.getmany(timeout_ms=100)).values():
                    records += fetched
    return sorted(records, key=lambda record: (record.partition, record.offset))


async def _ends(bootstrap: str, sources: list[TopicPartition]) -> dict[TopicPartition, int]:
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None) as consumer:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(sources)
        return ends

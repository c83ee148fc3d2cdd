"""Reads whole partitions up to known ends, and writes records: the I/O of a rebuild."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from adapters.kafka.clients import bounded_stop, connection, groupless_consumer, idempotent_producer, timeouts
from adapters.kafka.topic_reader import TopicRecord
from runtime.settings import KafkaSettings

START_SECONDS = 10.0
# Kafka answers once it has aborted the open transaction.
FENCE_SECONDS = 60.0
CALL_SECONDS = 10.0
SEND_SECONDS = 60.0
POLL_MILLISECONDS = 500
MAX_RECORDS = 1_000
# Sends that may be unconfirmed; each holds its record.
MAX_UNCONFIRMED = 2_000
STALLED_SECONDS = 60.0


class Extent(NamedTuple):
    """The offsets of a partition's first record and after its last one."""

    begin: int
    end: int


class SourceRecord(TopicRecord, Protocol):
    """The fields of a record that a rebuild reads."""

    @property
    def partition(self) -> int: ...  # noqa: D102 - see the class
    @property
    def timestamp(self) -> int: ...  # noqa: D102


async def read_partitions(
    kafka: KafkaSettings, topic: str, extents: Mapping[int, Extent]
) -> AsyncIterator[tuple[int, Sequence[ConsumerRecord]]]:
    """Read partitions between two offsets; return the partition and its next records.

    Raises KafkaFailure, and TimeoutError if no record arrives for a minute.
    """
    left = {number: end for number, (begin, end) in extents.items() if begin < end}
    if not left:
        return
    consumer = groupless_consumer(kafka, reset="none")
    try:
        async with asyncio.timeout(START_SECONDS):
            await consumer.start()
        consumer.assign([TopicPartition(topic, number) for number in left])
        for number in left:
            consumer.seek(TopicPartition(topic, number), extents[number][0])
        async for found in _read(consumer, topic, left):
            yield found
    finally:
        await bounded_stop(consumer)


async def _read(
    consumer: AIOKafkaConsumer, topic: str, left: dict[int, int]
) -> AsyncIterator[tuple[int, Sequence[ConsumerRecord]]]:
    loop = asyncio.get_running_loop()
    moved_at = loop.time()
    while left:
        partitions = [TopicPartition(topic, number) for number in left]
        async with asyncio.timeout(CALL_SECONDS):
            batches = await consumer.getmany(*partitions, timeout_ms=POLL_MILLISECONDS, max_records=MAX_RECORDS)
        for partition in partitions:
            number = partition.partition
            records = [record for record in batches.get(partition, ()) if record.offset < left[number]]
            async with asyncio.timeout(CALL_SECONDS):
                is_ended = await consumer.position(partition) >= left[number]
            if records or is_ended:
                moved_at = loop.time()
                if is_ended:
                    del left[number]
                yield number, records
        if loop.time() - moved_at > STALLED_SECONDS:
            raise TimeoutError(f"no record of {topic} arrived for {STALLED_SECONDS:.0f} s")


async def fence(kafka: KafkaSettings, transactional_ids: Iterable[str]) -> None:
    """Take each id: Kafka aborts its open transaction and refuses its earlier owner. Raises KafkaFailure."""
    for own in transactional_ids:
        producer = AIOKafkaProducer(**connection(kafka), **timeouts(), transactional_id=own)
        try:
            async with asyncio.timeout(FENCE_SECONDS):
                await producer.start()
        finally:
            await bounded_stop(producer)


async def extents_of(kafka: KafkaSettings, topics: Mapping[str, int], *, committed: bool) -> dict[str, list[Extent]]:
    """Return the extent of each partition, by topic; `topics` has the number of partitions.

    `committed`: the end for a reader of committed records; it is lower while a transaction is open.
    """
    consumer = groupless_consumer(kafka, reset="none", is_committed=committed)
    try:
        async with asyncio.timeout(START_SECONDS):
            await consumer.start()
        found = {}
        for topic, count in topics.items():
            partitions = [TopicPartition(topic, number) for number in range(count)]
            async with asyncio.timeout(CALL_SECONDS):
                begins, ends = (
                    await consumer.beginning_offsets(partitions),
                    await consumer.end_offsets(partitions),
                )
            found[topic] = [Extent(int(begins[one]), int(ends[one])) for one in partitions]
        return found
    finally:
        await bounded_stop(consumer)


class RecordWriter:
    """Writes records in order to given partitions. An error of any record ends the writing."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._unconfirmed: list[Any] = []

    async def write(
        self,
        topic: str,
        partition: int,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Send a record. Its confirmation is awaited later, at the latest by `flush`."""
        async with asyncio.timeout(SEND_SECONDS):
            sent = await self._producer.send(topic, value, key=key, partition=partition, headers=list(headers))
        self._unconfirmed.append(sent)
        if len(self._unconfirmed) >= MAX_UNCONFIRMED:
            await self.flush()

    async def flush(self) -> None:
        """Wait until Kafka has confirmed every record."""
        async with asyncio.timeout(SEND_SECONDS):
            await asyncio.gather(*self._unconfirmed)
        self._unconfirmed.clear()


@asynccontextmanager
async def open_writer(kafka: KafkaSettings) -> AsyncIterator[RecordWriter]:
    """Start an idempotent writer."""
    producer = idempotent_producer(kafka, linger_seconds=0.005)
    try:
        async with asyncio.timeout(START_SECONDS):
            await producer.start()
        yield RecordWriter(producer)
    finally:
        await bounded_stop(producer)

"""Reads whole partitions up to known ends, and writes records: the I/O of a rebuild."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer

from adapters.kafka.clients import bounded_stop, connection, idempotent_producer, timeouts
from adapters.kafka.topic_reader import open_reader
from runtime.settings import KafkaSettings
from schemas.records import TopicRecord

START_SECONDS = 10.0
EXTENTS_SECONDS = 10.0
# Kafka answers once it has aborted the open transaction.
FENCE_SECONDS = 60.0
SEND_SECONDS = 60.0
# Sends that may be unconfirmed; each holds its record.
MAX_UNCONFIRMED = 2_000


class Extent(NamedTuple):
    """The offsets of a partition's first record and after its last one."""

    begin: int
    end: int


async def read_partitions(
    kafka: KafkaSettings, topic: str, extents: Mapping[int, Extent]
) -> AsyncIterator[tuple[int, TopicRecord]]:
    """Yield each record of partitions between two offsets, with the number of its partition. Raises KafkaFailure."""
    left = {number: end for number, (begin, end) in extents.items() if begin < end}
    if not left:
        return
    async with open_reader(kafka, {number: (topic, number) for number in left}, reset="none") as reader:
        reader.seek({number: extents[number].begin for number in left})
        async for found in reader.read_until(left):
            yield found


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
    partitions = {(topic, number): (topic, number) for topic, count in topics.items() for number in range(count)}
    # Without a position nothing is fetched: a fetch needs the permission to read, and the answer would wait behind it.
    async with open_reader(
        kafka, partitions, reset="none", call_seconds=EXTENTS_SECONDS, is_committed=committed
    ) as reader:
        begins, ends = await reader.beginnings(), await reader.ends()
    return {
        topic: [Extent(begins[topic, number], ends[topic, number]) for number in range(count)]
        for topic, count in topics.items()
    }


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

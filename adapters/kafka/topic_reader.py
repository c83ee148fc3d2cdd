"""A consumer of all partitions of one or more topics, without a consumer group; by default of committed records only.

aiokafka reports nothing when it hangs, so every call has a timeout. After a failure, open a new reader.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaTimeoutError

from adapters.kafka.clients import bounded_stop, groupless_consumer
from adapters.kafka.topic_metadata import fetch_topic_ids
from runtime.settings import KafkaSettings
from schemas.records import TopicRecord

START_SECONDS = 10.0
CALL_SECONDS = 5.0
# The longest wait for records: callers expect results soon after their requests.
WAIT_SECONDS = 0.5
MAX_RECORDS = 500
STALLED_SECONDS = 60.0

Key = TypeVar("Key")


@asynccontextmanager
async def answered_within(seconds: float) -> AsyncIterator[None]:
    """Bound a wait for Kafka. Raises KafkaTimeoutError: a bare TimeoutError could also come from the database."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise KafkaTimeoutError(f"no broker answered within {seconds:g} s") from error


class TopicReader(Generic[Key]):
    """One consumer, used by one task. The caller chooses the keys of partitions. Calls raise KafkaFailure."""

    def __init__(
        self, consumer: AIOKafkaConsumer, partitions: Mapping[Key, TopicPartition], call_seconds: float
    ) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._keys = {partition: key for key, partition in partitions.items()}
        self._call_seconds = call_seconds

    def seek(self, positions: Mapping[Key, int]) -> None:
        """Continue at these offsets. A reader that was never told where to begin returns no record."""
        for key, partition in self._partitions.items():
            self._consumer.seek(partition, positions[key])
        self._consumer.resume(*self._keys)

    async def read(self, max_records: int = MAX_RECORDS) -> dict[Key, Sequence[TopicRecord]]:
        """Return the next records by partition; nothing if none arrives within WAIT_SECONDS."""
        async with answered_within(WAIT_SECONDS + self._call_seconds):
            batches = await self._consumer.getmany(timeout_ms=round(WAIT_SECONDS * 1_000), max_records=max_records)
        return {self._keys[partition]: records for partition, records in batches.items() if records}

    async def read_until(self, ends: Mapping[Key, int]) -> AsyncIterator[tuple[Key, TopicRecord]]:
        """Yield each record before these ends, with the key of its partition; see `batches_until`."""
        async for batches in self.batches_until(ends):
            for key, records in batches.items():
                for record in records:
                    yield key, record

    async def batches_until(self, ends: Mapping[Key, int]) -> AsyncIterator[dict[Key, Sequence[TopicRecord]]]:
        """Yield the records before these ends, as Kafka gives them. Begin at the positions.

        Raises KafkaFailure, also if no partition has come nearer to its end for a minute.
        """
        left, moved_at = await self._left(ends), time.monotonic()
        while left:
            found = await self.read()
            yield {key: [record for record in records if record.offset < ends[key]] for key, records in found.items()}
            before, left = left, await self._left(ends)
            if left != before:
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > STALLED_SECONDS:
                raise KafkaTimeoutError(f"no record arrived for {STALLED_SECONDS:g} s")

    async def _left(self, ends: Mapping[Key, int]) -> dict[Key, int]:
        """Return the positions that are before their ends."""
        return {key: here for key, here in (await self.positions()).items() if here < ends[key]}

    async def topic_ids(self) -> dict[Key, str]:
        """Return the id of each partition's topic: a topic that is created again has another one."""
        async with answered_within(self._call_seconds):
            ids = await fetch_topic_ids(self._consumer, list({part.topic for part in self._partitions.values()}))
        return {key: ids[partition.topic] for key, partition in self._partitions.items()}

    async def beginnings(self) -> dict[Key, int]:
        """Return the first offset that each partition still has."""
        return await self._offsets(self._consumer.beginning_offsets)

    async def ends(self) -> dict[Key, int]:
        """Return each partition's end: for a reader of committed records, the last stable offset."""
        return await self._offsets(self._consumer.end_offsets)

    async def offsets_at(self, time: datetime) -> dict[Key, int | None]:
        """Return the offset of each partition's first record at or after a time; None if there is none."""
        wanted = dict.fromkeys(self._partitions.values(), round(time.timestamp() * 1_000))
        async with answered_within(self._call_seconds):
            found = await self._consumer.offsets_for_times(wanted)
        return {key: None if (at := found[part]) is None else at.offset for key, part in self._partitions.items()}

    async def positions(self) -> dict[Key, int]:
        """Return the next offset of each partition. It also passes transaction markers, which no record shows."""
        async with answered_within(self._call_seconds):
            return {key: await self._consumer.position(partition) for key, partition in self._partitions.items()}

    async def _offsets(self, fetch: Callable[[list[TopicPartition]], Awaitable[Mapping[Any, int]]]) -> dict[Key, int]:
        async with answered_within(self._call_seconds):
            offsets = await fetch(list(self._partitions.values()))
        return {key: offsets[partition] for key, partition in self._partitions.items()}


OpenReader = Callable[[], AbstractAsyncContextManager[TopicReader[Key]]]
OpenPartitions = Callable[[Iterable[int]], AbstractAsyncContextManager[TopicReader[int]]]


@asynccontextmanager
async def open_reader(
    kafka: KafkaSettings,
    partitions: Mapping[Key, tuple[str, int]],
    *,
    reset: Literal["earliest", "latest", "none"] = "earliest",
    call_seconds: float = CALL_SECONDS,
    is_committed: bool = True,
) -> AsyncIterator[TopicReader[Key]]:
    """Start a reader of partitions, given as (topic, number); the caller seeks before the first read.

    `reset`: where to continue if a position no longer exists, `none` to fail. `is_committed`: committed records only.
    """
    assigned = {key: TopicPartition(topic, number) for key, (topic, number) in partitions.items()}
    consumer = groupless_consumer(kafka, reset=reset, is_committed=is_committed)
    try:
        async with answered_within(START_SECONDS):
            await consumer.start()
        consumer.assign(list(assigned.values()))
        # Until the caller seeks, aiokafka would fetch from `reset` on, up to a mebibyte of each partition, for nothing.
        consumer.pause(*assigned.values())
        yield TopicReader(consumer, assigned, call_seconds)
    finally:
        await bounded_stop(consumer)


def open_partitions(
    kafka: KafkaSettings, topic: str, numbers: Iterable[int]
) -> AbstractAsyncContextManager[TopicReader[int]]:
    """Start a reader of some partitions of one topic, keyed by their number."""
    return open_reader(kafka, {number: (topic, number) for number in numbers})


def partitions_of(topic: str, count: int) -> dict[int, tuple[str, int]]:
    """Name all partitions of one topic, keyed by their number."""
    return {number: (topic, number) for number in range(count)}

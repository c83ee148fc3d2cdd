"""Kafka's clients as the publisher and the readers of events want them; every call is bounded by whoever makes it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

from adapters.kafka.clients import bounded_stop, idempotent_producer, tail_consumer, topic_partitions
from gateway.ingress.event_stream.tail import Source
from runtime.settings import KafkaSettings

START_SECONDS = 10.0


class Producers:
    """Makes, asks and drops producers for one topic."""

    def __init__(self, kafka: KafkaSettings, topic: str, *, linger_seconds: float) -> None:
        self._kafka = kafka
        self._topic = topic
        self._linger_seconds = linger_seconds

    async def connect(self) -> Any:
        """Start a producer that knows the topic's leaders; a topic that is not there is waited for."""
        producer = idempotent_producer(self._kafka, linger_seconds=self._linger_seconds)
        try:
            await producer.start()
            await producer.partitions_for(self._topic)
        except BaseException:
            await bounded_stop(producer)
            raise
        return producer

    async def probe(self, producer: Any) -> None:
        """Ask a broker for the topic's leaders, which keeps them current as well."""
        if not await producer.client.force_metadata_update():
            raise ConnectionError("no broker answered")

    async def drop(self, producer: Any) -> None:
        """Stop a producer within a bound."""
        await bounded_stop(producer)


class _TopicSource:
    """A consumer of all partitions of a topic, with positions by partition number."""

    def __init__(self, consumer: Any, topic: str, partitions: int) -> None:
        self._consumer = consumer
        self._partitions = topic_partitions(topic, partitions)

    def seek(self, positions: Mapping[int, int]) -> None:
        for partition in self._partitions:
            self._consumer.seek(partition, positions[partition.partition])

    async def ends(self) -> dict[int, int]:
        ends = await self._consumer.end_offsets(self._partitions)
        return {partition.partition: end for partition, end in ends.items()}

    async def positions(self) -> dict[int, int]:
        return {partition.partition: await self._consumer.position(partition) for partition in self._partitions}

    async def read(self, seconds: float) -> Mapping[int, Sequence[Any]]:
        batches = await self._consumer.getmany(timeout_ms=round(seconds * 1_000), max_records=500)
        return {partition.partition: records for partition, records in batches.items()}


def open_topic(
    kafka: KafkaSettings, topic: str, partitions: int, *, reset: Literal["earliest", "latest"]
) -> Callable[[], AbstractAsyncContextManager[Source]]:
    """Return what opens a reader of the topic's committed records; `reset` says where to go on if records are gone."""

    @asynccontextmanager
    async def open_source() -> AsyncIterator[Source]:
        consumer = tail_consumer(kafka, reset=reset)
        try:
            async with asyncio.timeout(START_SECONDS):
                await consumer.start()
            consumer.assign(topic_partitions(topic, partitions))
            yield _TopicSource(consumer, topic, partitions)
        finally:
            await bounded_stop(consumer)

    return open_source

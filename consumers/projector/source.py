"""The records of the three topics as one stream of batches, from given offsets on; committed records only, no group.

aiokafka says nothing when it is stuck, so every call has a time-out, and who reads rebuilds the source when one passes.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from adapters.kafka.clients import bounded_stop, tail_consumer, topic_partitions
from adapters.postgres.store import Place
from consumers.projector.parsing import TOPICS
from runtime.settings import KafkaSettings
from schemas.topics import Topics

START_SECONDS = 15.0
CALL_SECONDS = 15.0
# A batch waits for no more than this: people look at what was just done.
_WAIT_SECONDS = 0.5


class Source:
    """One consumer, used by one task. Calls raise KafkaFailure, which includes TimeoutError."""

    def __init__(self, consumer: Any, topics: Topics, partitions: int) -> None:
        self._consumer = consumer
        self._roles = {getattr(topics, role).name: role for role in TOPICS}
        self._places = {
            (role, partition.partition): partition
            for name, role in self._roles.items()
            for partition in topic_partitions(name, partitions)
        }

    @property
    def places(self) -> tuple[Place, ...]:
        """Every partition that is read."""
        return tuple(self._places)

    def seek(self, offsets: Mapping[Place, int]) -> None:
        """Go on from here."""
        for place, partition in self._places.items():
            self._consumer.seek(partition, offsets[place])

    async def read(self, most: int) -> dict[Place, Sequence[Any]]:
        """Return what has come, at most so many records; nothing if nothing comes for a moment."""
        async with asyncio.timeout(_WAIT_SECONDS + CALL_SECONDS):
            batches = await self._consumer.getmany(timeout_ms=round(_WAIT_SECONDS * 1_000), max_records=most)
        return {
            (self._roles[partition.topic], partition.partition): records
            for partition, records in batches.items()
            if records
        }

    async def begins(self) -> dict[Place, int]:
        """Return the first offsets that are still there."""
        return await self._by_place(self._consumer.beginning_offsets)

    async def ends(self) -> dict[Place, int]:
        """Return the offsets behind the last committed records."""
        return await self._by_place(self._consumer.end_offsets)

    async def positions(self) -> dict[Place, int]:
        """Return what will be read next: past the markers of transactions, which no record shows."""
        async with asyncio.timeout(CALL_SECONDS):
            return {place: await self._consumer.position(partition) for place, partition in self._places.items()}

    async def _by_place(self, ask: Any) -> dict[Place, int]:
        async with asyncio.timeout(CALL_SECONDS):
            found = await ask(list(self._places.values()))
        return {place: found[partition] for place, partition in self._places.items()}


@asynccontextmanager
async def open_source(kafka: KafkaSettings, topics: Topics, partitions: int) -> AsyncIterator[Source]:
    """Start a consumer of all partitions; seek before reading. Where records are gone it goes on with the oldest."""
    consumer = tail_consumer(kafka, reset="earliest")
    try:
        async with asyncio.timeout(START_SECONDS):
            await consumer.start()
        source = Source(consumer, topics, partitions)
        consumer.assign(list(source._places.values()))  # noqa: SLF001 - made here
        yield source
    finally:
        await bounded_stop(consumer)

"""One partition's transactions: what the lanes finished becomes visible together with the progress, or not at all.

    begin -> one batch per topic -> await every send -> offsets (if the progress moved) -> commit

Owns the producer of one `transactional.id`. After any error it is finished: the partition throws it away and starts
anew. See docs/decisions/0001.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple

from aiokafka.errors import IllegalOperation
from aiokafka.structs import OffsetAndMetadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import AIOKafkaProducer, TopicPartition
    from aiokafka.producer.message_accumulator import BatchBuilder

    from consumers.engine.interface import Output
    from consumers.engine.kafka.offsets import Committed

# The broker refuses a record over max.message.bytes (1 MiB with the batch's header), and one refused record poisons the
# producer: what a handler returns is checked against this before anything is queued.
LARGEST_RECORD = 900_000


class PendingCommit(NamedTuple):
    """What one turn asks to be committed, in frozen bytes.

    `offset` is None where no record is finished (a checkpoint, an alarm). `state` is the record of the new memory, if
    any; `waiter` is resolved once all of it is committed. `since` is when the turn ended, for the metrics.
    `dead_lettered`:
    the record was given up.
    """

    outputs: tuple[Output, ...]
    state: Output | None
    offset: int | None
    size: int
    waiter: asyncio.Future[None] | None
    since: float
    dead_lettered: bool = False

    @property
    def is_awaited(self) -> bool:
        """Whether a record or a turn waits for it; nobody does for what an alarm found."""
        return self.offset is not None or self.waiter is not None


class Transactions:
    """Commits batches of `PendingCommit`, one transaction at a time, for one input partition."""

    def __init__(
        self, producer: AIOKafkaProducer, source: TopicPartition, group: str, *, timeout_seconds: float
    ) -> None:
        self._producer = producer
        self._source = source
        self._group = group
        self._timeout_seconds = timeout_seconds

    async def commit(self, batch: Sequence[PendingCommit], progress: Committed | None) -> float:
        """Commit the batch, and the progress unless it is None. Return the seconds it took.

        Raises:
            TimeoutError: it is in doubt; throw the partition away, the next start finds out.
            KafkaFailure: it failed or was fenced; throw the partition away.
        """
        started = time.perf_counter()
        producer = self._producer
        async with asyncio.timeout(self._timeout_seconds):
            await producer.begin_transaction()
            # commit_transaction() does not look at the sends: a failed one would go unnoticed.
            await asyncio.gather(*await self._send(batch))
            if progress is not None:
                await producer.send_offsets_to_transaction(
                    {self._source: OffsetAndMetadata(progress.offset, progress.metadata)}, self._group
                )
            await producer.commit_transaction()
        return time.perf_counter() - started

    async def mark(self, topic: str, key: bytes) -> int:
        """Commit one empty record alone, and return its offset: proof that this producer writes, and to the leader."""
        async with asyncio.timeout(self._timeout_seconds):
            await self._producer.begin_transaction()
            sent = await self._producer.send(topic, b"", key=key, partition=self._source.partition)
            metadata = await sent
            await self._producer.commit_transaction()
        return int(metadata.offset)

    async def _send(self, batch: Sequence[PendingCommit]) -> list[asyncio.Future[object]]:
        states: dict[bytes, Output] = {}
        records: list[Output] = []
        for pending in batch:
            records.extend(pending.outputs)
            if pending.state is not None:
                states[pending.state.key] = pending.state  # only the last memory of a key is worth writing
        records.extend(states.values())
        builders: dict[str, list[BatchBuilder]] = {}
        now_milliseconds = time.time_ns() // 1_000_000
        for output in records:
            of_topic = builders.get(output.topic)
            if of_topic is None:
                of_topic = builders[output.topic] = [self._producer.create_batch()]
            added = of_topic[-1].append(
                timestamp=now_milliseconds, key=output.key, value=output.value, headers=list(output.headers)
            )
            if added is None:
                of_topic.append(self._producer.create_batch())
                of_topic[-1].append(
                    timestamp=now_milliseconds, key=output.key, value=output.value, headers=list(output.headers)
                )
        # The first batches of all topics first: aiokafka then adds all partitions to the transaction in one request.
        ordered = sorted(
            ((index, topic, builder) for topic, of_topic in builders.items() for index, builder in enumerate(of_topic)),
            key=lambda item: item[0],
        )
        sends: list[asyncio.Future[object]] = []
        try:
            for _, topic, builder in ordered:
                sends.append(await self._producer.send_batch(builder, topic, partition=self._source.partition))
        except IllegalOperation:
            # One of the sends before it has failed meanwhile and ended the transaction: that one knows why.
            await asyncio.gather(*sends)
            raise
        return sends

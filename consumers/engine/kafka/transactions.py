"""One partition's transactions: outputs, states and the progress become visible together or not at all.

    begin -> one batch per topic -> await every send -> the group's copy (if it belongs here) -> commit

Uses the producer of one `transactional.id`. `DirectTransaction` sends the requests; aiokafka's own sender does for the
marker, and for a transaction with the group's copy. After any error the producer is useless: the partition discards it
and starts again. See docs/decisions/0001-transactions-and-fencing.md and 0019-cheaper-transactions.md.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from aiokafka.errors import IllegalOperation
from aiokafka.structs import OffsetAndMetadata

from consumers.engine.core.progress import MARKER_KEY, PROGRESS_KEY, CopyForm, copy_of, encode
from consumers.engine.interface import Output
from consumers.engine.kafka.direct_transaction import DirectTransaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aiokafka import AIOKafkaProducer, TopicPartition
    from aiokafka.producer.message_accumulator import BatchBuilder

    from consumers.engine.core.commit_queue import PendingCommit
    from consumers.engine.core.offset_tracker import Committed
    from consumers.engine.settings import EngineSettings


class Transactions:
    """Commits batches of results, one transaction at a time, for one input partition."""

    def __init__(self, producer: AIOKafkaProducer, source: TopicPartition, settings: EngineSettings) -> None:
        self._producer = producer
        self._direct = DirectTransaction(producer)
        self._source = source
        self._group = settings.group
        self._state_topic = settings.state_topic
        self._copy_form = settings.progress_copy
        self._timeout_seconds = settings.transaction_seconds
        self._deadline: asyncio.Timeout | None = None  # of the last transaction, which may have ended

    async def commit(
        self, batch: Sequence[PendingCommit], progress: Committed | None, *, copies: bool = False
    ) -> float:
        """Commit the batch, and the progress unless it is None. Return the seconds that it took.

        `copies`: write the group's copy in the same transaction; in the old form it always is.

        Raises:
            TimeoutError: the outcome is unknown; discard the session, the next start reads the outcome from Kafka.
            KafkaFailure: the transaction failed or was fenced; discard the session.
        """
        started = time.perf_counter()
        copy = None
        if progress is not None and (copies or self._copy_form is CopyForm.OLD):
            copy = OffsetAndMetadata(*copy_of(progress, self._copy_form))
        async with asyncio.timeout(self._timeout_seconds) as self._deadline:
            await self._write(batch, progress, is_direct=copy is None)
            if copy is None:
                await self._direct.commit()
            else:
                await self._producer.send_offsets_to_transaction({self._source: copy}, self._group)
                await self._producer.commit_transaction()
        return time.perf_counter() - started

    async def write_marker(self) -> int:
        """Commit one empty record of `state` and return its offset.

        It proves that no other producer of this id was initialised before it began, and that this leader is the real
        one.
        """
        async with asyncio.timeout(self._timeout_seconds) as self._deadline:
            await self._producer.begin_transaction()
            sent = await self._producer.send(self._state_topic, b"", key=MARKER_KEY, partition=self._source.partition)
            metadata = await sent
            await self._producer.commit_transaction()
        return int(metadata.offset)

    def expire(self) -> None:
        """End the transaction in progress as its deadline does: a stop cannot wait for a Kafka that is away."""
        if self._deadline is not None:
            with suppress(RuntimeError):  # the transaction has ended
                self._deadline.reschedule(0.0)

    async def _write(self, batch: Sequence[PendingCommit], progress: Committed | None, *, is_direct: bool) -> None:
        """Begin a transaction and write its records; return when every record is confirmed."""
        builders = self._builders(_records(batch, progress, self._state_topic))
        if is_direct:
            await self._direct.write(builders, self._source.partition)
            return
        await self._producer.begin_transaction()
        # commit_transaction() does not check the sends: a failed send would go unnoticed.
        await asyncio.gather(*await self._send(builders))

    def _builders(self, records: Iterable[Output]) -> dict[str, list[BatchBuilder]]:
        """Return the records as batches, by topic."""
        builders: dict[str, list[BatchBuilder]] = {}
        timestamp = time.time_ns() // 1_000_000
        for output in records:
            of_topic = builders.get(output.topic)
            if of_topic is None:
                of_topic = builders[output.topic] = [self._producer.create_batch()]
            headers = list(output.headers)
            added = of_topic[-1].append(timestamp=timestamp, key=output.key, value=output.value, headers=headers)
            if added is None:  # the batch is full
                of_topic.append(self._producer.create_batch())
                of_topic[-1].append(timestamp=timestamp, key=output.key, value=output.value, headers=headers)
        return builders

    async def _send(self, builders: Mapping[str, Sequence[BatchBuilder]]) -> list[asyncio.Future[object]]:
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
            # An earlier send has failed meanwhile and ended the transaction: its error names the cause.
            await asyncio.gather(*sends)
            raise
        return sends


def _records(batch: Sequence[PendingCommit], progress: Committed | None, state_topic: str) -> list[Output]:
    """Return the outputs, the last state of each key, and the progress."""
    states: dict[bytes, Output] = {}
    records: list[Output] = []
    for pending in batch:
        records.extend(pending.outputs)
        if pending.state is not None:
            states[pending.state.key] = pending.state  # a key's later state replaces its earlier state
    records.extend(states.values())
    if progress is not None:
        records.append(Output(state_topic, PROGRESS_KEY, encode(progress)))
    return records

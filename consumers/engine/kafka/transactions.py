"""One partition's transactions: outputs, states and the progress become visible together or not at all.

Chooses and packs the records of results and of markers; `DirectTransaction` sends the requests. Uses the producer of
one `transactional.id`. After any error the producer is useless: the partition discards it and starts again. See
docs/decisions/0001-transactions.md.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaError

from consumers.engine.core.progress import MARKER_KEY, PROGRESS_KEY, encode
from consumers.engine.interface import Output
from consumers.engine.kafka.direct_transaction import DirectTransaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aiokafka import AIOKafkaProducer, TopicPartition
    from aiokafka.producer.message_accumulator import BatchBuilder

    from consumers.engine.core.commit_queue import PendingCommit
    from consumers.engine.core.offset_tracker import Committed
    from consumers.engine.settings import EngineSettings


class Transactions:
    """Commits batches of results, one transaction at a time, for one input partition."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        source: TopicPartition,
        settings: EngineSettings,
        topic_id: str,
        on_epoch_replaced: Callable[[], None] = lambda: None,
    ) -> None:
        self._producer = producer
        self._direct = DirectTransaction(producer, on_epoch_replaced)
        self._partition = source.partition
        self._state_topic = settings.state_topic
        self._topic_id = topic_id  # of the input topic, in which the offsets of the progress are
        self._timeout_seconds = settings.transaction_seconds
        self._deadline: asyncio.Timeout | None = None  # of the last transaction, which may have ended

    async def commit(
        self, batch: Sequence[PendingCommit], progress: Committed | None, second_source_at: float | None = None
    ) -> float:
        """Commit the batch, and the progress unless it is None. Return the seconds that it took.

        `second_source_at` is kept with the progress; see `FailureRatioLimit`.

        Raises:
            TimeoutError: the outcome is unknown; discard the session, the next start reads the outcome from Kafka.
            KafkaFailure: the transaction failed or was fenced; discard the session.
        """
        started = time.perf_counter()
        await self._commit(self._records(batch, progress, second_source_at))
        return time.perf_counter() - started

    async def write_marker(self) -> int:
        """Commit one empty record of `state` and return its offset.

        It proves that no other producer of this id was initialised before it began, and that this leader is the real
        one. Raises as `commit`.
        """
        offsets = await self._commit([Output(self._state_topic, MARKER_KEY, b"")])
        if self._state_topic not in offsets:
            raise KafkaError("the leader has the marker, and does not say at which offset")
        return offsets[self._state_topic]

    def expire(self) -> None:
        """End the transaction in progress as its deadline does: a stop cannot wait for a Kafka that is away."""
        if self._deadline is not None:
            with suppress(RuntimeError):  # the transaction has ended
                self._deadline.reschedule(0.0)

    async def _commit(self, records: Iterable[Output]) -> dict[str, int]:
        """Commit the records in one transaction. Return the offset of each topic's first record."""
        async with asyncio.timeout(self._timeout_seconds) as self._deadline:
            offsets = await self._direct.write(self._builders(records), self._partition)
            await self._direct.commit()
        return offsets

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

    def _records(
        self, batch: Sequence[PendingCommit], progress: Committed | None, second_source_at: float | None
    ) -> list[Output]:
        """Return the outputs, the last state of each key, and the progress."""
        states: dict[bytes, Output] = {}
        records: list[Output] = []
        for pending in batch:
            records.extend(pending.outputs)
            if pending.state is not None:
                states[pending.state.key] = pending.state  # a key's later state replaces its earlier state
        records.extend(states.values())
        if progress is not None:
            value = encode(progress, self._topic_id, second_source_at)
            records.append(Output(self._state_topic, PROGRESS_KEY, value))
        return records

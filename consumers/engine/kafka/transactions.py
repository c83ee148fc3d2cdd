"""One partition's transactions: outputs, states and the progress become visible together or not at all.

Chooses and packs the records of results and of markers; `DirectTransaction` sends the requests. Uses the producer of
one `transactional.id`. After any error the producer is useless: the partition discards it and starts again. See
docs/decisions/0001-transactions.md.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError

from consumers.engine.core.progress import MARKER_KEY, PROGRESS_KEY, encode
from consumers.engine.core.tail import NUMBER_HEADER
from consumers.engine.interface import Output
from consumers.engine.kafka.direct_transaction import DirectTransaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aiokafka import AIOKafkaProducer, TopicPartition
    from aiokafka.producer.message_accumulator import BatchBuilder

    from adapters.kafka.aiokafka_internals import ProducerIdentity
    from consumers.engine.core.commit_queue import PendingCommit
    from consumers.engine.core.offset_tracker import Committed
    from consumers.engine.settings import EngineSettings

    _Row = tuple[str, bytes | None, bytes | None, list[tuple[str, bytes]], int]  # topic, key, value, headers, timestamp


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
        self.partition = source.partition
        self._state_topic = settings.state_topic
        self._topic_id = topic_id  # of the input topic, in which the offsets of the progress are
        self._outputs = settings.outputs
        self._timeout_seconds = settings.transaction_seconds
        self._number = 0  # of the last transaction
        self._begins: dict[str, int] = {}  # by topic: see `ProgressRecord`
        self.progress = b""  # the progress record of the last transaction
        self._deadline: asyncio.Timeout | None = None  # of the last transaction, which may have ended

    def count_from(self, number: int, ends: Mapping[str, int]) -> None:
        """Number the next transaction after this one. `ends`: of each topic, before any numbered record to come."""
        self._number, self._begins = number, dict(ends)

    async def commit(
        self, batch: Sequence[PendingCommit], progress: Committed, second_source_at: float | None = None
    ) -> float:
        """Commit the batch and the progress. Return the seconds that it took.

        `second_source_at` is kept with the progress; see `FailureRatioLimit`.

        Raises:
            TimeoutError: the outcome is unknown; discard the session, the next start reads the outcome from Kafka.
            KafkaFailure: the transaction failed or was fenced; discard the session.
        """
        started = time.perf_counter()
        self._number += 1
        records, header, now = (
            self._records(batch, progress, second_source_at),
            (NUMBER_HEADER, str(self._number).encode()),
            _milliseconds(),
        )
        self._begins |= await self._commit(
            (output.topic, output.key, output.value, [*output.headers, header], now) for output in records
        )
        return time.perf_counter() - started

    async def repeat(self, parts: Mapping[str, Sequence[Any]]) -> None:
        """Commit these records of a torn transaction, by topic, as they were: under its number. Raises as `commit`."""
        await self._commit(
            (topic, record.key, record.value, record.headers, record.timestamp)
            for topic, part in parts.items()
            for record in part
        )

    async def write_marker(self, *, everywhere: bool = False) -> tuple[int, ProducerIdentity]:
        """Commit one empty record of `state`; return its offset and the epoch that wrote it.

        `everywhere`: Kafka writes its marker of this epoch to every topic of the engine, also without a record there.

        It proves that no other producer of this id was initialised before it began, and that this leader is the real
        one. Raises as `commit`.
        """
        topics = self._outputs if everywhere else ()
        offsets = await self._commit([(self._state_topic, MARKER_KEY, b"", [], _milliseconds())], topics)
        if self._state_topic not in offsets:
            raise KafkaError("the leader has the marker, and does not say at which offset")
        return offsets[self._state_topic], self._direct.identity

    def expire(self) -> None:
        """Expire the transaction's deadline now: shutdown must not wait for an unreachable Kafka."""
        if self._deadline is not None:
            with suppress(RuntimeError):  # the transaction has ended
                self._deadline.reschedule(0.0)

    async def _commit(self, rows: Iterable[_Row], topics: Iterable[str] = ()) -> dict[str, int]:
        """Commit the rows in one transaction that includes `topics`. Return the offset of each topic's first record."""
        async with asyncio.timeout(self._timeout_seconds) as self._deadline:
            offsets = await self._direct.write(self._builders(rows, topics), self.partition)
            await self._direct.commit()
        return offsets

    def _builders(self, rows: Iterable[_Row], topics: Iterable[str]) -> dict[str, list[BatchBuilder]]:
        """Return the records as batches, by topic."""
        builders: dict[str, list[BatchBuilder]] = {topic: [] for topic in topics}
        for topic, key, value, headers, timestamp in rows:
            of_topic = builders.get(topic)
            if not of_topic:
                of_topic = builders[topic] = [self._producer.create_batch()]
            added = of_topic[-1].append(timestamp=timestamp, key=key, value=value, headers=headers)
            if added is None:  # the batch is full
                of_topic.append(self._producer.create_batch())
                of_topic[-1].append(timestamp=timestamp, key=key, value=value, headers=headers)
        return builders

    def _records(
        self, batch: Sequence[PendingCommit], progress: Committed, second_source_at: float | None
    ) -> list[Output]:
        """Return the outputs, the last state of each key, and the progress."""
        states: dict[bytes, Output] = {}
        records: list[Output] = []
        for pending in batch:
            records.extend(pending.outputs)
            if pending.state is not None:
                states[pending.state.key] = pending.state  # a key's later state replaces its earlier state
        records.extend(states.values())
        written = Counter([self._state_topic, *(output.topic for output in records)])
        lasting = written - Counter(output.topic for output in records if output.value is None)
        parts = {topic: (begin, written[topic], lasting[topic]) for topic, begin in self._begins.items()}
        self.progress = encode(progress, self._topic_id, second_source_at, number=self._number, parts=parts)
        records.append(Output(self._state_topic, PROGRESS_KEY, self.progress))
        return records


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000

"""All data of a running partition in memory, made at a start and discarded as a whole, never repaired.

    consumer -> feed() -> fetch buffer -> dispatcher: key queues -> invocations -> results -> commit()
                             ^                                                                   |
                             +------------------------ room for more records <-------------------+

Owns the fetched records and the transactions. The partition resumes, suspends and closes a session; the
consumer feeds it. Invariant: once its dispatcher is closed, no invocation of it starts an external call and nothing of
it is committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from adapters.kafka.clients import KafkaFailure
from consumers.engine.core.commit_queue import UnknownCommit
from consumers.engine.core.fetch_buffer import FetchBuffer
from consumers.engine.core.progress import readable
from consumers.engine.dispatcher import Dispatcher
from consumers.engine.startup import key_queues_with_timers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumers.engine.context import EngineContext, PartitionContext
    from consumers.engine.core.commit_queue import PendingCommit
    from consumers.engine.core.failure_ratio import FinishedRecord
    from consumers.engine.core.fetch_buffer import FetchedRecord
    from consumers.engine.startup import StartedPartition

log = structlog.get_logger(__name__)


class PartitionSession:
    """The records, key queues, states and results of one partition, from one start to its end."""

    def __init__(self, partition: PartitionContext, engine: EngineContext, started: StartedPartition) -> None:
        settings = engine.settings
        self._clocks = engine.clocks
        self.committed = started.committed
        self.topic_id = started.topic_id
        self.buffer = FetchBuffer(
            started.committed, records=settings.read_ahead_records, size=settings.read_ahead_bytes
        )
        key_queues = key_queues_with_timers(settings, started, engine.clocks)
        self.dispatcher = Dispatcher(partition, engine, key_queues, started.states)
        self.is_paused = True  # the consumer fetches nothing for the partition
        self.unknown: UnknownCommit | None = None  # of the transaction that ended the session
        self._results = self.dispatcher.results
        self._commits = self._results.commits
        self._transactions = started.transactions
        self._partition = partition
        self._metrics = engine.metrics
        self._label = str(partition.source.partition)
        partition.failure_ratio.restore(readable(started.states.progress).second_source_at)

    # Called by the partition.

    def resume(self) -> None:
        """Begin, or continue after `suspend`: fetch records and start invocations. The consumer must be paused."""
        self.dispatcher.is_suspended = False
        self.is_paused = True
        self.rewind()
        self.adjust_reading()
        self.dispatcher.start()

    def suspend(self) -> None:
        """Start nothing new: running invocations continue, and their results are committed."""
        self.dispatcher.is_suspended = True

    async def close(self) -> None:
        """Close the dispatcher and wait for its last invocation: only then may another session use its keys."""
        self.dispatcher.close()
        await self.dispatcher.wait_closed()

    # Called by the consumer's reader.

    def feed(self, records: Sequence[FetchedRecord]) -> None:
        """Accept fetched records, in order, of the current assignment."""
        if self.dispatcher.is_suspended or not records:
            return  # `resume` seeks before the next fetch
        if not self.buffer.fetched(records):
            self.rewind()
            return
        self._take_records()

    def rewind(self) -> None:
        """Fetch again from the buffer's position: records may be lost between Kafka and `feed`."""
        if not self.dispatcher.is_suspended:
            self._partition.consumer.seek(self._partition.source, self.buffer.position)
            self.buffer.sought()

    def adjust_reading(self) -> None:
        """Pause or resume the consumer for the partition, according to the room in the buffer."""
        if self.dispatcher.is_suspended:
            return
        unfinished, has_tripped = self.dispatcher.key_queues.records, self._partition.failure_ratio.has_tripped
        if self.is_paused:
            if self.buffer.has_room(unfinished) and not has_tripped:
                self._partition.consumer.resume(self._partition.source)
                self.is_paused = False
        elif self.buffer.is_full(unfinished) or has_tripped:
            self._partition.consumer.pause(self._partition.source)
            self.is_paused = True

    def _take_records(self) -> None:
        now = self._clocks.steady()
        key_queues = self.dispatcher.key_queues
        for record in self.buffer.take():
            key_queues.add(record, now)
        self.adjust_reading()
        self.dispatcher.start()

    # Transactions.

    async def prove_sole_producer(self) -> None:
        """Return if no other producer of the partition was initialised before this call.

        Raises:
            ProducerFenced: one was.
            KafkaFailure: unknown; discard the session.
        """
        await self._transactions.write_marker()

    def expire_transaction(self) -> None:
        """End the transaction in progress with an unknown outcome; the next start reads the outcome from Kafka."""
        self._transactions.expire()

    async def commit(self) -> bool:
        """Commit the queued results in one transaction. False: there are none.

        Raises:
            KafkaFailure: the transaction failed or its outcome is unknown; discard the session.
        """
        if not self._commits.has_pending:
            self.dispatcher.progressed.set()
            return False
        batch = self._commits.next_batch()
        finished = [pending.offset for pending in batch if pending.offset is not None]
        for offset in finished:
            self.buffer.finish(offset)
        committed = self.buffer.committed() if finished else self.committed
        try:
            second_source_at = self._partition.failure_ratio.second_source_at
            seconds = await self._transactions.commit(batch, committed, second_source_at)
        except KafkaFailure as error:
            self._metrics.transaction_failures.labels(type(error).__name__).inc()
            self.unknown = UnknownCommit(batch, self._transactions.progress)
            raise
        self.committed = committed
        self._commits.committed()
        self._metrics.transaction_seconds.observe(seconds)
        self._metrics.transaction_records.observe(len(batch))
        self._committed(batch)
        self._after_commit()
        return True

    def found_committed(self, results: Sequence[PendingCommit]) -> None:
        """Count results of the session before: its last transaction had an unknown outcome, and was committed."""
        for pending in results:
            if pending.record is not None:
                self._results.failures.add(pending.record)
        self._committed(results)

    def _committed(self, results: Sequence[PendingCommit]) -> None:
        records = [pending.record for pending in results if pending.record is not None]
        self._metrics.records.labels(self._label).inc(len(records))
        self._metrics.outputs.inc(sum(len(pending.outputs) for pending in results))
        self._count_dead_letters(records)
        for pending in results:
            for call in pending.on_commit:
                call()

    def _count_dead_letters(self, records: Sequence[FinishedRecord]) -> None:
        if dead_letters := sum(record.dead_lettered for record in records):
            self._metrics.dead_lettered.labels(self._label).inc(dead_letters)
        if self._results.failures.committed(records, self._clocks.unix()):
            limit, number = self._partition.failure_ratio, self._partition.source.partition
            tripped = {"detail": limit.reason, "causes": limit.causes(), "sources": limit.sources()}
            log.error("engine.dead_letter_share_exceeded", partition=number, **tripped)

    def _after_commit(self) -> None:
        if self.buffer.has_held_records:
            self._take_records()
        else:
            self.adjust_reading()
            self.dispatcher.start()
        if not self._commits.has_pending:
            self.dispatcher.progressed.set()

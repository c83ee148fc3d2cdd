"""All data of a running partition in memory, made at a start and discarded as a whole, never repaired.

    consumer -> feed() -> fetch buffer -> key queues -> invocations -> enqueue() -> commit queue -> commit()
                             ^                                                                        |
                             +--------------------------- room for more records <---------------------+

The partition resumes, suspends and invalidates a session; the consumer feeds it; the dispatcher uses it as
`dispatcher.Session`. Invariant: once the session is invalid, no invocation of it starts an external call and nothing of
it is committed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from adapters.kafka.clients import KafkaFailure
from consumers.engine.core.commit_queue import CommitQueue, UnknownCommit
from consumers.engine.core.failure_ratio import UncommittedFailures
from consumers.engine.core.fetch_buffer import FetchBuffer
from consumers.engine.core.progress import readable
from consumers.engine.dispatcher import Dispatcher
from consumers.engine.interface import PartitionLost
from consumers.engine.startup import key_queues_with_timers
from runtime.clocks import Clocks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiokafka import AIOKafkaConsumer, TopicPartition

    from consumers.engine.core.commit_queue import PendingCommit
    from consumers.engine.core.concurrency import ConcurrencyLimiter
    from consumers.engine.core.failure_ratio import FailureRatioLimit, FinishedRecord
    from consumers.engine.core.fetch_buffer import FetchedRecord
    from consumers.engine.interface import Handler
    from consumers.engine.kafka.membership import GroupMembership
    from consumers.engine.loop_lag import LoopLag
    from consumers.engine.settings import EngineSettings
    from consumers.engine.startup import StartedPartition
    from runtime.metrics import EngineMetrics

log = structlog.get_logger(__name__)

_SLOT_RETRY_SECONDS = 0.1
_OWNERSHIP_RETRY_SECONDS = 0.1
# Timer results are not urgent: they linger this long, so that they share a transaction with a record.
_LINGER_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class EngineContext:
    """The objects that all partitions of an engine share."""

    settings: EngineSettings
    handler: Handler
    limiter: ConcurrencyLimiter
    metrics: EngineMetrics
    loop_lag: LoopLag
    clocks: Clocks = field(default_factory=Clocks)


@dataclass(frozen=True, slots=True)
class PartitionContext:
    """The objects that all sessions of a partition share.

    `wake` makes the partition's task check for results; `read_until` is that of `PartitionView`.
    """

    source: TopicPartition
    consumer: AIOKafkaConsumer
    membership: GroupMembership
    failure_ratio: FailureRatioLimit
    wake: Callable[[], None]
    read_until: Callable[[], float] = lambda: 0.0


class PartitionSession:
    """The records, key queues, states and results of one partition, from one start to its end."""

    def __init__(self, partition: PartitionContext, engine: EngineContext, started: StartedPartition) -> None:
        settings = engine.settings
        self._clocks = engine.clocks
        self.read_until = partition.read_until
        self.committed = started.committed
        self.topic_id = started.topic_id
        self.buffer = FetchBuffer(
            started.committed, records=settings.read_ahead_records, size=settings.read_ahead_bytes
        )
        self.commits = CommitQueue(results=settings.batch_results, size=settings.batch_bytes)
        self.dispatcher = Dispatcher(
            session=self,
            handler=engine.handler,
            limiter=engine.limiter,
            key_queues=key_queues_with_timers(settings, started, engine.clocks),
            states=started.states,
            state_topic=settings.state_topic,
            limits=settings.limits,
            clocks=self._clocks,
            metrics=engine.metrics,
        )
        self.is_paused = True  # the consumer fetches nothing for the partition
        self.unknown: UnknownCommit | None = None  # of the transaction that ended the session
        self._transactions = started.transactions
        self._partition = partition
        self._metrics = engine.metrics
        self._loop_lag = engine.loop_lag
        self._label = str(partition.source.partition)
        self._is_suspended = True
        self._is_draining = False
        self._is_lingering = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due: float | None = None
        self._failures = UncommittedFailures(partition.failure_ratio)
        partition.failure_ratio.restore(readable(started.states.progress).second_source_at)
        self._progressed = asyncio.Event()

    # Called by the partition.

    def resume(self) -> None:
        """Begin, or continue after `suspend`: fetch records and start invocations. The consumer must be paused."""
        self._is_suspended = False
        self.is_paused = True
        self.rewind()
        self.adjust_reading()
        self.key_queues_changed()

    def suspend(self) -> None:
        """Start nothing new: running invocations continue, and their results are committed."""
        self._is_suspended = True

    def invalidate(self) -> None:
        """From here on, no invocation may start an external call, and no result may be committed."""
        self._is_suspended = True
        self.dispatcher.close()
        self.commits.fail()
        self._progressed.set()

    @property
    def is_invalid(self) -> bool:
        """Whether `invalidate` was called."""
        return self.dispatcher.is_closed

    async def close(self) -> None:
        """Invalidate the session and wait for its last invocation: only then may another session use its keys."""
        self.invalidate()
        self._cancel_timer()
        await self.dispatcher.closed()

    async def flush(self, seconds: float) -> None:
        """Return when all results are committed, or after this time."""
        await self._wait_until(lambda: self.commits.is_flushed, seconds)

    async def drain(self, seconds: float) -> None:
        """Start no more invocations; return when all have ended and are committed, or after this time."""
        self._is_draining = True
        await self._wait_until(lambda: not self.dispatcher.running and self.commits.is_flushed, seconds)

    async def _wait_until(self, condition: Callable[[], bool], seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition() and not self.is_invalid:
                    self._progressed.clear()
                    await self._progressed.wait()

    # Called by the consumer's reader.

    def feed(self, records: Sequence[FetchedRecord]) -> None:
        """Accept fetched records, in order, of the current assignment."""
        if self._is_suspended or not records:
            return  # `resume` seeks before the next fetch
        if not self.buffer.fetched(records):
            self.rewind()
            return
        self._take_records()

    def rewind(self) -> None:
        """Fetch again from the buffer's position: records may be lost between Kafka and `feed`."""
        if not self._is_suspended:
            self._partition.consumer.seek(self._partition.source, self.buffer.position)
            self.buffer.sought()

    def adjust_reading(self) -> None:
        """Pause or resume the consumer for the partition, according to the room in the buffer."""
        if self._is_suspended:
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
        self.key_queues_changed()

    # Called by the dispatcher (`dispatcher.Session`).

    @property
    def accepts_invocations(self) -> bool:
        """Whether another invocation may start now."""
        may_run = not self._is_suspended and not self._is_draining and not self._failures.may_trip
        return may_run and self.commits.has_room

    @property
    def has_time_to_spare(self) -> bool:
        """Whether timers may run without delaying records."""
        return not self._loop_lag.is_late

    def enqueue(self, pending: PendingCommit) -> None:
        """Queue a result for the next transaction, which begins soon if the result is urgent."""
        self.commits.put(pending)
        if pending.is_urgent:
            self._partition.wake()
        elif not self._is_lingering:
            self._is_lingering = True
            asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._linger_ended)
        if pending.record is not None:
            self._failures.add(pending.record)

    def key_queues_changed(self) -> None:
        """Start ready invocations, and set the timer for the key queue that is due next."""
        self.dispatcher.start()
        due = self.dispatcher.key_queues.next_due() if self.accepts_invocations else None
        if due != self._timer_due:
            self._cancel_timer()
            if due is not None:
                # A due queue that has not started waits for a slot, and the release of a slot starts it.
                ahead = due - self._clocks.steady()
                delay = max(0.001, ahead) if ahead > 0 else _SLOT_RETRY_SECONDS
                self._timer = asyncio.get_running_loop().call_later(delay, self._timer_expired)
                self._timer_due = due
        if not self.dispatcher.running:
            self._progressed.set()

    async def ensure_owned(self) -> None:
        """Return when no other process can own the partition at this moment, or raise `PartitionLost`."""
        membership = self._partition.membership
        while True:
            if self.is_invalid:
                raise PartitionLost
            if not self._is_suspended and membership.is_trusted:
                return
            # All invocations of the process may wait here: one heartbeat is enough.
            if not self._is_suspended and not membership.is_confirming and await membership.confirm():
                return
            await asyncio.sleep(_OWNERSHIP_RETRY_SECONDS)

    def _linger_ended(self) -> None:
        self._is_lingering = False
        self._partition.wake()

    def _timer_expired(self) -> None:
        self._timer = self._timer_due = None
        self.key_queues_changed()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timer_due = None

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
        if not self.commits.has_pending:
            self._progressed.set()
            return False
        batch = self.commits.next_batch()
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
        self.commits.committed()
        self._metrics.transaction_seconds.observe(seconds)
        self._metrics.transaction_records.observe(len(batch))
        self._committed(batch)
        self._after_commit()
        return True

    def found_committed(self, results: Sequence[PendingCommit]) -> None:
        """Count results of the session before: its last transaction had an unknown outcome, and was committed."""
        for pending in results:
            if pending.record is not None:
                self._failures.add(pending.record)
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
        if self._failures.committed(records, self._clocks.unix()):
            limit, number = self._partition.failure_ratio, self._partition.source.partition
            tripped = {"detail": limit.reason, "causes": limit.causes(), "sources": limit.sources()}
            log.error("engine.dead_letter_share_exceeded", partition=number, **tripped)

    def _after_commit(self) -> None:
        if self.buffer.has_held_records:
            self._take_records()
        else:
            self.adjust_reading()
            self.key_queues_changed()
        if not self.commits.has_pending:
            self._progressed.set()

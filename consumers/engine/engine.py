"""One engine: the consumer of the input topic, its rebalances, and the partitions that this process owns.

The reader never leaves `getmany`: back-pressure pauses partitions. Rebalance callbacks only note the group's decision.
If the consumer fails, the engine closes all partitions and creates another consumer; see `Engine.run`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CorruptRecordException,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RecordTooLargeError,
    UnsupportedCodecError,
)

from adapters.kafka.aiokafka_internals import has_fetching_ended, metadata_age_seconds
from adapters.kafka.clients import KafkaFailure, bounded_stop
from consumers.engine import lag, topic_watch
from consumers.engine.context import EngineContext
from consumers.engine.core.broker_contact import BrokerContact
from consumers.engine.core.concurrency import ConcurrencyLimiter
from consumers.engine.gauges import set_gauges
from consumers.engine.kafka import clients
from consumers.engine.kafka.membership import GroupMembership, trusted_seconds
from consumers.engine.loop_lag import LoopLag
from consumers.engine.partition import Partition
from consumers.engine.progress_copy import ProgressCopier
from runtime.clocks import steady

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiokafka import AIOKafkaConsumer

    from consumers.engine.interface import Handler
    from consumers.engine.settings import EngineSettings
    from runtime.metrics import EngineMetrics

log = structlog.get_logger(__name__)

_POLL_MILLISECONDS = 250
_TICK_SECONDS = 1.0
_FIRST_RETRY_SECONDS = 0.2
_LAST_RETRY_SECONDS = 5.0
_STABLE_SECONDS = 60.0


class PartitionCountChanged(Exception):
    """The topic's number of partitions differs from the settings: keys would be separated from their states."""


class ConsumerFailed(Exception):
    """A background task of the consumer has ended, so the consumer would never return another record."""


class Engine:
    """Runs a handler over the records of one topic, exactly once and in order per key."""

    def __init__(self, settings: EngineSettings, handler: Handler, metrics: EngineMetrics) -> None:
        self.settings = settings
        self.partitions: dict[int, Partition] = {}
        self.is_joined = False
        self.is_rebalancing = False
        self.is_topic_missing = False
        self.surplus_partitions = 0  # of the topic, beyond the settings; nothing reads them
        self.looped_at = time.monotonic()
        self.limiter = ConcurrencyLimiter(settings.concurrency)
        self.detail = "starting"
        # A longer silence: this process may start no call, because it may have lost its partitions.
        self.contact = BrokerContact(trusted_seconds(settings.session_seconds), steady())
        self._metrics = metrics
        self._loop_lag = LoopLag()
        self._context = EngineContext(settings, handler, self.limiter, metrics, self._loop_lag)

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set, then drain and return.

        Raises PartitionCountChanged if the topic has fewer partitions than the settings say.
        """
        failures = 0
        while not stop.is_set():
            began = time.monotonic()
            changed: Exception | None = None
            try:
                await self._consume(stop)
            except* PartitionCountChanged as group:
                changed = group.exceptions[0]
            except* (*KafkaFailure, ConsumerFailed) as group:
                failures = 0 if time.monotonic() - began > _STABLE_SECONDS else failures + 1
                first = group.exceptions[0]
                self.detail = f"{type(first).__name__}: {first}"
                pause = min(_LAST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2 ** min(failures, 10))
                log.warning("engine.consumer_failed", detail=self.detail, wait=pause)
                with suppress(TimeoutError):
                    # Not `asyncio.timeout`: see `direct_transaction._all`.
                    await asyncio.wait_for(stop.wait(), pause)
            # Not above: before Python 3.11.4 an exception from `except*` would be in a group again.
            if changed is not None:
                raise changed from None

    async def _consume(self, stop: asyncio.Event) -> None:
        settings = self.settings
        consumer = clients.group_consumer(settings)
        membership = GroupMembership(
            consumer, settings.group, session_seconds=settings.session_seconds, on_answer=self.contact.answered
        )
        copier = ProgressCopier(consumer, settings, self.partitions.values)
        try:
            async with asyncio.TaskGroup() as tasks:
                listener = _RebalanceListener(self, consumer, membership, copier, tasks)
                consumer.subscribe([settings.topic], listener=listener)
                reading = tasks.create_task(self._read(consumer, listener))
                stopping = tasks.create_task(stop.wait())
                watching = [
                    tasks.create_task(self._confirm_membership(membership)),
                    tasks.create_task(self._tick(consumer, membership)),
                    tasks.create_task(self._loop_lag.watch()),
                    tasks.create_task(copier.watch(membership)),
                    tasks.create_task(lag.watch(consumer, settings.group, self.partitions.values)),
                    tasks.create_task(topic_watch.watch(consumer, settings.topic, self.partitions.values)),
                ]
                try:
                    # A start or a fetch may wait without end for an unreachable group; a stop must not.
                    await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
                    listener.accepts_new = False
                    reading.cancel()
                    await asyncio.gather(*(partition.drain() for partition in self.partitions.values()))
                    await copier.write(membership.generation)
                finally:
                    listener.accepts_new = False
                    for task in (*watching, stopping):
                        task.cancel()
                    for partition in self.partitions.values():
                        partition.close()
        finally:
            self.is_joined = False
            self.is_rebalancing = False
            for number in list(self.partitions):
                self.forget(number)
            await bounded_stop(consumer)

    async def _read(self, consumer: AIOKafkaConsumer, listener: _RebalanceListener) -> None:
        self.detail = f"joining group {self.settings.group}, which needs topic {self.settings.topic} and a coordinator"
        await consumer.start()
        self.contact.answered(steady())
        self.is_joined = True
        while True:
            self.looped_at = time.monotonic()
            if listener.failure is not None:
                raise listener.failure
            try:
                fetched = await consumer.getmany(timeout_ms=_POLL_MILLISECONDS)
            except NoOffsetForPartitionError:
                self._rewind()  # aiokafka found no committed offset; the partitions seek to their own positions
                await asyncio.sleep(0.05)
            except OffsetOutOfRangeError as error:
                self._restart_out_of_range(error)
                self._rewind()
            except RuntimeError as error:
                # uvloop raises this error for a connection that was just closed under aiokafka; it ends aiokafka's
                # tasks.
                raise ConsumerFailed(f"aiokafka ended: {error}") from error
            except (CorruptRecordException, RecordTooLargeError, UnsupportedCodecError) as error:
                log.error("engine.fetch_failed", detail=type(error).__name__)  # noqa: TRY400 - the type names the cause
                self._rewind()
                await asyncio.sleep(1.0)
            else:
                # No `await` since the fetch: the records belong to the current assignment.
                for source, records in fetched.items():
                    partition = self.partitions.get(source.partition)
                    if partition is not None:
                        partition.feed(records)

    def _rewind(self) -> None:
        """Fetch again after an error of `getmany`, which loses the records that it had already taken."""
        for partition in self.partitions.values():
            partition.rewind()

    def _restart_out_of_range(self, error: OffsetOutOfRangeError) -> None:
        # Either retention deleted the records, or a deposed leader responded: the start checks this.
        offsets = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        for source, offset in offsets.items():
            partition = self.partitions.get(source.partition)
            if partition is not None:
                partition.restart(f"offset {offset} is not in the log")

    async def _confirm_membership(self, membership: GroupMembership) -> None:
        while True:
            await asyncio.sleep(self.settings.heartbeat_seconds)
            await membership.confirm()

    async def _tick(self, consumer: AIOKafkaConsumer, membership: GroupMembership) -> None:
        """Check aiokafka's fetch task, note fetches, cancel overdue invocations, set the gauges, every second."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            if has_fetching_ended(consumer):
                raise ConsumerFailed("aiokafka's fetch task ended")
            self._note_contact(consumer, membership)
            for partition in self.partitions.values():
                if partition.session is not None:
                    partition.session.dispatcher.cancel_overdue()
            set_gauges(self.partitions, self.settings.wait_reasons, self._metrics)

    def _note_contact(self, consumer: AIOKafkaConsumer, membership: GroupMembership) -> None:
        now = steady()
        ages = {
            partition.source.partition: partition.fetch_age_seconds
            for partition in self.partitions.values()
            if partition.fetched_log_end is not None and not partition.is_paused
        }
        self.contact.fetching(ages, now)
        # A heartbeat would wait behind the request to join, which the coordinator holds until all members have joined.
        if membership.generation is None and (age := metadata_age_seconds(consumer)) is not None:
            self.contact.answered(now - age)

    def count_rebalance(self) -> None:
        """Count an assignment."""
        self._metrics.rebalances.inc()

    def forget(self, number: int) -> None:
        """Drop a partition that no longer belongs to this process, with its metrics."""
        self.partitions.pop(number, None)
        self._metrics.forget(number)

    def add(self, source: TopicPartition, consumer: AIOKafkaConsumer, membership: GroupMembership) -> Partition:
        """Make the object of a newly assigned partition."""
        state = TopicPartition(self.settings.state_topic, source.partition)
        partition = Partition(source, state, consumer, membership, self._context)
        self.partitions[source.partition] = partition
        self._metrics.show_zeros(source.partition)
        return partition


class _RebalanceListener(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is untyped
    """Notes the group's decisions. aiokafka sends no heartbeat during the assignment callback: it must be short."""

    def __init__(
        self,
        engine: Engine,
        consumer: AIOKafkaConsumer,
        membership: GroupMembership,
        copier: ProgressCopier,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.failure: Exception | None = None
        self.accepts_new = True
        self._engine = engine
        self._consumer = consumer
        self._membership = membership
        self._copier = copier
        self._tasks = tasks
        self._running: dict[int, asyncio.Task[None]] = {}

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Let the partitions commit finished results. aiokafka's heartbeats continue meanwhile."""
        del revoked  # the protocol is eager: always all partitions
        self._engine.is_rebalancing = True
        generation = self._membership.generation
        self._membership.revoked()
        partitions = list(self._engine.partitions.values())
        for partition in partitions:
            partition.revoked()
        await asyncio.gather(*(partition.flush() for partition in partitions))
        await self._copier.write(generation)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Close the partitions that were not returned, keep the returned partitions, start the new ones."""
        engine = self._engine
        engine.is_rebalancing = False
        engine.count_rebalance()
        generation = self._membership.assigned()
        sources = {source.partition: source for source in assigned}
        log.info("engine.partitions_assigned", partitions=sorted(sources), generation=generation.number)
        wanted = engine.settings.partitions
        count = len(self._consumer.partitions_for_topic(engine.settings.topic) or ())
        # Without a topic the group assigns nothing; it rebalances when the topic exists again.
        engine.is_topic_missing = not count
        if 0 < count < wanted:
            self.failure = PartitionCountChanged(
                f"topic {engine.settings.topic} has {count} partitions, the settings say {wanted}: restore the topic"
            )
            self._consumer.pause(*sources.values())
            return
        engine.surplus_partitions = max(0, count - wanted)
        for number in [number for number in sources if number >= wanted]:
            surplus = sources.pop(number)
            self._consumer.pause(surplus)
            self._consumer.seek(surplus, 0)  # else aiokafka asks the group for an offset that it never gets
        for number in [number for number in engine.partitions if number not in sources]:
            engine.partitions[number].close()
            engine.forget(number)
        for number, source in sources.items():
            partition = engine.partitions.get(number)
            is_new = partition is None
            if partition is None:
                if not self.accepts_new:
                    self._consumer.pause(source)
                    continue
                partition = engine.add(source, self._consumer, self._membership)
            partition.assigned(generation)
            if is_new:
                predecessor = self._running.get(number)
                self._running[number] = task = self._tasks.create_task(_run(partition, predecessor))
                task.add_done_callback(partial(self._ended, partition))

    def _ended(self, partition: Partition, task: asyncio.Task[None]) -> None:
        """Restart the consumer if a task has ended by a cancellation: its partition would stand still."""
        if task.cancelled() and not partition.is_closed:
            self.failure = ConsumerFailed(f"the task of partition {partition.source.partition} was cancelled")


async def _run(partition: Partition, predecessor: asyncio.Task[None] | None) -> None:
    """Run the partition after this process's earlier object for it has ended; two objects would fence each other."""
    if predecessor is not None:
        await asyncio.wait([predecessor])
    await partition.run()

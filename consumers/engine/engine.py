"""One engine: the consumer of the input topic, its rebalances, and the partitions that this process owns.

The reader never leaves `getmany`: back-pressure is a pause. Rebalance callbacks only note what the group says. A
consumer that has died is replaced, with all partitions given up; see `run`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RecordTooLargeError,
    UnsupportedCodecError,
)

from adapters.kafka.aiokafka_internals import has_fetching_ended
from consumers.engine.core.concurrency import ConcurrencyLimiter
from consumers.engine.interface import HandlerFailure
from consumers.engine.kafka import clients, lag
from consumers.engine.kafka.membership import GroupMembership
from consumers.engine.loop_lag import LoopLag
from consumers.engine.partition import Partition
from consumers.engine.partition_status import PartitionStatus
from consumers.engine.session import EngineContext

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiokafka import AIOKafkaConsumer

    from consumers.engine.interface import Handler
    from consumers.engine.kafka.membership import Membership
    from consumers.engine.settings import EngineSettings
    from runtime.metrics import EngineMetrics

log = structlog.get_logger(__name__)

_POLL_MILLISECONDS = 250
_TICK_SECONDS = 1.0
_STOP_SECONDS = 5.0
_LAST_RETRY_SECONDS = 5.0


class PartitionCountChanged(Exception):
    """The input topic has another number of partitions than the settings say; keys would move between lanes' owners."""


class ConsumerDied(Exception):
    """A background task of the consumer ended; it would never deliver again."""


class Engine:
    """Runs a handler over the records of one topic, exactly once and in order per key."""

    def __init__(self, settings: EngineSettings, handler: Handler, metrics: EngineMetrics) -> None:
        self.settings = settings
        self.partitions: dict[int, Partition] = {}
        self.is_joined = False
        self.is_rebalancing = False
        self.is_topic_missing = False
        self.looped_at = time.monotonic()
        self.slots = ConcurrencyLimiter(settings.slots)
        self.detail = "starting"
        self._metrics = metrics
        self._lateness = LoopLag()
        self._surroundings = EngineContext(settings, handler, self.slots, metrics, self._lateness)

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set, then drain and return.

        Raises:
            PartitionCountChanged: going on would put keys on other partitions than their memories.
        """
        failures = 0
        while not stop.is_set():
            began = time.monotonic()
            try:
                await self._consume(stop)
            except* PartitionCountChanged as group:
                raise group.exceptions[0] from None
            except* (KafkaError, ConsumerDied, OSError, TimeoutError) as group:
                failures = 0 if time.monotonic() - began > 60.0 else failures + 1
                first = group.exceptions[0]
                self.detail = f"{type(first).__name__}: {first}"
                pause = min(_LAST_RETRY_SECONDS, 0.2 * 2 ** min(failures, 10))
                log.warning("engine.consumer_restarts", detail=self.detail, wait=pause)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await stop.wait()

    def resume(self) -> list[int]:
        """Let every stopped partition go on, on an operator's word; return their numbers."""
        return [number for number, partition in self.partitions.items() if partition.resume()]

    async def _consume(self, stop: asyncio.Event) -> None:
        settings = self.settings
        consumer = clients.group_consumer(settings)
        standing = GroupMembership(consumer, settings.group, session_seconds=settings.session_seconds)
        try:
            async with asyncio.TaskGroup() as tasks:
                listener = _Rebalances(self, consumer, standing, tasks)
                consumer.subscribe([settings.topic], listener=listener)
                reading = tasks.create_task(self._read(consumer, listener))
                stopping = tasks.create_task(stop.wait())
                beating = [
                    tasks.create_task(self._confirm(standing)),
                    tasks.create_task(self._tick(consumer)),
                    tasks.create_task(self._lateness.watch()),
                    tasks.create_task(lag.watch(consumer, settings.group, self.partitions.values)),
                ]
                try:
                    # A start or a fetch may wait for ever for a group that can't be reached; a stop is heard anyhow.
                    await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
                    listener.takes_new = False
                    reading.cancel()
                    await asyncio.gather(*(partition.drain() for partition in self.partitions.values()))
                finally:
                    listener.takes_new = False
                    for task in (*beating, stopping):
                        task.cancel()
                    for partition in self.partitions.values():
                        partition.close()
        finally:
            self.is_joined = False
            self.is_rebalancing = False
            for number in self.partitions:
                self._metrics.forget(number)
            self.partitions.clear()
            with suppress(TimeoutError, KafkaError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer, listener: _Rebalances) -> None:
        self.detail = f"joining group {self.settings.group}, which needs topic {self.settings.topic} and a coordinator"
        await consumer.start()
        self.is_joined = True
        while True:
            self.looped_at = time.monotonic()
            if listener.failure is not None:
                raise listener.failure
            try:
                fetched = await consumer.getmany(timeout_ms=_POLL_MILLISECONDS)
            except NoOffsetForPartitionError:
                self._rewind()  # aiokafka looks for a committed offset of its own; the partitions seek for themselves
                await asyncio.sleep(0.05)
            except OffsetOutOfRangeError as error:
                self._start_out_of_range(error)
                self._rewind()
            except RuntimeError as error:
                # uvloop raises it where a connection has just been closed under aiokafka, whose tasks end with it.
                raise ConsumerDied(f"aiokafka ended: {error}") from error
            except (CorruptRecordException, RecordTooLargeError, UnsupportedCodecError) as error:
                log.error("engine.fetch_failed", detail=type(error).__name__)  # noqa: TRY400 - told by its name
                self._rewind()
                await asyncio.sleep(1.0)
            else:
                # Nothing waits between the fetch and here: the records belong to the assignment of this moment.
                for source, records in fetched.items():
                    partition = self.partitions.get(source.partition)
                    if partition is not None:
                        partition.feed(records)

    def _rewind(self) -> None:
        """After an error of `getmany`, records that were drained with it are lost: read them again."""
        for partition in self.partitions.values():
            partition.rewind()

    def _start_out_of_range(self, error: OffsetOutOfRangeError) -> None:
        # Records were deleted under us, or a leader answered that was deposed: the start finds out which.
        offsets = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        for source, offset in offsets.items():
            partition = self.partitions.get(source.partition)
            if partition is not None:
                partition.start_again(f"offset {offset} is not in the log")

    async def _confirm(self, standing: GroupMembership) -> None:
        while True:
            await asyncio.sleep(self.settings.heartbeat_seconds)
            if standing.membership is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.settings.session_seconds):
                        await standing.confirm()

    async def _tick(self, consumer: AIOKafkaConsumer) -> None:
        """Watch what nobody else watches: hung turns, aiokafka's own tasks, and the gauges."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            if has_fetching_ended(consumer):
                raise ConsumerDied("aiokafka's fetch task ended")
            for partition in self.partitions.values():
                if partition.turns is not None:
                    partition.turns.cancel_hung()
            self.observe()

    def observe(self) -> None:
        """Set the gauges."""
        metrics = self._metrics
        now = time.time()
        states: dict[str, int] = {phase.value: 0 for phase in PartitionStatus}
        for number, partition in self.partitions.items():
            label = str(number)
            states[partition.phase.value] += 1
            work = partition.work
            oldest = partition.oldest
            lanes = work.turns.lanes if work is not None else None
            metrics.lag.labels(label).set(partition.lag)
            metrics.oldest_unfinished_seconds.labels(label).set(max(0.0, now - oldest) if oldest is not None else 0.0)
            metrics.gap.labels(label).set(work.intake.gap if work is not None else 0)
            metrics.key_queues.labels(label).set(len(lanes) if lanes is not None else 0)
            metrics.unfinished.labels(label).set(lanes.records if lanes is not None else 0)
            metrics.timers_pending.labels(label).set(lanes.alarms if lanes is not None else 0)
            metrics.paused.labels(label).set(partition.is_paused)
            metrics.stopped.labels(label).set(partition.is_stopped)
            waits = lanes.waits() if lanes is not None else {}
            for reason in {*HandlerFailure, *self.settings.wait_reasons}:
                metrics.waiting.labels(label, reason.value).set(waits.get(reason, 0))
        for state, count in states.items():
            metrics.partitions.labels(state).set(count)

    def note_rebalance(self) -> None:
        """Count an assignment."""
        self._metrics.rebalances.inc()

    def forget(self, number: int) -> None:
        """Drop a partition that is no longer ours."""
        self.partitions.pop(number, None)
        self._metrics.forget(number)

    def add(self, source: TopicPartition, consumer: AIOKafkaConsumer, standing: GroupMembership) -> Partition:
        """Make the object of a newly assigned partition."""
        state = TopicPartition(self.settings.state_topic, source.partition)
        partition = Partition(source, state, consumer, standing, self._surroundings)
        self.partitions[source.partition] = partition
        return partition


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is untyped
    """Notes what the group says. No heartbeat runs while the assignment callback does: nothing here takes time."""

    def __init__(
        self, engine: Engine, consumer: AIOKafkaConsumer, standing: GroupMembership, tasks: asyncio.TaskGroup
    ) -> None:
        self.failure: Exception | None = None
        self.takes_new = True
        self._engine = engine
        self._consumer = consumer
        self._standing = standing
        self._tasks = tasks
        self._living: dict[int, asyncio.Task[None]] = {}
        self._before: Membership | None = None

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Let the partitions commit what has finished. aiokafka's heartbeats go on meanwhile."""
        del revoked  # eager: it is always all of them
        self._engine.is_rebalancing = True
        self._before = self._standing.membership
        self._standing.left()
        partitions = list(self._engine.partitions.values())
        for partition in partitions:
            partition.released()
        await asyncio.gather(*(partition.settle() for partition in partitions))

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Close what did not come back, keep what did, begin what is new."""
        engine = self._engine
        engine.is_rebalancing = False
        engine.note_rebalance()
        membership = self._standing.joined()
        before, self._before = self._before, None
        # Eager rebalances: with the next generation and the same member id, nobody can have owned them in between.
        uninterrupted = (
            before is not None
            and before.member_id == membership.member_id
            and before.generation + 1 == membership.generation
        )
        numbers = {source.partition: source for source in assigned}
        log.info(
            "engine.assigned", partitions=sorted(numbers), generation=membership.generation, uninterrupted=uninterrupted
        )
        count = len(self._consumer.partitions_for_topic(engine.settings.topic) or ())
        # Without a topic nothing is assigned; the group is joined anew when it is there (again).
        engine.is_topic_missing = not count
        if count and count != engine.settings.partitions:
            self.failure = PartitionCountChanged(
                f"topic {engine.settings.topic} has {count} partitions, the settings say {engine.settings.partitions}. "
                "The count is for life: restore the topic, or move to new topics"
            )
            self._consumer.pause(*numbers.values())
            return
        for number in [number for number in engine.partitions if number not in numbers]:
            engine.partitions[number].close()
            engine.forget(number)
        for number, source in numbers.items():
            partition = engine.partitions.get(number)
            is_new = partition is None
            if partition is None:
                if not self.takes_new:
                    self._consumer.pause(source)
                    continue
                partition = engine.add(source, self._consumer, self._standing)
            partition.assigned(membership, uninterrupted=uninterrupted)
            if is_new:
                predecessor = self._living.get(number)
                self._living[number] = self._tasks.create_task(_live(partition, predecessor))


async def _live(partition: Partition, predecessor: asyncio.Task[None] | None) -> None:
    """Run the partition once this process's earlier object for it has ended; two would fence each other."""
    if predecessor is not None:
        await asyncio.wait([predecessor])
    await partition.run()

"""One partition: from its assignment to its end.

    assigned -> takeover -> work: feed -> intake -> lanes -> turns -> hand_over -> queue
                   ^                                                                 | group commit
                   |                         state, outputs, offset + bitmap <--- one transaction
                   +----- thrown away <--------- any failure ---------------------------+

Owns the life: what the group, the operator and the failures make of it. All that is in memory is one
`PartitionSession`, which is
thrown away after any failure of a transaction; the partition starts again from Kafka, and nothing is repaired.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from aiokafka.errors import IllegalStateError, ProducerFenced

from adapters.kafka.clients import KafkaFailure, bounded_stop
from consumers.engine.core.failure_ratio import FailureRatioLimit
from consumers.engine.kafka import clients
from consumers.engine.kafka.lag import LagMonitor
from consumers.engine.kafka.offsets import fetch_committed
from consumers.engine.partition_status import PartitionStatus
from consumers.engine.session import PartitionContext, PartitionSession
from consumers.engine.startup import NotAMember, StartedPartition, StartupContext, Stopped, start_partition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

    from consumers.engine.dispatcher import Dispatcher
    from consumers.engine.kafka.membership import GroupMembership, Membership
    from consumers.engine.session import EngineContext

log = structlog.get_logger(__name__)

_FIRST_RETRY_SECONDS = 0.1
_LAST_RETRY_SECONDS = 5.0
# Each transaction costs this process milliseconds: one that is late makes fewer, and each carries more.
_PAUSE_WHEN_LATE = 5.0


class SessionAborted(Exception):
    """What is in memory is no longer sure to be what Kafka holds; start again from there."""


class Partition:
    """One assigned partition of the input topic."""

    def __init__(
        self,
        source: TopicPartition,
        state: TopicPartition,
        consumer: AIOKafkaConsumer,
        standing: GroupMembership,
        surroundings: EngineContext,
    ) -> None:
        self.source = source
        self.phase = PartitionStatus.WAITING
        self.changed_at = time.monotonic()
        self.work: PartitionSession | None = None
        self._detail = ""
        self._state = state
        self._consumer = consumer
        self._standing = standing
        self._surroundings = surroundings
        self._settings = surroundings.settings
        self._metrics = surroundings.metrics
        self._share = FailureRatioLimit(self._settings.casualty_share, self._settings.casualty_window)
        self._membership: Membership | None = None
        self._came_back = False
        self._was_interrupted = False  # since the start began somebody else may have had it
        self._closed = False
        self._taking_over: asyncio.Timeout | None = None
        self._resumed = False
        self._stop_reason: str | None = None
        self.backlog = LagMonitor()
        self._wake = asyncio.Event()
        self._ground = PartitionContext(source, consumer, standing, self._share, self._wake.set)

    # What the group says, in its callbacks: synchronous, and nothing here waits.

    def assigned(self, membership: Membership, *, uninterrupted: bool) -> None:
        """Note that the partition is ours (again). `uninterrupted`: nobody else can have had it in between."""
        self._membership = membership
        self._was_interrupted |= not uninterrupted
        self._consumer.pause(self.source)
        if self.work is not None:
            self.work.is_paused = True
        if self.phase is PartitionStatus.RELEASED:
            if uninterrupted:
                self._came_back = True
            else:
                self._void()
        self._wake.set()

    def released(self) -> None:
        """Note that a rebalance has begun: turns end what they do, nothing new begins."""
        self._membership = None
        self._came_back = False
        if self.work is not None:
            self.work.hold()
        if self.phase is PartitionStatus.RUNNING:
            self._enter(PartitionStatus.RELEASED)
        self._wake.set()

    async def settle(self) -> None:
        """Wait until what has finished is committed, at most `release_seconds`."""
        if self.work is not None:
            await self.work.settled(self._settings.release_seconds)

    def close(self) -> None:
        """End the partition: it did not come back, or the process stops."""
        self._closed = True
        self._membership = None
        if self._taking_over is not None:  # nothing is owned yet: whatever it waits for, it need not
            self._taking_over.reschedule(0.0)
            self._taking_over = None
        self._void()

    async def drain(self) -> None:
        """Let running turns end within `drain_seconds`, commit what they finished, then close."""
        if self.work is not None:
            await self.work.drained(self._settings.drain_seconds)
        self.close()

    # What the reader and an operator say.

    def feed(self, records: Sequence[ConsumerRecord]) -> None:
        """Take records as fetched, in order, under the current assignment; drop them if it isn't running."""
        if self.work is not None:
            self.work.feed(records)

    def rewind(self) -> None:
        """Fetch again from where we are: something may have been lost between Kafka and `feed`."""
        if self.work is not None:
            self.work.rewind()

    def start_again(self, reason: str) -> None:
        """Throw away what is in memory and start again from Kafka; the start judges what it finds there."""
        log.warning("engine.partition_starts_again", partition=self.source.partition, detail=reason)
        self._void()

    def stop(self, reason: str) -> None:
        """Stand still until an operator resumes."""
        self._stop_reason = reason
        log.error("engine.partition_stopped", partition=self.source.partition, detail=reason)
        self._void()

    def resume(self) -> bool:
        """Go on after a stop, on an operator's word; after a stop for lost offsets, with the oldest record there is."""
        if self._share.has_tripped:
            self._share.reset()
            if self.work is not None:
                self.work.read_on()
                self.work.lanes_changed()
            return True
        if self._stop_reason is not None:
            self._stop_reason = None
            self._resumed = True
            self._wake.set()
            return True
        return False

    # The life of the partition, in a task of its own.

    async def run(self) -> None:
        """Live until closed."""
        failures = 0
        while not self._closed:
            if self._membership is None or self._stop_reason is not None:
                if self._stop_reason is not None:
                    self._enter(PartitionStatus.STOPPED, self._stop_reason)
                else:
                    self._enter(PartitionStatus.WAITING)
                self._wake.clear()
                await self._wake.wait()
                continue
            producer = clients.transactional_producer(self._settings, self.source.partition)
            pause = 0.0
            try:
                await self._start(producer)
                failures = 0
                await self._commit_until_closed()
            except SessionAborted:
                pass
            except Stopped as stopped:
                self.stop(str(stopped))
            except NotAMember:
                pause = self._settings.heartbeat_seconds
                self._enter(PartitionStatus.RETRYING, "the group does not confirm that this process owns the partition")
            except ProducerFenced:
                # Another owner, our own transaction timed out, or a zombie's late start: give the group time to tell.
                pause = 2 * self._settings.heartbeat_seconds
                self._metrics.fenced.labels(str(self.source.partition)).inc()
                self._enter(
                    PartitionStatus.RETRYING, "fenced: another producer has started, or a transaction timed out"
                )
            except KafkaFailure as error:
                failures += 1
                pause = min(_LAST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2 ** min(failures, 10))
                pause *= random.uniform(0.5, 1.0)  # noqa: S311 - jitter
                self._metrics.starts_failed.labels(type(error).__name__).inc()
                self._enter(PartitionStatus.RETRYING, f"{type(error).__name__}: starting again from Kafka")
            finally:
                await self._throw_away(producer)
            if pause and not self._closed:
                log.warning(
                    "engine.partition_restarts", partition=self.source.partition, detail=self._detail, wait=pause
                )
                await asyncio.sleep(pause)
        self._enter(PartitionStatus.CLOSED)

    async def _start(self, producer: AIOKafkaProducer) -> None:
        began = time.monotonic()
        membership = self._membership
        self._came_back = self._was_interrupted = False
        self._enter(PartitionStatus.STARTING)
        self._metrics.restores.inc()
        parts = StartupContext(
            self.source, self._state, self._consumer, self._standing, self._settings, self._tell_detail
        )
        try:
            async with asyncio.timeout(None) as self._taking_over:
                takeover = await start_partition(parts, producer, resumed=self._resumed)
        except TimeoutError:
            if self._closed:
                raise SessionAborted from None
            raise
        finally:
            self._taking_over = None
        if self._closed or self._was_interrupted or self._stop_reason is not None:
            raise SessionAborted
        # From here to the end nothing waits, so the assignment is the one of this start, or came back without a gap.
        self._resumed = False
        work = self._begin(takeover, held=self._membership is not membership)
        seconds = time.monotonic() - began
        self._metrics.restore_seconds.observe(seconds)
        log.info(
            "engine.partition_started",
            partition=self.source.partition,
            offset=work.intake.position,
            memories=len(takeover.memories),
            unreadable=takeover.memories.unreadable,
            seconds=round(seconds, 3),
        )

    def _begin(self, takeover: StartedPartition, *, held: bool = False) -> PartitionSession:
        """Begin the work; `held`: a rebalance came into the takeover, so it is kept first, as any that comes back."""
        work = self.work = PartitionSession(self._ground, self._surroundings, takeover)
        if held:
            self._enter(PartitionStatus.RELEASED)
            self._came_back = self._membership is not None
        else:
            self._enter(PartitionStatus.RUNNING)
            work.flow()
        return work

    async def _commit_until_closed(self) -> None:
        while not self._closed:
            while self._came_back:
                await self._keep()
            if self.work is None or self.work.is_void:
                raise SessionAborted
            self._wake.clear()
            if await self.work.commit():
                late = self._surroundings.lateness.seconds
                await asyncio.sleep(self._settings.commit_pause_seconds + _PAUSE_WHEN_LATE * late)
            else:
                await self._wake.wait()

    async def _keep(self) -> None:
        """Go on after a rebalance gave the partition back, if Kafka holds exactly what we committed last."""
        self._came_back = False
        work, membership = self.work, self._membership
        async with asyncio.timeout(self._settings.start_seconds):
            committed = await fetch_committed(self._consumer, self._settings.group, self.source)
            is_member = await self._standing.confirm()
        if self._membership is not membership or (not is_member and self._standing.is_rebalancing):
            return  # yet another rebalance: it stays released, and the next assignment says whether there was a gap
        if work is None or committed != work.committed or not is_member:
            raise SessionAborted
        log.info("engine.partition_kept", partition=self.source.partition, offset=work.intake.position)
        self._enter(PartitionStatus.RUNNING)
        work.flow()

    def _void(self) -> None:
        if self.work is not None:
            self.work.void()
        self._wake.set()

    async def _throw_away(self, producer: AIOKafkaProducer) -> None:
        if self._membership is not None:
            with suppress(IllegalStateError):
                self._consumer.pause(self.source)
        if self.work is not None:
            await self.work.end()
            self.backlog.left(self.work.committed, self.work.intake.oldest_timestamp)
            self.work = None
        await bounded_stop(producer)

    def _enter(self, phase: PartitionStatus, detail: str = "") -> None:
        if phase is not self.phase:
            self.changed_at = time.monotonic()
        self.phase, self._detail = phase, detail

    def _tell_detail(self, detail: str) -> None:
        self._detail = detail

    # What an operator sees.

    @property
    def turns(self) -> Dispatcher | None:
        """The turns, while there are any."""
        return self.work.turns if self.work is not None else None

    @property
    def detail(self) -> str:
        """What there is to say of the phase, or of a stop."""
        return self._share.why if self._share.has_tripped else self._detail

    @property
    def is_paused(self) -> bool:
        """Nothing is read at this moment."""
        return self.work is None or self.work.is_paused

    @property
    def is_tripped(self) -> bool:
        """The share of casualties stopped the partition."""
        return self._share.has_tripped

    @property
    def is_stopped(self) -> bool:
        """The partition stands still until an operator resumes it."""
        return self._share.has_tripped or self._stop_reason is not None

    @property
    def watermark(self) -> int:
        """Every record before it is finished, as far as is known here."""
        return self.work.intake.watermark if self.work is not None else self.backlog.watermark

    @property
    def lag(self) -> int:
        """How many records lie beyond the watermark, as far as the last fetch or question told."""
        return max(0, max(self._fetched_end or 0, self.backlog.end) - self.watermark)

    @property
    def oldest(self) -> float | None:
        """The timestamp of the oldest unfinished record; if it is not known, since when there is known to be one."""
        unfinished = self.work.intake.oldest_timestamp if self.work is not None else None
        return unfinished if unfinished is not None or self.is_told_by_fetches else self.backlog.oldest

    @property
    def is_told_by_fetches(self) -> bool:
        """Fetches go on, and tell how far the log reaches."""
        return self.phase is PartitionStatus.RUNNING and not self.is_paused and self._fetched_end is not None

    @property
    def _fetched_end(self) -> int | None:
        end: int | None = self._consumer.highwater(self.source) if self._membership is not None else None
        return end

"""All that a running partition holds in memory: made when it starts, thrown away as a whole, never repaired.

    reader -> feed() -> intake -> lanes -> turns -> hand_over() -> queue -> commit()
                          ^                                                    |
                          +---- room for more records <------------------------+

Faces the reader, the turns (`turns.Owner`) and the partition, which says when work may flow. Invariant: once void, no
turn of it begins an effect and nothing of it is committed.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from adapters.kafka.clients import KafkaFailure
from consumers.engine.core.commit_queue import CommitQueue
from consumers.engine.core.fetch_buffer import FetchBuffer
from consumers.engine.dispatcher import Dispatcher
from consumers.engine.interface import PartitionLost
from consumers.engine.startup import lanes_with_alarms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

    from consumers.engine.core.concurrency import ConcurrencyLimiter
    from consumers.engine.core.failure_ratio import FailureRatioLimit
    from consumers.engine.interface import Handler
    from consumers.engine.kafka.membership import GroupMembership
    from consumers.engine.kafka.transactions import PendingCommit
    from consumers.engine.loop_lag import LoopLag
    from consumers.engine.settings import EngineSettings
    from consumers.engine.startup import StartedPartition
    from runtime.metrics import EngineMetrics

log = structlog.get_logger(__name__)

_SECOND_LOOK_SECONDS = 0.1
_ASK_AGAIN_SECONDS = 0.1
# What an alarm found has taken seconds to be looked for: so long it may wait for a transaction that somebody waits for.
_COMPANY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What all partitions of an engine share."""

    settings: EngineSettings
    handler: Handler
    slots: ConcurrencyLimiter
    metrics: EngineMetrics
    lateness: LoopLag


@dataclass(frozen=True, slots=True)
class PartitionContext:
    """What a partition's work stands on, the same for each of its starts.

    `wake` is called whenever there is something to commit or to look at.
    """

    source: TopicPartition
    consumer: AIOKafkaConsumer
    standing: GroupMembership
    share: FailureRatioLimit
    wake: Callable[[], None]


class PartitionSession:
    """The records, lanes, memories and results of one partition, from one start to its end."""

    def __init__(self, ground: PartitionContext, surroundings: EngineContext, takeover: StartedPartition) -> None:
        settings = surroundings.settings
        self.committed = takeover.committed
        self.intake = FetchBuffer(
            takeover.committed, records=settings.read_ahead_records, size=settings.read_ahead_bytes
        )
        self.queue = CommitQueue(results=settings.batch_results, size=settings.batch_bytes)
        self.turns = Dispatcher(
            owner=self,
            handler=surroundings.handler,
            slots=surroundings.slots,
            lanes=lanes_with_alarms(settings, takeover),
            memories=takeover.memories,
            state_topic=settings.state_topic,
            limits=settings.limits,
            clock=time.time,
            metrics=surroundings.metrics,
        )
        self.is_paused = True
        self.is_draining = False
        self._transactions = takeover.transactions
        self._ground = ground
        self._source = ground.source
        self._consumer = ground.consumer
        self._metrics = surroundings.metrics
        self._lateness = surroundings.lateness
        self._label = str(ground.source.partition)
        self._flows = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due: float | None = None
        self._waits_for_company = False
        self._uncommitted_casualties = 0
        self._settled = asyncio.Event()

    # What the partition says.

    def flow(self) -> None:
        """Begin, or go on after `hold`: read, and start turns. The consumer is paused at this moment."""
        self._flows = True
        self.is_paused = True
        self.rewind()
        self.read_on()
        self.lanes_changed()

    def hold(self) -> None:
        """Begin nothing new: turns that run go on, and what they finish is committed."""
        self._flows = False

    def void(self) -> None:
        """Make it worthless: from here on no turn of it may begin an effect."""
        self._flows = False
        self.turns.close()
        self.queue.fail()
        self._settled.set()

    @property
    def is_void(self) -> bool:
        """It has been thrown away, for whatever reason."""
        return self.turns.is_closed

    async def end(self) -> None:
        """Void it, and wait until its last turn has ended: only then may another act for its keys."""
        self.void()
        self._cancel_timer()
        await self.turns.closed()

    async def settled(self, seconds: float) -> None:
        """Return when all results are committed, or after so many seconds."""
        await self._until(lambda: self.queue.is_settled, seconds)

    async def drained(self, seconds: float) -> None:
        """Start no turn any more; return when the last has ended and all is committed, or after so many seconds."""
        self.is_draining = True
        await self._until(lambda: not self.turns.running and self.queue.is_settled, seconds)

    async def _until(self, is_so: Callable[[], bool], seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not is_so() and not self.is_void:
                    self._settled.clear()
                    await self._settled.wait()

    # What the reader brings.

    def feed(self, records: Sequence[ConsumerRecord]) -> None:
        """Take records as fetched, in order, under the current assignment."""
        if not self._flows or not records:
            return  # about to be given away: it seeks before it reads on
        if not self.intake.fetched(records):
            self.rewind()
            return
        self._take()

    def rewind(self) -> None:
        """Fetch again from where we are: something may have been lost between Kafka and `feed`."""
        if self._flows:
            self._consumer.seek(self._source, self.intake.position)
            self.intake.sought()

    def read_on(self) -> None:
        """Pause or resume reading; back-pressure is nothing else."""
        if not self._flows:
            return
        unfinished, has_tripped = self.turns.lanes.records, self._ground.share.has_tripped
        if self.is_paused:
            if self.intake.has_room(unfinished) and not has_tripped:
                self._consumer.resume(self._source)
                self.is_paused = False
        elif self.intake.is_full(unfinished) or has_tripped:
            self._consumer.pause(self._source)
            self.is_paused = True

    def _take(self) -> None:
        now = time.time()
        for record in self.intake.take():
            self.turns.lanes.add(record, now)
        self.read_on()
        self.lanes_changed()

    # What the turns ask (`turns.Owner`).

    @property
    def accepts_turns(self) -> bool:
        """Whether another turn may start now."""
        share = self._ground.share
        may_trip = share.has_tripped or (
            self._uncommitted_casualties and share.is_reached_with(self._uncommitted_casualties)
        )
        return self._flows and not self.is_draining and not may_trip and self.queue.has_room

    @property
    def has_time_to_spare(self) -> bool:
        """Whether alarms may run beside records without making them late."""
        return not self._lateness.is_late

    def hand_over(self, pending: PendingCommit) -> None:
        """Queue a result for the next transaction, which begins soon if anybody waits for it."""
        self.queue.put(pending)
        if pending.is_awaited:
            self._ground.wake()
        elif not self._waits_for_company:
            self._waits_for_company = True
            asyncio.get_running_loop().call_later(_COMPANY_SECONDS, self._no_company_came)
        self._uncommitted_casualties += pending.dead_lettered

    def lanes_changed(self) -> None:
        """Start what may run, and look again when the next lane is due."""
        self.turns.start()
        due = self.turns.lanes.next_due() if self.accepts_turns else None
        if due != self._timer_due:
            self._cancel_timer()
            if due is not None:
                # What is due and did not start waits for a slot, and is started with it: look again, but without haste.
                delay = max(0.001, due - time.time()) if due > time.time() else _SECOND_LOOK_SECONDS
                self._timer = asyncio.get_running_loop().call_later(delay, self._timer_fired)
                self._timer_due = due
        if not self.turns.running:
            self._settled.set()

    async def ours(self) -> None:
        """Return when the partition is surely ours at this moment, or raise `PartitionLost`."""
        standing = self._ground.standing
        while True:
            if self.is_void:
                raise PartitionLost
            if self._flows and (standing.is_trusted or await standing.confirm()):
                return
            await asyncio.sleep(_ASK_AGAIN_SECONDS)

    def _no_company_came(self) -> None:
        self._waits_for_company = False
        self._ground.wake()

    def _timer_fired(self) -> None:
        self._timer = self._timer_due = None
        self.lanes_changed()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timer_due = None

    # One transaction.

    async def commit(self) -> bool:
        """Commit what has finished, as one transaction. False: nothing has.

        Raises:
            KafkaError, TimeoutError, OSError, AssertionError: it failed or is in doubt; all of this is void.
        """
        if not self.queue.has_pending:
            self._settled.set()
            return False
        batch = self.queue.next_batch()
        finished = [pending.offset for pending in batch if pending.offset is not None]
        for offset in finished:
            self.intake.finish(offset)
        progress = self.intake.committed() if finished else None
        try:
            seconds = await self._transactions.commit(batch, progress)
        except KafkaFailure as error:
            self._metrics.transaction_failures.labels(type(error).__name__).inc()
            raise
        self.committed = progress or self.committed
        self.queue.committed()
        self._metrics.transaction_seconds.observe(seconds)
        self._metrics.transaction_records.observe(len(batch))
        self._metrics.records.labels(self._label).inc(len(finished))
        self._metrics.outputs.inc(sum(len(pending.outputs) for pending in batch))
        self._note_casualties(batch)
        self._after_commit()
        return True

    def _note_casualties(self, batch: Sequence[PendingCommit]) -> None:
        casualties = sum(pending.dead_lettered for pending in batch)
        self._uncommitted_casualties -= casualties
        if casualties:
            self._metrics.dead_lettered.labels(self._label).inc(casualties)
        share = self._ground.share
        for pending in batch:
            if pending.offset is not None and share.note(dead_lettered=pending.dead_lettered):
                log.error("engine.partition_tripped", partition=self._source.partition, detail=share.why)

    def _after_commit(self) -> None:
        if self.intake.holds_back:
            self._take()
        else:
            self.read_on()
            self.lanes_changed()
        if not self.queue.has_pending:
            self._settled.set()

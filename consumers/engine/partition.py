"""One partition: from its assignment to its end.

    reader -> feed() -> intake -> lanes -> turns -> hand_over() -> queue
                                                                     | group commit
             state, outputs, offset + bitmap <--- one transaction <--+

Throws all that is in memory away after any failure of a transaction, and starts again from Kafka; nothing is repaired.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog
from aiokafka.errors import IllegalStateError, KafkaError, ProducerFenced

from consumers.engine import connections
from consumers.engine.intake import Intake
from consumers.engine.interface import Lost
from consumers.engine.lanes import Lanes
from consumers.engine.offsets import Committed, fetch_committed
from consumers.engine.queue import Queue
from consumers.engine.share import ShareLimit
from consumers.engine.takeover import NotAMember, Stopped, Takeover, TakeoverParts, take_over
from consumers.engine.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

    from consumers.engine.interface import Handler
    from consumers.engine.settings import EngineSettings
    from consumers.engine.slots import Slots
    from consumers.engine.standing import Membership, Standing
    from consumers.engine.transactions import Pending, Transactions
    from gateway.runtime.metrics import EngineMetrics

log = structlog.get_logger(__name__)

_FIRST_RETRY_SECONDS = 0.1
_LAST_RETRY_SECONDS = 5.0
_SECOND_LOOK_SECONDS = 0.1
_NOTHING = Committed(0, "")
# aiokafka raises AssertionError where its producer is in a state that it can't leave.
_FAILURES = (KafkaError, TimeoutError, OSError, AssertionError)


class Phase(StrEnum):
    """Where a partition stands."""

    WAITING = "waiting"  # for the group to give it to us (again)
    STARTING = "starting"
    RUNNING = "running"
    RELEASED = "released"  # a rebalance has begun; it may come back
    RETRYING = "retrying"
    STOPPED = "stopped"  # until an operator resumes it
    CLOSED = "closed"


class ThrownAway(Exception):
    """What is in memory is no longer sure to be what Kafka holds; start again from there."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all partitions of an engine share."""

    settings: EngineSettings
    handler: Handler
    slots: Slots
    metrics: EngineMetrics


class Partition:
    """One assigned partition of the input topic."""

    def __init__(
        self,
        source: TopicPartition,
        state: TopicPartition,
        consumer: AIOKafkaConsumer,
        standing: Standing,
        surroundings: Surroundings,
    ) -> None:
        self.source = source
        self.phase = Phase.WAITING
        self.detail = ""
        self.changed_at = time.monotonic()
        self.turns: Turns | None = None
        self.is_paused = True
        self._state = state
        self._consumer = consumer
        self._standing = standing
        self._settings = surroundings.settings
        self._handler = surroundings.handler
        self._slots = surroundings.slots
        self._metrics = surroundings.metrics
        self._label = str(source.partition)
        self._share = ShareLimit(self._settings.casualty_share, self._settings.casualty_window)
        self._membership: Membership | None = None
        self._came_back = False
        self._closed = False
        self._draining = False
        self._tripped = False
        self._resumed = False
        self._stop_reason: str | None = None
        self._committed = _NOTHING
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due: float | None = None
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._empty()

    def _empty(self) -> None:
        settings = self._settings
        self.intake = Intake(_NOTHING, records=settings.read_ahead_records, size=settings.read_ahead_bytes)
        self._queue = Queue(results=settings.batch_results, size=settings.batch_bytes)
        self._committed = _NOTHING

    # What the group says, in its callbacks: synchronous, and nothing here waits.

    def assigned(self, membership: Membership, *, uninterrupted: bool) -> None:
        """Note that the partition is ours (again). `uninterrupted`: nobody else can have had it in between."""
        self._membership = membership
        self._consumer.pause(self.source)
        self.is_paused = True
        if self.phase is Phase.RELEASED:
            if uninterrupted:
                self._came_back = True
            else:
                self._void()
        self._wake.set()

    def released(self) -> None:
        """Note that a rebalance has begun: turns end what they do, nothing new begins."""
        self._membership = None
        self._came_back = False
        if self.phase is Phase.RUNNING:
            self._enter(Phase.RELEASED)
        self._wake.set()

    async def settle(self) -> None:
        """Wait until what has finished is committed, at most `release_seconds`."""
        await self._settle(self._settings.release_seconds, lambda: self._queue.is_settled)

    def close(self) -> None:
        """End the partition: it did not come back, or the process stops."""
        self._closed = True
        self._membership = None
        self._void()
        self._wake.set()

    async def drain(self) -> None:
        """Let running turns end within `drain_seconds`, commit what they finished, then close."""
        self._draining = True
        await self._settle(
            self._settings.drain_seconds,
            lambda: self.turns is None or (not self.turns.running and self._queue.is_settled),
        )
        self.close()

    async def _settle(self, seconds: float, is_settled: Callable[[], bool]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not is_settled() and not self._closed:
                    self._settled.clear()
                    await self._settled.wait()

    # What an operator and the reader say.

    def resume(self) -> bool:
        """Go on after a stop, on an operator's word; after a stop for lost offsets, with the oldest record there is."""
        if self._tripped:
            self._tripped = False
            self._share.reset()
            self.detail = ""
            self._read_on()
            self.lanes_changed()
            return True
        if self._stop_reason is not None:
            self._stop_reason = None
            self._resumed = True
            self._wake.set()
            return True
        return False

    def start_again(self, reason: str) -> None:
        """Throw away what is in memory and start again from Kafka; the start judges what it finds there."""
        log.warning("engine.partition_starts_again", partition=self.source.partition, detail=reason)
        self._void()
        self._wake.set()

    def stop(self, reason: str) -> None:
        """Stand still until an operator resumes."""
        self._stop_reason = reason
        log.error("engine.partition_stopped", partition=self.source.partition, detail=reason)
        self._void()
        self._wake.set()

    def feed(self, records: Sequence[ConsumerRecord]) -> None:
        """Take records as fetched, in order, under the current assignment."""
        if self.phase is not Phase.RUNNING or self.turns is None or not records:
            return  # not started, or about to be given away: it seeks before it reads on
        if not self.intake.fetched(records):
            self.rewind()
            return
        self._take()

    def rewind(self) -> None:
        """Fetch again from where we are: something may have been lost between Kafka and `feed`."""
        if self.phase is Phase.RUNNING and self._membership is not None:
            self._consumer.seek(self.source, self.intake.position)
            self.intake.sought()

    def _take(self) -> None:
        turns = self.turns
        if turns is None:
            return
        now = time.time()
        for record in self.intake.take():
            turns.lanes.add(record, now)
        self._read_on()
        self.lanes_changed()

    def _read_on(self) -> None:
        """Pause or resume reading; back-pressure is nothing else."""
        if self.phase is not Phase.RUNNING or self._membership is None or self.turns is None:
            return
        unfinished = self.turns.lanes.records
        if self.is_paused:
            if self.intake.has_room(unfinished) and not self._tripped:
                self._consumer.resume(self.source)
                self.is_paused = False
        elif self.intake.is_full(unfinished) or self._tripped:
            self._consumer.pause(self.source)
            self.is_paused = True

    # What the turns ask (turns.Owner).

    @property
    def accepts_turns(self) -> bool:
        """Whether another turn may start now."""
        return self.phase is Phase.RUNNING and not self._draining and not self._tripped and self._queue.has_room

    def hand_over(self, pending: Pending, *, casualty: bool) -> None:
        """Queue a result for the next transaction."""
        self._queue.put(pending)
        self._wake.set()
        if casualty:
            self._metrics.casualties.labels(self._label).inc()
        if pending.offset is not None and self._share.note(casualty=casualty) and not self._tripped:
            self._tripped = True
            self.detail = (
                f"more than {self._settings.casualty_share:.0%} of {self._settings.casualty_window} records were given "
                "up: look at the dead letters, mend the cause, then resume the partition"
            )
            log.error("engine.partition_tripped", partition=self.source.partition, detail=self.detail)
            self._read_on()

    def lanes_changed(self) -> None:
        """Start what may run, and look again when the next lane is due."""
        turns = self.turns
        if turns is None:
            return
        turns.start()
        due = turns.lanes.next_due() if self.accepts_turns else None
        if due != self._timer_due:
            self._cancel_timer()
            if due is not None:
                # What is due and did not start waits for a slot, and is started with it: look again, but without haste.
                delay = max(0.001, due - time.time()) if due > time.time() else _SECOND_LOOK_SECONDS
                self._timer = asyncio.get_running_loop().call_later(delay, self._timer_fired)
                self._timer_due = due
        if not turns.running:
            self._settled.set()

    def _timer_fired(self) -> None:
        self._timer = self._timer_due = None
        self.lanes_changed()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timer_due = None

    async def ours(self) -> None:
        """Return when the partition is surely ours at this moment, or raise `Lost`."""
        while True:
            if self._closed or self.turns is None or self.turns.is_closed:
                raise Lost
            if self.phase is Phase.RUNNING and (self._standing.is_trusted or await self._standing.confirm()):
                return
            await asyncio.sleep(0.1)

    # The life of the partition, in a task of its own.

    async def run(self) -> None:
        """Live until closed."""
        failures = 0
        while not self._closed:
            if self._membership is None or self._stop_reason is not None:
                if self._stop_reason is not None:
                    self._enter(Phase.STOPPED, self._stop_reason)
                else:
                    self._enter(Phase.WAITING)
                self._wake.clear()
                await self._wake.wait()
                continue
            producer = connections.transactional_producer(self._settings, self.source.partition)
            pause = 0.0
            try:
                transactions = await self._start(producer)
                failures = 0
                await self._commit_until_closed(transactions)
            except ThrownAway:
                pass
            except Stopped as stopped:
                self.stop(str(stopped))
            except NotAMember:
                pause = self._settings.heartbeat_seconds
                self._enter(Phase.RETRYING, "the group does not confirm that this process owns the partition")
            except ProducerFenced:
                # Another owner, our own transaction timed out, or a zombie's late start: give the group time to tell.
                pause = 2 * self._settings.heartbeat_seconds
                self._metrics.fenced.labels(self._label).inc()
                self._enter(Phase.RETRYING, "fenced: another producer has started, or a transaction timed out")
            except _FAILURES as error:
                failures += 1
                pause = min(_LAST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2 ** min(failures, 10))
                pause *= random.uniform(0.5, 1.0)  # noqa: S311 - jitter
                self._metrics.starts_failed.labels(type(error).__name__).inc()
                self._enter(Phase.RETRYING, f"{type(error).__name__}: starting again from Kafka")
            finally:
                await self._throw_away(producer)
            if pause and not self._closed:
                log.warning(
                    "engine.partition_restarts", partition=self.source.partition, detail=self.detail, wait=pause
                )
                await asyncio.sleep(pause)
        self._enter(Phase.CLOSED)

    async def _start(self, producer: AIOKafkaProducer) -> Transactions:
        began = time.monotonic()
        membership = self._membership
        self._came_back = False
        self._enter(Phase.STARTING)
        self._metrics.restores.inc()
        parts = TakeoverParts(
            self.source, self._state, self._consumer, self._standing, self._settings, self._tell_detail
        )
        takeover = await take_over(parts, producer, resumed=self._resumed)
        if self._membership is not membership or membership is None or self._stop_reason is not None:
            raise ThrownAway
        # From here to the end nothing waits, so the assignment is still the one of this start.
        self._resumed = False
        self._begin(takeover)
        seconds = time.monotonic() - began
        self._metrics.restore_seconds.observe(seconds)
        log.info(
            "engine.partition_started",
            partition=self.source.partition,
            offset=self.intake.position,
            memories=len(takeover.memories),
            unreadable=takeover.memories.unreadable,
            seconds=round(seconds, 3),
        )
        return takeover.transactions

    def _begin(self, takeover: Takeover) -> None:
        settings = self._settings
        self._committed = takeover.committed
        self.intake = Intake(takeover.committed, records=settings.read_ahead_records, size=settings.read_ahead_bytes)
        lanes = Lanes()
        for key, at in takeover.alarms.items():
            lanes.set_alarm(key, at)
        self.turns = Turns(
            owner=self,
            handler=self._handler,
            slots=self._slots,
            lanes=lanes,
            memories=takeover.memories,
            state_topic=self._state.topic,
            limits=settings.limits,
            clock=time.time,
            metrics=self._metrics,
        )
        self._run_from_here()

    def _run_from_here(self) -> None:
        self._enter(Phase.RUNNING)
        self.rewind()
        self._read_on()
        self.lanes_changed()

    async def _commit_until_closed(self, transactions: Transactions) -> None:
        while not self._closed:
            if self._came_back:
                await self._keep()
            if self.turns is None or self.turns.is_closed:
                raise ThrownAway
            if not self._queue.has_pending:
                self._settled.set()
                self._wake.clear()
                await self._wake.wait()
                continue
            batch = self._queue.next_batch()
            finished = [pending.offset for pending in batch if pending.offset is not None]
            for offset in finished:
                self.intake.finish(offset)
            committed = self.intake.committed() if finished else None
            try:
                seconds = await transactions.commit(batch, committed)
            except _FAILURES as error:
                self._metrics.transaction_failures.labels(type(error).__name__).inc()
                raise
            self._committed = committed or self._committed
            self._queue.committed()
            self._metrics.transaction_seconds.observe(seconds)
            self._metrics.transaction_records.observe(len(batch))
            self._metrics.records.labels(self._label).inc(len(finished))
            self._metrics.outputs.inc(sum(len(pending.outputs) for pending in batch))
            self._after_commit()
            await asyncio.sleep(self._settings.commit_pause_seconds)

    def _after_commit(self) -> None:
        if self.intake.holds_back:
            self._take()
        else:
            self._read_on()
            self.lanes_changed()
        if not self._queue.has_pending:
            self._settled.set()

    async def _keep(self) -> None:
        """Go on after a rebalance gave the partition back, if Kafka holds exactly what we committed last."""
        self._came_back = False
        membership = self._membership
        async with asyncio.timeout(self._settings.start_seconds):
            committed = await fetch_committed(self._consumer, self._settings.group, self.source)
            is_member = await self._standing.confirm()
        if committed != self._committed or not is_member or self._membership is not membership:
            raise ThrownAway
        log.info("engine.partition_kept", partition=self.source.partition, offset=self.intake.position)
        self._run_from_here()

    def _void(self) -> None:
        """Void what is in memory: from here on no turn of it may begin an effect."""
        if self.turns is not None:
            self.turns.close()
        self._queue.fail()
        self._settled.set()

    async def _throw_away(self, producer: AIOKafkaProducer) -> None:
        turns = self.turns
        self._void()
        self._cancel_timer()
        if self._membership is not None:
            with suppress(IllegalStateError):
                self._consumer.pause(self.source)
        self.is_paused = True
        if turns is not None:
            await turns.closed()  # a cancelled turn must have ended before a successor of ours acts for its key
        self.turns = None
        self._empty()
        await connections.discard(producer)

    def _enter(self, phase: Phase, detail: str = "") -> None:
        if phase is not self.phase:
            self.changed_at = time.monotonic()
        self.phase, self.detail = phase, detail

    def _tell_detail(self, detail: str) -> None:
        self.detail = detail

    # What an operator sees.

    @property
    def is_tripped(self) -> bool:
        """The share of casualties stopped the partition."""
        return self._tripped

    @property
    def is_stopped(self) -> bool:
        """The partition stands still until an operator resumes it."""
        return self._tripped or self._stop_reason is not None

    @property
    def lag(self) -> int:
        """How many records lie beyond the watermark, as far as the last fetch told."""
        high = self._consumer.highwater(self.source) if self._membership is not None else None
        return max(0, (high or 0) - self.intake.watermark)

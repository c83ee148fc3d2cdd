"""One partition: from its assignment to its end. The flow of a record:

    reader -> feed() -> progress.take -> lanes -> turns -> hand_over() -> pending
                                                                            | group commit
             state, events, offset + bitmap  <----- one transaction <-------+

Owns everything of the partition that is in memory, and throws all of it away after any failure of a transaction: it then
starts again from Kafka. Nothing is repaired. See docs/decisions/0001 for the order of the steps of a start.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog
from aiokafka.errors import IllegalStateError, KafkaError, ProducerFenced

from consumers.engine import connections
from consumers.engine.interface import Lost, Record
from consumers.engine.lanes import Lanes
from consumers.engine.memories import MARKER_KEY, Memories, restore
from consumers.engine.offsets import Committed, fetch_committed
from consumers.engine.progress import Progress
from consumers.engine.share import ShareLimit
from consumers.engine.transactions import Pending, Transactions
from consumers.engine.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

    from consumers.engine.interface import Handler
    from consumers.engine.settings import EngineSettings
    from consumers.engine.slots import Slots
    from consumers.engine.standing import Membership, Standing
    from gateway.runtime.metrics import EngineMetrics

log = structlog.get_logger(__name__)

_FIRST_RETRY_SECONDS = 0.1
_LAST_RETRY_SECONDS = 5.0


class Phase(StrEnum):
    """Where a partition stands."""

    WAITING = "waiting"  # for the group to give it to us (again)
    STARTING = "starting"
    RESTORING = "restoring"
    RUNNING = "running"
    RELEASED = "released"  # a rebalance has begun; it may come back
    RETRYING = "retrying"
    STOPPED = "stopped"  # until an operator resumes it
    CLOSED = "closed"


class Stopped(Exception):
    """The partition can't go on without a person; the message says why and what to do."""


class NotAMember(Exception):
    """The coordinator does not confirm the membership under which we were given the partition."""


class ThrownAway(Exception):
    """What was in memory is no longer sure to be what Kafka holds; start again from there."""


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
        self.turns: Turns | None = None
        self.progress = Progress(0)
        self.running_since: float | None = None
        self.changed_at = time.monotonic()
        self._state = state
        self._consumer = consumer
        self._standing = standing
        self._settings = surroundings.settings
        self._handler = surroundings.handler
        self._slots = surroundings.slots
        self._metrics = surroundings.metrics
        self._share = ShareLimit(self._settings.casualty_share, self._settings.casualty_window)
        self._membership: Membership | None = None
        self._came_back = False
        self._closed = False
        self._draining = False
        self._tripped = False
        self._restart_at_beginning = False
        self._stop_reason: str | None = None
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._clear()

    def _clear(self) -> None:
        self._pending: deque[Pending] = deque()
        self._pending_bytes = 0
        self._held: deque[ConsumerRecord] = deque()
        self._held_bytes = 0
        self._taken: deque[tuple[int, float, int]] = deque()  # offset, timestamp, bytes; in offset order
        self._taken_bytes = 0
        self._position = 0
        self._is_fresh_seek = False
        self._paused = True
        self._committed: Committed | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due: float | None = None
        self._in_flight: list[Pending] = []

    # What the group says. Called in its callbacks: synchronous, and nothing here waits.

    def assigned(self, membership: Membership, *, uninterrupted: bool) -> None:
        """Note that the partition is ours (again). `uninterrupted`: nobody else can have had it in between."""
        self._membership = membership
        self._consumer.pause(self.source)
        self._paused = True
        if self.phase is Phase.RELEASED:
            if uninterrupted:
                self._came_back = True
            else:
                self._fail_everything()
        self._wake.set()

    def released(self) -> None:
        """Note that a rebalance has begun: lanes finish what they do, nothing new begins."""
        self._membership = None
        if self.phase is Phase.RUNNING:
            self._enter(Phase.RELEASED)
        self._wake.set()

    async def settle(self) -> None:
        """Wait until what has finished is committed; for the revocation callback, within `release_seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.release_seconds):
                while (self._pending or self._in_flight) and not self._closed:
                    self._settled.clear()
                    await self._settled.wait()

    def close(self) -> None:
        """End the partition: it did not come back, or the process stops."""
        self._closed = True
        self._membership = None
        self._fail_everything()
        self._wake.set()

    async def drain(self) -> None:
        """Let running turns end within `drain_seconds`, commit what they finished, then close."""
        self._draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_seconds):
                while self.turns is not None and (self.turns.running or self._pending or self._in_flight):
                    self._settled.clear()
                    await self._settled.wait()
        self.close()

    def resume(self) -> bool:
        """Go on after a stop, on an operator's word. A stop for lost offsets goes on from the oldest record there is."""
        if self._tripped:
            self._tripped = False
            self._share.reset()
            self._enter(Phase.RUNNING if self._membership is not None else Phase.RELEASED)
            self._read_on()
            self.lanes_changed()
            return True
        if self._stop_reason is not None:
            self._stop_reason = None
            self._restart_at_beginning = True
            self._wake.set()
            return True
        return False

    def stop(self, reason: str) -> None:
        """Stand still until an operator resumes; for what the reader finds out."""
        self._stop_reason = reason
        self._fail_everything()
        self._wake.set()

    # What the reader brings.

    def feed(self, records: Sequence[ConsumerRecord]) -> None:
        """Take records as fetched, in order, under the current assignment."""
        if self.phase is not Phase.RUNNING or not records:
            return  # not started, or about to be given away: it seeks before it reads on
        if records[0].offset > self._position and not self._is_fresh_seek:
            # aiokafka moves its position when it hands records out: a fetch that was lost on the way looks exactly like a
            # hole in the log. Only what is missing right after a seek is not there.
            self.rewind()
            return
        self._is_fresh_seek = False
        for record in records:
            if record.offset >= self._position:
                self._held.append(record)
                self._held_bytes += len(record.value or b"")
                self._position = record.offset + 1
        self._take_held()

    def rewind(self) -> None:
        """Read again from where we are: something may have been lost between Kafka and `feed`."""
        if self.phase is Phase.RUNNING and self._membership is not None:
            self._consumer.seek(self.source, self._position)
            self._is_fresh_seek = True

    def _take_held(self) -> None:
        now = time.time()
        turns = self.turns
        if turns is None:
            return
        while self._held and self.progress.accepts(self._held[0].offset):
            fetched = self._held.popleft()
            size = len(fetched.value or b"")
            self._held_bytes -= size
            if not self.progress.take(fetched.offset):
                continue  # finished before a restart
            record = Record(
                fetched.partition,
                fetched.offset,
                fetched.key or b"",
                fetched.value or b"",
                tuple(fetched.headers),
                fetched.timestamp / 1000,
            )
            self._taken.append((record.offset, record.timestamp, size))
            self._taken_bytes += size
            turns.lanes.add(record, now)
        self._read_on()
        self.lanes_changed()

    def _read_on(self) -> None:
        """Pause or resume reading; back-pressure is nothing else."""
        if self.phase is not Phase.RUNNING or self._membership is None or self.turns is None:
            return
        records = self.turns.lanes.records + len(self._held)
        limit, limit_bytes = self._settings.read_ahead_records, self._settings.read_ahead_bytes
        size = self._taken_bytes + self._held_bytes
        if not self._paused and (records >= limit or size >= limit_bytes or self._held):
            self._consumer.pause(self.source)
            self._paused = True
        elif self._paused and records <= limit // 2 and size <= limit_bytes // 2 and not self._held:
            self._consumer.resume(self.source)
            self._paused = False

    # What the turns ask (turns.Owner).

    @property
    def accepts_turns(self) -> bool:
        """Whether another turn may start now."""
        return (
            self.phase is Phase.RUNNING
            and not self._draining
            and not self._tripped
            and self._pending_bytes < 2 * self._settings.batch_bytes
        )

    def hand_over(self, pending: Pending, *, casualty: bool) -> None:
        """Queue a result for the next transaction."""
        self._pending.append(pending)
        self._pending_bytes += pending.size
        if not self._wake.is_set():
            self._wake.set()
        if pending.offset is not None and self._share.note(casualty=casualty) and not self._tripped:
            self._tripped = True
            self.detail = (
                f"more than {self._settings.casualty_share:.0%} of {self._settings.casualty_window} records were given "
                "up: look at the dead letters, mend the cause, then resume the partition"
            )
            log.error("engine.partition_tripped", partition=self.source.partition, detail=self.detail)

    def lanes_changed(self) -> None:
        """Start what may run, and look again when the next lane is due."""
        turns = self.turns
        if turns is None:
            return
        turns.start()
        due = turns.lanes.next_due() if self.accepts_turns else None
        if due != self._timer_due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_due = due
            self._timer = (
                None
                if due is None
                else asyncio.get_running_loop().call_later(max(0.001, due - time.time()), self._timer_fired)
            )
        if not turns.running:
            self._settled.set()

    def _timer_fired(self) -> None:
        self._timer = self._timer_due = None
        self.lanes_changed()

    async def ours(self) -> None:
        """Return when the partition is surely ours at this moment.

        Raises:
            Lost: it is not, and what this turn knows is void.
        """
        while True:
            turns = self.turns
            if self._closed or turns is None or turns.is_closed:
                raise Lost
            if self.phase is Phase.RUNNING and (self._standing.is_trusted or await self._standing.confirm()):
                return
            await asyncio.sleep(0.1)

    # The life of the partition, in a task of its own.

    async def run(self) -> None:
        """Live until closed."""
        retries = 0
        while not self._closed:
            if self._membership is None or self._stop_reason is not None:
                self._enter(Phase.STOPPED, self._stop_reason) if self._stop_reason else self._enter(Phase.WAITING)
                self._wake.clear()
                await self._wake.wait()
                continue
            producer: AIOKafkaProducer | None = None
            pause = 0.0
            try:
                producer = connections.transactional_producer(self._settings, self.source.partition)
                transactions = await self._start(producer)
                retries = 0
                await self._commit_until_closed(transactions)
            except ThrownAway:
                pass
            except Stopped as stopped:
                self._stop_reason = str(stopped)
                log.error("engine.partition_stopped", partition=self.source.partition, detail=self._stop_reason)  # noqa: TRY400
            except NotAMember:
                pause = self._settings.heartbeat_seconds
                self._enter(Phase.RETRYING, "the group does not confirm that this process owns the partition")
            except ProducerFenced:
                # Another owner, our own transaction timed out, or a zombie's late start: give the group time to tell.
                pause = 2 * self._settings.heartbeat_seconds
                self._metrics.fenced.labels(str(self.source.partition)).inc()
                self._enter(Phase.RETRYING, "fenced: another producer has started, or a transaction timed out")
            except (KafkaError, TimeoutError, OSError, AssertionError) as error:
                # aiokafka raises AssertionError where its producer is in a state that it can't leave.
                pause = min(_LAST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2**retries) * random.uniform(0.5, 1.0)  # noqa: S311
                retries += 1
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
        """Take the partition over, step by step; the order is the promise (decision 0001)."""
        began = time.monotonic()
        membership = self._membership
        self._enter(Phase.STARTING)
        self._came_back = False
        await self._check_membership()  # before fencing: a process that is no member must not disturb the owner
        async with asyncio.timeout(self._settings.start_seconds):
            await producer.start()
        async with asyncio.timeout(self._settings.start_seconds):
            committed = await fetch_committed(self._consumer, self._settings.group, self.source)
            begin = (await self._consumer.beginning_offsets([self.source]))[self.source]
            end = (await self._consumer.end_offsets([self.source]))[self.source]
        await self._check_membership()
        transactions = Transactions(
            producer, self.source, self._settings.group, timeout_seconds=self._settings.transaction_seconds
        )
        marker = await transactions.mark(self._state.topic, MARKER_KEY)
        self._enter(Phase.RESTORING)
        memories, alarms = await self._restore(marker)
        offset = self._judge_offset(committed, begin, end, remembers=len(memories) > 0)
        if committed is None or self._restart_at_beginning:
            committed = Committed(offset, "")
            await transactions.commit((), committed)
        self._restart_at_beginning = False
        self.progress = Progress(committed.offset, committed.metadata)
        if self._membership is not membership or membership is None:
            raise ThrownAway
        # From here to the end nothing waits, so the assignment is still the one of this start.
        self._committed = committed
        self._position = self.progress.next_offset
        self._begin_turns(memories, alarms)
        self._consumer.seek(self.source, self._position)
        self._is_fresh_seek = True
        self._enter(Phase.RUNNING)
        self._read_on()
        self.lanes_changed()
        seconds = time.monotonic() - began
        self.running_since = time.monotonic()
        self._metrics.restore_seconds.observe(seconds)
        log.info(
            "engine.partition_started",
            partition=self.source.partition,
            offset=self._position,
            memories=len(memories),
            unreadable=memories.unreadable,
            seconds=round(seconds, 3),
        )
        return transactions

    async def _check_membership(self) -> None:
        async with asyncio.timeout(self._settings.session_seconds):
            if not await self._standing.confirm():
                raise NotAMember

    async def _restore(self, marker: int) -> tuple[Memories, dict[bytes, float]]:
        consumer = connections.restoring_consumer(self._settings)
        self._metrics.restores.inc()
        said = time.monotonic()

        def on_progress(done: int, of: int) -> None:
            nonlocal said
            self.detail = f"restoring {done} of {of}"
            if time.monotonic() - said > 1.0:
                said = time.monotonic()
                log.info("engine.restoring", partition=self.source.partition, done=done, of=of)

        try:
            async with asyncio.timeout(self._settings.start_seconds):
                await consumer.start()
            return await restore(
                consumer, self._state, marker, on_progress, timeout_seconds=self._settings.start_seconds
            )
        finally:
            await consumer.stop()

    def _judge_offset(self, committed: Committed | None, begin: int, end: int, *, remembers: bool) -> int:
        """Return where to begin.

        Raises:
            Stopped: the committed offset is gone or not in the log: going on by itself would lose or repeat work.
        """
        if self._restart_at_beginning:
            return begin
        if committed is None:
            if remembers:
                raise Stopped(
                    "the group has no committed offset, but the state topic holds memories: the offsets expired or were "
                    "deleted. Resuming handles every record that the topic still holds once more"
                )
            return begin
        if committed.offset < begin:
            raise Stopped(
                f"the committed offset {committed.offset} is older than the log, which begins at {begin}: retention has "
                f"deleted {begin - committed.offset} records that were never handled. Resuming goes on at {begin}"
            )
        if committed.offset > end:
            raise Stopped(
                f"the committed offset {committed.offset} is beyond the log's end {end}: the topic was made anew. "
                f"Resuming goes on at {begin}"
            )
        return committed.offset

    def _begin_turns(self, memories: Memories, alarms: dict[bytes, float]) -> None:
        lanes = Lanes()
        now = time.time()
        for key, at in alarms.items():
            late = at <= now
            lanes.set_alarm(key, now + random.random() * self._settings.alarm_spread_seconds if late else at)  # noqa: S311
        self.turns = Turns(
            owner=self,
            handler=self._handler,
            slots=self._slots,
            lanes=lanes,
            memories=memories,
            state_topic=self._state.topic,
            limits=self._settings.limits,
            clock=time.time,
        )

    async def _commit_until_closed(self, transactions: Transactions) -> None:
        while not self._closed:
            if self._came_back:
                await self._keep()
            turns = self.turns
            if turns is None or turns.is_closed:
                raise ThrownAway
            if not self._pending:
                self._settled.set()
                self._wake.clear()
                await self._wake.wait()
                continue
            batch = self._take_batch()
            moved = False
            for pending in batch:
                if pending.offset is not None:
                    self.progress.finish(pending.offset)
                    moved = True
            committed = Committed(self.progress.watermark, self.progress.encode()) if moved else None
            seconds = await transactions.commit(batch, committed)
            self._after_commit(batch, committed, seconds)
            await asyncio.sleep(self._settings.commit_pause_seconds)

    def _take_batch(self) -> list[Pending]:
        batch: list[Pending] = []
        size = 0
        while self._pending and len(batch) < self._settings.batch_results and size < self._settings.batch_bytes:
            pending = self._pending.popleft()
            size += pending.size
            batch.append(pending)
        self._pending_bytes -= size
        self._in_flight = batch
        return batch

    def _after_commit(self, batch: list[Pending], committed: Committed | None, seconds: float) -> None:
        self._in_flight = []
        finished = 0
        outputs = 0
        for pending in batch:
            outputs += len(pending.outputs)
            finished += pending.offset is not None
            if pending.waiter is not None and not pending.waiter.done():
                pending.waiter.set_result(None)
        if committed is not None:
            self._committed = committed
            while self._taken and self._taken[0][0] < committed.offset:
                self._taken_bytes -= self._taken.popleft()[2]
        metrics = self._metrics
        metrics.transaction_seconds.observe(seconds)
        metrics.transaction_records.observe(len(batch))
        metrics.records.labels(str(self.source.partition)).inc(finished)
        metrics.outputs.inc(outputs)
        if self._held:
            self._take_held()
        else:
            self._read_on()
            if self.turns is not None and self.turns.lanes.may_have_ready(time.time()):
                self.lanes_changed()
        if not self._pending:
            self._settled.set()

    async def _keep(self) -> None:
        """Go on after a rebalance gave the partition back, if Kafka holds exactly what we committed last."""
        self._came_back = False
        membership = self._membership
        async with asyncio.timeout(self._settings.start_seconds):
            committed = await fetch_committed(self._consumer, self._settings.group, self.source)
        if committed != self._committed or self._membership is not membership or membership is None:
            raise ThrownAway
        if self._tripped:
            return
        self._consumer.seek(self.source, self._position)
        self._is_fresh_seek = True
        self._enter(Phase.RUNNING)
        log.info("engine.partition_kept", partition=self.source.partition, offset=self._position)
        self._read_on()
        self.lanes_changed()

    def _fail_everything(self) -> None:
        """Void what is in memory: no turn of it may begin an effect from here on."""
        if self.turns is not None:
            self.turns.close()
        for pending in (*self._in_flight, *self._pending):
            if pending.waiter is not None and not pending.waiter.done():
                pending.waiter.set_exception(Lost())
                pending.waiter.exception()  # noted, in case that the turn which waits has gone
        self._pending.clear()
        self._pending_bytes = 0
        self._settled.set()

    async def _throw_away(self, producer: AIOKafkaProducer | None) -> None:
        turns = self.turns
        self._fail_everything()
        if self._timer is not None:
            self._timer.cancel()
        if self._membership is not None:
            with suppress(IllegalStateError):
                self._consumer.pause(self.source)
        if turns is not None:
            await turns.closed()  # a cancelled turn must have ended before a successor of ours acts for its key
        self.turns = None
        self._clear()
        if producer is not None:
            await connections.discard(producer)

    def _enter(self, phase: Phase, detail: str = "") -> None:
        if phase is not self.phase:
            self.changed_at = time.monotonic()
        self.phase, self.detail = phase, detail

    # What an operator sees.

    @property
    def oldest_unfinished(self) -> float | None:
        """Return the timestamp of the oldest record that is taken up and not finished."""
        taken = self._taken
        while taken and self.progress.is_finished(taken[0][0]):
            self._taken_bytes -= taken.popleft()[2]
        return taken[0][1] if taken else None

    @property
    def is_tripped(self) -> bool:
        """Too large a share of the last records was given up; an operator has to resume."""
        return self._tripped

    @property
    def is_paused(self) -> bool:
        """Reading is paused."""
        return self._paused

    @property
    def lag(self) -> int:
        """Return how many records lie beyond the watermark, as far as the last fetch told."""
        high = self._consumer.highwater(self.source) if self._membership is not None else None
        return max(0, (high or 0) - self.progress.watermark)

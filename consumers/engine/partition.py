"""One assigned partition, from its assignment to its end. `core/partition_lifecycle.py` draws its states.

    assigned -> start -> session: records in, one transaction after another out
                  ^                         |
                  +------- discarded <------+ any failure

Owns the lifecycle: the group, an operator and failures change its state. All data in memory belongs to one
`PartitionSession`. After any failure of a transaction the partition discards the session and starts again from Kafka.
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
from consumers.engine.context import PartitionContext
from consumers.engine.core.failure_ratio import FailureRatioLimit
from consumers.engine.core.lag_monitor import LagMonitor
from consumers.engine.core.partition_lifecycle import PartitionEvent, PartitionLifecycle, PartitionState
from consumers.engine.core.progress import GroupCopy
from consumers.engine.kafka import clients
from consumers.engine.session import PartitionSession
from consumers.engine.startup import NotAMember, OperatorNeeded, StartupContext, start_partition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

    from consumers.engine.context import EngineContext
    from consumers.engine.core.commit_queue import UnknownCommit
    from consumers.engine.core.fetch_buffer import FetchedRecord
    from consumers.engine.core.partition_lifecycle import PartitionStatus
    from consumers.engine.kafka.membership import Generation, GroupMembership
    from consumers.engine.startup import StartedPartition

log = structlog.get_logger(__name__)

_FIRST_RETRY_SECONDS = 0.1
_LAST_RETRY_SECONDS = 5.0
# A transaction costs milliseconds of processor time. A late process commits less often, with more in each transaction.
_PAUSE_WHEN_LATE = 5.0
_WITHOUT_SESSION = frozenset(
    {PartitionState.ABORTED, PartitionState.RETRYING, PartitionState.STOPPED, PartitionState.CLOSING}
)


class Partition:
    """One assigned partition of the input topic."""

    def __init__(
        self,
        source: TopicPartition,
        state: TopicPartition,
        consumer: AIOKafkaConsumer,
        membership: GroupMembership,
        engine: EngineContext,
    ) -> None:
        self.source = source
        self.changed_at = time.monotonic()
        self.session: PartitionSession | None = None
        self.copy: GroupCopy | None = None  # of the newest progress that is known to be ours in this assignment
        self.lag_monitor = LagMonitor()
        self._lifecycle = PartitionLifecycle()
        self._detail = ""
        self._state_partition = state
        self._consumer = consumer
        self._membership = membership
        self._engine = engine
        self._settings = engine.settings
        self._metrics = engine.metrics
        self._failure_ratio = FailureRatioLimit(self._settings.dead_letter_share, self._settings.dead_letter_window)
        self._generation: Generation | None = None  # of the current assignment
        self._start_deadline: asyncio.Timeout | None = None
        self._accepts_lost_offset = False  # an operator has resumed the partition; used by the next successful start
        self._unknown: UnknownCommit | None = None  # of the session before
        self._wake = asyncio.Event()
        self._context = PartitionContext(
            source, consumer, membership, self._failure_ratio, self._wake.set, self._read_until
        )

    # Called in the group's callbacks: synchronous, without an await.

    def assigned(self, generation: Generation) -> None:
        """Note an assignment."""
        self._generation = generation
        self.copy = None
        self._consumer.pause(self.source)
        if self.session is not None:
            self.session.is_paused = True
        self._apply(PartitionEvent.ASSIGNED)

    def revoked(self) -> None:
        """Note that a rebalance has begun: running invocations continue, nothing new starts."""
        self._generation = None
        self._apply(PartitionEvent.REBALANCE_BEGAN)

    async def flush(self) -> None:
        """Wait until finished results are committed, at most `release_seconds`."""
        if self.session is not None:
            await self.session.dispatcher.flush(self._settings.release_seconds)

    def close(self) -> None:
        """End the partition: another process owns it, or this process stops."""
        self._generation = None
        if self._start_deadline is not None:  # nothing is owned yet, so the start need not complete
            self._start_deadline.reschedule(0.0)
            self._start_deadline = None
        self._apply(PartitionEvent.CLOSE_REQUESTED)

    async def drain(self) -> None:
        """Let running invocations end within `drain_seconds`, commit their results, then close.

        A transaction that still runs then has an unknown outcome: without Kafka it would outlast the stop's deadline.
        """
        if self.session is not None:
            await self.session.dispatcher.drain(self._settings.drain_seconds)
        self.close()
        if self.session is not None:
            self.session.expire_transaction()

    # Called by the consumer's reader and by an operator.

    def feed(self, records: Sequence[FetchedRecord]) -> None:
        """Accept fetched records of the current assignment, in order; drop them without a session."""
        if self.session is not None:
            self.session.feed(records)

    def rewind(self) -> None:
        """Fetch again from the current position: records may be lost between Kafka and `feed`."""
        if self.session is not None:
            self.session.rewind()

    def restart(self, reason: str) -> None:
        """Discard the session and start again from Kafka; the start checks the offsets there."""
        log.warning("engine.session_invalidated", partition=self.source.partition, detail=reason)
        if self.session is not None:
            self._apply(PartitionEvent.SESSION_INVALID)

    def resume(self) -> bool:
        """Resume a stopped partition on an operator's command. Return whether it was stopped.

        After a stop for a lost offset or another topic it continues with the oldest record in the log.
        """
        if self._failure_ratio.has_tripped:
            self._failure_ratio.reset()
            if self.session is not None:
                self.session.adjust_reading()
                self.session.dispatcher.start()
            return True
        if self._lifecycle.state is PartitionState.STOPPED:
            self._accepts_lost_offset = True
            self._apply(PartitionEvent.OPERATOR_RESUMED)
            return True
        return False

    # The partition's task.

    async def run(self) -> None:
        """Start and commit repeatedly, until the partition is closed."""
        failures = 0
        while not self._is_closing:
            if self._generation is None or self._lifecycle.state is PartitionState.STOPPED:
                self._wake.clear()
                await self._wake.wait()
                continue
            producer = clients.transactional_producer(self._settings, self.source.partition, self._consumer)
            pause = 0.0
            try:
                if await self._start(producer):
                    failures = 0
                    await self._commit_while_valid()
            except OperatorNeeded as needed:
                log.error("engine.partition_stopped", partition=self.source.partition, detail=str(needed))  # noqa: TRY400 - the message is complete
                self._apply(PartitionEvent.OPERATOR_NEEDED, str(needed))
            except NotAMember:
                pause = self._settings.heartbeat_seconds
                self._apply(PartitionEvent.FAILED, "the group does not confirm that this process owns the partition")
            except ProducerFenced:
                # Another owner, a transaction that timed out, or a zombie's late start: the group needs time to react.
                pause = 2 * self._settings.heartbeat_seconds
                self._metrics.fenced.labels(str(self.source.partition)).inc()
                self._apply(PartitionEvent.FAILED, "fenced: another producer has started, or a transaction timed out")
            except KafkaFailure as error:
                failures += 1
                pause = min(_LAST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2 ** min(failures, 10))
                pause *= random.uniform(0.5, 1.0)  # noqa: S311 - jitter
                self._metrics.starts_failed.labels(type(error).__name__).inc()
                self._apply(PartitionEvent.FAILED, f"{type(error).__name__}: starting again from Kafka")
            finally:
                await self._discard(producer)
            if pause and not self._is_closing:
                log.warning("engine.partition_failed", partition=self.source.partition, detail=self._detail, wait=pause)
                await self._pause(pause)
            self._apply(PartitionEvent.DISCARDED)
        self._apply(PartitionEvent.ENDED)

    async def _pause(self, seconds: float) -> None:
        """Return after these seconds, or when the partition is closed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._is_closing:
                    self._wake.clear()
                    await self._wake.wait()

    async def _start(self, producer: AIOKafkaProducer) -> bool:
        """Start a session. False: a close, or an operator's restart, has made the start useless."""
        began = time.monotonic()
        self._apply(PartitionEvent.START_BEGAN)
        self._metrics.restores.inc()
        context = StartupContext(
            self.source,
            self._state_partition,
            self._consumer,
            self._membership,
            self._settings,
            on_detail=self._note_detail,
            on_epoch_replaced=self._metrics.epochs_replaced.inc,
            on_torn=lambda result: self._metrics.torn_transactions.labels(result).inc(),
        )
        try:
            async with asyncio.timeout(None) as self._start_deadline:
                started = await start_partition(context, producer, accept_lost_offset=self._accepts_lost_offset)
        except TimeoutError:
            if self._is_closing:
                return False
            raise
        finally:
            self._start_deadline = None
        if self._lifecycle.state in _WITHOUT_SESSION:
            return False
        # No `await` from here on, so the assignment cannot change.
        self._accepts_lost_offset = False
        session = self._begin_session(started)
        seconds = time.monotonic() - began
        self._metrics.restore_seconds.observe(seconds)
        log.info(
            "engine.partition_started",
            partition=self.source.partition,
            offset=session.buffer.position,
            states=len(started.states),
            unreadable=started.states.unreadable,
            seconds=round(seconds, 3),
        )
        return True

    def _begin_session(self, started: StartedPartition) -> PartitionSession:
        session = self.session = PartitionSession(self._context, self._engine, started)
        if self._unknown is not None and started.shows(self._unknown):
            session.found_committed(self._unknown.results)
        self._apply(PartitionEvent.START_SUCCEEDED)
        return session

    async def _commit_while_valid(self) -> None:
        while self.session is not None and self._lifecycle.state not in _WITHOUT_SESSION:
            if self._lifecycle.state is PartitionState.RETURNED:
                await self._verify_return(self.session)
                continue
            self._wake.clear()
            if await self.session.commit():
                self.copy = GroupCopy(self.session.committed.offset, self.session.topic_id)
                late = self._engine.loop_lag.seconds
                await asyncio.sleep(self._settings.commit_pause_seconds + _PAUSE_WHEN_LATE * late)
            else:
                await self._wake.wait()

    async def _verify_return(self, session: PartitionSession) -> None:
        """Resume the session after a rebalance, if no other process has started the partition since."""
        generation = self._generation
        try:
            await session.prove_sole_producer()
        except ProducerFenced:
            self._apply(PartitionEvent.SESSION_INVALID)
            return
        # A marker that began before the current assignment proves nothing about it.
        if self._generation is generation and self._lifecycle.state is PartitionState.RETURNED:
            log.info("engine.partition_kept", partition=self.source.partition, offset=session.buffer.position)
            self._apply(PartitionEvent.RETURN_VERIFIED)

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        if self._generation is not None:
            with suppress(IllegalStateError):
                self._consumer.pause(self.source)
        if self.session is not None:
            await self.session.close()
            self._unknown = self.session.unknown
            self.lag_monitor.session_ended(self.session.committed, self.session.buffer.oldest_timestamp)
            self.session = None
        await bounded_stop(producer)

    def _apply(self, event: PartitionEvent, detail: str = "") -> None:
        """Move to the next state, and update the session."""
        status = self._lifecycle.status
        has_changed = self._lifecycle.apply(event)
        if self._lifecycle.status is not status:
            self.changed_at = time.monotonic()
            self._detail = detail
        state = self._lifecycle.state
        if has_changed and self.session is not None:
            if state is PartitionState.RUNNING:
                self.copy = GroupCopy(self.session.committed.offset, self.session.topic_id)
                self.session.resume()
            elif state in {PartitionState.RELEASED, PartitionState.RETURNED}:
                self.session.suspend()
            elif state in _WITHOUT_SESSION:
                self.session.dispatcher.close()
        self._wake.set()

    def _note_detail(self, detail: str) -> None:
        self._detail = detail

    # For operators; `lag.py` and `status.py` read the rest.

    @property
    def _is_closing(self) -> bool:
        return self._lifecycle.state in {PartitionState.CLOSING, PartitionState.CLOSED}

    @property
    def is_closed(self) -> bool:
        """Whether the partition's task has ended in order."""
        return self._lifecycle.state is PartitionState.CLOSED

    @property
    def status(self) -> PartitionStatus:
        """The state that an operator sees."""
        return self._lifecycle.status

    @property
    def detail(self) -> str:
        """The reason of the status or of a stop."""
        return self._failure_ratio.reason if self._failure_ratio.has_tripped else self._detail

    @property
    def is_paused(self) -> bool:
        """Whether nothing is fetched at this moment."""
        return self.session is None or self.session.is_paused

    @property
    def is_tripped(self) -> bool:
        """Whether too large a share of dead letters has stopped the partition."""
        return self._failure_ratio.has_tripped

    @property
    def is_stopped(self) -> bool:
        """Whether the partition needs an operator to resume it."""
        return self._failure_ratio.has_tripped or self._lifecycle.state is PartitionState.STOPPED

    @property
    def fetched_log_end(self) -> int | None:
        """The end of the log according to the last fetch; None without an assignment or a fetch."""
        end: int | None = self._consumer.highwater(self.source) if self._generation is not None else None
        return end

    @property
    def fetch_age_seconds(self) -> float | None:
        """The seconds since the last fetch was answered; None without an assignment or a fetch."""
        at: int | None = self._consumer.last_poll_timestamp(self.source) if self._generation is not None else None
        return None if at is None else max(0.0, time.time() - at / 1_000)

    def _read_until(self) -> float:
        """Return until when every record has been read (`PartitionView`); 0 if that is unknown."""
        session, end = self.session, self.fetched_log_end
        if session is None or session.buffer.has_held_records:
            return 0.0
        # No record shows the markers of transactions behind the last one: the position passes them.
        position = max(session.buffer.position, self.lag_monitor.position)
        is_at_end = not session.is_paused and end is not None and position >= end
        age = self.fetch_age_seconds
        return time.time() - age if is_at_end and age is not None else session.buffer.newest_timestamp

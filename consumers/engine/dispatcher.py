"""Runs the invocations of one partition: calls the handler, validates its result, and queues the result for commit.

Owns the key queues and the states of a running session; knows nothing of Kafka. A task runs one ready key queue after
another, and holds a slot of the process meanwhile. A handler that raises, hangs or returns too much causes a `RetryAt`
for its key; none of its result is committed, and other keys are not affected.

    key queues -> task: handler -> Done    -> states, PendingCommit -> session: transaction
                                -> RetryAt -> key queues (a wait)
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import structlog

from consumers.engine.core.commit_queue import PendingCommit
from consumers.engine.core.failure_ratio import FinishedRecord
from consumers.engine.core.limits import ResultTooLarge, validate
from consumers.engine.interface import UNCHANGED, Done, HandlerFailure, PartitionLost, PartitionView, RetryAt
from consumers.engine.invocation import RunningInvocation
from consumers.engine.state_store import state_record
from consumers.engine.task_pool import TaskPool

if TYPE_CHECKING:
    from enum import StrEnum

    from consumers.engine.core.concurrency import ConcurrencyLimiter
    from consumers.engine.core.key_queues import KeyQueue, KeyQueues
    from consumers.engine.core.limits import InvocationLimits
    from consumers.engine.interface import Handler, OnCommit, Output, Record
    from consumers.engine.state_store import StateStore
    from runtime.clocks import Clocks
    from runtime.metrics import EngineMetrics

log = structlog.get_logger(__name__)

# A task whose handler never awaits yields to the rest of the process after this number of invocations.
_INVOCATIONS_PER_YIELD = 64
# The two clocks drift, so a kept timer has not exactly its written time. A restart may call it this much too late.
_TIMER_TOLERANCE_SECONDS = 0.5


class Session(Protocol):
    """The session of the partition, as its dispatcher uses it."""

    def enqueue(self, pending: PendingCommit) -> None:
        """Queue a result for the next transaction, first in, first out."""
        ...

    def key_queues_changed(self) -> None:
        """Start ready invocations, and set the timer for the key queue that is due next."""
        ...

    @property
    def accepts_invocations(self) -> bool:
        """Whether another invocation may start now."""
        ...

    @property
    def has_time_to_spare(self) -> bool:
        """Whether timers may run without delaying records."""
        ...

    def read_until(self) -> float:
        """Return until when every record of the partition has been read, Unix seconds."""
        ...

    async def ensure_owned(self) -> None:
        """Return when no other process can own the partition at this moment, or raise `PartitionLost`."""
        ...


class ForeignCancellation(Exception):
    """A handler ended with a cancellation that the engine did not cause."""


class InvocationTimedOut(Exception):
    """The engine cancelled an invocation that took longer than the limit."""


class Dispatcher:
    """The invocations of one partition's session."""

    def __init__(
        self,
        *,
        session: Session,
        handler: Handler,
        limiter: ConcurrencyLimiter,
        key_queues: KeyQueues,
        states: StateStore,
        state_topic: str,
        limits: InvocationLimits,
        clocks: Clocks,
        metrics: EngineMetrics,
    ) -> None:
        self.key_queues = key_queues
        self.states = states
        self.view = PartitionView(states.groups, session.read_until)
        self._session = session
        self._handler = handler
        self._limiter = limiter
        self._state_topic = state_topic
        self._limits = limits
        self.clocks = clocks
        self._steady = clocks.steady
        self._metrics = metrics
        self._record_seconds = metrics.handler_seconds.labels("record")
        self._timer_seconds = metrics.handler_seconds.labels("timer")
        self._tasks = TaskPool(clocks.awake, timeout_seconds=limits.timeout_seconds, on_end=self._task_ended)
        self._timer_failures: dict[bytes, int] = {}
        self._closed = False

    @property
    def running(self) -> int:
        """The number of tasks that run invocations."""
        return len(self._tasks)

    @property
    def is_closed(self) -> bool:
        """Whether no invocation may commit or start a call."""
        return self._closed

    async def ensure_owned(self) -> None:
        """Return when no other process can own the partition at this moment, or raise `PartitionLost`."""
        if self._closed:
            raise PartitionLost
        await self._session.ensure_owned()

    def start(self) -> None:
        """Start a task for every ready key queue, as far as there are slots."""
        while self._may_start() and self._limiter.acquire(self):
            if not self.start_one():
                self._limiter.release()
                return

    def start_one(self) -> bool:
        """Start a task in a slot that is already acquired (`concurrency.SlotTaker`)."""
        if not self._may_start():
            return False
        queue = self._next_ready()
        if queue is None:
            return False
        self._tasks.start(self._run(queue), queue)
        return True

    def close(self) -> None:
        """Cancel every invocation and start no other. A result that is not queued yet is lost."""
        self._closed = True
        self._tasks.cancel()

    async def closed(self) -> None:
        """Wait for all tasks. A task that ignores cancellation is abandoned: it cannot commit or start a call."""
        abandoned = await self._tasks.closed()
        if abandoned:
            log.error("engine.invocations_abandoned", invocations=len(abandoned))
        for task in abandoned:
            self._metrics.abandoned_invocations.inc()
            task.add_done_callback(lambda _: self._metrics.abandoned_invocations.dec())

    def cancel_overdue(self) -> int:
        """Cancel the invocations that run longer than the limit, again if needed. Return their number."""
        cancelled, repeated = self._tasks.cancel_overdue()
        self._metrics.handler_failures.labels(HandlerFailure.TIMED_OUT.value).inc(repeated)
        return cancelled

    def commit_checkpoint(
        self,
        queue: KeyQueue,
        state: bytes,
        outputs: tuple[Output, ...],
        on_commit: OnCommit,
        timer_at: float | None,
    ) -> asyncio.Future[None]:
        """Queue a checkpoint; the future is done once it is committed, or fails with `PartitionLost`."""
        if self._closed:
            raise PartitionLost
        size = self._limits.measure(queue.key, state, outputs)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.states.put(queue.key, state, timer_at)
        record = state_record(self._state_topic, queue.key, state, timer_at)
        self._session.enqueue(PendingCommit(outputs, record, None, size, waiter, on_commit=on_commit))
        return waiter

    def _may_start(self) -> bool:
        return not self._closed and self._session.accepts_invocations and self.key_queues.may_have_ready(self._steady())

    def _next_ready(self) -> KeyQueue | None:
        return self.key_queues.next_ready(self._steady(), is_late=not self._session.has_time_to_spare)

    async def _run(self, queue: KeyQueue | None) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs has a task
        invocations = 0
        try:
            while queue is not None:
                started = self._steady()
                self._tasks.begin_call(task, queue)
                seconds = self._timer_seconds if queue.is_for_timer else self._record_seconds
                await self._invoke(queue, started, task)
                seconds.observe(self._steady() - started)
                invocations += 1
                if invocations % _INVOCATIONS_PER_YIELD == 0:
                    await asyncio.sleep(0)
                # Keep the slot for this partition's next key queue unless another partition waits for a slot.
                may_continue = not self._closed and self._session.accepts_invocations and not self._limiter.has_waiters
                queue = self._next_ready() if may_continue and not task.cancelling() else None
        except PartitionLost:
            return  # the session is closed already

    def _task_ended(self) -> None:
        self._limiter.release()
        self._session.key_queues_changed()

    async def _invoke(self, queue: KeyQueue, now: float, task: asyncio.Task[None]) -> None:
        record = None if queue.is_for_timer else queue.records[0]
        invocation = RunningInvocation(self, queue, self.states.get(queue.key), now)
        try:
            result = await self._call(invocation, queue, record, task)
            if isinstance(result, Done):
                self._finish(queue, result, record, invocation)
                return
            queue.failures = 0
            at, reason = invocation.due(result.at), result.reason
        except InvocationTimedOut:
            seconds = self._limits.timeout_seconds
            log.error("engine.invocation_timed_out", offset=_offset(record), seconds=seconds)  # noqa: TRY400
            at, reason = self._failed(queue, HandlerFailure.TIMED_OUT)
        except ResultTooLarge as error:
            log.error("engine.result_rejected", offset=_offset(record), detail=str(error))  # noqa: TRY400
            at, reason = self._failed(queue, HandlerFailure.RESULT_TOO_LARGE)
        except PartitionLost:
            raise
        except Exception:  # the failure of one key delays this key and never the partition
            log.exception("engine.invocation_failed", offset=_offset(record), failures=queue.failures + 1)
            at, reason = self._failed(queue, HandlerFailure.RAISED)
        if record is None:
            self._timer_failures.pop(queue.key, None)
            if queue.failures:
                self._timer_failures[queue.key] = queue.failures
            self.key_queues.finish(queue, timer_at=at, now=self._steady())
        else:
            self.key_queues.retry(queue, at, reason)
        self._session.key_queues_changed()

    async def _call(
        self, invocation: RunningInvocation, queue: KeyQueue, record: Record | None, task: asyncio.Task[None]
    ) -> Done | RetryAt:
        try:
            if record is None:
                if invocation.timer_at is not None:
                    self._metrics.timer_late_seconds.observe(invocation.now - invocation.timer_at)
                queue.failures = self._timer_failures.get(queue.key, 0)
                result = await self._handler.on_timer(invocation)
            else:
                result = await self._handler.on_record(invocation, record)
        except asyncio.CancelledError as error:
            if self._closed:
                raise
            raise (InvocationTimedOut if self._tasks.end_call(task) else ForeignCancellation) from error
        finally:
            self._tasks.end_call(task)
            if invocation.committing is not None and not self._closed:
                # The key's next invocation must not read a checkpoint that is not committed yet.
                await asyncio.shield(invocation.committing)
        if self._closed:
            raise PartitionLost  # the handler ignored its cancellation
        return validate(result)

    def _failed(self, queue: KeyQueue, reason: StrEnum) -> tuple[float, StrEnum]:
        queue.failures += 1
        self._metrics.handler_failures.labels(reason.value).inc()
        return self._steady() + self._limits.pause_after(queue.failures), reason

    def _finish(self, queue: KeyQueue, done: Done, record: Record | None, invocation: RunningInvocation) -> None:
        key = queue.key
        before = self.states.get(key)
        after = before if done.state is UNCHANGED else done.state
        size = self._limits.measure(key, after if after is not before else None, done.outputs)
        timer_at = done.timer_at if after is not None else None
        state = None
        if after != before or self._would_be_missed(key, timer_at):
            state = state_record(self._state_topic, key, after, timer_at)
            self.states.put(key, after, timer_at)
        self._timer_failures.pop(key, None)
        due = None if done.timer_at is None else invocation.due(done.timer_at)
        self.key_queues.finish(queue, timer_at=due, now=self._steady())
        if record is not None:
            finished = FinishedRecord.of(key, done)
            self._session.enqueue(
                PendingCommit(done.outputs, state, record.offset, size, None, finished, done.on_commit)
            )
        elif done.outputs or state is not None:
            self._session.enqueue(PendingCommit(done.outputs, state, None, size, None, on_commit=done.on_commit))
        else:  # nothing to commit
            for call in done.on_commit:
                call()

    def _would_be_missed(self, key: bytes, timer_at: float | None) -> bool:
        """Return whether a restart would call the timer too late, or a removed timer. An early call does no harm."""
        written = self.states.written_timer(key)
        if timer_at is None or written is None:
            return timer_at is not written
        return timer_at < written - _TIMER_TOLERANCE_SECONDS


def _offset(record: Record | None) -> int | None:
    return record.offset if record is not None else None

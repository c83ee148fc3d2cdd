"""Runs the invocations of one partition: calls the handler, validates its result, and adds it to the results.

Owns the key queues of a running session; knows nothing of fetches and transactions. A task runs one ready key queue
after another, and holds a slot of the process meanwhile. A handler that raises, hangs or returns too much
causes a `RetryAt` for its key; none of its result is committed, and other keys are not affected.

    key queues -> task: handler -> Done    -> results -> session: transaction
                                -> RetryAt -> key queues (a wait)
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from consumers.engine.core.limits import ResultTooLarge, validate
from consumers.engine.interface import Done, HandlerFailure, PartitionLost, PartitionView, RetryAt
from consumers.engine.invocation import RunningInvocation
from consumers.engine.results import Results
from consumers.engine.task_pool import TaskPool

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

    from consumers.engine.context import EngineContext, PartitionContext
    from consumers.engine.core.key_queues import KeyQueue, KeyQueues
    from consumers.engine.interface import OnCommit, Output, Record
    from consumers.engine.state_store import StateStore

log = structlog.get_logger(__name__)

# A task whose handler never awaits yields to the rest of the process after this number of invocations.
_INVOCATIONS_PER_YIELD = 64
_SLOT_RETRY_SECONDS = 0.1
_OWNERSHIP_RETRY_SECONDS = 0.1


class ForeignCancellation(Exception):
    """A handler ended with a cancellation that the engine did not cause."""


class InvocationTimedOut(Exception):
    """The engine cancelled an invocation that took longer than the limit."""


class Dispatcher:
    """The invocations of one partition's session."""

    def __init__(
        self, partition: PartitionContext, engine: EngineContext, key_queues: KeyQueues, states: StateStore
    ) -> None:
        settings, self.clocks, metrics = engine.settings, engine.clocks, engine.metrics
        self.key_queues = key_queues
        self.states = states
        self.results = Results(settings, states, partition.failure_ratio, partition.wake)
        self.view = PartitionView(states.groups, partition.read_until)
        self.is_suspended = True
        self.progressed = asyncio.Event()  # after each transaction, and when no invocation runs
        self._membership = partition.membership
        self._handler = engine.handler
        self._limiter = engine.limiter
        self._loop_lag = engine.loop_lag
        self._limits = settings.limits
        self._steady = engine.clocks.steady
        self._metrics = metrics
        self._record_seconds = metrics.handler_seconds.labels("record")
        self._timer_seconds = metrics.handler_seconds.labels("timer")
        timeout = settings.limits.timeout_seconds
        self._tasks = TaskPool(engine.clocks.awake, timeout_seconds=timeout, on_end=self._task_ended)
        self._timer_failures: dict[bytes, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due: float | None = None
        self._is_draining = False
        self._closed = False

    @property
    def running(self) -> int:
        """The number of tasks that run invocations."""
        return len(self._tasks)

    @property
    def is_closed(self) -> bool:
        """Whether no invocation may commit or start a call."""
        return self._closed

    @property
    def accepts_invocations(self) -> bool:
        """Whether another invocation may start now."""
        return not (self._closed or self.is_suspended or self._is_draining) and self.results.has_room

    async def ensure_owned(self) -> None:
        """Return when no other process can own the partition at this moment, or raise `PartitionLost`."""
        membership = self._membership
        while True:
            if self._closed:
                raise PartitionLost
            if not self.is_suspended and membership.is_trusted:
                return
            # All invocations of the process may wait here: one heartbeat is enough.
            if not self.is_suspended and not membership.is_confirming and await membership.confirm():
                return
            await asyncio.sleep(_OWNERSHIP_RETRY_SECONDS)

    def start(self) -> None:
        """Start a task for every ready key queue, as far as there are slots; set the timer for the next one."""
        while self._may_start() and self._limiter.acquire(self):
            if not self.start_one():
                self._limiter.release()
                break
        due = self.key_queues.next_due() if self.accepts_invocations else None
        if due != self._timer_due:
            self._cancel_timer()
            if due is not None:
                # A due queue that has not started waits for a slot, and the release of a slot starts it.
                ahead = due - self._steady()
                delay = max(0.001, ahead) if ahead > 0 else _SLOT_RETRY_SECONDS
                self._timer = asyncio.get_running_loop().call_later(delay, self._timer_expired)
                self._timer_due = due
        if not self.running:
            self.progressed.set()

    def start_one(self) -> bool:
        """Start a task in a slot that is already acquired (`concurrency.SlotTaker`)."""
        if not self._may_start():
            return False
        queue = self._next_ready()
        if queue is None:
            return False
        self._tasks.start(self._run(queue), queue)
        return True

    async def flush(self, seconds: float) -> None:
        """Return when all results are committed, or after this time."""
        await self._wait_until(lambda: self.results.commits.is_flushed, seconds)

    async def drain(self, seconds: float) -> None:
        """Start no more invocations; return when all have ended and are committed, or after this time."""
        self._is_draining = True
        await self._wait_until(lambda: not self.running and self.results.commits.is_flushed, seconds)

    async def _wait_until(self, condition: Callable[[], bool], seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition() and not self._closed:
                    self.progressed.clear()
                    await self.progressed.wait()

    def close(self) -> None:
        """From here on, no invocation may start an external call, and no result may be committed."""
        self.is_suspended = self._closed = True
        self._tasks.cancel()
        self.results.commits.fail()
        self.progressed.set()
        self._cancel_timer()

    async def wait_closed(self) -> None:
        """Wait for all tasks. A task that ignores cancellation is abandoned: it cannot commit or start a call."""
        abandoned = await self._tasks.wait_closed()
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
        self, key: bytes, state: bytes, outputs: tuple[Output, ...], on_commit: OnCommit, timer_at: float | None
    ) -> asyncio.Future[None]:
        """Queue a checkpoint; the future is done once it is committed, or fails with `PartitionLost`."""
        if self._closed:
            raise PartitionLost
        return self.results.add_checkpoint(key, state, outputs, on_commit, timer_at)

    def _may_start(self) -> bool:
        return self.accepts_invocations and self.key_queues.may_have_ready(self._steady())

    def _next_ready(self) -> KeyQueue | None:
        return self.key_queues.next_ready(self._steady(), is_late=self._loop_lag.is_late)

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
                may_continue = self.accepts_invocations and not self._limiter.has_waiters
                queue = self._next_ready() if may_continue and not task.cancelling() else None
        except PartitionLost:
            return  # the session is closed already

    def _task_ended(self) -> None:
        self._limiter.release()
        self.start()

    def _timer_expired(self) -> None:
        self._timer = self._timer_due = None
        self.start()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timer_due = None

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
            self.key_queues.retry(queue, at, reason, self._steady())
        self.start()

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
        self.results.add(queue.key, done, record)
        self._timer_failures.pop(queue.key, None)
        due = None if done.timer_at is None else invocation.due(done.timer_at)
        self.key_queues.finish(queue, timer_at=due, now=self._steady())


def _offset(record: Record | None) -> int | None:
    return record.offset if record is not None else None

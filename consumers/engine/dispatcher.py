"""Runs the turns of one partition's lanes: calls the handler, judges its answer, hands the result over for commit.

Owns the lanes and the memories while the partition runs; knows nothing of Kafka. A runner is a task that takes one
ready lane after another; it holds a slot of the process while it lives. The lane's boundary is here: whatever a handler
does (raise, hang, return too much) becomes an `RetryAt` with a reason, and nothing of it is handed over.

    add() -> lanes -> runner: handler -> Done -> memories, Pending -> hand_over() -> (partition: transaction)
                                      -> Again -> lanes (a timer)
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import structlog

from consumers.engine.core.limits import TooLarge, validate
from consumers.engine.interface import UNCHANGED, Done, HandlerFailure, PartitionLost, RetryAt
from consumers.engine.kafka.transactions import PendingCommit
from consumers.engine.state_store import state_record
from consumers.engine.task_pool import TaskPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumers.engine.core.concurrency import ConcurrencyLimiter
    from consumers.engine.core.key_queues import KeyQueue, KeyQueues
    from consumers.engine.core.limits import InvocationLimits
    from consumers.engine.interface import Handler, Output, Record
    from consumers.engine.state_store import StateStore
    from runtime.metrics import EngineMetrics

log = structlog.get_logger(__name__)

# A runner whose turns never wait for anything lets the rest of the process have a word after so many.
_TURNS_AT_A_STRETCH = 64


class Owner(Protocol):
    """The partition, as its turns see it."""

    def hand_over(self, pending: PendingCommit) -> None:
        """Queue a result for the next transaction. First in, first out."""
        ...

    def lanes_changed(self) -> None:
        """Look again when the next lane is due, and whether there is room to read on."""
        ...

    @property
    def accepts_turns(self) -> bool:
        """Whether another turn may start now."""
        ...

    @property
    def has_time_to_spare(self) -> bool:
        """Whether alarms may run beside records without making them late."""
        ...

    async def ours(self) -> None:
        """Return when the partition is surely ours at this moment, or raise `PartitionLost`."""
        ...


class CancelledByOthers(Exception):
    """A handler ended with a cancellation that is not the engine's: what it awaited was cancelled, or it was itself."""


class Hung(Exception):
    """A handler took longer than the limit, and ended with the engine's cancellation."""


class _Invocation:
    """One turn; see `interface.Turn`."""

    __slots__ = ("_lane", "_turns", "committing", "key", "now", "state", "timer_at")

    def __init__(self, turns: Dispatcher, lane: KeyQueue, now: float) -> None:
        self._turns = turns
        self._lane = lane
        self.key = lane.key
        self.state = turns.memories.get(lane.key)
        self.timer_at = turns.lanes.alarm_of(lane.key)
        self.now = now
        self.committing: asyncio.Future[None] | None = None

    @property
    def since(self) -> float:
        return self._lane.since

    @property
    def tries(self) -> int:
        return self._lane.tries

    @property
    def failures(self) -> int:
        return self._lane.failures

    async def checkpoint(self, state: bytes, outputs: tuple[Output, ...] = ()) -> None:
        self.committing = self._turns.commit_checkpoint(self._lane, state, outputs, self.timer_at)
        # Shielded: the transaction goes on whatever becomes of this turn; see `Dispatcher._ask` for one that left.
        await asyncio.shield(self.committing)
        self.state = state
        self.committing = None
        await self.ensure_owned()

    async def ensure_owned(self) -> None:
        await self._turns.ours()


class Dispatcher:
    """The turns of one partition. Create anew each time the partition starts."""

    def __init__(
        self,
        *,
        owner: Owner,
        handler: Handler,
        slots: ConcurrencyLimiter,
        lanes: KeyQueues,
        memories: StateStore,
        state_topic: str,
        limits: InvocationLimits,
        clock: Callable[[], float],
        metrics: EngineMetrics,
    ) -> None:
        self.lanes = lanes
        self.memories = memories
        self._owner = owner
        self._handler = handler
        self._slots = slots
        self._state_topic = state_topic
        self._limits = limits
        self._clock = clock
        self._metrics = metrics
        self._record_seconds = metrics.handler_seconds.labels("record")
        self._alarm_seconds = metrics.handler_seconds.labels("alarm")
        self._runners = TaskPool(clock, hang_seconds=limits.hang_seconds, on_end=self._runner_ended)
        self._failing_alarms: dict[bytes, int] = {}
        self._closed = False

    @property
    def running(self) -> int:
        """How many turns are running."""
        return len(self._runners)

    @property
    def is_closed(self) -> bool:
        """No turn of these may begin anything any more."""
        return self._closed

    async def ours(self) -> None:
        """Return when the partition is surely ours at this moment, or raise `PartitionLost`."""
        if self._closed:
            raise PartitionLost
        await self._owner.ours()

    def start(self) -> None:
        """Start a runner for every ready lane, as far as slots go."""
        while self._may_start() and self._slots.take(self):
            if not self.start_one():
                self._slots.give_back()
                return

    def start_one(self) -> bool:
        """Start a runner in a slot that has been taken for it (`slots.Taker`)."""
        if not self._may_start():
            return False
        lane = self._next_ready()
        if lane is None:
            return False
        self._runners.start(self._run(lane), lane)
        return True

    def close(self) -> None:
        """Cancel every turn and start no other. What they had not handed over is as if it had never been done."""
        self._closed = True
        self._runners.cancel()

    async def closed(self) -> None:
        """Wait until every runner has ended, or won't: what that one does can't be committed, nor begin an effect."""
        behind = await self._runners.closed()
        if behind:
            log.error("engine.turns_left_behind", turns=len(behind))
        for task in behind:
            self._metrics.abandoned_invocations.inc()
            task.add_done_callback(lambda _: self._metrics.abandoned_invocations.dec())

    def cancel_hung(self) -> int:
        """Cancel the turns that run longer than the limit, and again those that go on. Return how many."""
        hung, again = self._runners.cancel_hung()
        self._metrics.handler_failures.labels(HandlerFailure.TIMED_OUT.value).inc(again)
        return hung

    def commit_checkpoint(
        self, lane: KeyQueue, memory: bytes, outputs: tuple[Output, ...], timer_at: float | None
    ) -> asyncio.Future[None]:
        """Hand a checkpoint over; the future is done once it is committed, or fails with `PartitionLost`."""
        if self._closed:
            raise PartitionLost
        size = self._limits.measure(lane.key, memory, outputs)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.memories.put(lane.key, memory, timer_at)
        state = state_record(self._state_topic, lane.key, memory, timer_at)
        self._owner.hand_over(PendingCommit(outputs, state, None, size, waiter, self._clock()))
        return waiter

    def _may_start(self) -> bool:
        return not self._closed and self._owner.accepts_turns and self.lanes.may_have_ready(self._clock())

    def _next_ready(self) -> KeyQueue | None:
        return self.lanes.next_ready(self._clock(), is_late=not self._owner.has_time_to_spare)

    async def _run(self, lane: KeyQueue | None) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs has a task
        taken = 0
        try:
            while lane is not None:
                started = self._clock()
                self._runners.called(task, lane, started)
                seconds = self._alarm_seconds if lane.is_alarm else self._record_seconds
                await self._take_turn(lane, started, task)
                seconds.observe(self._clock() - started)
                taken += 1
                if taken % _TURNS_AT_A_STRETCH == 0:
                    await asyncio.sleep(0)
                # Keep the slot for the next lane of this partition unless another partition waits for one.
                goes_on = not self._closed and self._owner.accepts_turns and not self._slots.has_waiters
                lane = self._next_ready() if goes_on and not task.cancelling() else None
        except PartitionLost:
            return  # the partition is being thrown away and knows why

    def _runner_ended(self) -> None:
        self._slots.give_back()
        self._owner.lanes_changed()

    async def _take_turn(self, lane: KeyQueue, now: float, task: asyncio.Task[None]) -> None:
        record = None if lane.is_alarm else lane.records[0]
        try:
            answer = await self._ask(_Invocation(self, lane, now), lane, record, task)
            if isinstance(answer, Done):
                self._finish(lane, answer, record)
                return
        except Hung:
            log.error("engine.turn_hung", offset=_offset(record), seconds=self._limits.hang_seconds)  # noqa: TRY400
            answer = self._failed(lane, HandlerFailure.TIMED_OUT)
        except TooLarge as error:
            log.error("engine.turn_too_large", offset=_offset(record), detail=str(error))  # noqa: TRY400
            answer = self._failed(lane, HandlerFailure.RESULT_TOO_LARGE)
        except PartitionLost:
            raise
        except Exception:  # the lane's boundary: one key's failure is that key's wait, never the partition's
            log.exception("engine.turn_failed", offset=_offset(record), failures=lane.failures + 1)
            answer = self._failed(lane, HandlerFailure.RAISED)
        if record is None:
            if lane.failures:
                self._failing_alarms[lane.key] = lane.failures
            self.lanes.finished(lane, timer_at=answer.at, now=self._clock())
        else:
            self.lanes.again(lane, answer.at, answer.reason)
        self._owner.lanes_changed()

    async def _ask(
        self, turn: _Invocation, lane: KeyQueue, record: Record | None, task: asyncio.Task[None]
    ) -> Done | RetryAt:
        try:
            if record is None:
                if turn.timer_at is not None:
                    self._metrics.timer_late_seconds.observe(turn.now - turn.timer_at)
                lane.failures = self._failing_alarms.get(lane.key, 0)
                answer = await self._handler.on_timer(turn)
            else:
                answer = await self._handler.on_record(turn, record)
        except asyncio.CancelledError as error:
            if self._closed:
                raise
            raise (Hung if self._runners.answered(task) else CancelledByOthers) from error
        finally:
            self._runners.answered(task)
            if turn.committing is not None and not self._closed:
                # The next turn must not act on a checkpoint that is not committed yet, however this one left it.
                await asyncio.shield(turn.committing)
        if self._closed:
            raise PartitionLost  # it did not let itself be cancelled
        return validate(answer)

    def _failed(self, lane: KeyQueue, reason: HandlerFailure) -> RetryAt:
        lane.failures += 1
        self._metrics.handler_failures.labels(reason.value).inc()
        return RetryAt(self._clock() + self._limits.pause_after(lane.failures), reason)

    def _finish(self, lane: KeyQueue, done: Done, record: Record | None) -> None:
        key, memory = lane.key, done.state
        known = self.memories.get(key)
        after = known if memory is UNCHANGED else memory
        size = self._limits.measure(key, after if after is not known else None, done.outputs)
        timer_at = done.timer_at if after is not None else None
        state = None
        if after != known or self._would_be_missed(key, timer_at):
            state = state_record(self._state_topic, key, after, timer_at)
            self.memories.put(key, after, timer_at)
        self._failing_alarms.pop(key, None)
        now = self._clock()
        self.lanes.finished(lane, timer_at=done.timer_at, now=now)
        if record is not None:
            self._owner.hand_over(
                PendingCommit(done.outputs, state, record.offset, size, None, now, done.dead_lettered)
            )
        elif done.outputs or state is not None:
            self._owner.hand_over(PendingCommit(done.outputs, state, None, size, None, now))

    def _would_be_missed(self, key: bytes, timer_at: float | None) -> bool:
        """Say whether a restart would find the alarm too late, or a removed one; finding it early does no harm."""
        written = self.memories.written_alarm(key)
        if timer_at is None or written is None:
            return timer_at is not written
        return timer_at < written


def _offset(record: Record | None) -> int | None:
    return record.offset if record is not None else None

"""The tasks that run one partition's invocations: their number, the time of each handler call, and their end.

A cancelled task may clean up first, and a bad handler may never end. So a task is cancelled again as long as it runs,
and abandoned when the partition's session ends without it.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from consumers.engine.core.key_queues import KeyQueue

log = structlog.get_logger(__name__)

# The number of cancellations of a task at the end, and the time after each. The deadline of a worker's stop does not
# include this time.
_CLOSING_TRIES: Final = 2
_CLOSING_SECONDS: Final = 2.0
_NOT_CALLED: Final = math.inf


@dataclass(slots=True)
class _Call:
    queue: KeyQueue
    since: float = _NOT_CALLED  # when the handler was called, or cancelled last
    cancels: int = 0


class TaskPool:
    """The tasks of one partition, each with its current handler call."""

    def __init__(self, clock: Callable[[], float], *, timeout_seconds: float, on_end: Callable[[], None]) -> None:
        """Make a pool without tasks; it calls `on_end` for each task that has ended or is abandoned."""
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._on_end = on_end
        self._calls: dict[asyncio.Task[None], _Call] = {}

    def __len__(self) -> int:
        """Count the tasks."""
        return len(self._calls)

    def start(self, coroutine: Coroutine[object, object, None], queue: KeyQueue) -> None:
        """Start a task."""
        task = asyncio.create_task(coroutine)
        self._calls[task] = _Call(queue)
        # A `finally` in the coroutine would not run in a task that is cancelled before its first step.
        task.add_done_callback(self._ended)

    def begin_call(self, task: asyncio.Task[None], queue: KeyQueue) -> None:
        """Note that the task calls the handler for a key queue."""
        call = self._calls[task]
        call.queue, call.since = queue, self._clock()

    def end_call(self, task: asyncio.Task[None]) -> bool:
        """Note that the handler has ended, and undo cancellations. Return whether the call had timed out."""
        call = self._calls.get(task)
        if call is None:
            return False  # abandoned
        call.since = _NOT_CALLED
        timed_out = call.cancels > 0
        for _ in range(call.cancels):
            task.uncancel()
        call.cancels = 0
        return timed_out

    def cancel_overdue(self) -> tuple[int, int]:
        """Cancel the calls that run, or clean up, longer than the limit.

        Returns:
            The number of cancelled calls, and the number of these that were cancelled before.
        """
        now = self._clock()
        overdue = [(task, call) for task, call in self._calls.items() if call.since < now - self._timeout_seconds]
        repeated = 0
        for task, call in overdue:
            if call.cancels:
                repeated += 1
                offset = call.queue.records[0].offset if call.queue.records else None
                log.error("engine.cancellation_ignored", offset=offset, cancelled=call.cancels)
            call.cancels += 1
            call.since = now
            task.cancel()
        return len(overdue), repeated

    def cancel(self) -> None:
        """Cancel all tasks."""
        for task in self._calls:
            task.cancel()

    async def wait_closed(self) -> list[asyncio.Task[None]]:
        """Wait within a bound for the cancelled tasks; forget and return those that have not ended."""
        for remaining_tries in reversed(range(_CLOSING_TRIES)):
            if not self._calls:
                return []
            await asyncio.wait(list(self._calls), timeout=_CLOSING_SECONDS)
            if remaining_tries:
                self.cancel()
        abandoned = list(self._calls)
        for task in abandoned:
            task.remove_done_callback(self._ended)
            self._ended(task)
        return abandoned

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._calls[task]
        self._on_end()

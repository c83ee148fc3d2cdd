"""The tasks that run one partition's turns: how many, since when each is in its handler's hands, and how they end.

Knows nothing of answers or lanes' order. A task that is cancelled may tidy up first, and a bad one never ends: it is
cancelled again as long as it runs, and left behind in the end when the partition is thrown away.
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

# A closed turn is cancelled so often, and has so long each time. A worker's stop waits for it beyond its own deadline.
_CLOSING_TRIES: Final = 2
_CLOSING_SECONDS: Final = 2.0
_NOT_CALLED: Final = math.inf


@dataclass(slots=True)
class _Run:
    lane: KeyQueue
    since: float = _NOT_CALLED  # when the handler was called, or cancelled last
    cancels: int = 0


class TaskPool:
    """See the module."""

    def __init__(self, clock: Callable[[], float], *, hang_seconds: float, on_end: Callable[[], None]) -> None:
        """Make it without tasks; `on_end` is called for each that has ended or was left behind."""
        self._clock = clock
        self._hang_seconds = hang_seconds
        self._on_end = on_end
        self._runs: dict[asyncio.Task[None], _Run] = {}

    def __len__(self) -> int:
        """Count the tasks."""
        return len(self._runs)

    def start(self, runner: Coroutine[object, object, None], lane: KeyQueue) -> None:
        """Start a task."""
        task = asyncio.create_task(runner)
        self._runs[task] = _Run(lane)
        # Not a `finally` of the runner's: one that is cancelled before its first step never comes to it.
        task.add_done_callback(self._ended)

    def called(self, task: asyncio.Task[None], lane: KeyQueue, now: float) -> None:
        """Note that the task calls the handler for this lane."""
        run = self._runs[task]
        run.lane, run.since = lane, now

    def answered(self, task: asyncio.Task[None]) -> bool:
        """Note that the handler has ended, and let the task go on. True: it had been cancelled because it hung."""
        run = self._runs.get(task)
        if run is None:
            return False  # left behind
        run.since = _NOT_CALLED
        hung = run.cancels > 0
        for _ in range(run.cancels):
            task.uncancel()
        run.cancels = 0
        return hung

    def cancel_hung(self) -> tuple[int, int]:
        """Cancel those whose handler runs, or tidies up, longer than the limit: (how many, of those not at first)."""
        now = self._clock()
        hung = [(task, run) for task, run in self._runs.items() if run.since < now - self._hang_seconds]
        again = 0
        for task, run in hung:
            if run.cancels:
                again += 1
                offset = run.lane.records[0].offset if run.lane.records else None
                log.error("engine.turn_will_not_end", offset=offset, cancelled=run.cancels)
            run.cancels += 1
            run.since = now
            task.cancel()
        return len(hung), again

    def cancel(self) -> None:
        """Cancel all."""
        for task in self._runs:
            task.cancel()

    async def closed(self) -> list[asyncio.Task[None]]:
        """Wait within a bound until all that were cancelled have ended; return those that have not, and forget them."""
        for left in reversed(range(_CLOSING_TRIES)):
            if not self._runs:
                return []
            await asyncio.wait(list(self._runs), timeout=_CLOSING_SECONDS)
            if left:
                self.cancel()
        behind = list(self._runs)
        for task in behind:
            task.remove_done_callback(self._ended)
            self._ended(task)
        return behind

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._runs[task]
        self._on_end()

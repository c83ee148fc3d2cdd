"""Deadlines of many tasks under one timer: asyncio.timeout costs a request a tenth of its processor time.

A deadline is kept to a tick. Used like this, so that a cancellation by anybody else passes through:

    deadline = deadlines.start(seconds)
    try:
        await work()
    except CancelledError:
        if not deadline.claim():
            raise
    finally:
        deadlines.end(deadline)
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

TICK_SECONDS = 0.05


@dataclass(slots=True, eq=False)
class Deadline:
    """One task's deadline, in monotonic seconds."""

    task: asyncio.Task[Any]
    at: float
    has_passed: bool = False

    def extend(self, seconds: float) -> None:
        """Give the task this long from now."""
        self.at = time.monotonic() + seconds

    def claim(self) -> bool:
        """Say whether a cancellation came from here; if so, it is over and the task goes on."""
        if self.has_passed:
            self.task.uncancel()
        return self.has_passed


class Deadlines:
    """Cancels tasks that are late. `run` must run as a task."""

    def __init__(self) -> None:
        self._open: set[Deadline] = set()

    def start(self, seconds: float) -> Deadline:
        """Begin a deadline of the running task."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - called from a coroutine, which runs in a task
        deadline = Deadline(task, time.monotonic() + seconds)
        self._open.add(deadline)
        return deadline

    def end(self, deadline: Deadline) -> None:
        """Forget a deadline whose work has ended."""
        self._open.discard(deadline)

    def sweep(self, now: float) -> None:
        """Cancel every task whose time has passed, once."""
        for deadline in [deadline for deadline in self._open if deadline.at <= now]:
            deadline.has_passed = True
            self._open.discard(deadline)
            deadline.task.cancel()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.sweep(time.monotonic())

"""Requests that wait for a command's outcome, and recent outcomes for requests that come later.

The tail of `events` feeds it. A waiter registers before its command is appended, so it misses no outcome, whichever
replica received the command.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from gateway.ingress.event_stream.streamed_event import StreamedEvent
from runtime.metrics import IngressMetrics
from schemas.enums import EventType
from schemas.events import CommandFinished


@dataclass(frozen=True, slots=True)
class Finished:
    """A command's outcome, and the time when the worker published it."""

    event: CommandFinished
    finished_at: datetime | None


class Waiters:
    """At most `capacity` waiting requests by command, and the last `remembered` outcomes.

    An outcome is remembered for `retention_seconds`, like an idempotency key: later the same id is another command.
    """

    def __init__(
        self, capacity: int, metrics: IngressMetrics, *, remembered: int = 10_000, retention_seconds: float
    ) -> None:
        self._capacity = capacity
        self._remembered = remembered
        self._retention_seconds = retention_seconds
        self._metrics = metrics
        self._futures: dict[str, list[asyncio.Future[Finished | None]]] = {}
        self._outcomes: OrderedDict[str, tuple[Finished, float]] = OrderedDict()
        self._count = 0

    def recent_outcome(self, command_id: str) -> Finished | None:
        """Return the command's outcome, if this replica remembers it."""
        if (entry := self._outcomes.get(command_id)) is None:
            return None
        outcome, since = entry
        return outcome if time.monotonic() - since <= self._retention_seconds else None

    @contextmanager
    def register(self, command_id: str) -> Iterator[asyncio.Future[Finished | None] | None]:
        """Provide a future of the command's outcome, or None if too many requests wait."""
        if self._count >= self._capacity:
            self._metrics.waits.labels("full").inc()
            yield None
            return
        future: asyncio.Future[Finished | None] = asyncio.get_running_loop().create_future()
        if outcome := self.recent_outcome(command_id):
            future.set_result(outcome)
        self._futures.setdefault(command_id, []).append(future)
        self._count += 1
        self._metrics.waiters.set(self._count)
        try:
            yield future
        finally:
            self._count -= 1
            self._metrics.waiters.set(self._count)
            others = [other for other in self._futures[command_id] if other is not future]
            if others:
                self._futures[command_id] = others
            else:
                del self._futures[command_id]

    async def wait(self, future: asyncio.Future[Finished | None], seconds: float) -> Finished | None:
        """Wait for the outcome. Return None after `seconds`, or when this process stops."""
        try:
            async with asyncio.timeout(seconds):
                finished = await future
        except TimeoutError:
            finished = None
        self._metrics.waits.labels("finished" if finished is not None else "timeout").inc()
        return finished

    def release(self) -> None:
        """End all waits, because this process stops."""
        for futures in self._futures.values():
            for future in futures:
                if not future.done():
                    future.set_result(None)

    def on_event(self, event: StreamedEvent) -> None:
        """Remember the outcome in an event and pass it to its waiters."""
        if event.type != EventType.COMMAND_FINISHED:
            return
        try:
            data = CommandFinished.from_record(event.data)
        except ValidationError:
            return  # a newer version of the gateway wrote the event; the waiters get their 202
        outcome = Finished(data, event.envelope.time)
        self._outcomes[data.command_id] = outcome, time.monotonic()
        self._outcomes.move_to_end(data.command_id)
        if len(self._outcomes) > self._remembered:
            self._outcomes.popitem(last=False)
        for future in self._futures.get(data.command_id, ()):
            if not future.done():
                future.set_result(outcome)

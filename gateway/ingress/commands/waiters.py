"""Who waits for which command's outcome, and the outcomes of the last while for those who come late.

Synchronous; told by the tail. A waiter registers before its command is produced, so that no outcome can slip past it,
whichever replica's worker finishes it.
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
    """A command's outcome, and when the worker published it."""

    event: CommandFinished
    finished_at: datetime | None


class Waiters:
    """Waiting requests by command, at most `capacity` of them; and the last `remembered` outcomes.

    An outcome is remembered for `retention_seconds`, as a key is: after that the same id is another command.
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

    def known(self, command_id: str) -> Finished | None:
        """Return the command's outcome, if it was told lately."""
        finished, since = self._outcomes.get(command_id, (None, 0.0))
        return finished if time.monotonic() - since <= self._retention_seconds else None

    @contextmanager
    def waiting(self, command_id: str) -> Iterator[asyncio.Future[Finished | None] | None]:
        """Give a future of the command's outcome, or None where no more may wait."""
        if self._count >= self._capacity:
            self._metrics.waits.labels("full").inc()
            yield None
            return
        future: asyncio.Future[Finished | None] = asyncio.get_running_loop().create_future()
        if known := self.known(command_id):
            future.set_result(known)
        self._futures.setdefault(command_id, []).append(future)
        self._count += 1
        self._metrics.waiters.set(self._count)
        try:
            yield future
        finally:
            self._count -= 1
            self._metrics.waiters.set(self._count)
            left = [other for other in self._futures[command_id] if other is not future]
            if left:
                self._futures[command_id] = left
            else:
                del self._futures[command_id]

    async def outcome(self, future: asyncio.Future[Finished | None], seconds: float) -> Finished | None:
        """Wait for the outcome; None if it does not come in time, or this process stops."""
        try:
            async with asyncio.timeout(seconds):
                finished = await future
        except TimeoutError:
            finished = None
        self._metrics.waits.labels("finished" if finished is not None else "timeout").inc()
        return finished

    def release(self) -> None:
        """Let everybody go who still waits: this process stops."""
        for futures in self._futures.values():
            for future in futures:
                if not future.done():
                    future.set_result(None)

    def notice(self, happening: StreamedEvent) -> None:
        """Take up an event: an outcome is remembered, and told to those who wait for it."""
        if happening.type != EventType.COMMAND_FINISHED:
            return
        try:
            event = CommandFinished.from_record(happening.data)
        except ValidationError:
            return  # of a version of us that is newer: those who wait get their 202
        finished = Finished(event, happening.envelope.time)
        self._outcomes[event.command_id] = finished, time.monotonic()
        self._outcomes.move_to_end(event.command_id)
        if len(self._outcomes) > self._remembered:
            self._outcomes.popitem(last=False)
        for future in self._futures.get(event.command_id, ()):
            if not future.done():
                future.set_result(finished)

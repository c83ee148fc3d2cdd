"""Where the topics end, asked beside the reading: the answer waits for a fetch in flight, and nobody for the answer."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Protocol

from adapters.postgres.store import Place

LOOK_SECONDS = 1.0


class Ends(Protocol):
    """What this needs of a source."""

    async def ends(self) -> Mapping[Place, int]:
        """Return the offsets behind the last committed records."""
        ...


class LagPoller:
    """Asks every second, one question at a time."""

    def __init__(self, source: Ends) -> None:
        self._source = source
        self._asking: asyncio.Task[Mapping[Place, int]] | None = None
        self._asked_at = float("-inf")

    def ends(self) -> Mapping[Place, int] | None:
        """Return the answer to the question of before, once; None while there is none. Raises KafkaFailure."""
        answer = None
        if self._asking is not None and self._asking.done():
            asked, self._asking = self._asking, None
            answer = asked.result()
        if self._asking is None and time.monotonic() - self._asked_at >= LOOK_SECONDS:
            self._asked_at = time.monotonic()
            self._asking = asyncio.ensure_future(self._source.ends())
        return answer

    async def end(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            await ended(self._asking)


async def ended(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end; whatever it failed with is no news to anybody."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()

"""The ends of the topics, fetched in the background: the response waits behind a running fetch of records.

Waiting for it in the loop would delay every batch.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Protocol

from adapters.postgres.store import PartitionKey

POLL_SECONDS = 1.0


class TopicEnds(Protocol):
    """The one method of a reader that is used."""

    async def ends(self) -> Mapping[PartitionKey, int]:
        """Return the last stable offset of each partition."""
        ...


class LagPoller:
    """Fetches the ends every POLL_SECONDS, one request at a time."""

    def __init__(self, source: TopicEnds) -> None:
        self._source = source
        self._fetching: asyncio.Task[Mapping[PartitionKey, int]] | None = None
        self._fetched_at = float("-inf")

    def ends(self) -> Mapping[PartitionKey, int] | None:
        """Return the result of the last request once, else None; start the next request. Raises KafkaFailure."""
        ends = None
        if self._fetching is not None and self._fetching.done():
            fetched, self._fetching = self._fetching, None
            ends = fetched.result()
        if self._fetching is None and time.monotonic() - self._fetched_at >= POLL_SECONDS:
            self._fetched_at = time.monotonic()
            self._fetching = asyncio.ensure_future(self._source.ends())
        return ends

    @property
    def silent_seconds(self) -> float:
        """Return how long the running request has had no answer; 0 without one."""
        is_waiting = self._fetching is not None and not self._fetching.done()
        return time.monotonic() - self._fetched_at if is_waiting else 0.0

    async def close(self) -> None:
        """Cancel the running request."""
        if self._fetching is not None:
            await cancel(self._fetching)


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end; ignore its failure."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()

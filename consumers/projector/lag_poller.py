"""The ids and ends of the topics, fetched in the background: a response waits behind a running fetch of records.

Waiting for it in the loop would delay every batch.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from adapters.kafka.topic_reader import TopicReader
from adapters.postgres.store import PartitionKey

POLL_SECONDS = 1.0


class Poll(NamedTuple):
    """By partition: the id of its topic, and its last stable offset."""

    topic_ids: Mapping[PartitionKey, str]
    ends: Mapping[PartitionKey, int]


class LagPoller:
    """Polls every POLL_SECONDS, one request at a time."""

    def __init__(self, source: TopicReader[PartitionKey]) -> None:
        self._source = source
        self._fetching: asyncio.Task[Poll] | None = None
        self._fetched_at = float("-inf")

    def result(self) -> Poll | None:
        """Return the result of the last poll once, else None; start the next poll. Raises KafkaFailure."""
        poll = None
        if self._fetching is not None and self._fetching.done():
            fetched, self._fetching = self._fetching, None
            poll = fetched.result()
        if self._fetching is None and time.monotonic() - self._fetched_at >= POLL_SECONDS:
            self._fetched_at = time.monotonic()
            self._fetching = asyncio.create_task(self._poll())
        return poll

    async def _poll(self) -> Poll:
        return Poll(await self._source.topic_ids(), await self._source.ends())

    @property
    def silent_seconds(self) -> float:
        """Return how long the running poll has had no answer; 0 without one."""
        is_waiting = self._fetching is not None and not self._fetching.done()
        return time.monotonic() - self._fetched_at if is_waiting else 0.0

    async def close(self) -> None:
        """Cancel the running poll."""
        if self._fetching is not None:
            await cancel(self._fetching)


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end; ignore its failure."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()

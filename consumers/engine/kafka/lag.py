"""How much lies before a partition that nothing is fetched for: stopped, starting, paused, or in a rebalance.

While records are fetched aiokafka tells the end of the log with each fetch, and the work knows what is unfinished. For
the others Kafka is asked every few seconds, all partitions at once: how far the log reaches, and what is committed.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from adapters.kafka.clients import KafkaFailure
from consumers.engine.kafka.offsets import fetch_committed_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiokafka import AIOKafkaConsumer, TopicPartition

    from consumers.engine.kafka.offsets import Committed
    from consumers.engine.partition import Partition

_EVERY_SECONDS: Final = 3.0
_PATIENCE_SECONDS: Final = 5.0


class LagMonitor:
    """What is known of one partition beyond its work. Pure; times are Unix seconds."""

    __slots__ = ("_behind_since", "_oldest", "end", "watermark")

    def __init__(self) -> None:
        self.end = 0
        self.watermark = 0
        self._oldest: float | None = None
        self._behind_since: float | None = None

    def left(self, committed: Committed, oldest: float | None) -> None:
        """Note where the work was when it was thrown away: what it had committed, and the oldest that it had not."""
        self.watermark = committed.offset
        self._oldest = oldest

    def told(self, end: int, watermark: int, now: float) -> None:
        """Note what Kafka says while nothing is fetched."""
        self.end, self.watermark = end, watermark
        if end <= watermark:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = now

    def fetches(self) -> None:
        """Note that records are fetched: from here on the work knows."""
        self._oldest = self._behind_since = None

    @property
    def oldest(self) -> float | None:
        """The timestamp of the oldest unfinished record if it is known, else since when there is known to be one."""
        return self._oldest if self._oldest is not None else self._behind_since


async def watch(consumer: AIOKafkaConsumer, group: str, partitions: Callable[[], Iterable[Partition]]) -> None:
    """Ask for ever; a question that fails is asked again the next time."""
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        asked = {}
        for partition in partitions():
            if partition.is_told_by_fetches:
                partition.backlog.fetches()
            else:
                asked[partition.source] = partition
        if asked:
            with suppress(*KafkaFailure):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await _ask(consumer, group, asked)


async def _ask(consumer: AIOKafkaConsumer, group: str, asked: dict[TopicPartition, Partition]) -> None:
    committed = await fetch_committed_of(consumer, group, list(asked))
    ends = await consumer.end_offsets(list(asked))
    now = time.time()
    for source, partition in asked.items():
        known = committed[source]
        # What is committed is behind what the work knows; nothing is committed before the first start, or was lost.
        watermark = partition.watermark if partition.work is not None or known is None else known.offset
        if source in ends:
            partition.backlog.told(ends[source], watermark, now)

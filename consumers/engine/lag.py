"""The distance of each partition from the end of its log.

While records are fetched, each fetch reports the end of the log, and the session knows the unfinished records. For
other partitions (stopped, starting, paused, in a rebalance) `watch` reads the offsets from Kafka every few seconds.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from adapters.kafka.clients import KafkaFailure
from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.kafka.offsets import fetch_committed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiokafka import AIOKafkaConsumer, TopicPartition

    from consumers.engine.partition import Partition

_EVERY_SECONDS: Final = 3.0
_DEADLINE_SECONDS: Final = 5.0


def watermark(partition: Partition) -> int:
    """Return the offset below which every record is known to be finished.

    Behind the last record can be markers of transactions, which no record shows: if every fetched record is finished,
    the position that `watch` has read passes them.
    """
    session, monitor = partition.session, partition.lag_monitor
    if session is None:
        return monitor.watermark
    is_idle = session.buffer.watermark >= session.buffer.position
    return max(session.buffer.watermark, monitor.position) if is_idle else session.buffer.watermark


def lag(partition: Partition) -> int:
    """Return the number of records beyond the watermark, according to the last fetch or the last read of `watch`."""
    return max(0, max(partition.fetched_log_end or 0, partition.lag_monitor.log_end) - watermark(partition))


def oldest_unfinished(partition: Partition) -> float | None:
    """Return the timestamp of the oldest unfinished record, Unix seconds.

    If the timestamp is unknown, return since when unfinished records are known to exist.
    """
    session = partition.session
    unfinished = session.buffer.oldest_timestamp if session is not None else None
    return unfinished if unfinished is not None or is_fetching(partition) else partition.lag_monitor.oldest


def is_fetching(partition: Partition) -> bool:
    """Return whether fetches report the end of the log."""
    is_running = partition.status is PartitionStatus.RUNNING
    return is_running and not partition.is_paused and partition.fetched_log_end is not None


async def watch(consumer: AIOKafkaConsumer, group: str, partitions: Callable[[], Iterable[Partition]]) -> None:
    """Read positions, and the offsets of partitions that do not fetch, until cancelled; repeat a failed read later."""
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        known = tuple(partitions())
        fetching = [partition for partition in known if is_fetching(partition)]
        others = {partition.source: partition for partition in known if not is_fetching(partition)}
        with suppress(*KafkaFailure):
            async with asyncio.timeout(_DEADLINE_SECONDS):
                for partition in fetching:
                    partition.lag_monitor.fetching(await consumer.position(partition.source))
        with suppress(*KafkaFailure):
            async with asyncio.timeout(_DEADLINE_SECONDS):
                await _read(consumer, group, others)


async def _read(consumer: AIOKafkaConsumer, group: str, partitions: dict[TopicPartition, Partition]) -> None:
    if not partitions:
        return
    committed = await fetch_committed(consumer, group, list(partitions))
    ends = await consumer.end_offsets(list(partitions))
    now = time.time()
    for source, partition in partitions.items():
        known = committed[source]
        # A session knows more than the committed offset. Before the first start, or after a loss, there is no offset.
        finished = watermark(partition) if partition.session is not None or known is None else known.offset
        if source in ends:
            partition.lag_monitor.observe(ends[source], finished, now)

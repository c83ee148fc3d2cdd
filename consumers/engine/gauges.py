"""The gauges of an engine's partitions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.interface import HandlerFailure
from consumers.engine.lag import lag, oldest_unfinished

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from enum import StrEnum

    from consumers.engine.partition import Partition
    from runtime.metrics import EngineMetrics


def set_gauges(partitions: Mapping[int, Partition], wait_reasons: Iterable[StrEnum], metrics: EngineMetrics) -> None:
    """Set the gauges of every partition."""
    now = time.time()
    statuses: dict[str, int] = {status.value: 0 for status in PartitionStatus}
    for number, partition in partitions.items():
        label = str(number)
        statuses[partition.status.value] += 1
        session = partition.session
        oldest = oldest_unfinished(partition)
        key_queues = session.dispatcher.key_queues if session is not None else None
        metrics.lag.labels(label).set(lag(partition))
        metrics.oldest_unfinished_seconds.labels(label).set(max(0.0, now - oldest) if oldest is not None else 0.0)
        second = session.buffer.second_key_timestamp if session is not None else None
        metrics.second_key_unfinished_seconds.labels(label).set(max(0.0, now - second) if second is not None else 0.0)
        metrics.gap.labels(label).set(session.buffer.gap if session is not None else 0)
        metrics.key_queues.labels(label).set(len(key_queues) if key_queues is not None else 0)
        metrics.unfinished.labels(label).set(key_queues.records if key_queues is not None else 0)
        metrics.timers_pending.labels(label).set(key_queues.timers if key_queues is not None else 0)
        metrics.states.labels(label).set(len(session.dispatcher.states) if session is not None else 0)
        metrics.state_bytes.labels(label).set(session.dispatcher.states.memory_bytes if session is not None else 0)
        metrics.paused.labels(label).set(partition.is_paused)
        metrics.stopped.labels(label).set(partition.is_stopped)
        waits = key_queues.waits() if key_queues is not None else {}
        for reason in {*HandlerFailure, *wait_reasons}:
            metrics.waiting.labels(label, reason.value).set(waits.get(reason, 0))
    for status, count in statuses.items():
        metrics.partitions.labels(status).set(count)

"""An engine's status for operators: the page of key queues, the readiness, and the gauges. Changes nothing."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Protocol

from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.interface import HandlerFailure
from consumers.engine.lag import lag, oldest_unfinished, watermark
from runtime.clocks import steady

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumers.engine.core.broker_contact import BrokerContact
    from consumers.engine.core.key_queues import KeyQueue
    from consumers.engine.partition import Partition
    from consumers.engine.settings import EngineSettings
    from runtime.metrics import EngineMetrics

_QUEUES_SHOWN = 50


class ObservedEngine(Protocol):
    """The attributes of an engine that this module reads."""

    @property
    def settings(self) -> EngineSettings: ...  # noqa: D102 - see Engine
    @property
    def partitions(self) -> Mapping[int, Partition]: ...  # noqa: D102
    @property
    def is_joined(self) -> bool: ...  # noqa: D102
    @property
    def is_rebalancing(self) -> bool: ...  # noqa: D102
    @property
    def is_topic_missing(self) -> bool: ...  # noqa: D102
    @property
    def detail(self) -> str: ...  # noqa: D102
    @property
    def contact(self) -> BrokerContact: ...  # noqa: D102


def key_queues_report(engine: ObservedEngine) -> dict[str, Any]:
    """Describe every partition and its oldest key queues, in JSON values; of a record only its key is shown."""
    now, steady_now = time.time(), steady()
    partitions = []
    for number, partition in sorted(engine.partitions.items()):
        session = partition.session
        dispatcher = session.dispatcher if session is not None else None
        key_queues = dispatcher.key_queues if dispatcher is not None else None
        oldest = oldest_unfinished(partition)
        partitions.append(
            {
                "partition": number,
                "phase": partition.status.value,
                "detail": partition.detail,
                "forSeconds": round(time.monotonic() - partition.changed_at, 1),
                "stopped": partition.is_stopped,
                "paused": partition.is_paused,
                "watermark": watermark(partition),
                "lag": lag(partition),
                "gap": session.buffer.gap if session is not None else 0,
                "oldestUnfinishedSeconds": round(now - oldest, 1) if oldest is not None else None,
                "unfinished": key_queues.records if key_queues is not None else 0,
                "running": dispatcher.running if dispatcher is not None else 0,
                "waiting": (
                    {reason.value: count for reason, count in key_queues.waits().items()}
                    if key_queues is not None
                    else {}
                ),
                "timers": key_queues.timers if key_queues is not None else 0,
                "states": len(dispatcher.states) if dispatcher is not None else 0,
                "keyQueues": [
                    _describe(queue, now, steady_now)
                    for queue in sorted(key_queues or (), key=_age_order)[:_QUEUES_SHOWN]
                ],
            }
        )
    away = kafka_problem(engine)
    return {
        "group": engine.settings.group,
        "topic": engine.settings.topic,
        "kafka": {"responds": not away, "detail": away},
        "partitions": partitions,
    }


def kafka_problem(engine: ObservedEngine) -> str:
    """Return why the brokers do not serve this process, measured by their last answers; an empty text if they do."""
    if not engine.is_joined:
        return engine.detail
    problem = engine.contact.problem(steady())
    return f"{problem}; the session timeout is {engine.settings.session_seconds:g} s" if problem else ""


def is_kafka_away(engine: ObservedEngine) -> bool:
    """Return whether no broker answers this process."""
    return not engine.is_joined or engine.contact.is_away(steady())


def readiness(engine: ObservedEngine) -> tuple[bool, str]:
    """Return whether every partition of this process is running, or a partition that is not, and why."""
    if not engine.is_joined:
        return False, engine.detail
    if kafka_problem(engine):
        return False, "all wait for Kafka"
    if engine.is_rebalancing:
        return False, "the group is rebalancing"
    if engine.is_topic_missing:
        return False, f"topic {engine.settings.topic} does not exist"
    not_ready = [
        f"partition {number} {'stopped' if partition.is_stopped else partition.status.value}"
        + (f" ({partition.detail})" if partition.detail else "")
        for number, partition in sorted(engine.partitions.items())
        if partition.is_stopped or partition.status is not PartitionStatus.RUNNING
    ]
    return not not_ready, "; ".join(not_ready)


def set_gauges(engine: ObservedEngine, metrics: EngineMetrics) -> None:
    """Set the gauges of every partition."""
    now = time.time()
    statuses: dict[str, int] = {status.value: 0 for status in PartitionStatus}
    for number, partition in engine.partitions.items():
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
        for reason in {*HandlerFailure, *engine.settings.wait_reasons}:
            metrics.waiting.labels(label, reason.value).set(waits.get(reason, 0))
    for status, count in statuses.items():
        metrics.partitions.labels(status).set(count)


def _age_order(queue: KeyQueue) -> float:
    return queue.records[0].timestamp if queue.records else math.inf


def _describe(queue: KeyQueue, now: float, steady_now: float) -> dict[str, Any]:
    first = queue.records[0] if queue.records else None
    return {
        "key": queue.key.decode("utf-8", "backslashreplace"),
        "state": "running" if queue.is_running else "waiting" if queue.waits_for is not None else "ready",
        "reason": queue.waits_for.value if queue.waits_for is not None else None,
        "untilSeconds": round(queue.wait_until - steady_now, 1) if queue.waits_for is not None else None,
        "source": (queue.turn.source or None) if first is not None else None,
        "urgent": first is not None and queue.turn.is_urgent,
        "offset": first.offset if first is not None else None,
        "ageSeconds": round(now - first.timestamp, 1) if first is not None else None,
        "records": len(queue.records),
        "tries": queue.tries,
        "failures": queue.failures,
    }

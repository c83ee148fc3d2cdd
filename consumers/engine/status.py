"""An engine's status for operators: the page of key queues, and the readiness. Changes nothing."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.lag import lag, oldest_unfinished, watermark
from runtime.clocks import steady

if TYPE_CHECKING:
    from consumers.engine.core.key_queues import KeyQueue
    from consumers.engine.engine import Engine

_QUEUES_SHOWN = 50


def key_queues_report(engine: Engine) -> dict[str, Any]:
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


def kafka_problem(engine: Engine) -> str:
    """Return why the brokers do not serve this process, measured by their last answers; an empty text if they do."""
    if not engine.is_joined:
        return engine.detail
    problem = engine.contact.problem(steady())
    return f"{problem}; the session timeout is {engine.settings.session_seconds:g} s" if problem else ""


def is_kafka_away(engine: Engine) -> bool:
    """Return whether no broker answers this process."""
    return not engine.is_joined or engine.contact.is_away(steady())


def readiness(engine: Engine) -> tuple[bool, str]:
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

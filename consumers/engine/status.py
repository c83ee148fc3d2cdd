"""What an operator sees of an engine: a page of lanes, and one sentence about its readiness. Reads, changes nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from consumers.engine.partition_status import PartitionStatus

if TYPE_CHECKING:
    from consumers.engine.core.key_queues import KeyQueue
    from consumers.engine.engine import Engine

_LANES_SHOWN = 50


def key_queues_report(engine: Engine) -> dict[str, Any]:
    """Describe every partition and its oldest lanes, in JSON values; of a record only its key is shown."""
    now = time.time()
    partitions = []
    for number, partition in sorted(engine.partitions.items()):
        work, turns = partition.work, partition.turns
        lanes = sorted(turns.lanes, key=_age_order)[:_LANES_SHOWN] if turns is not None else []
        oldest = partition.oldest
        partitions.append(
            {
                "partition": number,
                "phase": partition.phase.value,
                "detail": partition.detail,
                "forSeconds": round(time.monotonic() - partition.changed_at, 1),
                "stopped": partition.is_stopped,
                "paused": partition.is_paused,
                "watermark": partition.watermark,
                "lag": partition.lag,
                "gap": work.intake.gap if work is not None else 0,
                "oldestUnfinishedSeconds": round(now - oldest, 1) if oldest is not None else None,
                "unfinished": turns.lanes.records if turns is not None else 0,
                "running": turns.running if turns is not None else 0,
                "waiting": {reason.value: count for reason, count in turns.lanes.waits().items()} if turns else {},
                "alarms": turns.lanes.alarms if turns is not None else 0,
                "memories": len(turns.memories) if turns is not None else 0,
                "lanes": [_lane(lane, now) for lane in lanes],
            }
        )
    return {"group": engine.settings.group, "topic": engine.settings.topic, "partitions": partitions}


def readiness(engine: Engine) -> tuple[bool, str]:
    """Say whether every partition of ours is being worked on, and if not, which is not and why."""
    if not engine.is_joined:
        return False, engine.detail
    if engine.is_rebalancing:
        return False, "the group is rebalancing"
    if engine.is_topic_missing:
        return False, f"topic {engine.settings.topic} is not there"
    wrong = [
        f"partition {number} {'stopped' if partition.is_stopped else partition.phase.value}"
        + (f" ({partition.detail})" if partition.detail else "")
        for number, partition in sorted(engine.partitions.items())
        if partition.is_stopped or partition.phase is not PartitionStatus.RUNNING
    ]
    return not wrong, "; ".join(wrong)


def _age_order(lane: KeyQueue) -> float:
    return lane.records[0].timestamp if lane.records else lane.since


def _lane(lane: KeyQueue, now: float) -> dict[str, Any]:
    first = lane.records[0] if lane.records else None
    return {
        "key": lane.key.decode("utf-8", "backslashreplace"),
        "state": "running" if lane.is_running else "waiting" if lane.waits_for is not None else "ready",
        "reason": lane.waits_for.value if lane.waits_for is not None else None,
        "untilSeconds": round(lane.wait_until - now, 1) if lane.waits_for is not None else None,
        "offset": first.offset if first is not None else None,
        "ageSeconds": round(now - first.timestamp, 1) if first is not None else None,
        "records": len(lane.records),
        "tries": lane.tries,
        "failures": lane.failures,
    }

"""Where a partition may stand: a closed set, so that it can be a metric's label."""

from __future__ import annotations

from enum import StrEnum


class PartitionStatus(StrEnum):
    """Where a partition stands."""

    WAITING = "waiting"  # for the group to give it to us (again)
    STARTING = "starting"
    RUNNING = "running"
    RELEASED = "released"  # a rebalance has begun; it may come back
    RETRYING = "retrying"
    STOPPED = "stopped"  # until an operator resumes it
    CLOSED = "closed"

"""What an engine needs to be told. Built by the composition root; nothing here is read from the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from consumers.engine.core.limits import InvocationLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import StrEnum


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """One engine: one consumer group on one input topic, with its `state` topic.

    Attributes:
        topic, state_topic: the input, and where memories live; both have `partitions` partitions.
        group: the consumer group; also part of every `transactional.id`.
        member: a stable name of this process, unique in the group (static membership), or None.
        client: makes the connection options of every aiokafka client (bootstrap servers, security), asked each time.
        transactional_prefix: what precedes `<group>-<topic>-<partition>` in a `transactional.id`.
        wait_reasons: every reason that the handler may give for a wait: the labels of a metric.
        slots: how many turns may run at once in this process.
        read_ahead_records, read_ahead_bytes: what a partition may hold unfinished before it stops reading.
        batch_results, batch_bytes: the most that one transaction carries.
        commit_pause_seconds: the pause after a commit; without it the next transaction meets a back-off of 20 ms.
        alarm_spread_seconds: alarms that are overdue when a partition starts are spread over this time, or over what
            `alarm_spread` says of the key's memory at that moment.
        casualty_share, casualty_window: more than this share of the last so many records given up stops a partition.
        transaction_seconds: the deadline of one transaction; the broker's own is `transaction_timeout_seconds`.
        start_seconds: the deadline of each step of a partition's start.
        release_seconds: how long a rebalance waits for results that are ready to be committed.
        drain_seconds: how long a stop waits for turns that run.
    """

    topic: str
    state_topic: str
    partitions: int
    group: str
    client: Callable[[], Mapping[str, Any]]
    member: str | None = None
    transactional_prefix: str = ""
    wait_reasons: tuple[StrEnum, ...] = ()
    slots: int = 512
    read_ahead_records: int = 2_000
    read_ahead_bytes: int = 16 * 1024 * 1024
    batch_results: int = 1_000
    batch_bytes: int = 4 * 1024 * 1024
    commit_pause_seconds: float = 0.002
    alarm_spread_seconds: float = 30.0
    alarm_spread: Callable[[bytes | None, float], float] | None = None
    casualty_share: float = 0.5
    casualty_window: int = 50
    session_seconds: float = 10.0
    heartbeat_seconds: float = 1.0
    transaction_timeout_seconds: float = 15.0
    transaction_seconds: float = 12.0
    start_seconds: float = 30.0
    release_seconds: float = 2.0
    drain_seconds: float = 20.0
    limits: InvocationLimits = field(default_factory=InvocationLimits)

    def transactional_id(self, partition: int) -> str:
        """Return the id that fences every other owner of the partition."""
        return f"{self.transactional_prefix}{self.group}-{self.topic}-{partition}"

"""The settings of an engine. The composition root builds them; nothing here reads the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from consumers.engine.core.limits import InvocationLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import StrEnum

    from consumers.engine.interface import Passing, Record, Turn


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """One engine: one consumer group on one input topic, with its `state` topic.

    Attributes:
        topic, state_topic: the input topic and the topic of the keys' states; both have `partitions` partitions.
        group: the consumer group; also part of every `transactional.id`.
        client: returns the connection options of an aiokafka client; called for each client.
        client_rack: the zone of this process; the group's consumer reads from a replica in it. None: from the leader.
        member: a stable name of this process, unique in the group (static membership), or None.
        transactional_prefix: precedes `<group>-<topic>-<partition>` in a `transactional.id`.
        wait_reasons: every reason that the handler may give in a `RetryAt`: the labels of a metric.
        concurrency: the most invocations that run at a time in this process.
        read_ahead_records, read_ahead_bytes: the maximum of unfinished input of a partition, which then pauses.
        batch_results, batch_bytes: the maximum of one transaction.
        commit_pause_seconds: the pause after a commit; without it the next transaction repeats its first request.
        timer_spread_seconds: timers that are overdue at a partition's start expire spread over this time.
        passing: whether a record is processed before a waiting record of its key; None: no record is.
        turn_of: returns the sender and the class of a record; None: all records have one sender and one class.
        group_of: returns the group of a state, None for none; an invocation sees how many states each group has.
        timer_spread: replaces `timer_spread_seconds`: returns the time for a key's state at a given moment.
        dead_letter_share, dead_letter_window: a partition stops if more than this share of its last so many records
            were dead-lettered.
        session_seconds, heartbeat_seconds: the group's session timeout and heartbeat interval.
        transaction_timeout_seconds: the broker's deadline of one transaction.
        transaction_seconds: this process's deadline of one transaction, shorter than the broker's.
        start_seconds: the deadline of each step of a partition's start.
        release_seconds: the longest time that a rebalance waits for finished results to be committed.
        drain_seconds: the longest time that a stop waits for running invocations.
        outputs: every topic of outputs; each has as many partitions as the input topic.
        evidence_topic: a topic of outputs with as many partitions. Records in it and no progress show that `state` was
            lost; None: not checked.
        limits: the bounds of one invocation.
    """

    topic: str
    state_topic: str
    partitions: int
    group: str
    client: Callable[[], Mapping[str, Any]]
    client_rack: str | None = None
    member: str | None = None
    transactional_prefix: str = ""
    wait_reasons: tuple[StrEnum, ...] = ()
    concurrency: int = 512
    read_ahead_records: int = 2_000
    read_ahead_bytes: int = 16 * 1024 * 1024
    batch_results: int = 1_000
    batch_bytes: int = 4 * 1024 * 1024
    commit_pause_seconds: float = 0.002
    timer_spread_seconds: float = 30.0
    timer_spread: Callable[[bytes | None, float], float] | None = None
    passing: Callable[[Record], Passing] | None = None
    turn_of: Callable[[Record], Turn] | None = None
    group_of: Callable[[bytes], bytes | None] = lambda _state: None
    dead_letter_share: float = 0.5
    dead_letter_window: int = 50
    session_seconds: float = 10.0
    heartbeat_seconds: float = 1.0
    transaction_timeout_seconds: float = 25.0
    transaction_seconds: float = 20.0
    start_seconds: float = 30.0
    release_seconds: float = 2.0
    drain_seconds: float = 20.0
    outputs: tuple[str, ...] = ()
    evidence_topic: str | None = None
    limits: InvocationLimits = field(default_factory=InvocationLimits)

    def transactional_id(self, partition: int) -> str:
        """Return the `transactional.id` of a partition: a new producer with this id fences every earlier one."""
        return transactional_id(self.group, self.topic, partition, self.transactional_prefix)

    def spread_seconds(self, state: bytes | None, now: float) -> float:
        """Return the seconds over which to spread the overdue timer of a key with this state."""
        return self.timer_spread_seconds if self.timer_spread is None else self.timer_spread(state, now)


def transactional_id(group: str, topic: str, partition: int, prefix: str = "") -> str:
    """Return the `transactional.id` of a partition of an input topic."""
    return f"{prefix}{group}-{topic}-{partition}"

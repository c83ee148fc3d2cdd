"""What the parts of an engine share: all partitions, and all sessions of one partition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runtime.clocks import Clocks

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka import AIOKafkaConsumer, TopicPartition

    from consumers.engine.core.concurrency import ConcurrencyLimiter
    from consumers.engine.core.failure_ratio import FailureRatioLimit
    from consumers.engine.interface import Handler
    from consumers.engine.kafka.membership import GroupMembership
    from consumers.engine.loop_lag import LoopLag
    from consumers.engine.settings import EngineSettings
    from runtime.metrics import EngineMetrics


@dataclass(frozen=True, slots=True)
class EngineContext:
    """The objects that all partitions of an engine share."""

    settings: EngineSettings
    handler: Handler
    limiter: ConcurrencyLimiter
    metrics: EngineMetrics
    loop_lag: LoopLag
    clocks: Clocks = field(default_factory=Clocks)


@dataclass(frozen=True, slots=True)
class PartitionContext:
    """The objects that all sessions of a partition share.

    `wake` makes the partition's task check for results; `read_until` is that of `PartitionView`.
    """

    source: TopicPartition
    consumer: AIOKafkaConsumer
    membership: GroupMembership
    failure_ratio: FailureRatioLimit
    wake: Callable[[], None]
    read_until: Callable[[], float] = lambda: 0.0

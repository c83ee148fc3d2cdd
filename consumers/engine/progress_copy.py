"""The group's copy of the partitions' progress: an offset for tools that show the lag, and for the check of a start.

Its metadata is the topic's id: Kafka deletes the copies of a deleted topic, but not at once.
One OffsetCommit for all partitions that have progressed, with the captured member id and generation. `consumer.commit`
would retry it under a newer generation, and an empty group accepts generation -1 from any process. A copy follows its
transaction, so it is never ahead of the progress record. A copy that fails is dropped: a later one follows.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from adapters.kafka.clients import KafkaFailure
from consumers.engine.kafka.offsets import commit_offsets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiokafka import AIOKafkaConsumer, TopicPartition

    from consumers.engine.core.progress import GroupCopy
    from consumers.engine.kafka.membership import Generation, GroupMembership
    from consumers.engine.partition import Partition
    from consumers.engine.settings import EngineSettings

log = structlog.get_logger(__name__)

# Together less than the five seconds that a copy may be late.
_EVERY_SECONDS: Final = 3.0
_DEADLINE_SECONDS: Final = 1.0


class ProgressCopier:
    """Writes the copies of one consumer's partitions."""

    def __init__(
        self, consumer: AIOKafkaConsumer, settings: EngineSettings, partitions: Callable[[], Iterable[Partition]]
    ) -> None:
        self._consumer = consumer
        self._group = settings.group
        self._partitions = partitions
        self._copied: dict[TopicPartition, GroupCopy] = {}

    async def watch(self, membership: GroupMembership) -> None:
        """Write what has progressed every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            await self.write(membership.generation)

    async def write(self, generation: Generation | None) -> None:
        """Write what has progressed, as a member of this generation; None: not a member."""
        if generation is None or generation.number < 0:
            return
        changed = {
            partition.source: partition.copy
            for partition in self._partitions()
            if partition.copy is not None and self._copied.get(partition.source) != partition.copy
        }
        if not changed:
            return
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                await commit_offsets(self._consumer, self._group, generation, changed)
        except KafkaFailure as error:
            log.info("engine.progress_not_copied", detail=type(error).__name__)
            return
        self._copied.update(changed)

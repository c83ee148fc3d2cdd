"""Reads the group's committed offset of one partition, and means it.

`AIOKafkaConsumer.committed()` ignores the top-level error of OffsetFetch v2 and v3: while the group's coordinator loads
or moves it answers "nothing committed", and everything would be read again from the beginning. So we send the request.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from aiokafka.errors import (
    CoordinatorNotAvailableError,
    KafkaError,
    NotCoordinatorForGroupError,
    UnknownError,
    for_code,
)
from aiokafka.protocol.commit import OffsetFetchRequest

from adapters.kafka.aiokafka_internals import find_coordinator, forget_coordinator, send_to_coordinator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import AIOKafkaConsumer, TopicPartition

_RETRY_SECONDS = 0.1


class Committed(NamedTuple):
    """A committed offset and its metadata."""

    offset: int
    metadata: str


async def fetch_committed(consumer: AIOKafkaConsumer, group: str, partition: TopicPartition) -> Committed | None:
    """Return what the group has committed for the partition, or None when it truly has nothing; see the next."""
    return (await fetch_committed_of(consumer, group, [partition]))[partition]


async def fetch_committed_of(
    consumer: AIOKafkaConsumer, group: str, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, Committed | None]:
    """Return what the group has committed for each of the partitions, which are of one topic.

    Retries for ever on errors that pass (a coordinator that loads or moves): the caller sets the deadline.

    Raises:
        KafkaError: an error that does not pass, such as a missing permission.
    """
    while True:
        await find_coordinator(consumer)
        try:
            numbers = [partition.partition for partition in partitions]
            answer = await send_to_coordinator(consumer, OffsetFetchRequest(group, [(partitions[0].topic, numbers)]))
            return _read(answer, partitions)
        except (NotCoordinatorForGroupError, CoordinatorNotAvailableError):
            forget_coordinator(consumer)
        except KafkaError as error:
            if not error.retriable:
                raise
        await asyncio.sleep(_RETRY_SECONDS)


def _read(answer: object, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, Committed | None]:
    rows = [row for _, of_topic in answer.topics for row in of_topic]  # type: ignore[attr-defined]
    codes = [getattr(answer, "error_code", 0), *(row[3] for row in rows)]
    failed = next((code for code in codes if code), 0)
    if failed:
        error: type[KafkaError] = for_code(failed)
        raise error
    found = {number: Committed(offset, metadata or "") if offset >= 0 else None for number, offset, metadata, _ in rows}
    if missing := [partition.partition for partition in partitions if partition.partition not in found]:
        raise UnknownError(f"the coordinator's answer to OffsetFetch does not name the partitions {missing}")
    return {partition: found[partition.partition] for partition in partitions}

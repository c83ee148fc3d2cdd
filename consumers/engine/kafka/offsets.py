"""Reads a group's committed offsets, and fails if the coordinator cannot know them; commits them as a given member.

`AIOKafkaConsumer.committed()` ignores the top-level error of OffsetFetch v2 and v3. While the coordinator loads or
moves it returns "nothing committed". `AIOKafkaConsumer.commit()` retries under a newer generation. So this module sends
the requests itself.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiokafka.errors import (
    CoordinatorNotAvailableError,
    KafkaError,
    NotCoordinatorForGroupError,
    UnknownError,
    for_code,
)
from aiokafka.protocol.commit import OffsetCommitRequest, OffsetFetchRequest

from adapters.kafka.aiokafka_internals import find_coordinator, forget_coordinator, send_to_coordinator
from consumers.engine.core.progress import GroupCopy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiokafka import AIOKafkaConsumer, TopicPartition

    from consumers.engine.kafka.membership import Generation

_RETRY_SECONDS = 0.1


async def fetch_committed(
    consumer: AIOKafkaConsumer, group: str, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, GroupCopy | None]:
    """Return the group's copy of each partition's progress, or None. All partitions are of one topic.

    Retries transient errors (a coordinator that loads or moves) without a limit: the caller sets the deadline.

    Raises KafkaError for a permanent error, such as a missing permission.
    """
    numbers = [partition.partition for partition in partitions]
    while True:
        await find_coordinator(consumer)
        try:
            response = await send_to_coordinator(consumer, OffsetFetchRequest(group, [(partitions[0].topic, numbers)]))
            return _parse(response, partitions)
        except (NotCoordinatorForGroupError, CoordinatorNotAvailableError):
            forget_coordinator(consumer)
        except KafkaError as error:
            if not error.retriable:
                raise
        await asyncio.sleep(_RETRY_SECONDS)


async def commit_offsets(
    consumer: AIOKafkaConsumer, group: str, member: Generation, copies: Mapping[TopicPartition, GroupCopy]
) -> None:
    """Commit copies for partitions of one topic once, as this member of this generation.

    Raises:
        KafkaError: the coordinator is unknown, or rejects one of them.
    """
    (topic,) = {source.topic for source in copies}
    rows = [(source.partition, copy.offset, copy.topic) for source, copy in copies.items()]
    request = OffsetCommitRequest(
        group, member.number, member.member_id, OffsetCommitRequest.DEFAULT_RETENTION_TIME, [(topic, rows)]
    )
    response = await send_to_coordinator(consumer, request)
    failed = next((code for _, of_topic in response.topics for _, code in of_topic if code), 0)
    if failed:
        error: type[KafkaError] = for_code(failed)
        if error in {NotCoordinatorForGroupError, CoordinatorNotAvailableError}:
            forget_coordinator(consumer)
        raise error


def _parse(response: object, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, GroupCopy | None]:
    rows = [row for _, of_topic in response.topics for row in of_topic]  # type: ignore[attr-defined] # aiokafka has no types
    codes = [getattr(response, "error_code", 0), *(row[3] for row in rows)]
    failed = next((code for code in codes if code), 0)
    if failed:
        error: type[KafkaError] = for_code(failed)
        raise error
    found = {number: GroupCopy(offset, metadata or "") if offset >= 0 else None for number, offset, metadata, _ in rows}
    if missing := [partition.partition for partition in partitions if partition.partition not in found]:
        raise UnknownError(f"the coordinator's response to OffsetFetch lacks the partitions {missing}")
    return {partition: found[partition.partition] for partition in partitions}

"""Compares the id of the input topic every few seconds with the id that each session has read at its start.

A fetch names its topic by the name alone. If the topic is deleted and created again between two refreshes of the
metadata, the consumer continues at its position in the new topic, and skips the records before that position. So a
session of another topic ends, and its next start stops the partition.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from adapters.kafka.clients import KafkaFailure
from adapters.kafka.topic_metadata import fetch_topic_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiokafka import AIOKafkaConsumer

    from consumers.engine.partition import Partition

_EVERY_SECONDS: Final = 3.0
_DEADLINE_SECONDS: Final = 5.0


async def watch(consumer: AIOKafkaConsumer, topic: str, partitions: Callable[[], Iterable[Partition]]) -> None:
    """Restart the partitions whose session is of another topic, until cancelled; a failed read is repeated later."""
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        if all(partition.session is None for partition in partitions()):
            continue  # the consumer may not have started, and then it has no coordinator
        with suppress(*KafkaFailure):
            async with asyncio.timeout(_DEADLINE_SECONDS):
                found = await fetch_topic_id(consumer, topic)
            for partition in partitions():
                if partition.session is not None and partition.session.topic_id != found:
                    partition.restart(f"the topic has the id {found} now: it was created again")

"""Reads whole topics as a read_committed reader, and turns the records of tallies into a history."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.engine.core.progress import RESERVED_KEYS
from tests.chaos.history import History, Input, Output
from tests.chaos.tally import Task, read_journal

if TYPE_CHECKING:
    from pathlib import Path

    from aiokafka import ConsumerRecord


async def read_topic(
    bootstrap: str, topic: str, partitions: int, *, within: float = 30.0, isolation: str = "read_committed"
) -> list[ConsumerRecord]:
    """Return every record of a topic, by partition and offset.

    Raises:
        TimeoutError: an open transaction delays the reader.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, isolation_level=isolation)
    sources = [TopicPartition(topic, number) for number in range(partitions)]
    # A read_committed reader stops at an open transaction: only a read_uncommitted reader sees the true end.
    ends = await _ends(bootstrap, sources)
    records: list[ConsumerRecord] = []
    await consumer.start()
    try:
        consumer.assign(sources)
        await consumer.seek_to_beginning(*sources)
        async with asyncio.timeout(within):
            while any([await consumer.position(source) < ends[source] for source in sources]):
                for fetched in (await consumer.getmany(timeout_ms=100)).values():
                    records += fetched
    finally:
        await consumer.stop()
    return sorted(records, key=lambda record: (record.partition, record.offset))


async def _ends(bootstrap: str, sources: list[TopicPartition]) -> dict[TopicPartition, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, isolation_level="read_uncommitted")
    await consumer.start()
    try:
        return await consumer.end_offsets(sources)
    finally:
        await consumer.stop()


def to_input(record: ConsumerRecord) -> Input:
    """Read an input."""
    task = Task.decode(record.value)
    return Input(task.id, record.key.decode(), record.value, has_effect=task.checkpoint)


def to_output(record: ConsumerRecord) -> Output:
    """Read an output."""
    value = json.loads(record.value)
    key, at = record.key.decode(), record.timestamp / 1000
    return Output(key, value["sequence"], value["cause"], is_outcome=value["outcome"], at=at)


def to_states(records: list[ConsumerRecord]) -> dict[str, bytes]:
    """Keep the newest state of each key."""
    states: dict[str, bytes] = {}
    for record in records:
        if record.key is None or record.key in RESERVED_KEYS:
            continue
        states.pop(record.key.decode(), None)
        if record.value is not None:
            states[record.key.decode()] = record.value
    return states


async def read_history(
    bootstrap: str, *, inputs: str, events: str, state: str, partitions: int, journal: Path, within: float = 30.0
) -> History:
    """Read a run of tallies that has ended."""
    commanded, published, stored = [
        await read_topic(bootstrap, topic, partitions, within=within) for topic in (inputs, events, state)
    ]
    return History(
        [to_input(record) for record in commanded],
        [to_output(record) for record in published],
        to_states(stored),
        read_journal(journal),
    )

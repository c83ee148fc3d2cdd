"""Turns the records of tallies into a history."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from consumers.engine.core.progress import RESERVED_KEYS
from local.judge.history import History, Input, Output
from local.judge.whole_topic import read_topic
from tests.chaos.tally import Task, read_journal

if TYPE_CHECKING:
    from pathlib import Path

    from aiokafka import ConsumerRecord


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

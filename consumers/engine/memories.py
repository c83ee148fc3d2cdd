"""The memories of one partition's keys: kept in bytes, restored from the compacted `state` topic.

Owns the form of a `state` record: key = the lane's key, value = the handler's memory, header `alarm` = when to call it.
Holds bytes only (about 200 bytes beside the value per key), never a decoded object.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from consumers.engine.interface import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

# A partition's start writes this key, to see its own write come back. No lane has it: lanes' keys come from records.
MARKER_KEY = b"\x00engine"

_ALARM = "alarm"
_POLL_MILLISECONDS = 500
_POLL_RECORDS = 5_000


class Memories:
    """What is remembered of each key, and the alarm that its newest `state` record carries."""

    __slots__ = ("_alarms", "_values", "unreadable")

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._alarms: dict[bytes, float] = {}
        self.unreadable = 0

    def __len__(self) -> int:
        """Count the keys that something is remembered of."""
        return len(self._values)

    def get(self, key: bytes) -> bytes | None:
        """Return what is remembered of the key."""
        return self._values.get(key)

    def put(self, key: bytes, value: bytes | None) -> None:
        """Remember `value`; None forgets the key."""
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value

    def written_alarm(self, key: bytes) -> float | None:
        """Return the alarm that a restart would find for the key."""
        return self._alarms.get(key)

    def note_alarm(self, key: bytes, at: float | None) -> None:
        """Note the alarm that the key's newest `state` record carries."""
        if at is None:
            self._alarms.pop(key, None)
        else:
            self._alarms[key] = at

    def absorb(self, records: Sequence[ConsumerRecord], alarms: dict[bytes, float]) -> None:
        """Take in records of the `state` topic, in order; what is not of our form is counted."""
        for record in records:
            if record.key == MARKER_KEY:
                continue
            if record.key is None:
                self.unreadable += 1
                continue
            self.put(record.key, record.value)
            alarms.pop(record.key, None)
            if record.value is None:
                continue
            try:
                alarm_at = _read_alarm(record)
            except (TypeError, ValueError):
                self.unreadable += 1
                alarm_at = 0.0  # due at once: better too early than never
            if alarm_at is not None:
                alarms[record.key] = alarm_at


def state_record(topic: str, key: bytes, memory: bytes | None, alarm_at: float | None) -> Output:
    """Make the record that restores this memory and alarm."""
    headers = ((_ALARM, repr(alarm_at).encode()),) if alarm_at is not None and memory is not None else ()
    return Output(topic, key, memory, headers)


def _read_alarm(record: ConsumerRecord) -> float | None:
    for name, value in record.headers:
        if name == _ALARM:
            at = float(value)
            if not math.isfinite(at):
                raise ValueError("an alarm at no time")
            return at
    return None


async def restore(
    consumer: AIOKafkaConsumer,
    partition: TopicPartition,
    marker: int,
    on_progress: Callable[[int, int], None],
    *,
    timeout_seconds: float,
) -> tuple[Memories, dict[bytes, float]]:
    """Read the partition of the `state` topic up to our own marker; return the memories and the alarms.

    The marker was written by the partition's producer after it had fenced its predecessor, so everything that a
    predecessor ever committed lies before it; a broker without it is not the leader and can't pass for one. It is the
    consumer's *position* that is compared: the last offset is a transaction marker and never delivered.

    Args:
        consumer: a read_committed consumer without a group, started, used for nothing else.
        partition: the partition of the `state` topic.
        marker: the offset of our own marker.
        on_progress: called with (offsets read, offsets to read) after each fetch.
        timeout_seconds: how long it may stand still.

    Raises:
        TimeoutError: nothing came for `timeout_seconds`.
    """
    memories = Memories()
    alarms: dict[bytes, float] = {}
    consumer.assign([partition])
    async with asyncio.timeout(timeout_seconds):
        begin = (await consumer.beginning_offsets([partition]))[partition]
    consumer.seek(partition, begin)
    position = begin
    async with asyncio.timeout(timeout_seconds) as patience:
        while position <= marker:
            fetched = await consumer.getmany(timeout_ms=_POLL_MILLISECONDS, max_records=_POLL_RECORDS)
            for records in fetched.values():
                memories.absorb(records, alarms)
            before, position = position, await consumer.position(partition)
            if position > before:
                patience.reschedule(asyncio.get_running_loop().time() + timeout_seconds)
                on_progress(position - begin, marker + 1 - begin)
    for key, at in alarms.items():
        memories.note_alarm(key, at)
    return memories, alarms

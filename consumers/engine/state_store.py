"""The memories of one partition's keys: kept in bytes, restored from the compacted `state` topic.

Owns the form of a `state` record: key = the lane's key (with a zero byte more where that would be our marker), value =
the handler's memory, header `alarm` = when to call it. Holds bytes only, never a decoded object: per key one entry of a
dict, and 8 bytes for the alarm before the memory.
"""

from __future__ import annotations

import asyncio
import math
import random
import struct
from typing import TYPE_CHECKING

from consumers.engine.interface import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

# A partition's start writes this key, to see its own write come back. No lane's memory is written under it.
MARKER_KEY = b"\x00engine"

_ALARM = "alarm"
_POLL_MILLISECONDS = 500
# Records are large beside what is kept of them: many at once would leave the heap full of holes.
_POLL_RECORDS = 1_000
_AT_A_STRETCH = 200
_ALARM_BYTES = 8
_NEVER = math.inf
_pack = struct.Struct("<d").pack
_unpack = struct.Struct("<d").unpack_from


class StateStore:
    """What is remembered of each key, and the alarm of its newest `state` record: what a restart would find."""

    __slots__ = ("_values", "unreadable")

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self.unreadable = 0

    def __len__(self) -> int:
        """Count the keys that something is remembered of."""
        return len(self._values)

    def get(self, key: bytes) -> bytes | None:
        """Return what is remembered of the key."""
        held = self._values.get(key)
        return None if held is None else held[_ALARM_BYTES:]

    def put(self, key: bytes, memory: bytes | None, timer_at: float | None) -> None:
        """Remember this, as written with that alarm; None forgets the key."""
        if memory is None:
            self._values.pop(key, None)
        else:
            self._values[key] = _pack(_NEVER if timer_at is None else timer_at) + memory

    def written_alarm(self, key: bytes) -> float | None:
        """Return the alarm that a restart would find for the key."""
        held = self._values.get(key)
        return None if held is None else _alarm_of(held)

    def alarms(self) -> Iterator[tuple[bytes, float]]:
        """Walk the keys that have a written alarm."""
        for key, held in self._values.items():
            if (at := _alarm_of(held)) is not None:
                yield key, at

    def absorb(self, records: Sequence[ConsumerRecord]) -> None:
        """Take in records of the `state` topic, in order; what is not of our form is counted."""
        for record in records:
            if record.key == MARKER_KEY:
                continue
            if record.key is None:
                self.unreadable += 1
                continue
            try:
                timer_at = _read_alarm(record) if record.value is not None else None
            except (TypeError, ValueError):
                self.unreadable += 1
                timer_at = 0.0  # due at once: better too early than never
            self.put(_lane_key(record.key), record.value, timer_at)


def _alarm_of(held: bytes) -> float | None:
    at: float = _unpack(held)[0]
    return None if at == _NEVER else at


async def spread(memories: StateStore, over: Callable[[bytes | None, float], float], now: float) -> dict[bytes, float]:
    """Return when to call each key that has an alarm; what is overdue is put somewhere in the time that `over` says.

    Many may be overdue, and `over` may have to read each memory: others get their turn meanwhile.
    """
    alarms: dict[bytes, float] = {}
    overdue = 0
    for key, at in memories.alarms():
        if at > now:
            alarms[key] = at
            continue
        alarms[key] = now + random.random() * over(memories.get(key), now)  # noqa: S311 - jitter
        overdue += 1
        if overdue % _AT_A_STRETCH == 0:
            await asyncio.sleep(0)
    return alarms


def state_record(topic: str, key: bytes, memory: bytes | None, timer_at: float | None) -> Output:
    """Make the record that restores this memory and alarm."""
    headers = ((_ALARM, repr(timer_at).encode()),) if timer_at is not None and memory is not None else ()
    return Output(topic, _written_key(key), memory, headers)


def _written_key(key: bytes) -> bytes:
    """Return the key of a lane's `state` records: its own but for the marker's, and for those that this makes."""
    return key + b"\x00" if _is_like_the_marker(key) else key


def _lane_key(written: bytes) -> bytes:
    return written[:-1] if _is_like_the_marker(written) else written


def _is_like_the_marker(key: bytes) -> bool:
    return key.startswith(MARKER_KEY) and not key[len(MARKER_KEY) :].strip(b"\x00")


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
) -> StateStore:
    """Read the partition of the `state` topic up to our own marker, and return the memories.

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
    memories = StateStore()
    consumer.assign([partition])
    async with asyncio.timeout(timeout_seconds):
        begin = (await consumer.beginning_offsets([partition]))[partition]
    consumer.seek(partition, begin)
    position = begin
    async with asyncio.timeout(timeout_seconds) as patience:
        while position <= marker:
            fetched = await consumer.getmany(timeout_ms=_POLL_MILLISECONDS, max_records=_POLL_RECORDS)
            for records in fetched.values():
                memories.absorb(records)
            fetched = records = ()
            before, position = position, await consumer.position(partition)
            if position > before:
                patience.reschedule(asyncio.get_running_loop().time() + timeout_seconds)
                on_progress(position - begin, marker + 1 - begin)
    return memories

"""The states of one partition's keys, restored from the compacted `state` topic.

Owns the format of a `state` record: its key is the input's key (with one more zero byte if it would look like a
reserved key), its value the state, its header `timer` the time of the timer. The store holds bytes, never a decoded
object: per key one entry of a dict, with the 8 bytes of the timer before the state.
"""

from __future__ import annotations

import asyncio
import math
import random
import struct
from collections import Counter
from typing import TYPE_CHECKING

from consumers.engine.core.progress import HANDLER_KEY, MARKER_KEY, PROGRESS_KEY, RESERVED_KEYS
from consumers.engine.interface import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

_TIMER_HEADER = "timer"
_POLL_MILLISECONDS = 500
# Fetched records are larger than the entries of the store: many at a time would fragment the heap.
_POLL_RECORDS = 1_000
_TIMERS_PER_YIELD = 200
_TIMER_BYTES = 8
_NEVER = math.inf
# What a state and its timer need beside the bytes of key and state, measured after a start (docs/capacity.md).
_ENTRY_BYTES = 320
_pack = struct.Struct("<d").pack
_unpack = struct.Struct("<d").unpack_from


class StateStore:
    """The state of each key, and the timer in its newest `state` record, which a restart would restore.

    `progress` is the value of the newest progress record that was read, None without one. `groups` counts the states of
    each group (`EngineSettings.group_of`), `memory_bytes` estimates the memory of all states with their timers.
    """

    __slots__ = ("_group_of", "_values", "groups", "memory_bytes", "progress", "unreadable")

    def __init__(self, group_of: Callable[[bytes], bytes | None] = lambda _state: None) -> None:
        self._group_of = group_of
        self._values: dict[bytes, bytes] = {}
        self.memory_bytes = 0
        self.groups: Counter[bytes] = Counter()
        self.progress: bytes | None = None
        self.unreadable = 0

    def __len__(self) -> int:
        """Count the keys that have a state."""
        return len(self._values)

    def get(self, key: bytes) -> bytes | None:
        """Return the key's state."""
        stored = self._values.get(key)
        return None if stored is None else stored[_TIMER_BYTES:]

    def put(self, key: bytes, state: bytes | None, timer_at: float | None) -> None:
        """Store a state that is written with this timer; None deletes the key."""
        if (before := self.get(key)) is not None:
            self._count(key, before, -1)
        if state is None:
            self._values.pop(key, None)
        else:
            self._count(key, state, 1)
            self._values[key] = _pack(_NEVER if timer_at is None else timer_at) + state

    def _count(self, key: bytes, state: bytes, by: int) -> None:
        self.memory_bytes += by * (len(key) + len(state) + _ENTRY_BYTES)
        if (group := self._group_of(state)) is not None:
            self.groups[group] += by
            if not self.groups[group]:
                del self.groups[group]

    def written_timer(self, key: bytes) -> float | None:
        """Return the timer that a restart would restore for the key."""
        stored = self._values.get(key)
        return None if stored is None else _timer_of(stored)

    def timers(self) -> Iterator[tuple[bytes, float]]:
        """Iterate over the keys that have a written timer."""
        for key, stored in self._values.items():
            if (at := _timer_of(stored)) is not None:
                yield key, at

    def absorb(self, records: Sequence[ConsumerRecord]) -> None:
        """Apply records of the `state` topic, in order; `unreadable` counts those in an unknown format."""
        for record in records:
            if record.key in {MARKER_KEY, HANDLER_KEY}:
                continue
            if record.key == PROGRESS_KEY:
                self.progress = record.value
                continue
            if record.key is None:
                self.unreadable += 1
                continue
            try:
                timer_at = _read_timer(record) if record.value is not None else None
            except (TypeError, ValueError):
                self.unreadable += 1
                timer_at = 0.0  # due immediately: an early call does no harm
            self.put(input_key(record.key), record.value, timer_at)


def _timer_of(stored: bytes) -> float | None:
    at: float = _unpack(stored)[0]
    return None if at == _NEVER else at


async def spread_timers(
    states: StateStore, spread_seconds: Callable[[bytes | None, float], float], now: float
) -> dict[bytes, float]:
    """Return when to call each key that has a timer; overdue timers are spread over `spread_seconds(state, now)`.

    Many may be overdue, and `spread_seconds` may have to parse each state: other tasks run meanwhile.
    """
    timers: dict[bytes, float] = {}
    overdue = 0
    for key, at in states.timers():
        if at > now:
            timers[key] = at
            continue
        timers[key] = now + random.random() * spread_seconds(states.get(key), now)  # noqa: S311 - jitter
        overdue += 1
        if overdue % _TIMERS_PER_YIELD == 0:
            await asyncio.sleep(0)
    return timers


def state_record(topic: str, key: bytes, state: bytes | None, timer_at: float | None) -> Output:
    """Make the record that restores this state and timer."""
    headers = ((_TIMER_HEADER, repr(timer_at).encode()),) if timer_at is not None and state is not None else ()
    return Output(topic, _written_key(key), state, headers)


def _written_key(key: bytes) -> bytes:
    """Return the key of a `state` record: the input's key, with one more zero byte if it looks like a reserved key."""
    return key + b"\x00" if _is_like_a_reserved_key(key) else key


def input_key(written: bytes) -> bytes:
    """Return the input's key of the key of a `state` record."""
    return written[:-1] if _is_like_a_reserved_key(written) else written


def _is_like_a_reserved_key(key: bytes) -> bool:
    # Without a zero byte in front, the usual case, one comparison answers.
    return key.startswith(b"\x00") and key.rstrip(b"\x00") in RESERVED_KEYS


def _read_timer(record: ConsumerRecord) -> float | None:
    for name, value in record.headers:
        if name == _TIMER_HEADER:
            at = float(value)
            if not math.isfinite(at):
                raise ValueError("a timer without a finite time")
            return at
    return None


async def restore(
    consumer: AIOKafkaConsumer,
    partition: TopicPartition,
    marker: int,
    on_progress: Callable[[int, int], None],
    *,
    states: StateStore,
    timeout_seconds: float,
) -> StateStore:
    """Read the partition of the `state` topic up to this start's own marker, and return the states.

    The partition's producer wrote the marker after it had fenced every earlier producer. So every committed state of an
    earlier owner lies before the marker, and a deposed leader, which lacks the marker, cannot end the restore. The end
    is the consumer's *position*: a transaction's control record follows the marker and is never delivered.

    Args:
        consumer: a started read_committed consumer without a group, used for nothing else.
        partition: the partition of the `state` topic.
        marker: the offset of this start's marker.
        on_progress: called with (offsets read, offsets to read) after each fetch.
        states: an empty store.
        timeout_seconds: the longest time without progress.

    Raises TimeoutError after `timeout_seconds` without progress.
    """
    consumer.assign([partition])
    async with asyncio.timeout(timeout_seconds):
        begin = (await consumer.beginning_offsets([partition]))[partition]
    consumer.seek(partition, begin)
    position = begin
    async with asyncio.timeout(timeout_seconds) as deadline:
        while position <= marker:
            fetched = await consumer.getmany(timeout_ms=_POLL_MILLISECONDS, max_records=_POLL_RECORDS)
            for records in fetched.values():
                states.absorb(records)
            fetched = records = ()
            before, position = position, await consumer.position(partition)
            if position > before:
                deadline.reschedule(asyncio.get_running_loop().time() + timeout_seconds)
                on_progress(position - begin, marker + 1 - begin)
    return states

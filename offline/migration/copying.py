"""Copies one topic in the order of `Merge`. What an earlier run wrote is skipped by count, and proved at the end.

The digest of a new partition covers key, value, headers and time of each of its records, in order.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.kafka.topic_copy import Extent, RecordWriter, SourceRecord, read_partitions
from consumers.engine.core.progress import PROGRESS_KEY, RESERVED_KEYS
from offline.migration.merge import Merge
from offline.migration.plan import PLAN_KEY
from runtime.settings import KafkaSettings

PRIVATE_KEYS = frozenset({*RESERVED_KEYS, PLAN_KEY})


@dataclass(slots=True)
class Copied:
    """What a topic's new partitions contain: the number of records and a digest of each."""

    counts: list[int]
    digests: list["hashlib.blake2b"]

    @classmethod
    def nothing(cls, partitions: int) -> "Copied":
        """Return the beginning."""
        return cls([0] * partitions, [hashlib.blake2b(digest_size=16) for _ in range(partitions)])

    def add(self, target: int, record: SourceRecord) -> int:
        """Count a record of a new partition, and return its place there, from 0."""
        digest = self.digests[target]
        headers = [part for name, value in record.headers for part in (name.encode(), value)]
        for part in (record.key, record.value, str(record.timestamp).encode(), *headers):
            digest.update(b"-" if part is None else f"{len(part)}:".encode() + part)
        self.counts[target] += 1
        return self.counts[target] - 1

    def same_as(self, other: "Copied") -> bool:
        """Whether both saw the same records in the same order."""
        mine, others = ([one.digest() for one in copied.digests] for copied in (self, other))
        return self.counts == other.counts and mine == others


@dataclass(slots=True)
class Newest:
    """The newest records of a compacted topic, and each partition's progress record."""

    places: dict[bytes, tuple[int, int]] = field(default_factory=dict)  # by key: partition and offset
    progress: dict[int, bytes | None] = field(default_factory=dict)
    twice: set[bytes] = field(default_factory=set)  # keys with a value in two partitions

    def see(self, record: SourceRecord) -> None:
        """Take the next record."""
        if record.key is None:
            return
        if record.key in PRIVATE_KEYS:
            if record.key == PROGRESS_KEY:
                self.progress[record.partition] = record.value
            return
        before = self.places.get(record.key)
        if before is not None and before[0] != record.partition:
            self.twice.add(record.key)
        if record.value is None:
            self.places.pop(record.key, None)
        else:
            self.places[record.key] = (record.partition, record.offset)

    def is_newest(self, record: SourceRecord) -> bool:
        """Whether no later record has this key. False for the engine's own records."""
        return record.key is not None and self.places.get(record.key) == (record.partition, record.offset)


async def ordered(kafka: KafkaSettings, topic: str, extents: Sequence[Extent]) -> AsyncIterator[SourceRecord]:
    """Return the committed records of a topic in the migration's order."""
    merge = Merge(range(len(extents)))
    async for partition, records, is_ended in read_partitions(kafka, topic, dict(enumerate(extents)), merge.lacks):
        merge.feed(partition, records)
        if is_ended:
            merge.end(partition)
        for record in merge.ready():
            yield record


async def find_newest(kafka: KafkaSettings, topic: str, extents: Sequence[Extent]) -> Newest:
    """Read a compacted topic once."""
    newest = Newest()
    async for record in ordered(kafka, topic, extents):
        newest.see(record)
    return newest


async def copy(
    records: AsyncIterator[SourceRecord],
    topic: str,
    writer: RecordWriter,
    *,
    place: Callable[[SourceRecord], int],
    there: Sequence[int],
    on_copied: Callable[[SourceRecord, int], None],
) -> Copied:
    """Write records to a new topic.

    Args:
        records: the records, in the order of every earlier run.
        topic: the new topic.
        writer: the open writer.
        place: returns the new partition of a record.
        there: how many of the records each new partition has already.
        on_copied: receives each record and its new partition, also for records that were there.
    """
    copied = Copied.nothing(len(there))
    async for record in records:
        target = place(record)
        if copied.add(target, record) >= there[target]:
            await writer.write(
                topic,
                target,
                key=record.key,
                value=record.value,
                headers=record.headers,
                timestamp=record.timestamp,
            )
        on_copied(record, target)
    await writer.flush()
    return copied


async def read_back(kafka: KafkaSettings, topic: str, extents: Mapping[int, Extent]) -> Copied:
    """Read a new topic, without the engine's records and the plan."""
    found = Copied.nothing(len(extents))
    left = set(extents)
    async for partition, records, is_ended in read_partitions(kafka, topic, extents, lambda: frozenset(left)):
        for record in records:
            if record.key not in PRIVATE_KEYS:
                found.add(partition, record)
        if is_ended:
            left.discard(partition)
    return found

"""The fetched and unfinished records of a partition, between the consumer and the key queues, within bounds.

Pure and synchronous. Owns the position (the next offset to fetch) and the offset tracker. Invariants: a record reaches
the key queues once, in offset order; an offset counts as missing from the log only if it is missing right after a seek.
"""

from __future__ import annotations

from collections import deque
from sys import intern
from typing import TYPE_CHECKING, Protocol

from consumers.engine.core.offset_tracker import OffsetTracker
from consumers.engine.interface import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consumers.engine.core.offset_tracker import Committed


class FetchedRecord(Protocol):
    """A record as aiokafka's consumer returns it. `timestamp` is in milliseconds."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class FetchBuffer:
    """The records of one partition between the consumer and the key queues."""

    def __init__(self, committed: Committed, *, records: int, size: int) -> None:
        """Begin at the committed offset.

        Args:
            committed: the committed watermark and bitmap.
            records: stop reading at this many unfinished records.
            size: stop reading at this many bytes of unfinished records.
        """
        self._tracker = OffsetTracker(*committed)
        self._records_limit = records
        self._size_limit = size
        self._held: deque[FetchedRecord] = deque()  # fetched, and beyond the offsets that the tracker accepts now
        self._taken: dict[
            int, tuple[float, int, bytes]
        ] = {}  # offset: timestamp, bytes, key; unfinished, in offset order
        self._size = 0
        self._just_sought = False
        self.position = self._tracker.next_offset
        self.newest_timestamp = 0.0  # of the last record that was fetched, Unix seconds

    def sought(self) -> None:
        """Note that the consumer's next fetch begins at `position`."""
        self._just_sought = True

    def fetched(self, records: Sequence[FetchedRecord]) -> bool:
        """Add the records of one fetch. False: a record is missing, and none was added; seek to `position`."""
        # aiokafka moves its position when it returns records: a lost fetch and a gap in the log look the same.
        if records[0].offset > self.position and not self._just_sought:
            return False
        self._just_sought = False
        for record in records:
            if record.offset >= self.position:
                self._held.append(record)
                self._size += len(record.value or b"")
                self.position = record.offset + 1
                self.newest_timestamp = record.timestamp / 1000
        return True

    def take(self) -> Iterator[Record]:
        """Yield the records for the key queues, without those that were finished before a restart."""
        held, tracker = self._held, self._tracker
        while held and tracker.accepts(held[0].offset):
            record = held.popleft()
            size = len(record.value or b"")
            if not tracker.take(record.offset):
                self._size -= size
                continue
            timestamp = record.timestamp / 1000
            # Thousands of records wait here, and each has its own copies of the same few names.
            headers = tuple((intern(name), value) for name, value in record.headers)
            key = record.key or b""
            self._taken[record.offset] = timestamp, size, key
            yield Record(
                record.partition,
                record.offset,
                key,
                record.value or b"",
                headers,
                timestamp,
            )

    def finish(self, offset: int) -> None:
        """Mark a record as finished; the next `committed` includes it."""
        self._tracker.finish(offset)
        _, size, _ = self._taken.pop(offset)
        self._size -= size

    def committed(self) -> Committed:
        """Return the watermark and the bitmap to commit now."""
        return self._tracker.committed()

    def is_full(self, unfinished: int) -> bool:
        """Return whether to stop reading, with this number of unfinished records in the key queues."""
        return bool(self._held) or unfinished >= self._records_limit or self._size >= self._size_limit

    def has_room(self, unfinished: int) -> bool:
        """Return whether to resume reading: at half of the limits, so that the consumer does not pause again soon."""
        return not self._held and unfinished <= self._records_limit // 2 and self._size <= self._size_limit // 2

    @property
    def has_held_records(self) -> bool:
        """Whether fetched records wait until the tracker accepts them."""
        return bool(self._held)

    @property
    def watermark(self) -> int:
        """The offset below which every record is finished."""
        return self._tracker.watermark

    @property
    def gap(self) -> int:
        """The number of offsets between the watermark and the last record taken."""
        return self._tracker.gap

    @property
    def oldest_timestamp(self) -> float | None:
        """The timestamp of the oldest record that was taken and is not finished, Unix seconds."""
        oldest = next(iter(self._taken.values()), None)
        return oldest[0] if oldest is not None else None

    @property
    def second_key_timestamp(self) -> float | None:
        """The timestamp of the oldest unfinished record of any key but the key of `oldest_timestamp`."""
        taken = iter(self._taken.values())
        _, _, oldest_key = next(taken, (0.0, 0, b""))
        return next((timestamp for timestamp, _, key in taken if key != oldest_key), None)

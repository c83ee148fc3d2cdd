"""What a partition has fetched and not finished: from the consumer's hands to the lanes, within bounds.

Pure and synchronous. Owns the position (the next offset to fetch) and the progress. Invariants: a record reaches the
lanes once, in offset order; an offset is taken for missing from the log only if it was missing right after a seek.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from consumers.engine.core.offset_tracker import OffsetTracker
from consumers.engine.interface import Record
from consumers.engine.kafka.offsets import Committed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aiokafka import ConsumerRecord


class FetchBuffer:
    """The records of one partition between the reader and the lanes."""

    def __init__(self, committed: Committed, *, records: int, size: int) -> None:
        """Begin at what the group has committed.

        Args:
            committed: where the partition stands.
            records: stop reading at this many unfinished records.
            size: stop reading at this many bytes of unfinished records.
        """
        self._progress = OffsetTracker(committed.offset, committed.metadata)
        self._records_limit = records
        self._size_limit = size
        self._held: deque[ConsumerRecord] = deque()  # fetched, and beyond what the progress accepts at this moment
        self._taken: dict[int, tuple[float, int]] = {}  # offset: timestamp, bytes; taken up, in offset order
        self._size = 0
        self._just_sought = False
        self.position = self._progress.next_offset

    def sought(self) -> None:
        """Note that the consumer has just been told to fetch from `position`."""
        self._just_sought = True

    def fetched(self, records: Sequence[ConsumerRecord]) -> bool:
        """Take in what one fetch brought. False: something is missing; nothing was taken, seek to `position`."""
        # aiokafka moves its position when it hands records out, so a fetch that was lost on the way looks exactly like
        # a hole in the log.
        if records[0].offset > self.position and not self._just_sought:
            return False
        self._just_sought = False
        for record in records:
            if record.offset >= self.position:
                self._held.append(record)
                self._size += len(record.value or b"")
                self.position = record.offset + 1
        return True

    def take(self) -> Iterator[Record]:
        """Yield the records that may go to the lanes now; those that were finished before a restart are left out."""
        held, progress = self._held, self._progress
        while held and progress.accepts(held[0].offset):
            record = held.popleft()
            size = len(record.value or b"")
            if not progress.take(record.offset):
                self._size -= size
                continue
            timestamp = record.timestamp / 1000
            self._taken[record.offset] = timestamp, size
            yield Record(
                record.partition,
                record.offset,
                record.key or b"",
                record.value or b"",
                tuple(record.headers),
                timestamp,
            )

    def finish(self, offset: int) -> None:
        """Mark a record as finished; it goes into the next `committed`."""
        self._progress.finish(offset)
        _, size = self._taken.pop(offset)
        self._size -= size

    def committed(self) -> Committed:
        """Return the offset and the metadata to commit now."""
        return Committed(self._progress.watermark, self._progress.encode())

    def is_full(self, unfinished: int) -> bool:
        """Say whether to stop reading, with so many unfinished records in the lanes."""
        return bool(self._held) or unfinished >= self._records_limit or self._size >= self._size_limit

    def has_room(self, unfinished: int) -> bool:
        """Say whether to read on after having stopped: well below the limits, so that reading doesn't flutter."""
        return not self._held and unfinished <= self._records_limit // 2 and self._size <= self._size_limit // 2

    @property
    def holds_back(self) -> bool:
        """Records are fetched that the progress did not accept yet."""
        return bool(self._held)

    @property
    def watermark(self) -> int:
        """Everything below it is finished."""
        return self._progress.watermark

    @property
    def gap(self) -> int:
        """How many offsets lie between the watermark and the last one taken up."""
        return self._progress.gap

    @property
    def oldest_timestamp(self) -> float | None:
        """Return the timestamp of the oldest record that is taken up and not finished, Unix seconds."""
        oldest = next(iter(self._taken.values()), None)
        return oldest[0] if oldest is not None else None

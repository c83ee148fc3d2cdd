"""The order in which the records of several source partitions reach the new topic.

Pure. A partition's own order is kept always, although the clocks of two producers may differ. Across partitions the
older of the next records comes first, so that the records of a key that moved to an added partition follow its earlier
ones. The order follows from the records alone.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from adapters.kafka.topic_copy import SourceRecord


class Merge:
    """Takes records by partition and returns them in the migration's order."""

    def __init__(self, partitions: Iterable[int]) -> None:
        self._waiting: dict[int, deque[SourceRecord]] = {number: deque() for number in partitions}
        self._open = set(self._waiting)

    def feed(self, partition: int, records: Iterable[SourceRecord]) -> None:
        """Add the next records of a partition."""
        self._waiting[partition].extend(records)

    def end(self, partition: int) -> None:
        """Note that no further record of a partition follows."""
        self._open.discard(partition)

    def lacks(self) -> frozenset[int]:
        """Return the partitions without which the next record is not known."""
        return frozenset(number for number in self._open if not self._waiting[number])

    def ready(self) -> Iterator[SourceRecord]:
        """Return the records whose place is known now."""
        while not self.lacks():
            heads = [(waiting[0].timestamp, number) for number, waiting in self._waiting.items() if waiting]
            if not heads:
                return
            _, number = min(heads)
            yield self._waiting[number].popleft()

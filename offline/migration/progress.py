"""Which commands are finished, by their places in the new partitions. Pure.

A finished command stays finished: it is finished in the new partition exactly if the source partition's progress record
says so. A partition that was added has no progress record, and none of its commands is finished.
"""

from collections.abc import Mapping

from consumers.engine.core.offset_tracker import WINDOW, Committed, OffsetTracker


class FinishedOffsets:
    """The finished offsets of one source partition."""

    def __init__(self, progress: Committed | None) -> None:
        tracker = None if progress is None else OffsetTracker(*progress)
        self._watermark = 0 if tracker is None else tracker.watermark
        self._beyond = frozenset() if tracker is None else frozenset(tracker.finished_beyond())

    def has(self, offset: int) -> bool:
        """Whether the command at this offset is finished."""
        return offset < self._watermark or offset in self._beyond


class NewProgress:
    """Rebuilds the progress of the new partitions while their commands are copied in order."""

    def __init__(self, sources: Mapping[int, Committed | None], partitions: int) -> None:
        self._sources = {number: FinishedOffsets(progress) for number, progress in sources.items()}
        self._trackers = [OffsetTracker(0) for _ in range(partitions)]
        self._next = [0] * partitions
        self.unfinished = 0

    def copied(self, source: int, offset: int, target: int) -> None:
        """Note that the next record of a new partition is this command."""
        place = self._next[target]
        self._next[target] += 1
        self._trackers[target].take(place)
        if self._sources[source].has(offset):
            self._trackers[target].finish(place)
        else:
            self.unfinished += 1

    @property
    def fits(self) -> bool:
        """Whether a worker can read each partition's progress: at most WINDOW offsets follow an unfinished one."""
        return all(tracker.size <= WINDOW for tracker in self._trackers)

    def committed(self) -> list[Committed]:
        """Return the progress of each new partition."""
        return [tracker.committed() for tracker in self._trackers]

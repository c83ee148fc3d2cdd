"""The lag of a partition while no records of it are fetched. Pure; times are Unix seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consumers.engine.core.offset_tracker import Committed


class LagMonitor:
    """The unfinished records of one partition, according to its last session and Kafka."""

    __slots__ = ("_behind_since", "_oldest", "log_end", "position", "watermark")

    def __init__(self) -> None:
        self.log_end = 0
        self.watermark = 0
        self.position = 0
        self._oldest: float | None = None
        self._behind_since: float | None = None

    def session_ended(self, committed: Committed, oldest: float | None) -> None:
        """Store a session's committed offset, and the timestamp of its oldest unfinished record."""
        self.watermark = committed.offset
        self.position = 0
        self._oldest = oldest

    def observe(self, log_end: int, watermark: int, now: float) -> None:
        """Store the offsets that Kafka reports."""
        self.log_end, self.watermark = log_end, watermark
        if log_end <= watermark:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = now

    def fetching(self, position: int) -> None:
        """Store the next offset to fetch. Forget the oldest record: the session has it."""
        self.position = position
        self._oldest = self._behind_since = None

    @property
    def oldest(self) -> float | None:
        """The timestamp of the oldest unfinished record, or since when unfinished records are known to exist."""
        return self._oldest if self._oldest is not None else self._behind_since

"""The share of dead letters among a partition's last records: too large a share shows a bad deployment.

Pure. Three rules keep one source (a sender of records) from stopping the partition for the others:

- Failures count once per key, so repeats for one key are one failure.
- A source contributes at most half of the failures that trip the limit, unless no other source was seen for a day.
- While a source holds more than half of the window, a new record displaces the oldest record of that source:
  many records of one source cannot displace the others. A source leaves the window a day after its last record.

The window is empty after each assignment and each reset. Then `second_source_at` still says that two sources use the
partition: the progress record keeps it.

Counts committed records only: after a failed transaction the same records are dead-lettered again. A limit that
has tripped stays tripped until an operator's `reset`.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from consumers.engine.interface import Done

PRESENT_SECONDS: Final = 24 * 3600.0
_ANOTHER_SOURCE: Final = ""  # that of an earlier assignment, whose name is not kept
_NAMED: Final = 5
# 0.3 * 10 is a little more than 3 in floating point.
_ROUNDING: Final = 1e-9


class FinishedRecord(NamedTuple):
    """A finished record. `failure` is the cause of its dead letter, or None if the cause does not count."""

    key: bytes
    source: str | None = None
    failure: str | None = None
    dead_lettered: bool = False

    @classmethod
    def of(cls, key: bytes, done: Done) -> FinishedRecord:
        """Return the record of a handler's result."""
        failed = done.dead_lettered
        return cls(key, done.source, failed.cause if failed and failed.counts else None, failed is not None)


class FailureRatioLimit:
    """Trips when more than `share` of the last `window` committed records were dead-lettered."""

    __slots__ = ("_clock", "_records", "_seen", "_share", "_size", "_window", "has_tripped", "reason")

    def __init__(self, share: float, window: int) -> None:
        self._share = share
        self._window = window
        self._records: dict[str, deque[tuple[int, FinishedRecord]]] = {}
        self._seen: OrderedDict[str, float] = OrderedDict()  # the sources of a day, the newest last
        self._size = 0
        self._clock = 0  # numbers the records, to find the oldest one
        self.has_tripped = False
        self.reason = ""

    @property
    def most(self) -> int:
        """The number of failures that trips the limit."""
        # Until the window is full the share is taken of a full window: a few records are no evidence.
        return int(self._share * self._window + _ROUNDING) + 1

    @property
    def second_source_at(self) -> float | None:
        """When a second source was last seen, Unix seconds; None if no two were seen within a day."""
        return next(islice(reversed(self._seen.values()), 1, None), None)

    def restore(self, second_source_at: float | None) -> None:
        """Note what the partition's last owner knew of a second source."""
        if second_source_at is not None:
            self._seen[_ANOTHER_SOURCE] = second_source_at
            self._seen.move_to_end(_ANOTHER_SOURCE, last=False)

    def would_trip_with(self, failed: Iterable[FinishedRecord]) -> bool:
        """Return whether these failed records, committed next, would trip the limit."""
        return self._exceeds([*self._failed(), *failed])

    def count(self, record: FinishedRecord, now: float) -> bool:
        """Count one committed record; return whether the limit has just tripped. `now`: Unix seconds."""
        if record.source is None:
            return False
        self._remove_absent(now)
        self._add(record, record.source, now)
        if self.has_tripped or record.failure is None or not self._exceeds(failed := self._failed()):
            return False
        self.has_tripped = True
        self.reason = self._describe(failed)
        return True

    def reset(self) -> None:
        """Forget the counted records, but not who was seen: one source alone must not trip the limit again."""
        self._records.clear()
        self._size = 0
        self.has_tripped = False
        self.reason = ""

    def causes(self) -> dict[str, int]:
        """Return the failures in the window by cause, most first."""
        return dict(Counter(record.failure or "" for record in self._failed()).most_common())

    def sources(self) -> dict[str, int]:
        """Return the failures in the window by source, most first."""
        return dict(Counter(record.source or "" for record in self._failed()).most_common())

    def _exceeds(self, failed: Collection[FinishedRecord]) -> bool:
        keys: dict[str, set[bytes]] = {}
        for record in failed:
            keys.setdefault(record.source or "", set()).add(record.key)
        most = self.most
        share = most if len(self._seen) <= 1 else most / 2
        contributed = sum(min(len(failed_keys), share) for failed_keys in keys.values())
        return contributed >= most and len(set().union(*keys.values())) >= most

    def _failed(self) -> list[FinishedRecord]:
        records = chain.from_iterable(self._records.values())
        return [record for _, record in records if record.failure is not None]

    def _add(self, record: FinishedRecord, source: str, now: float) -> None:
        self._records.setdefault(source, deque()).append((self._clock, record))
        self._clock += 1
        self._seen[source] = now
        self._seen.move_to_end(source)
        self._size += 1
        if self._size > self._window:
            self._remove_oldest()

    def _remove_oldest(self) -> None:
        source = max(self._records, key=lambda one: len(self._records[one]))
        if len(self._records[source]) <= self._window / 2:
            source = min(self._records, key=lambda one: self._records[one][0][0])
        self._records[source].popleft()
        self._size -= 1
        if not self._records[source]:
            del self._records[source]

    def _remove_absent(self, now: float) -> None:
        while self._seen and now - next(iter(self._seen.values())) > PRESENT_SECONDS:
            source, _ = self._seen.popitem(last=False)
            self._size -= len(self._records.pop(source, ()))

    def _describe(self, failed: Collection[FinishedRecord]) -> str:
        keys = len({record.key for record in failed})
        return (
            f"more than {self._share:.0%} of {self._window} records were dead-lettered, over {keys} keys "
            f"(causes: {_listed(self.causes())}; sent by: {_listed(self.sources())}): read the dead letters, fix the "
            "cause, then resume the partition"
        )


class UncommittedFailures:
    """The failures of one session that wait for their transaction, in the order of their commit."""

    __slots__ = ("_failed", "_limit", "_would_trip")

    def __init__(self, limit: FailureRatioLimit) -> None:
        self._limit = limit
        self._failed: deque[FinishedRecord] = deque()
        self._would_trip = False

    @property
    def may_trip(self) -> bool:
        """Whether the limit has tripped, or trips when these failures are committed."""
        return self._limit.has_tripped or self._would_trip

    def add(self, record: FinishedRecord) -> None:
        """Add a finished record."""
        if record.failure is not None and record.source is not None:
            self._failed.append(record)
            self._would_trip = self._limit.would_trip_with(self._failed)

    def committed(self, records: Iterable[FinishedRecord], now: float) -> bool:
        """Count committed records, first in, first out; return whether the limit has just tripped."""
        trips = False
        for record in records:
            if record.failure is not None and record.source is not None:
                self._failed.popleft()
            trips |= self._limit.count(record, now)
        self._would_trip = bool(self._failed) and self._limit.would_trip_with(self._failed)
        return trips


def _listed(counts: dict[str, int]) -> str:
    shown = ", ".join(f"{name} {count}" for name, count in list(counts.items())[:_NAMED])
    return shown if len(counts) <= _NAMED else f"{shown}, {len(counts) - _NAMED} more"

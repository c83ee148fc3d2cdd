"""The lanes of one partition: which key may run now, which waits, and for what.

Pure and synchronous: fed with records, answers and `now`; never awaits, never sleeps. Invariants: a key never runs
twice at once, a key's records run in the order they were added, and no lane with work is ever forgotten (it is ready,
running or waiting until a known time).
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from consumers.engine.core.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import StrEnum

    from consumers.engine.interface import Record


_RECORDS_PER_ALARM: Final = 8
_LONG_AGO: Final = 0.0


@dataclass(slots=True, eq=False)
class KeyQueue:
    """The ordered work of one key, alive only while there is some. An empty queue means: an alarm is due.

    `is_alarm` is decided when the lane is taken, and holds for that turn: records may come before its first step.
    """

    key: bytes
    records: deque[Record] = field(default_factory=deque)
    is_running: bool = False
    is_alarm: bool = False
    waits_for: StrEnum | None = None
    wait_until: float = 0.0
    since: float = 0.0
    tries: int = 0
    failures: int = 0
    alarm_came: bool = False  # the key's alarm has come up, by running or because the lane was busy


class KeyQueues:
    """All lanes of one partition.

    A lane is taken with `next_ready` and given back with `finished` or `again`. Fresh lanes and lanes that come back
    from a wait are taken in turns, so that neither starves the other. Both go before lanes that only have an alarm: as
    long as there are records ready, or running in a process that is late, those get every ninth turn.
    """

    def __init__(self) -> None:
        self._lanes: dict[bytes, KeyQueue] = {}
        self._fresh: deque[KeyQueue] = deque()
        self._returning: deque[KeyQueue] = deque()
        self._alarmed: deque[KeyQueue] = deque()  # also lanes that a record took out of here; see _next_alarmed
        self._records_since_alarm = self._records_running = 0
        self._waiting: list[tuple[float, int, KeyQueue]] = []
        self._waits: dict[StrEnum, int] = {}
        self._alarms = Timers()
        self._prefer_returning = False
        self._order = 0
        self.records = 0

    def __len__(self) -> int:
        """Count the lanes that have work: ready, running or waiting."""
        return len(self._lanes)

    def add(self, record: Record, now: float) -> None:
        """Put a record at the end of its key's lane."""
        self.records += 1
        lane = self._lanes.get(record.key)
        if lane is None:
            lane = self._lanes[record.key] = KeyQueue(record.key, since=now)
            self._fresh.append(lane)
        elif not lane.records and not lane.is_running:
            lane.since = now  # it was ready for its alarm; the record goes first
            self._fresh.append(lane)
        lane.records.append(record)

    def next_ready(self, now: float, *, is_late: bool = False) -> KeyQueue | None:
        """Take the next lane that may run, or None. It counts as running until it is given back."""
        self._wake(now)
        queue = (self._returning or self._fresh) if self._prefer_returning else (self._fresh or self._returning)
        lane = None
        has_records = queue or (is_late and self._records_running)
        if self._alarmed and (not has_records or self._records_since_alarm >= _RECORDS_PER_ALARM):
            self._records_since_alarm = 0
            lane = self._next_alarmed()
        if lane is None:
            if not queue:
                return None
            self._records_since_alarm += 1
            self._records_running += 1
            self._prefer_returning = queue is self._fresh
            lane = queue.popleft()
        lane.is_running = True
        lane.is_alarm = not lane.records
        return lane

    def finished(self, lane: KeyQueue, *, timer_at: float | None, now: float) -> None:
        """Give a lane back: what it was taken for is finished, and the key's alarm is now `timer_at`."""
        lane.is_running = False
        if not lane.is_alarm:
            lane.records.popleft()
            self.records -= 1
            self._records_running -= 1
        lane.tries = lane.failures = 0
        lane.since = now
        if lane.alarm_came:
            lane.alarm_came = False
            self._alarms.taken(lane.key)
        self._alarms.set(lane.key, timer_at)
        if lane.records:
            self._fresh.append(lane)
        else:
            del self._lanes[lane.key]

    def again(self, lane: KeyQueue, at: float, reason: StrEnum) -> None:
        """Give a lane back that was taken for a record: it stays on that, and is ready once more at `at`."""
        lane.is_running = False
        self._records_running -= 1
        lane.tries += 1
        lane.waits_for, lane.wait_until = reason, at
        self._waits[reason] = self._waits.get(reason, 0) + 1
        self._order += 1
        heapq.heappush(self._waiting, (at, self._order, lane))

    def set_alarm(self, key: bytes, at: float | None) -> None:
        """Replace the key's alarm; None removes it."""
        self._alarms.set(key, at)

    def alarm_of(self, key: bytes) -> float | None:
        """Return the key's alarm."""
        return self._alarms.get(key)

    def next_due(self) -> float | None:
        """Return when `next_ready` may have something new without anybody adding or giving back a lane."""
        if self._alarmed:
            return _LONG_AGO
        alarm = self._alarms.next_due()
        waiting = self._waiting[0][0] if self._waiting else None
        if alarm is None or waiting is None:
            return waiting if alarm is None else alarm
        return min(alarm, waiting)

    def hurry(self) -> int:
        """Make every waiting lane ready now (an operator's wish). Return how many."""
        waiting, self._waiting = self._waiting, []
        for _, _, lane in waiting:
            self._ready_again(lane)
        return len(waiting)

    def may_have_ready(self, now: float) -> bool:
        """Say whether `next_ready` is worth a call. It may still have nothing: an alarm was replaced, or must wait."""
        return bool(
            self._fresh
            or self._returning
            or self._alarmed
            or (self._waiting and self._waiting[0][0] <= now)
            or self._alarms.may_be_due(now)
        )

    @property
    def alarms(self) -> int:
        """How many keys have an alarm."""
        return len(self._alarms)

    def waits(self) -> dict[StrEnum, int]:
        """Count the waiting lanes by reason."""
        return {reason: count for reason, count in self._waits.items() if count}

    def __iter__(self) -> Iterator[KeyQueue]:
        """Walk the lanes that have work."""
        return iter(self._lanes.values())

    def _wake(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            self._ready_again(heapq.heappop(self._waiting)[2])
        if self._alarms.may_be_due(now):
            for key in self._alarms.due(now):
                # Records go before alarms: a busy lane looks at its alarm again when it is finished.
                if (lane := self._lanes.get(key)) is None:
                    lane = self._lanes[key] = KeyQueue(key, since=now)
                    self._alarmed.append(lane)
                lane.alarm_came = True

    def _next_alarmed(self) -> KeyQueue | None:
        while self._alarmed:
            lane = self._alarmed.popleft()
            # One that a record came for has gone its way with that, and may have ended or begun anew.
            if self._lanes.get(lane.key) is lane and not lane.records and not lane.is_running:
                return lane
        return None

    def _ready_again(self, lane: KeyQueue) -> None:
        if lane.waits_for is not None:
            self._waits[lane.waits_for] -= 1
            lane.waits_for = None
        self._returning.append(lane)

"""The key queues of one partition: which keys may run now, and until when the others wait.

Pure and synchronous: the caller passes records, results and the time in, from a clock that never jumps. Invariants: a
key never runs twice at a time, its records run in the order of `add`, and a queue with work is always ready, running,
or waiting until a known time. One exception: a record that passes runs before the records that do not run yet, and
before one that waits. If it keeps the wait, the record that waits is tried no earlier than without it.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from consumers.engine.core.timers import Timers
from consumers.engine.interface import Passing, Turn
from runtime.turns import OTHERS_EVERY, Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from enum import StrEnum

    from consumers.engine.interface import Record


_RECORDS_PER_TIMER: Final = 8
_ONE_SENDER: Final = Turn("", is_urgent=False)
_LONG_AGO: Final = 0.0


@dataclass(slots=True)
class Wait:
    """The wait of a record, while a record that passes is the first of its queue."""

    reason: StrEnum | None  # None: the wait has ended
    until: float
    order: int
    since: float
    tries: int
    failures: int


@dataclass(slots=True, eq=False)
class KeyQueue:
    """The work of one key. It exists while there is work; without records the key's timer is due.

    Attributes:
        key: the key of its records.
        records: the unfinished records; the first one runs or waits.
        is_running: between `next_ready` and `finish` or `retry`.
        is_for_timer: the invocation is for the timer, also if a record arrives before the invocation starts.
        waits_for, wait_until, wait_order: the reason, the end and the number of the wait of the first record.
        kept_wait: the wait of the first record that does not pass, while records that keep it run.
        since: when the first record became the first.
        tries, failures: see `interface.Invocation`.
        timer_expired: the timer became due: its invocation is next, or a record ran first.
        urgent: the senders of the urgent records, one for each record.
        turn: the turn in which the queue runs, since it was ready.
    """

    key: bytes
    records: list[Record] = field(default_factory=list)  # few: an empty deque alone takes 760 bytes
    is_running: bool = False
    is_for_timer: bool = False
    waits_for: StrEnum | None = None
    wait_until: float = 0.0
    wait_order: int = 0
    kept_wait: Wait | None = None
    since: float = 0.0
    tries: int = 0
    failures: int = 0
    timer_expired: bool = False
    urgent: list[str] = field(default_factory=list)
    turn: Turn = _ONE_SENDER


class KeyQueues:
    """All key queues of one partition.

    `next_ready` takes a queue; `finish` or `retry` returns it. A ready queue has the turn of its first urgent record,
    else of its first record (decision 0022): senders take turns, new queues and queues that return from a wait alike.
    Urgent queues come first; while they are ready, every ninth record is from another queue. Queues with only a timer
    come last: while records are ready, or run in a process that is late, every ninth invocation is for a timer.
    """

    def __init__(
        self, passing: Callable[[Record], Passing] | None = None, turn_of: Callable[[Record], Turn] | None = None
    ) -> None:
        self._passing = passing if passing is not None else _never
        self._turn_of = turn_of if turn_of is not None else _of_one_sender
        self._queues: dict[bytes, KeyQueue] = {}
        self._urgent: Turns[KeyQueue] = Turns()
        self._others: Turns[KeyQueue] = Turns()
        self._urgent_since_other = 0
        self._timer_due: deque[KeyQueue] = deque()  # also queues that got a record later; see _next_timer_due
        self._records_since_timer = self._records_running = 0
        self._waiting: list[tuple[float, int, KeyQueue]] = []
        self._waits: dict[StrEnum, int] = {}
        self._timers = Timers()
        self._order = 0
        self.records = 0

    def __len__(self) -> int:
        """Count the queues that have work: ready, running or waiting."""
        return len(self._queues)

    def add(self, record: Record, now: float) -> None:
        """Put a record at the end of its key's queue."""
        self.records += 1
        queue = self._queues.get(record.key)
        if queue is None:
            queue = self._queues[record.key] = KeyQueue(record.key, since=now)
        elif not queue.records and not queue.is_running:
            queue.since = now  # the queue was ready for its timer; the record runs first
        elif queue.records and (passing := self._passing(record)) is not Passing.NO:
            self._pass(queue, record, passing, now)
            return
        queue.records.append(record)
        is_urgent = self._note_urgent(queue, record)
        if (len(queue.records) == 1 and not queue.is_running) or (is_urgent and self._others.discard(queue)):
            self._make_ready(queue)

    def next_ready(self, now: float, *, is_late: bool = False) -> KeyQueue | None:
        """Take the next queue that may run, or None. It counts as running until `finish` or `retry`."""
        self._wake(now)
        is_others_place = not self._urgent or self._urgent_since_other >= OTHERS_EVERY - 1
        ready = self._others if self._others and is_others_place else self._urgent
        queue = None
        has_records = ready or (is_late and self._records_running)
        if self._timer_due and (not has_records or self._records_since_timer >= _RECORDS_PER_TIMER):
            self._records_since_timer = 0
            queue = self._next_timer_due()
        if queue is None:
            if not ready:
                return None
            self._records_since_timer += 1
            self._records_running += 1
            self._urgent_since_other = self._urgent_since_other + 1 if ready is self._urgent else 0
            queue = ready.take()
        queue.is_running = True
        queue.is_for_timer = not queue.records
        return queue

    def finish(self, queue: KeyQueue, *, timer_at: float | None, now: float) -> None:
        """Return a queue whose record or timer is finished, and set the key's timer."""
        queue.is_running = False
        if not queue.is_for_timer:
            record = queue.records.pop(0)
            if queue.urgent and (turn := self._turn_of(record)).is_urgent:
                queue.urgent.remove(turn.source)
            self.records -= 1
            self._records_running -= 1
        queue.tries = queue.failures = 0
        queue.since = now
        if queue.timer_expired:
            queue.timer_expired = False
            self._timers.expire(queue.key)
        self._timers.set(queue.key, timer_at)
        if not queue.records:
            del self._queues[queue.key]
        elif not self._wait_on(queue):
            self._make_ready(queue)

    def retry(self, queue: KeyQueue, at: float, reason: StrEnum, now: float) -> None:
        """Return a queue whose first record has to run again at `at`."""
        queue.is_running = False
        self._records_running -= 1
        next_passing = Passing.NO
        if len(queue.records) > 1 and self._passing(queue.records[0]) is Passing.NO:
            next_passing = self._passing(queue.records[1])
        if next_passing is Passing.ENDS_WAIT:
            queue.records.insert(0, queue.records.pop(1))
            queue.tries = queue.failures = 0
            self._make_ready(queue)
            return
        queue.tries += 1
        self._order += 1
        queue.waits_for, queue.wait_until, queue.wait_order = reason, at, self._order
        self._waits[reason] = self._waits.get(reason, 0) + 1
        heapq.heappush(self._waiting, (at, self._order, queue))
        if next_passing is Passing.KEEPS_WAIT:
            queue.records.insert(0, queue.records.pop(1))
            self._keep_wait(queue, now)
            self._make_ready(queue)

    def set_timer(self, key: bytes, at: float | None) -> None:
        """Replace the key's timer; None removes it."""
        self._timers.set(key, at)

    def timer_of(self, key: bytes) -> float | None:
        """Return when the key's timer is due."""
        return self._timers.get(key)

    def next_due(self) -> float | None:
        """Return when `next_ready` may have another queue without a call of `add`, `finish` or `retry`."""
        if self._timer_due:
            return _LONG_AGO
        timer = self._timers.next_due()
        waiting = self._waiting[0][0] if self._waiting else None
        if timer is None or waiting is None:
            return waiting if timer is None else timer
        return min(timer, waiting)

    def may_have_ready(self, now: float) -> bool:
        """Return, at low cost, whether `next_ready` may return a queue."""
        return bool(
            self._urgent
            or self._others
            or self._timer_due
            or (self._waiting and self._waiting[0][0] <= now)
            or self._timers.may_be_due(now)
        )

    @property
    def timers(self) -> int:
        """The number of keys that have a timer."""
        return len(self._timers)

    def waits(self) -> dict[StrEnum, int]:
        """Count the waiting queues by reason."""
        return {reason: count for reason, count in self._waits.items() if count}

    def __iter__(self) -> Iterator[KeyQueue]:
        """Iterate over the queues that have work."""
        return iter(self._queues.values())

    def _pass(self, queue: KeyQueue, record: Record, passing: Passing, now: float) -> None:
        """Put a record behind the one that runs and those that pass too, and before the others of its key."""
        place = 1 if queue.is_running and not queue.is_for_timer else 0
        while place < len(queue.records) and self._passing(queue.records[place]) is not Passing.NO:
            place += 1
        queue.records.insert(place, record)
        self._note_urgent(queue, record)
        if place > 0 or queue.is_running:
            return
        self._keep_wait(queue, now)
        if passing is Passing.ENDS_WAIT:
            self._end_wait(queue)
        self._urgent.discard(queue)
        self._others.discard(queue)
        self._make_ready(queue)

    def _keep_wait(self, queue: KeyQueue, now: float) -> None:
        """Let the records that pass run, and keep the wait of the record behind them."""
        queue.kept_wait = Wait(
            queue.waits_for, queue.wait_until, queue.wait_order, queue.since, queue.tries, queue.failures
        )
        queue.waits_for, queue.since = None, now
        queue.tries = queue.failures = 0

    def _end_wait(self, queue: KeyQueue) -> None:
        """Forget the kept wait, so that its record runs after those that pass."""
        if queue.kept_wait is not None and queue.kept_wait.reason is not None:
            self._waits[queue.kept_wait.reason] -= 1
            self._waiting = [waiting for waiting in self._waiting if waiting[1] != queue.kept_wait.order]
            heapq.heapify(self._waiting)
        queue.kept_wait = None

    def _wait_on(self, queue: KeyQueue) -> bool:
        """Continue the kept wait if the first record is its record. Return whether the queue waits."""
        wait = queue.kept_wait
        if wait is None or (passing := self._passing(queue.records[0])) is Passing.KEEPS_WAIT:
            return False
        if passing is Passing.ENDS_WAIT:
            self._end_wait(queue)
            return False
        queue.kept_wait = None
        queue.since, queue.tries, queue.failures = wait.since, wait.tries, wait.failures
        queue.waits_for, queue.wait_until, queue.wait_order = wait.reason, wait.until, wait.order
        return wait.reason is not None

    def _note_urgent(self, queue: KeyQueue, record: Record) -> bool:
        turn = self._turn_of(record)
        if turn.is_urgent:
            queue.urgent.append(turn.source)
        return turn.is_urgent

    def _make_ready(self, queue: KeyQueue) -> None:
        queue.turn = Turn(queue.urgent[0], is_urgent=True) if queue.urgent else self._turn_of(queue.records[0])
        (self._urgent if queue.turn.is_urgent else self._others).add(queue.turn.source, queue)

    def _wake(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            _, order, waiting = heapq.heappop(self._waiting)
            if (kept := waiting.kept_wait) is not None and kept.order == order:
                if kept.reason is not None:
                    self._waits[kept.reason] -= 1
                kept.reason = None
                continue
            if waiting.waits_for is not None:
                self._waits[waiting.waits_for] -= 1
                waiting.waits_for = None
            self._make_ready(waiting)
        if self._timers.may_be_due(now):
            for key in self._timers.due(now):
                # Records run before timers: `finish` checks the timer of a busy queue.
                if (queue := self._queues.get(key)) is None:
                    queue = self._queues[key] = KeyQueue(key, since=now)
                    self._timer_due.append(queue)
                queue.timer_expired = True

    def _next_timer_due(self) -> KeyQueue | None:
        while self._timer_due:
            queue = self._timer_due.popleft()
            # A record may have taken the queue meanwhile; then another queue may exist for the key.
            if self._queues.get(queue.key) is queue and not queue.records and not queue.is_running:
                return queue
        return None


def _never(_: Record) -> Passing:
    return Passing.NO


def _of_one_sender(_: Record) -> Turn:
    return _ONE_SENDER

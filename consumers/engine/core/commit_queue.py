"""The results of one partition that wait for their transaction: first in, first out, bounded in bytes by who fills it.

Pure but for the futures of those who wait. Invariant: a lane's later result is never committed before its earlier one.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from consumers.engine.interface import PartitionLost

if TYPE_CHECKING:
    from consumers.engine.kafka.transactions import PendingCommit


class CommitQueue:
    """What the lanes have handed over, and the batch that is being committed."""

    def __init__(self, *, results: int, size: int) -> None:
        """Make an empty queue whose batches carry at most `results` results and about `size` bytes."""
        self._results_limit = results
        self._size_limit = size
        self._pending: deque[PendingCommit] = deque()
        self._in_flight: list[PendingCommit] = []
        self._size = 0

    def put(self, pending: PendingCommit) -> None:
        """Add a result at the end."""
        self._pending.append(pending)
        self._size += pending.size

    def next_batch(self) -> list[PendingCommit]:
        """Take the results of the next transaction; they are in flight until `committed`."""
        batch: list[PendingCommit] = []
        size = 0
        while self._pending and len(batch) < self._results_limit and size < self._size_limit:
            pending = self._pending.popleft()
            size += pending.size
            batch.append(pending)
        self._size -= size
        self._in_flight = batch
        return batch

    def committed(self) -> None:
        """Tell those who wait that the batch in flight is committed."""
        for pending in self._in_flight:
            if pending.waiter is not None and not pending.waiter.done():
                pending.waiter.set_result(None)
        self._in_flight = []

    def fail(self) -> None:
        """Throw everything away; who waits is `PartitionLost`."""
        for pending in (*self._in_flight, *self._pending):
            if pending.waiter is not None and not pending.waiter.done():
                pending.waiter.set_exception(PartitionLost())
                pending.waiter.exception()  # looked at here, in case that the turn which waited has gone
        self._pending.clear()
        self._size = 0

    @property
    def has_pending(self) -> bool:
        """There is something for another transaction."""
        return bool(self._pending)

    @property
    def is_settled(self) -> bool:
        """Nothing waits and nothing is in flight."""
        return not self._pending and not self._in_flight

    @property
    def has_room(self) -> bool:
        """There is room for what a few more turns may return."""
        return self._size < 2 * self._size_limit

"""The results of one partition that wait for their transaction, first in, first out.

Pure except for the futures of waiting invocations. Invariant: a key's later result is never committed before its
earlier one.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from consumers.engine.interface import PartitionLost

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from consumers.engine.core.failure_ratio import FinishedRecord
    from consumers.engine.interface import OnCommit, Output


class PendingCommit(NamedTuple):
    """The uncommitted results of one invocation, as bytes.

    Attributes:
        outputs: the records to publish.
        state: the record of the key's new state, if the state changed.
        offset: the offset of the finished record; None for a checkpoint or a timer.
        size: bytes of the outputs and the state.
        waiter: resolved after the commit.
        record: the finished record, for the limit of dead letters; None for a checkpoint or a timer.
        on_commit: called after the commit.
    """

    outputs: tuple[Output, ...]
    state: Output | None
    offset: int | None
    size: int
    waiter: asyncio.Future[None] | None
    record: FinishedRecord | None = None
    on_commit: OnCommit = ()

    @property
    def is_urgent(self) -> bool:
        """Whether a record or an invocation waits for the commit; nothing waits for the result of a timer."""
        return self.offset is not None or self.waiter is not None


class UnknownCommit(NamedTuple):
    """The results of a transaction whose outcome is unknown, and the progress record that it wrote."""

    results: Sequence[PendingCommit]
    progress: bytes


class CommitQueue:
    """The results that wait, and the batch of the running transaction."""

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
        """Resolve the waiters of the batch in flight."""
        for pending in self._in_flight:
            if pending.waiter is not None and not pending.waiter.done():
                pending.waiter.set_result(None)
        self._in_flight = []

    def fail(self) -> None:
        """Drop all results; every waiter gets `PartitionLost`."""
        for pending in (*self._in_flight, *self._pending):
            if pending.waiter is not None and not pending.waiter.done():
                pending.waiter.set_exception(PartitionLost())
                pending.waiter.exception()  # retrieved, in case the waiting invocation has ended
        self._pending.clear()
        self._size = 0

    @property
    def has_pending(self) -> bool:
        """Whether results wait for another transaction."""
        return bool(self._pending)

    @property
    def is_flushed(self) -> bool:
        """Whether nothing waits and nothing is in flight."""
        return not self._pending and not self._in_flight

    @property
    def has_room(self) -> bool:
        """Whether another invocation may start. `put` accepts the results of those that run all the same."""
        return self._size < 2 * self._size_limit

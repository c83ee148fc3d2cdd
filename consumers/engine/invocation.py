"""One invocation of the handler, and its times (`interface.Invocation`).

The handler's times are Unix seconds. The key queues wait on the steady clock, which cannot be set. The distance of the
two clocks is read once for each invocation: within it times can be compared, and a wait lasts exactly as long as the
handler wants.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from consumers.engine.core.key_queues import KeyQueue, KeyQueues
    from consumers.engine.interface import OnCommit, Output, PartitionView, Turn
    from runtime.clocks import Clocks


class CheckpointCommitter(Protocol):
    """The dispatcher, as an invocation uses it."""

    clocks: Clocks
    key_queues: KeyQueues
    view: PartitionView

    def commit_checkpoint(
        self, key: bytes, state: bytes, outputs: tuple[Output, ...], on_commit: OnCommit, timer_at: float | None
    ) -> asyncio.Future[None]:
        """Queue a checkpoint; the future is done once it is committed, or fails with `PartitionLost`."""
        ...

    async def ensure_owned(self) -> None:
        """Return when no other process can own the partition at this moment, or raise `PartitionLost`."""
        ...


class RunningInvocation:
    """One invocation. `committing` is the checkpoint that is not committed yet."""

    __slots__ = ("_committer", "_queue", "_steady", "_unix_ahead", "committing", "key", "state", "timer_at")

    def __init__(self, committer: CheckpointCommitter, queue: KeyQueue, state: bytes | None, began: float) -> None:
        self._committer = committer
        self._queue = queue
        self._steady = committer.clocks.steady
        self._unix_ahead = committer.clocks.unix() - began
        self.key = queue.key
        self.state = state
        due = committer.key_queues.timer_of(queue.key)
        self.timer_at = None if due is None else due + self._unix_ahead
        self.committing: asyncio.Future[None] | None = None

    @property
    def now(self) -> float:
        """Return Unix seconds at this moment."""
        return self._steady() + self._unix_ahead

    @property
    def steady(self) -> float:
        """Return the seconds of the steady clock."""
        return self._steady()

    @property
    def since(self) -> float:
        """Return when the record came to the head of its key queue, on the steady clock."""
        return self._queue.since

    @property
    def turn(self) -> Turn:
        """Return the sender whose turn it is, and whether its record is urgent."""
        return self._queue.turn

    @property
    def tries(self) -> int:
        """Return how many invocations for this record had to be repeated."""
        return self._queue.tries

    @property
    def failures(self) -> int:
        """Return how many invocations for this record failed in a row."""
        return self._queue.failures

    @property
    def partition(self) -> PartitionView:
        """Return what the invocation sees of its partition."""
        return self._committer.view

    def due(self, at: float) -> float:
        """Return a time of the handler on the steady clock. A timer that the handler keeps does not move."""
        return at - self._unix_ahead

    async def checkpoint(self, state: bytes, outputs: tuple[Output, ...] = (), on_commit: OnCommit = ()) -> None:
        """Commit `state` and `outputs` now; see the protocol."""
        self.committing = self._committer.commit_checkpoint(self.key, state, outputs, on_commit, self.timer_at)
        # Shielded: a cancelled invocation does not stop the transaction; see `Dispatcher._call`.
        await asyncio.shield(self.committing)
        self.state = state
        self.committing = None
        await self.ensure_owned()

    async def ensure_owned(self) -> None:
        """Return when no other process can own the partition at this moment; see the protocol."""
        await self._committer.ensure_owned()

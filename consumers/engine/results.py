"""The results of one session's invocations: they change the states, and wait here for a transaction."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from consumers.engine.core.commit_queue import CommitQueue, PendingCommit
from consumers.engine.core.failure_ratio import FinishedRecord, UncommittedFailures
from consumers.engine.interface import UNCHANGED
from consumers.engine.state_store import state_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumers.engine.core.failure_ratio import FailureRatioLimit
    from consumers.engine.interface import Done, OnCommit, Output, Record
    from consumers.engine.settings import EngineSettings
    from consumers.engine.state_store import StateStore

# Timer results are not urgent: they linger this long, so that they share a transaction with a record.
_LINGER_SECONDS = 0.1
# The two clocks drift, so a kept timer has not exactly its written time. A restart may call it this much too late.
_TIMER_TOLERANCE_SECONDS = 0.5


class Results:
    """The results that are not committed yet, and the states with them."""

    def __init__(
        self, settings: EngineSettings, states: StateStore, failure_ratio: FailureRatioLimit, wake: Callable[[], None]
    ) -> None:
        """Make an empty collection. `wake` begins a transaction soon."""
        self.states = states
        self.commits = CommitQueue(results=settings.batch_results, size=settings.batch_bytes)
        self.failures = UncommittedFailures(failure_ratio)
        self._limits = settings.limits
        self._state_topic = settings.state_topic
        self._wake = wake
        self._is_lingering = False

    @property
    def has_room(self) -> bool:
        """Whether another invocation may start. Those that run still add their results."""
        return self.commits.has_room and not self.failures.may_trip

    def add_checkpoint(
        self, key: bytes, state: bytes, outputs: tuple[Output, ...], on_commit: OnCommit, timer_at: float | None
    ) -> asyncio.Future[None]:
        """Add a checkpoint; the future is done once it is committed, or fails with `PartitionLost`.

        Raises ResultTooLarge.
        """
        size = self._limits.measure(key, state, outputs)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.states.put(key, state, timer_at)
        record = state_record(self._state_topic, key, state, timer_at)
        self.put(PendingCommit(outputs, record, None, size, waiter, on_commit=on_commit))
        return waiter

    def add(self, key: bytes, done: Done, record: Record | None) -> None:
        """Add the result of a record, or of a timer: of that only if it changes something. Raises ResultTooLarge."""
        before = self.states.get(key)
        after = before if done.state is UNCHANGED else done.state
        size = self._limits.measure(key, after if after is not before else None, done.outputs)
        timer_at = done.timer_at if after is not None else None
        state = None
        if after != before or self._would_be_missed(key, timer_at):
            state = state_record(self._state_topic, key, after, timer_at)
            self.states.put(key, after, timer_at)
        if record is not None:
            finished = FinishedRecord.of(key, done)
            self.put(PendingCommit(done.outputs, state, record.offset, size, None, finished, done.on_commit))
        elif done.outputs or state is not None:
            self.put(PendingCommit(done.outputs, state, None, size, None, on_commit=done.on_commit))
        else:  # nothing to commit
            for call in done.on_commit:
                call()

    def put(self, pending: PendingCommit) -> None:
        """Queue a result for the next transaction, which begins soon if the result is urgent."""
        self.commits.put(pending)
        if pending.is_urgent:
            self._wake()
        elif not self._is_lingering:
            self._is_lingering = True
            asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._linger_ended)
        if pending.record is not None:
            self.failures.add(pending.record)

    def _linger_ended(self) -> None:
        self._is_lingering = False
        self._wake()

    def _would_be_missed(self, key: bytes, timer_at: float | None) -> bool:
        """Return whether a restart would call the timer too late, or a removed timer. An early call does no harm."""
        written = self.states.written_timer(key)
        if timer_at is None or written is None:
            return timer_at is not written
        return timer_at < written - _TIMER_TOLERANCE_SECONDS

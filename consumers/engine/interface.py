"""The contract between the engine and a handler.

A handler gets one `Invocation` at a time per key. It returns `Done` (the record is finished) or `RetryAt` (the record
stays first in its key queue). The outputs, the state and the input's offset of a `Done` become visible together or not
at all. Types that are created several times per record are named tuples: a frozen dataclass takes three times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, StrEnum
from typing import Final, NamedTuple, Protocol


class Record(NamedTuple):
    """One record of the input topic. `timestamp` is its Kafka timestamp in Unix seconds."""

    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    timestamp: float


class Turn(NamedTuple):
    """The sender of a record, and whether the record is urgent: senders take turns, and urgent records come first."""

    source: str
    is_urgent: bool


class Passing(Enum):
    """Whether a record runs before a record of its key that waits, and what becomes of the wait."""

    NO = "no"
    KEEPS_WAIT = "keeps_wait"
    ENDS_WAIT = "ends_wait"


class Output(NamedTuple):
    """One record to publish. The engine writes it to the partition number of its input."""

    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Unchanged(Enum):
    """The type of `UNCHANGED`."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED


# What a handler logs and counts of a result, such as the end of a command. The engine makes these calls once the result
# is committed. A result that is lost says nothing.
OnCommit = tuple[Callable[[], object], ...]


class Failure(NamedTuple):
    """Why a record was dead-lettered. `counts`: the cause may be the deployment, so the partition may have to stop."""

    cause: str
    counts: bool


class Done(NamedTuple):
    """The result of an invocation whose record (or timer) is finished.

    Attributes:
        outputs: records to publish, in order.
        state: the key's new state; None deletes it; UNCHANGED keeps it.
        timer_at: when to call `on_timer`, Unix seconds; None for never. It replaces the key's timer.
        dead_lettered: why the record went to the dead letters, if it did. Too large a share of failures that count
            stops the partition.
        source: the sender of the record; one of several senders cannot stop the partition. None: the record does not
        count.
        on_commit: called once the result is committed.
    """

    outputs: tuple[Output, ...] = ()
    state: bytes | Unchanged | None = UNCHANGED
    timer_at: float | None = None
    dead_lettered: Failure | None = None
    source: str | None = None
    on_commit: OnCommit = ()


class HandlerFailure(StrEnum):
    """Why the engine itself retries an invocation. The values are metric labels."""

    RAISED = "handler_failed"
    TIMED_OUT = "handler_hung"
    RESULT_TOO_LARGE = "too_large"


class RetryAt(NamedTuple):
    """The result of an invocation that has to be repeated at `at` (Unix seconds). A timer is due again at `at`."""

    at: float
    reason: StrEnum


class PartitionLost(Exception):
    """The partition no longer belongs to this process. The next owner resumes from the committed state."""


class PartitionView(NamedTuple):
    """What an invocation sees of its partition.

    Attributes:
        groups: how many states each group has (`EngineSettings.group_of`).
        read_until: returns a time (Unix seconds): every record that was appended before it has been read.
    """

    groups: Mapping[bytes, int]
    read_until: Callable[[], float]


class Invocation(Protocol):
    """One handler call for one key.

    Attributes:
        key: the record's key.
        state: the key's state, as the handler last returned it; None if the key has none.
        now: Unix seconds at this moment. The clock of the machine may be set between two invocations, never in one.
        steady: seconds of a clock that never jumps, for ages and waits within this process.
        timer_at: when the key's timer is due, Unix seconds; None without a timer.
        since: when this process first had the record at the head of its key queue, on the steady clock.
        turn: the turn of the key's first urgent record, else of this record.
        tries: how many invocations for this record returned `RetryAt` in this process.
        failures: how many invocations for this record raised, timed out or returned an oversized result, in a row, in
        this process.
        partition: what it sees of its partition.
    """

    @property
    def key(self) -> bytes: ...  # noqa: D102 - see the class
    @property
    def state(self) -> bytes | None: ...  # noqa: D102
    @property
    def now(self) -> float: ...  # noqa: D102
    @property
    def steady(self) -> float: ...  # noqa: D102
    @property
    def timer_at(self) -> float | None: ...  # noqa: D102
    @property
    def since(self) -> float: ...  # noqa: D102
    @property
    def turn(self) -> Turn: ...  # noqa: D102
    @property
    def tries(self) -> int: ...  # noqa: D102
    @property
    def failures(self) -> int: ...  # noqa: D102
    @property
    def partition(self) -> PartitionView: ...  # noqa: D102

    async def checkpoint(self, state: bytes, outputs: tuple[Output, ...] = (), on_commit: OnCommit = ()) -> None:
        """Commit `state` and `outputs` now, without finishing the record; then call `on_commit`.

        When it returns, a successor will read this state, the partition is owned (see `ensure_owned`), and the
        invocation's `state` is the new one.

        Raises PartitionLost if the partition no longer belongs to this process.
        """
        ...

    async def ensure_owned(self) -> None:
        """Return when no other process can own the partition at this moment. Await it before *every* external call.

        During a rebalance it waits until the partition is returned.

        Raises PartitionLost if the partition no longer belongs to this process.
        """
        ...


class Handler(Protocol):
    """The code that the engine calls: concurrently for many keys, one call at a time for each key."""

    async def on_record(self, invocation: Invocation, record: Record, /) -> Done | RetryAt:
        """Process one record."""
        ...

    async def on_timer(self, invocation: Invocation, /) -> Done | RetryAt:
        """Do the work for which the key's timer was set."""
        ...

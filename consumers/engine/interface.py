"""What a handler and the engine say to each other.

A handler gets one `Invocation` at a time per key. It answers `Done` (this record is finished) or `RetryAt` (stay on
this
record until then). Everything in a `Done` becomes visible together, with the input's progress, or not at all. What is
made several times per record is a named tuple: just as frozen, and made in a third of a frozen dataclass's time.
"""

from __future__ import annotations

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


class Output(NamedTuple):
    """One record to publish, in bytes frozen at this moment. It goes to the partition number of its input."""

    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Unchanged(Enum):
    """The type of `UNCHANGED`."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED


class Done(NamedTuple):
    """This record (or alarm) is finished.

    Attributes:
        outputs: records to publish, in order.
        state: the key's state from now on; None deletes it; UNCHANGED keeps it.
        alarm_at: when to call `on_timer`, Unix seconds; None for never. It replaces the alarm that stood before.
        casualty: the record was given up (a dead letter). Too large a share of these stops the partition.
    """

    outputs: tuple[Output, ...] = ()
    state: bytes | Unchanged | None = UNCHANGED
    timer_at: float | None = None
    dead_lettered: bool = False


class HandlerFailure(StrEnum):
    """Why the engine itself retries an invocation. The values are metric labels."""

    RAISED = "handler_failed"
    TIMED_OUT = "handler_hung"
    RESULT_TOO_LARGE = "too_large"


class RetryAt(NamedTuple):
    """Stay on this record and take another turn at `at` (Unix seconds). An alarm's turn is simply due again then."""

    at: float
    reason: StrEnum


class PartitionLost(Exception):
    """The partition no longer belongs to this process: stop; whoever owns it now goes on from what was committed."""


class Invocation(Protocol):
    """One handler call on one key.

    Attributes:
        key: the lane's key.
        state: the key's state as the handler last returned it; None if it has none.
        now: Unix seconds at the start of this turn.
        alarm_at: the alarm that stands for this key.
        since: when this record was first taken up in this process.
        tries: how often this record was answered with `RetryAt` in this process.
        failures: how often the handler raised, hung, or returned too much on this record in this process.
    """

    @property
    def key(self) -> bytes: ...  # noqa: D102 - see the class
    @property
    def state(self) -> bytes | None: ...  # noqa: D102
    @property
    def now(self) -> float: ...  # noqa: D102
    @property
    def timer_at(self) -> float | None: ...  # noqa: D102
    @property
    def since(self) -> float: ...  # noqa: D102
    @property
    def tries(self) -> int: ...  # noqa: D102
    @property
    def failures(self) -> int: ...  # noqa: D102

    async def checkpoint(self, state: bytes, outputs: tuple[Output, ...] = ()) -> None:
        """Commit `memory` (and `outputs`) now, without finishing the record.

        When it returns, a successor will find this memory whatever happens to us, and the partition is `ensure_owned`.
        The turn's `memory` is then this.

        Raises:
            Lost: the partition is no longer ours.
        """
        ...

    async def ensure_owned(self) -> None:
        """Return when nobody else can own the partition at this moment. Await it before *every* effect.

        It may wait: during a rebalance nothing may begin, until the partition has come back.

        Raises:
            Lost: the partition is no longer ours; a successor goes on from what was committed.
        """
        ...


class Handler(Protocol):
    """What the engine calls. It may be called for many keys at once, never twice at once for one key."""

    async def on_record(self, turn: Invocation, record: Record) -> Done | RetryAt:
        """Do the work of one record."""
        ...

    async def on_timer(self, turn: Invocation) -> Done | RetryAt:
        """Do what is due for this key now that its alarm has come."""
        ...

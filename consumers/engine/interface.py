"""What a handler and the engine say to each other.

A handler gets one `Turn` at a time per key. It answers `Done` (this record is finished) or `Again` (stay on this
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
        memory: what to remember of the key from now on; None forgets it; UNCHANGED keeps it.
        alarm_at: when to call `on_alarm`, Unix seconds; None for never. It replaces the alarm that stood before.
        casualty: the record was given up (a dead letter). Too large a share of these stops the partition.
    """

    outputs: tuple[Output, ...] = ()
    memory: bytes | Unchanged | None = UNCHANGED
    alarm_at: float | None = None
    casualty: bool = False


class Wait(StrEnum):
    """Why a lane waits: a closed set, so that it can be a metric's label."""

    RETRY_AFTER = "retry_after"
    RATE_LIMITED = "rate_limited"
    BREAKER = "breaker"
    BUDGET = "budget"
    CREDENTIALS = "credentials"
    FORBIDDEN = "forbidden"
    STALE_READ = "stale_read"
    CLOSING = "closing"
    BACKOFF = "backoff"
    HANDLER_FAILED = "handler_failed"
    HANDLER_HUNG = "handler_hung"
    TOO_LARGE = "too_large"
    MEMORY_UNREADABLE = "memory_unreadable"


class Again(NamedTuple):
    """Stay on this record and take another turn at `at` (Unix seconds). An alarm's turn is simply due again then."""

    at: float
    reason: Wait


class Lost(Exception):
    """The partition no longer belongs to this process: stop; whoever owns it now goes on from what was committed."""


class Turn(Protocol):
    """One handler call on one key.

    Attributes:
        key: the lane's key.
        memory: what the handler last said to remember, None for nothing.
        now: Unix seconds at the start of this turn.
        alarm_at: the alarm that stands for this key.
        since: when this record was first taken up in this process.
        tries: how often this record was answered with `Again` in this process.
        failures: how often the handler raised, hung, or returned too much on this record in this process.
    """

    @property
    def key(self) -> bytes: ...  # noqa: D102 - see the class
    @property
    def memory(self) -> bytes | None: ...  # noqa: D102
    @property
    def now(self) -> float: ...  # noqa: D102
    @property
    def alarm_at(self) -> float | None: ...  # noqa: D102
    @property
    def since(self) -> float: ...  # noqa: D102
    @property
    def tries(self) -> int: ...  # noqa: D102
    @property
    def failures(self) -> int: ...  # noqa: D102

    async def checkpoint(self, memory: bytes, outputs: tuple[Output, ...] = ()) -> None:
        """Commit `memory` (and `outputs`) now, without finishing the record.

        When it returns, a successor will find this memory whatever happens to us, and the partition is `still_ours`.
        The turn's `memory` is then this.

        Raises:
            Lost: the partition is no longer ours.
        """
        ...

    async def still_ours(self) -> None:
        """Return when nobody else can own the partition at this moment. Await it before *every* effect.

        It may wait: during a rebalance nothing may begin, until the partition has come back.

        Raises:
            Lost: the partition is no longer ours; a successor goes on from what was committed.
        """
        ...


class Handler(Protocol):
    """What the engine calls. It may be called for many keys at once, never twice at once for one key."""

    async def on_record(self, turn: Turn, record: Record) -> Done | Again:
        """Do the work of one record."""
        ...

    async def on_alarm(self, turn: Turn) -> Done | Again:
        """Do what is due for this key now that its alarm has come."""
        ...

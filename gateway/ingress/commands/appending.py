"""What a writer of commands sees of the publisher: how to append a record, and what became of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

Headers = tuple[tuple[str, bytes], ...]


class AppendFailure(StrEnum):
    """The reason why a record was not appended."""

    AWAY = "kafka_away"
    IN_DOUBT = "partition_in_doubt"
    FULL = "publishes"
    SLOW = "deadline"
    FAILED = "failed"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Appended:
    """The record is on all in-sync replicas."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class NotAppended:
    """The record is not confirmed. `is_certain`: it was never sent to Kafka."""

    reason: AppendFailure
    retry_after_seconds: float
    is_certain: bool


class RecordAppender(Protocol):
    """The interface of the publisher for writers of commands."""

    @property
    def is_up(self) -> bool:
        """Whether the publisher accepts records now."""

    async def append(self, partition: int, key: bytes, value: bytes, headers: Headers) -> Appended | NotAppended:
        """Write one record; return when it is written, or when the write has failed or may have failed."""

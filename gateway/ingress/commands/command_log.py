"""The `commands` topic as the ingress writes it: one way to append a record, for callers, operators and the audit."""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.ingress.api_http.api_problems import KafkaUnavailable, Stopping
from gateway.ingress.commands.appending import Appended, AppendFailure, Headers, NotAppended, RecordAppender
from runtime.http_server.port_problems import Overloaded
from runtime.http_server.problem import Problem
from schemas.records import RecordedCommand, write_command
from schemas.sealing import Keys
from schemas.topics import partition_for


@dataclass(slots=True)
class CommandRecord:
    """A serialized command, and its partition."""

    partition: int
    key: bytes
    headers: Headers
    value: bytes


class CommandLog:
    """Serializes commands and appends them to their authorization's partition."""

    def __init__(self, publisher: RecordAppender, keys: Keys, *, source: str, partitions: int) -> None:
        self._publisher = publisher
        self._keys = keys
        self._source = source
        self._partitions = partitions

    @property
    def is_up(self) -> bool:
        """Whether Kafka accepts records now."""
        return self._publisher.is_up

    def serialize(self, command: RecordedCommand) -> CommandRecord:
        """Return the record of a command."""
        headers, value = write_command(command, self._source, self._keys)
        key = command.authorization_id.encode()
        return CommandRecord(partition_for(key, self._partitions), key, headers, value)

    def partition_of(self, authorization_id: str) -> int:
        """Return the partition of the authorization's records."""
        return partition_for(authorization_id.encode(), self._partitions)

    def append(self, record: CommandRecord) -> Awaitable[Appended | NotAppended]:
        """Write a record, and return its position or why it may be missing, when awaited."""
        return self._publisher.append(record.partition, record.key, record.value, record.headers)


def acceptance_time() -> datetime:
    """Return the current time in whole milliseconds, as records and responses show it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1_000 * 1_000)


def problem_of_append(failure: NotAppended) -> Problem:
    """Return the problem of a record that is not known to be in the topic."""
    again = "Send the same request with the same key again"
    if failure.reason is AppendFailure.FULL:
        return Overloaded(
            f"The command was not accepted. {again} in a few seconds.",
            retry_after_seconds=failure.retry_after_seconds,
            members={"kept": "no"},
        )
    if failure.reason is AppendFailure.STOPPING:
        return Stopping(
            f"The command was not accepted. {again}: another replica will accept it.",
            retry_after_seconds=failure.retry_after_seconds,
            members={"kept": "no"},
        )
    if failure.is_certain:
        return KafkaUnavailable(
            f"The command was not accepted. {again} in a few seconds.",
            retry_after_seconds=failure.retry_after_seconds,
            members={"kept": "no"},
        )
    return KafkaUnavailable(
        f"It is unknown whether the command was accepted. {again}: the gateway will apply it only once.",
        retry_after_seconds=failure.retry_after_seconds,
        members={"kept": "unknown"},
    )

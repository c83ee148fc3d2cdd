"""Parsing of the records of the three topics, and the keys of the rows that each item changes. Pure.

An unreadable record raises nothing: it becomes `Ignored` with a problem, and the offset moves past it.
"""

from dataclasses import dataclass

from adapters.postgres.rows import RowKeys
from schemas.authorization import AuthorizationRecord
from schemas.cloudevents import Envelope, KafkaHeaders, sequence_number
from schemas.commands import Command, Discard, Redrive, ShownCommand
from schemas.events import (
    EVENTS as EVENT_MODELS,
)
from schemas.events import (
    AuthorizationSettled,
    Event,
    HandoffAccessChanged,
    HandoffAccessGranted,
    HandoffAtRisk,
    HandoffClosed,
    HandoffOpened,
    HandoffReconciled,
)
from schemas.records import (
    PublishedEvent,
    RecordedCommand,
    TopicRecord,
    UnreadableRecord,
    read_authorization,
    read_command,
    read_event,
)

COMMANDS, EVENTS, AUTHORIZATIONS = "commands", "events", "authorizations"
TOPICS = (COMMANDS, EVENTS, AUTHORIZATIONS)


@dataclass(frozen=True, slots=True)
class CommandLogRecord:
    """A command, redrive or discard, and its position in `commands`."""

    command: RecordedCommand
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event that this version knows."""

    event: PublishedEvent


@dataclass(frozen=True, slots=True)
class UnknownRecord:
    """An event of a newer version: only its envelope can be read."""

    envelope: Envelope
    authorization_id: str
    sequence: int


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """The public state of an authorization."""

    authorization_id: str
    record: AuthorizationRecord


@dataclass(frozen=True, slots=True)
class Ignored:
    """A record without effect on the read model; `problem` is set if it is unreadable."""

    problem: str | None = None


Item = CommandLogRecord | EventRecord | UnknownRecord | SnapshotRecord | Ignored

_OF_COMMANDS = frozenset(model for model in EVENT_MODELS.values() if "command_id" in model.model_fields)
_OF_HANDOFFS = (
    HandoffOpened,
    HandoffClosed,
    HandoffReconciled,
    HandoffAccessGranted,
    HandoffAccessChanged,
    HandoffAtRisk,
)


def parse(topic: str, partition: int, record: TopicRecord) -> Item:
    """Parse one record; `topic` is the role of its topic."""
    headers: KafkaHeaders = tuple(record.headers)
    if topic == EVENTS:
        return _event(headers, record.value)
    if topic == AUTHORIZATIONS:
        if record.value is None:
            # The worker deletes its state earlier than the read model, which sweeps by its own retention.
            return Ignored()
        snapshot = read_authorization(headers, record.value)
        return Ignored(snapshot.problem) if isinstance(snapshot, UnreadableRecord) else SnapshotRecord(*snapshot)
    command = read_command(headers, record.value, None)
    if isinstance(command, UnreadableRecord):
        return Ignored(command.problem)
    if not isinstance(command.data, ShownCommand):
        return Ignored()
    return CommandLogRecord(command, partition, record.offset)


def _event(headers: KafkaHeaders, value: bytes | None) -> Item:
    event = read_event(headers, value)
    if isinstance(event, PublishedEvent):
        return EventRecord(event)
    envelope = event.envelope
    if envelope is None or envelope.subject is None or envelope.time is None:
        return Ignored(event.problem)
    sequence = sequence_number(envelope)
    if sequence is None:
        return Ignored(event.problem)
    return UnknownRecord(envelope, envelope.subject, sequence)


def add_keys(keys: RowKeys, item: Item) -> None:
    """Add the keys of the rows that an item changes."""
    match item:
        case CommandLogRecord(command=command):
            keys.commands.add(target_command(command.data) or command.id)
        case SnapshotRecord(authorization_id=authorization_id):
            keys.authorizations.add(authorization_id)
        case EventRecord(event=event):
            if (command_id := command_id_of(event.data)) is not None:
                keys.commands.add(command_id)
            if (handoff_id := handoff_id_of(event.data)) is not None:
                keys.handoffs.add((event.authorization_id, handoff_id))
        case _:
            pass


def target_command(data: Command) -> str | None:
    """Return the id of the command that a redrive or discard names."""
    return data.command_id if isinstance(data, Redrive | Discard) else None


def command_id_of(event: Event) -> str | None:
    """Return the id of an event's command."""
    # getattr on a model without the attribute costs more than the set.
    return event.command_id if type(event) in _OF_COMMANDS else None  # type: ignore[attr-defined]


def handoff_id_of(event: Event) -> str | None:
    """Return the id of the handoff whose row an event changes."""
    if isinstance(event, (*_OF_HANDOFFS, AuthorizationSettled)):
        return event.handoff_id
    return None

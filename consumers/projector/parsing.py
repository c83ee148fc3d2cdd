"""What a record of the three topics says to the read model, and whose rows it concerns. Pure.

Nothing is raised for what can't be read: it is `Ignored`, with the reason, and the offset moves past it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from adapters.postgres.rows import Keys
from schemas.authorization import AuthorizationRecord
from schemas.cloudevents import Envelope, KafkaHeaders
from schemas.commands import Command, Discard, RecordAccess, Redrive
from schemas.events import (
    EVENTS as EVENT_MODELS,
)
from schemas.events import (
    AuthorizationSettled,
    Event,
    HandoffAccessGranted,
    HandoffAtRisk,
    HandoffClosed,
    HandoffOpened,
    HandoffReconciled,
)
from schemas.records import (
    PublishedEvent,
    RecordedCommand,
    UnreadableRecord,
    read_authorization,
    read_command,
    read_event,
)

COMMANDS, EVENTS, AUTHORIZATIONS = "commands", "events", "authorizations"
TOPICS = (COMMANDS, EVENTS, AUTHORIZATIONS)


class TopicRecord(Protocol):
    """A record as Kafka's clients hand it out."""

    @property
    def offset(self) -> int: ...  # noqa: D102 - see the class
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """A command, redrive or discard was accepted, at this place of `commands`."""

    command: RecordedCommand
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event was published."""

    event: PublishedEvent


@dataclass(frozen=True, slots=True)
class UnknownRecord:
    """An event of a newer version of us: it happened, and that is all that can be said."""

    envelope: Envelope
    authorization_id: str
    sequence: int


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """How an authorization is."""

    authorization_id: str
    record: AuthorizationRecord


@dataclass(frozen=True, slots=True)
class Ignored:
    """A record that tells the read model nothing; a problem if it should have."""

    problem: str | None = None


Item = CommandRecord | EventRecord | UnknownRecord | SnapshotRecord | Ignored

_OF_COMMANDS = frozenset(model for model in EVENT_MODELS.values() if "command_id" in model.model_fields)
_OF_HANDOFFS = (HandoffOpened, HandoffClosed, HandoffReconciled, HandoffAccessGranted, HandoffAtRisk)


def read(topic: str, partition: int, record: TopicRecord) -> Item:
    """Read one record of a topic (by its role)."""
    headers: KafkaHeaders = tuple(record.headers)
    if topic == EVENTS:
        return _event(headers, record.value)
    if topic == AUTHORIZATIONS:
        if record.value is None:
            return Ignored()  # forgotten by the worker: what was known stays until it is swept
        stands = read_authorization(headers, record.value)
        return Ignored(stands.problem) if isinstance(stands, UnreadableRecord) else SnapshotRecord(*stands)
    command = read_command(headers, record.value)
    if isinstance(command, UnreadableRecord):
        return Ignored(command.problem)
    return Ignored() if isinstance(command.data, RecordAccess) else CommandRecord(command, partition, record.offset)


def _event(headers: KafkaHeaders, value: bytes | None) -> Item:
    event = read_event(headers, value)
    if isinstance(event, PublishedEvent):
        return EventRecord(event)
    envelope = event.envelope
    if envelope is None or envelope.subject is None or envelope.time is None:
        return Ignored(event.problem)
    sequence = envelope.extensions.get("sequence", "")
    if not (sequence.isascii() and sequence.isdigit() and len(sequence) <= 18):
        return Ignored(event.problem)
    return UnknownRecord(envelope, envelope.subject, int(sequence))


def need(keys: Keys, item: Item) -> None:
    """Name the rows that an item concerns."""
    match item:
        case CommandRecord(command=command):
            keys.commands.add(command_of(command.data) or command.id)
        case SnapshotRecord(authorization_id=authorization_id):
            keys.authorizations.add(authorization_id)
        case EventRecord(event=event):
            if (command_id := command_in(event.data)) is not None:
                keys.commands.add(command_id)
            if (handoff_id := handoff_of(event.data)) is not None:
                keys.handoffs.add((event.authorization_id, handoff_id))
        case _:
            pass


def command_of(data: Command) -> str | None:
    """Return the command that a redrive or discard is about."""
    return data.command_id if isinstance(data, Redrive | Discard) else None


def command_in(event: Event) -> str | None:
    """Return the command that an event is about."""
    # An attribute that a model lacks costs more to ask for than all of this.
    return event.command_id if type(event) in _OF_COMMANDS else None  # type: ignore[attr-defined]


def handoff_of(event: Event) -> str | None:
    """Return the handoff whose row an event changes."""
    if isinstance(event, (*_OF_HANDOFFS, AuthorizationSettled)):
        return event.handoff_id
    return None

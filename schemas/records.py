"""Our records as Kafka carries them: envelope and data together, in one call each way.

Reading raises nothing: what this version cannot read is a value, `UnreadableRecord`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from schemas.api.faults import faults
from schemas.authorization import AuthorizationRecord
from schemas.cloudevents import JSON, CloudEventError, Envelope, KafkaHeaders, from_kafka, to_kafka
from schemas.commands import COMMANDS, Command
from schemas.dead_letter import DeadLetter, DeadLetterEnded
from schemas.events import EVENTS, Event
from schemas.field_types import is_id
from schemas.identity import dead_letter_ended_id, dead_letter_id, event_id, state_id
from schemas.times import format_time

_JSON = JSON.encode()


@dataclass(frozen=True, slots=True)
class RecordedCommand:
    """A command as it stands in the topic."""

    id: str
    caller: str
    authorization_id: str
    accepted_at: datetime
    data: Command
    redrive: int = 0
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class PublishedEvent:
    """An event as it stands in the topic."""

    id: str
    authorization_id: str
    sequence: int
    time: datetime
    data: Event
    causation_id: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A record that is none of ours, or of a version of us that is newer: what was expected, never what was found."""

    problem: str
    envelope: Envelope | None = None


def source(environment: str) -> str:
    """Return the CloudEvents source of everything that this environment writes."""
    return f"/collate-gateway/{environment}"


def write_command(command: RecordedCommand, source: str) -> tuple[KafkaHeaders, bytes]:
    """Return the headers and the value of a command's record."""
    headers = _headers(command.id, source, command.data.TYPE, command.authorization_id, command.accepted_at)
    headers.append(("ce_caller", command.caller.encode()))
    if command.redrive:
        headers.append(("ce_redrive", b"%d" % command.redrive))
    return _ended(headers, command.traceparent), command.data.to_json()


def read_command(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> RecordedCommand | UnreadableRecord:
    """Return the command, or why it is none."""
    try:
        envelope = from_kafka(headers, value)
    except CloudEventError as error:
        return UnreadableRecord(str(error))
    model = COMMANDS.get(envelope.type)
    if model is None:
        return UnreadableRecord("type: expected a command that this version knows", envelope)
    caller, redrive = envelope.extensions.get("caller"), envelope.extensions.get("redrive", "0")
    if caller is None or envelope.subject is None or envelope.time is None:
        return UnreadableRecord("envelope: expected caller, subject and time", envelope)
    if not (redrive.isascii() and redrive.isdigit() and len(redrive) <= 4):
        return UnreadableRecord("redrive: expected a number", envelope)
    try:
        data = model.from_record(envelope.data or b"")
    except ValidationError as error:
        return UnreadableRecord(_first_fault(error), envelope)
    return RecordedCommand(
        id=envelope.id,
        caller=caller,
        authorization_id=envelope.subject,
        accepted_at=envelope.time,
        data=data,
        redrive=int(redrive),
        traceparent=envelope.traceparent,
    )


def write_event(event: PublishedEvent, source: str) -> tuple[KafkaHeaders, bytes]:
    """Return the headers and the value of an event's record."""
    headers = _headers(event.id, source, event.data.TYPE, event.authorization_id, event.time)
    headers.append(("ce_sequence", b"%d" % event.sequence))
    if event.causation_id is not None:
        headers.append(("ce_causationid", event.causation_id.encode()))
    return _ended(headers, event.traceparent), event.data.to_json()


def publish(
    data: Event,
    *,
    authorization_id: str,
    sequence: int,
    time: datetime,
    causation_id: str | None = None,
    traceparent: str | None = None,
) -> PublishedEvent:
    """Number an event: its id follows from the authorization and the sequence."""
    return PublishedEvent(
        id=event_id(authorization_id, sequence),
        authorization_id=authorization_id,
        sequence=sequence,
        time=time,
        data=data,
        causation_id=causation_id,
        traceparent=traceparent,
    )


def read_event(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> PublishedEvent | UnreadableRecord:
    """Return the event, or why it is none that this version knows."""
    try:
        envelope = from_kafka(headers, value)
    except CloudEventError as error:
        return UnreadableRecord(str(error))
    model = EVENTS.get(envelope.type)
    if model is None:
        return UnreadableRecord("type: expected an event that this version knows", envelope)
    sequence = envelope.extensions.get("sequence", "")
    if not (sequence.isascii() and sequence.isdigit() and len(sequence) <= 18):
        return UnreadableRecord("sequence: expected a number", envelope)
    if envelope.subject is None or envelope.time is None:
        return UnreadableRecord("envelope: expected subject and time", envelope)
    try:
        data = model.from_record(envelope.data or b"")
    except ValidationError as error:
        return UnreadableRecord(_first_fault(error), envelope)
    return PublishedEvent(
        id=envelope.id,
        authorization_id=envelope.subject,
        sequence=int(sequence),
        time=envelope.time,
        data=data,
        causation_id=envelope.extensions.get("causationid"),
        traceparent=envelope.traceparent,
    )


def write_authorization(authorization_id: str, record: AuthorizationRecord, source: str) -> tuple[KafkaHeaders, bytes]:
    """Return the headers and the value of an authorization's latest state."""
    headers = _headers(
        state_id(authorization_id, record.sequence), source, record.TYPE, authorization_id, record.updated_at
    )
    headers.append(("ce_sequence", b"%d" % record.sequence))
    return _ended(headers, None), record.to_json()


def read_authorization(
    headers: Iterable[tuple[str, bytes]], value: bytes | None
) -> tuple[str, AuthorizationRecord] | UnreadableRecord:
    """Return the authorization's id and its latest state."""
    try:
        envelope = from_kafka(headers, value)
        record = AuthorizationRecord.from_record(envelope.data or b"")
    except CloudEventError as error:
        return UnreadableRecord(str(error))
    except ValidationError as error:
        return UnreadableRecord(_first_fault(error))
    if envelope.subject is None or envelope.type != AuthorizationRecord.TYPE:
        return UnreadableRecord("envelope: expected an authorization's state and its subject", envelope)
    return envelope.subject, record


def write_dead_letter(letter: DeadLetter, source: str) -> tuple[KafkaHeaders, bytes]:
    """Return the headers and the value of a dead letter; one of a broken record has no subject."""
    where = letter.command_id or f"{letter.record.partition}-{letter.record.offset}"
    envelope = Envelope(
        id=dead_letter_id(where, letter.redrive),
        source=source,
        type=letter.TYPE,
        subject=letter.authorization_id if is_id(letter.authorization_id) else None,
        time=letter.dead_at,
    )
    return to_kafka(envelope)[0], letter.to_json()


def write_dead_letter_ended(authorization_id: str, ended: DeadLetterEnded, source: str) -> tuple[KafkaHeaders, bytes]:
    """Return the headers and the value of the record that ends a dead letter."""
    envelope = Envelope(
        id=dead_letter_ended_id(ended.command_id, ended.redrive),
        source=source,
        type=ended.TYPE,
        subject=authorization_id if is_id(authorization_id) else None,
        time=ended.ended_at,
    )
    return to_kafka(envelope)[0], ended.to_json()


def read_dead_letter(
    headers: Iterable[tuple[str, bytes]], value: bytes | None
) -> DeadLetter | DeadLetterEnded | UnreadableRecord:
    """Return the dead letter, or the end of one."""
    try:
        envelope = from_kafka(headers, value)
        if envelope.type == DeadLetterEnded.TYPE:
            return DeadLetterEnded.from_record(envelope.data or b"")
        return DeadLetter.from_record(envelope.data or b"")
    except CloudEventError as error:
        return UnreadableRecord(str(error))
    except ValidationError as error:
        return UnreadableRecord(_first_fault(error))


# The envelope by hand: every command and every event pays for it, and to_kafka costs twice this (a test compares them).
def _headers(id_: str, source: str, type_: str, subject: str, time: datetime) -> list[tuple[str, bytes]]:
    return [
        ("ce_id", id_.encode()),
        ("ce_source", source.encode()),
        ("ce_specversion", b"1.0"),
        ("ce_type", type_.encode()),
        ("ce_subject", subject.encode()),
        ("ce_time", format_time(time).encode()),
    ]


def _ended(headers: list[tuple[str, bytes]], traceparent: str | None) -> KafkaHeaders:
    headers.append(("content-type", _JSON))
    if traceparent is not None:
        headers.append(("traceparent", traceparent.encode()))
    return tuple(headers)


def _first_fault(error: ValidationError) -> str:
    fault = faults(error)[0]
    return f"data{fault.pointer}: expected {fault.expected}"

"""Read and write the gateway's Kafka records, envelope and data together.

Readers return `UnreadableRecord` for a record that this version cannot read. They raise nothing.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import quote

from pydantic import ValidationError

from schemas.api.faults import faults
from schemas.authorization import AuthorizationRecord
from schemas.cloudevents import (
    JSON,
    CloudEventError,
    Envelope,
    KafkaHeaders,
    from_kafka,
    sequence_number,
    sequence_text,
    to_kafka,
)
from schemas.commands import COMMANDS, Command
from schemas.dead_letter import DeadLetter, DeadLetterEnded
from schemas.events import EVENTS, Event
from schemas.fields.scalars import is_id, is_name
from schemas.identity import canonical_list, dead_letter_ended_id, dead_letter_id, event_id, state_id
from schemas.model import Model, Public
from schemas.permissions import OWN_HANDOFFS
from schemas.public_fields import is_public, public_part
from schemas.sealing import Keys, Unopened
from schemas.times import format_time

_JSON = JSON.encode()
_OWN = ("ce_handoffs", OWN_HANDOFFS.encode())


class TopicRecord(Protocol):
    """The fields of a Kafka record that are used."""

    @property
    def partition(self) -> int: ...  # noqa: D102 - see the class
    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class RecordedCommand:
    """A command with its envelope, as recorded on `commands`.

    `own_handoffs`: the caller may close only the handoffs that it opened (docs/decisions/0013).
    """

    id: str
    caller: str
    authorization_id: str
    accepted_at: datetime
    data: Command
    redrive: int = 0
    traceparent: str | None = None
    own_handoffs: bool = False


@dataclass(frozen=True, slots=True)
class PublishedEvent:
    """An event with its envelope, as published on `events`."""

    id: str
    authorization_id: str
    sequence: int
    time: datetime
    data: Event
    causation_id: str | None = None
    correlation_id: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A record that this version cannot read. `problem` names the expected value, never the value found."""

    problem: str
    envelope: Envelope | None = None


@dataclass(frozen=True, slots=True)
class UndecryptableRecord(UnreadableRecord):
    """A command whose encrypted part cannot be opened now. `shown` is its public part, which nothing authenticates."""

    shown: RecordedCommand | None = None


class _SealedData(Model):
    """The encrypted part of a command's value, beside its public part."""

    sealed: Public[str]


def schema_uri(type_: str) -> str:
    """Return the URI of a type's published JSON Schema: the `dataschema` of its records, and the schema's `$id`."""
    return f"urn:{type_.replace('.', ':')}"


def source(environment: str) -> str:
    """Return the CloudEvents source of an environment: of its commands and dead letters."""
    return f"/collate-gateway/{environment}"


def _numbered_source(source: str, authorization_id: str) -> str:
    """Return the source of records with a `sequence`: CloudEvents orders these numbers within a source."""
    return f"{source}/authorizations/{quote(authorization_id, safe='')}"


def write_command(command: RecordedCommand, source: str, keys: Keys) -> tuple[KafkaHeaders, bytes]:
    """Return the headers and the value of a command's record. With PHI the value is encrypted (decision 0025)."""
    headers = _headers(command.id, source, command.data.TYPE, command.authorization_id, command.accepted_at)
    headers.append(("ce_caller", command.caller.encode()))
    if command.own_handoffs:
        headers.append(_OWN)
    if command.redrive:
        headers.append(("ce_redrive", b"%d" % command.redrive))
    value = command.data.to_json()
    if not is_public(type(command.data)):
        bound = (command.id, command.data.TYPE, command.authorization_id, command.caller, command.accepted_at)
        sealed = keys.seal(_purpose(*bound, command.redrive, command.own_handoffs), value).encode()
        value = b'%s,"sealed":"%s"}' % (public_part(command.data).to_json()[:-1], sealed)
    return _completed(headers, command.traceparent), value


def _purpose(id_: str, type_: str, authorization: str, caller: str, accepted_at: datetime, *numbers: int) -> str:
    """Return what binds encrypted data to the record's headers, so that no other record can have them.

    The numbers are the redrive's, and whether the caller is bound to its own handoffs.
    """
    bound: tuple[str | int, ...] = (id_, type_, authorization, caller, format_time(accepted_at), *numbers)
    return f"command:{hashlib.sha256(canonical_list(bound)).hexdigest()[:32]}"


def read_command(
    headers: Iterable[tuple[str, bytes]], value: bytes | None, keys: Keys | None
) -> RecordedCommand | UnreadableRecord:
    """Return the command, or the reason why it is unreadable. Without keys its data is the public part."""
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
    if not is_name(caller):
        return UnreadableRecord("caller: expected the name of a caller", envelope)
    if not (redrive.isascii() and redrive.isdigit() and len(redrive) <= 4):
        return UnreadableRecord("redrive: expected a number", envelope)
    if (handoffs := envelope.extensions.get("handoffs")) not in {None, OWN_HANDOFFS}:
        return UnreadableRecord("handoffs: expected own, or no such attribute", envelope)
    shown, number, own_handoffs = envelope.data or b"", int(redrive), handoffs is not None
    try:
        content: bytes | Unopened = shown
        if keys is not None and not is_public(model):
            bound = (envelope.id, model.TYPE, envelope.subject, caller, envelope.time, number, own_handoffs)
            content = keys.open(_purpose(*bound), _SealedData.from_record(shown).sealed)
        command = RecordedCommand(
            id=envelope.id,
            caller=caller,
            authorization_id=envelope.subject,
            accepted_at=envelope.time,
            data=model.from_record(shown if isinstance(content, Unopened) else content),
            redrive=number,
            own_handoffs=own_handoffs,
            traceparent=envelope.traceparent,
        )
    except ValidationError as error:
        return UnreadableRecord(_first_fault(error), envelope)
    if isinstance(content, Unopened):
        return UndecryptableRecord(f"data/sealed: {content.problem}", envelope, command)
    return command


def write_event(event: PublishedEvent, source: str) -> tuple[KafkaHeaders, bytes]:
    """Return the headers and the value of an event's record."""
    scope = _numbered_source(source, event.authorization_id)
    headers = _headers(event.id, scope, event.data.TYPE, event.authorization_id, event.time)
    headers += [("ce_dataschema", schema_uri(event.data.TYPE).encode()), _sequence(event.sequence)]
    if event.causation_id is not None:
        headers.append(("ce_causationid", event.causation_id.encode()))
    if event.correlation_id is not None:
        headers.append(("ce_correlationid", event.correlation_id.encode()))
    return _completed(headers, event.traceparent), event.data.to_json()


def publish(
    data: Event,
    *,
    authorization_id: str,
    life: int,
    sequence: int,
    time: datetime,
    causation_id: str | None = None,
    correlation_id: str | None = None,
    traceparent: str | None = None,
) -> PublishedEvent:
    """Return an event with its envelope. Its id is derived from the authorization, its life and the sequence."""
    return PublishedEvent(
        id=event_id(authorization_id, life, sequence),
        authorization_id=authorization_id,
        sequence=sequence,
        time=time,
        data=data,
        causation_id=causation_id,
        correlation_id=correlation_id,
        traceparent=traceparent,
    )


def read_event(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> PublishedEvent | UnreadableRecord:
    """Return the event, or the reason why it is unreadable."""
    try:
        envelope = from_kafka(headers, value)
    except CloudEventError as error:
        return UnreadableRecord(str(error))
    model = EVENTS.get(envelope.type)
    if model is None:
        return UnreadableRecord("type: expected an event that this version knows", envelope)
    sequence = sequence_number(envelope)
    if sequence is None:
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
        sequence=sequence,
        time=envelope.time,
        data=data,
        causation_id=envelope.extensions.get("causationid"),
        correlation_id=envelope.extensions.get("correlationid"),
        traceparent=envelope.traceparent,
    )


def write_authorization(
    authorization_id: str, record: AuthorizationRecord, source: str, *, life: int
) -> tuple[KafkaHeaders, bytes]:
    """Return the headers and the value of an authorization's latest state."""
    id_ = state_id(authorization_id, life, record.sequence)
    scope = _numbered_source(source, authorization_id)
    headers = _headers(id_, scope, record.TYPE, authorization_id, record.updated_at)
    headers += [("ce_dataschema", schema_uri(record.TYPE).encode()), _sequence(record.sequence)]
    return _completed(headers, None), record.to_json()


def read_authorization(
    headers: Iterable[tuple[str, bytes]], value: bytes | None
) -> tuple[str, AuthorizationRecord] | UnreadableRecord:
    """Return the authorization's id and its latest state, or the reason why the record is unreadable."""
    try:
        envelope = from_kafka(headers, value)
    except CloudEventError as error:
        return UnreadableRecord(str(error))
    if envelope.subject is None or envelope.type != AuthorizationRecord.TYPE:
        return UnreadableRecord("envelope: expected an authorization's state and its subject", envelope)
    try:
        record = AuthorizationRecord.from_record(envelope.data or b"")
    except ValidationError as error:
        return UnreadableRecord(_first_fault(error), envelope)
    return envelope.subject, record


def write_dead_letter(dead_letter: DeadLetter, source: str) -> tuple[KafkaHeaders, bytes]:
    """Return the headers and the value of a dead letter. The dead letter of a broken record has no subject."""
    record = dead_letter.record
    id_ = dead_letter_id(dead_letter.command_id or f"{record.partition}-{record.offset}", dead_letter.redrive)
    return _dead_letter_record(id_, dead_letter, source, dead_letter.authorization_id, dead_letter.dead_at)


def write_dead_letter_ended(authorization_id: str, ended: DeadLetterEnded, source: str) -> tuple[KafkaHeaders, bytes]:
    """Return the headers and the value of the record that ends a dead letter."""
    id_ = dead_letter_ended_id(ended.command_id, ended.redrive)
    return _dead_letter_record(id_, ended, source, authorization_id, ended.ended_at)


def _dead_letter_record(
    id_: str, data: DeadLetter | DeadLetterEnded, source: str, authorization_id: str, time: datetime
) -> tuple[KafkaHeaders, bytes]:
    subject = authorization_id if is_id(authorization_id) else None
    envelope = Envelope(id_, source, data.TYPE, subject=subject, time=time, dataschema=schema_uri(data.TYPE))
    return to_kafka(envelope)[0], data.to_json()


def read_dead_letter(
    headers: Iterable[tuple[str, bytes]], value: bytes | None
) -> DeadLetter | DeadLetterEnded | UnreadableRecord:
    """Return the dead letter, or its end, or the reason why the record is unreadable."""
    try:
        envelope = from_kafka(headers, value)
        if envelope.type == DeadLetterEnded.TYPE:
            return DeadLetterEnded.from_record(envelope.data or b"")
        return DeadLetter.from_record(envelope.data or b"")
    except CloudEventError as error:
        return UnreadableRecord(str(error))
    except ValidationError as error:
        return UnreadableRecord(_first_fault(error))


# Every command and event needs these headers. This costs half of cloudevents.to_kafka; a test compares the two.
def _headers(id_: str, source: str, type_: str, subject: str, time: datetime) -> list[tuple[str, bytes]]:
    return [
        ("ce_id", id_.encode()),
        ("ce_source", source.encode()),
        ("ce_specversion", b"1.0"),
        ("ce_type", type_.encode()),
        ("ce_subject", subject.encode()),
        ("ce_time", format_time(time).encode()),
    ]


def _sequence(number: int) -> tuple[str, bytes]:
    return "ce_sequence", sequence_text(number).encode()


def _completed(headers: list[tuple[str, bytes]], traceparent: str | None) -> KafkaHeaders:
    headers.append(("content-type", _JSON))
    if traceparent is not None:
        headers.append(("traceparent", traceparent.encode()))
    return tuple(headers)


def _first_fault(error: ValidationError) -> str:
    fault = faults(error)[0]
    return f"data{fault.pointer}: expected {fault.expected}"

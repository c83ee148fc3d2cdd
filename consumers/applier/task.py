"""Parses a record of `commands` into a task. Pure.

A `CommandTask` is one run of a caller's command, first or redriven. A `RecordTask` is a record of the gateway itself.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from pydantic import ValidationError

from consumers.authorization.recent_commands import digest
from consumers.authorization.state import AmbiguousWrite, CommandRef, CommandWork, EndedIntent, Intent
from consumers.engine import Record
from schemas.callers import asserted_by
from schemas.commands import (
    CALLER_COMMANDS,
    AuthorizationWatch,
    CallerCommand,
    Discard,
    EmptyRecentCommands,
    HandoffClose,
    HandoffRequest,
    LowerVersionFloor,
    RecordAccess,
    RecordRead,
    Redrive,
    ReleaseHandoff,
)
from schemas.enums import CommandType
from schemas.fields.scalars import is_command_id
from schemas.identity import canonical_json, dead_letter_id
from schemas.operator_decision import OperatorDecision
from schemas.records import RecordedCommand, UndecryptableRecord, UnreadableRecord, read_command
from schemas.sealing import Keys

# The API promises it: a handoff.request without `expiresAt` expires an hour after its acceptance.
REQUEST_EXPIRY: Final = timedelta(hours=1)

OperatorPayload = Discard | EmptyRecentCommands | LowerVersionFloor
RecordPayload = RecordAccess | RecordRead | ReleaseHandoff | OperatorPayload
UNKNOWN_CALLER: Final = "unknown"


@dataclass(frozen=True, slots=True)
class CommandTask:
    """One run of a command.

    Attributes:
        command_id: the id of the command; a redrive keeps it.
        record_id: the id of this record; equal to `command_id` on the first run.
        accepted_at: when the command was accepted, Unix seconds; its default expiry counts from here.
        alive_since: when this run was accepted; its maximum age counts from here.
        redrive: the number of this redrive; 0 on the first run.
        digest: keyed digest of type and payload.
        shared_digest: another one, which the ingress can compare.
        decision: the operator's decision to redrive.
        inherited: the writes that a redrive takes over from the dead letter.
        own_handoffs: whether the caller may close only the handoffs that it opened.
    """

    command_id: str
    record_id: str
    caller: str
    authorization_id: str
    payload: CallerCommand
    accepted_at: float
    alive_since: float
    digest: bytes
    shared_digest: str
    redrive: int = 0
    decision: OperatorDecision | None = None
    inherited: CommandWork | None = None
    traceparent: str | None = None
    own_handoffs: bool = False

    @property
    def type(self) -> CommandType:
        """Return the type of the command."""
        return self.payload.TYPE

    @property
    def writes(self) -> bool:
        """Whether the command may write to Collate."""
        return isinstance(self.payload, HandoffRequest | HandoffClose)

    @property
    def handoff_id(self) -> str | None:
        """Return the handoff that a close names."""
        return self.payload.handoff_id if isinstance(self.payload, HandoffClose) else None

    @property
    def metadata(self) -> dict[str, str] | None:
        """Return the caller's metadata."""
        return self.payload.metadata

    @property
    def ref(self) -> CommandRef:
        """Return the reference that later events keep of this command."""
        if not isinstance(self.payload, HandoffRequest):
            return CommandRef.model_construct(command_id=self.command_id, metadata=self.metadata)
        return CommandRef.model_construct(
            command_id=self.command_id,
            metadata=self.metadata,
            caller=self.caller,
            requested_by=self.payload.requested_by,
            accepted_by=self.payload.accepted_by,
        )

    @property
    def due_at(self) -> float | None:
        """Return the due date that the command states."""
        match self.payload:
            case HandoffRequest(due_at=time) | AuthorizationWatch(due_at=time) if time is not None:
                return time.timestamp()
            case _:
                return None

    @property
    def expires_at(self) -> float | None:
        """Return the latest time for the first write; None if there is none."""
        match self.payload:
            case HandoffRequest(expires_at=None):
                return self.accepted_at + REQUEST_EXPIRY.total_seconds()
            case HandoffRequest(expires_at=time) | HandoffClose(expires_at=time) if time is not None:
                return time.timestamp()
            case _:
                return None


@dataclass(frozen=True, slots=True)
class RecordTask:
    """A record of the ingress itself: an access, a release, a read, or an operator's decision."""

    record_id: str
    caller: str
    payload: RecordPayload
    accepted_at: float
    digest: bytes
    traceparent: str | None = None

    @property
    def is_decision(self) -> bool:
        """Whether an operator decided something."""
        return isinstance(self.payload, OperatorPayload)


@dataclass(frozen=True, slots=True)
class InvalidRecord:
    """A record that is no command of this version, with the fields that were readable.

    `is_sealed`: a command whose encrypted part cannot be opened now; a redrive has the fields of its command.
    """

    problem: str
    command_id: str | None = None
    command: str | None = None
    caller: str | None = None
    accepted_at: float | None = None
    redrive: int = 0
    is_sealed: bool = False

    def id_at(self, partition: int, offset: int) -> str:
        """Return the id of the record's event and dead letter: its own, or one made from its position."""
        if self.command_id is not None and is_command_id(self.command_id):
            return self.command_id
        return dead_letter_id(f"{partition}-{offset}", 0)


Task = CommandTask | RecordTask | InvalidRecord


def read(record: Record, digest_key: bytes, keys: Keys) -> Task:
    """Parse a record; an unreadable record is an `InvalidRecord`, not an error."""
    accepted = read_command(record.headers, record.value, keys)
    if isinstance(accepted, UndecryptableRecord) and accepted.shown is not None:
        return _sealed(accepted.problem, accepted.shown)
    if isinstance(accepted, UnreadableRecord):
        envelope = accepted.envelope
        if envelope is None:
            return InvalidRecord(accepted.problem)
        return InvalidRecord(
            accepted.problem,
            envelope.id,
            envelope.type,
            envelope.extensions.get("caller"),
            envelope.time.timestamp() if envelope.time else None,
        )
    data, time = accepted.data, accepted.accepted_at.timestamp()
    if accepted.authorization_id.encode() != record.key:
        return InvalidRecord("key: expected the subject", accepted.id, data.TYPE, accepted.caller, time)
    body = digest(digest_key, data.TYPE.encode(), data.to_json())
    if isinstance(data, CallerCommand):
        return CommandTask(
            command_id=accepted.id,
            record_id=accepted.id,
            caller=accepted.caller,
            authorization_id=accepted.authorization_id,
            payload=data,
            accepted_at=time,
            alive_since=time,
            digest=body,
            shared_digest=keys.digests(data.identity())[0],
            traceparent=accepted.traceparent,
            own_handoffs=accepted.own_handoffs,
        )
    match data:
        case Redrive():
            return _redriven(accepted, data, digest_key, keys)
        case RecordAccess() | RecordRead() | ReleaseHandoff() | Discard() | EmptyRecentCommands() | LowerVersionFloor():
            return RecordTask(accepted.id, accepted.caller, data, time, body, accepted.traceparent)
        case _:
            return InvalidRecord("type: expected a command that the worker knows", accepted.id, data.TYPE)


def operator_decision(data: Redrive | OperatorPayload, caller: str) -> OperatorDecision:
    """Return the public part of an operator's decision; `caller` sent its record."""
    return OperatorDecision(
        requested_by=data.requested_by,
        asserted_by=asserted_by(caller),
        caller=caller,
        reason=data.reason,
        ticket=data.ticket,
    )


def _sealed(problem: str, shown: RecordedCommand) -> InvalidRecord:
    match shown.data:
        case Redrive(command=command) as redrive:
            time = command.accepted_at.timestamp()
            return InvalidRecord(
                problem, redrive.command_id, command.type, command.caller, time, redrive.redrive, is_sealed=True
            )
        case data:
            time = shown.accepted_at.timestamp()
            return InvalidRecord(problem, shown.id, data.TYPE, shown.caller, time, is_sealed=True)


def _redriven(accepted: RecordedCommand, data: Redrive, digest_key: bytes, keys: Keys) -> CommandTask | InvalidRecord:
    original = data.command
    invalid = InvalidRecord(
        "data/command: expected a command that can be redriven",
        data.command_id,
        original.type,
        original.caller,
        original.accepted_at.timestamp(),
        data.redrive,
    )
    model = CALLER_COMMANDS.get(original.type)
    if model is None:
        return invalid
    try:
        payload = model.from_record(canonical_json(original.data))
    except (ValidationError, ValueError):
        return invalid
    try:
        inherited = None if data.intent is None else _inherited(data, original.type)
    except ValidationError:
        return replace(invalid, problem="data/intent: expected a write as its dead letter shows it")
    return CommandTask(
        command_id=data.command_id,
        record_id=accepted.id,
        caller=original.caller,
        authorization_id=accepted.authorization_id,
        payload=payload,
        accepted_at=original.accepted_at.timestamp(),
        alive_since=accepted.accepted_at.timestamp(),
        digest=digest(digest_key, payload.TYPE.encode(), payload.to_json()),
        shared_digest=keys.digests(payload.identity())[0],
        redrive=data.redrive,
        decision=operator_decision(data, accepted.caller),
        inherited=inherited,
        traceparent=accepted.traceparent,
        own_handoffs=bool(original.own_handoffs),
    )


def _inherited(data: Redrive, command: CommandType) -> CommandWork:
    """Return the writes so far. `inherited_n`: the operator wants another write in spite of these."""
    write: dict[str, object] = dict(data.intent or {})
    ambiguous = write.pop("maybe", None)
    last = EndedIntent.model_validate(write) if "ended" in write else Intent.model_validate(write)
    return CommandWork(
        command_id=data.command_id,
        command=command.value,
        caller=data.command.caller,
        redrive=data.redrive,
        n=last.n,
        inherited_n=last.n,
        ambiguous=None if ambiguous is None else AmbiguousWrite.model_validate(ambiguous),
        intent=last if isinstance(last, Intent) else None,
        ended_intents=(last,) if isinstance(last, EndedIntent) else (),
    )

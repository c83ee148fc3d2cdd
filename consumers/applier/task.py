"""A record of `commands`, read: what is to be done, for whom, and until when. Pure.

`CommandTask` is one run of a caller's command, first or redriven; the rest are the gateway's own records.
"""

from dataclasses import dataclass, replace
from typing import Final

from pydantic import ValidationError

from consumers.authorization.recent_commands import digest
from consumers.authorization.state import AmbiguousWrite, CommandWork, EndedIntent, Intent, LastCommand
from consumers.engine import Record
from schemas.commands import (
    COMMANDS,
    PUBLIC_COMMANDS,
    AuthorizationWatch,
    Discard,
    HandoffClose,
    HandoffRequest,
    RecordAccess,
    Redrive,
)
from schemas.enums import CommandType
from schemas.identity import canonical_json
from schemas.operator_decision import OperatorDecision
from schemas.records import RecordedCommand, UnreadableRecord, read_command

Asking = HandoffRequest | HandoffClose | AuthorizationWatch


@dataclass(frozen=True, slots=True)
class CommandTask:
    """One run of a command.

    Attributes:
        command_id: of the command, also when it is redriven.
        record_id: of this record; the command's own on the first run.
        data: what the caller asks.
        accepted_at: when the command was accepted, Unix seconds; its default expiry counts from here.
        alive_since: when this run was accepted; its life counts from here.
        redrive: which redrive this is; 0 on the first run.
        digest: keyed digest of type and data.
        decision: who asked for the redrive, and why.
        inherited: what a redrive brings back of the writes so far.
    """

    command_id: str
    record_id: str
    caller: str
    authorization_id: str
    data: Asking
    accepted_at: float
    alive_since: float
    digest: bytes
    redrive: int = 0
    decision: OperatorDecision | None = None
    inherited: CommandWork | None = None
    traceparent: str | None = None

    @property
    def type(self) -> CommandType:
        """Return the command's type."""
        return self.data.TYPE

    @property
    def metadata(self) -> dict[str, str] | None:
        """Return what the caller attached."""
        return self.data.metadata

    @property
    def asked(self) -> LastCommand:
        """Return what events remember of it."""
        return LastCommand(command_id=self.command_id, metadata=self.metadata)

    def expires_at(self, request_expiry_seconds: float) -> float | None:
        """Return until when it may be begun; None for never too late."""
        match self.data:
            case HandoffRequest(expires_at=None):
                return self.accepted_at + request_expiry_seconds
            case HandoffRequest(expires_at=time) | HandoffClose(expires_at=time) if time is not None:
                return time.timestamp()
            case _:
                return None


@dataclass(frozen=True, slots=True)
class Access:
    """An access grant that ingress puts on record."""

    record_id: str
    caller: str
    data: RecordAccess
    digest: bytes
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Discarding:
    """An operator gives a dead letter up."""

    record_id: str
    caller: str
    data: Discard
    digest: bytes
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Invalid:
    """No command that this version knows; what could be read of it anyway."""

    problem: str
    command_id: str | None = None
    command: str | None = None
    caller: str | None = None
    accepted_at: float | None = None
    redrive: int = 0


Task = CommandTask | Access | Discarding | Invalid


def read(record: Record, digest_key: bytes) -> Task:
    """Read a record; whatever is wrong with it is a value."""
    accepted = read_command(record.headers, record.value)
    if isinstance(accepted, UnreadableRecord):
        envelope = accepted.envelope
        if envelope is None:
            return Invalid(accepted.problem)
        return Invalid(
            accepted.problem,
            envelope.id,
            envelope.type,
            envelope.extensions.get("caller"),
            envelope.time.timestamp() if envelope.time else None,
        )
    data, time = accepted.data, accepted.accepted_at.timestamp()
    if accepted.authorization_id.encode() != record.key:
        return Invalid("key: expected the subject", accepted.id, data.TYPE, accepted.caller, time)
    body = digest(digest_key, data.TYPE.encode(), data.to_json())
    match data:
        case HandoffRequest() | HandoffClose() | AuthorizationWatch():
            return CommandTask(
                command_id=accepted.id,
                record_id=accepted.id,
                caller=accepted.caller,
                authorization_id=accepted.authorization_id,
                data=data,
                accepted_at=time,
                alive_since=time,
                digest=body,
                traceparent=accepted.traceparent,
            )
        case Redrive():
            return _redriven(accepted, data, digest_key)
        case RecordAccess():
            return Access(accepted.id, accepted.caller, data, body, accepted.traceparent)
        case Discard():
            return Discarding(accepted.id, accepted.caller, data, body, accepted.traceparent)
        case _:
            return Invalid("type: expected a command that the worker knows", accepted.id, data.TYPE)


def _redriven(accepted: RecordedCommand, data: Redrive, digest_key: bytes) -> CommandTask | Invalid:
    original = data.command
    unreadable = Invalid(
        "data/command: expected a command that can be redriven",
        data.command_id,
        original.type,
        original.caller,
        original.accepted_at.timestamp(),
        data.redrive,
    )
    if original.type not in PUBLIC_COMMANDS:
        return unreadable
    try:
        asking = COMMANDS[original.type].from_record(canonical_json(original.data))
    except (ValidationError, ValueError):
        return unreadable
    if not isinstance(asking, _ASKING):
        return unreadable
    try:
        inherited = None if data.intent is None else _inherited(data, original.type)
    except ValidationError:
        return replace(unreadable, problem="data/intent: expected a write as its dead letter shows it")
    return CommandTask(
        command_id=data.command_id,
        record_id=accepted.id,
        caller=original.caller,
        authorization_id=accepted.authorization_id,
        data=asking,
        accepted_at=original.accepted_at.timestamp(),
        alive_since=accepted.accepted_at.timestamp(),
        digest=digest(digest_key, asking.TYPE.encode(), asking.to_json()),
        redrive=data.redrive,
        decision=decided(data),
        inherited=inherited,
        traceparent=accepted.traceparent,
    )


def decided(data: Redrive | Discard) -> OperatorDecision:
    """Return what is told of an operator's word."""
    return OperatorDecision(requested_by=data.requested_by, reason=data.reason, ticket=data.ticket)


def _inherited(data: Redrive, command: CommandType) -> CommandWork:
    """Return the writes so far. A person asks again in spite of them: `asked_n`."""
    write: dict[str, object] = dict(data.intent or {})
    maybe = write.pop("maybe", None)
    live = None if "ended" in write else Intent.model_validate(write)
    over = EndedIntent.model_validate(write) if live is None else None
    last = live or over
    return CommandWork(
        command_id=data.command_id,
        command=command.value,
        caller=data.command.caller,
        redrive=data.redrive,
        n=last.n if last else 0,
        asked_n=last.n if last else 0,
        maybe=None if maybe is None else AmbiguousWrite.model_validate(maybe),
        intent=live,
        past=(over,) if over else (),
    )


_ASKING: Final = (HandoffRequest, HandoffClose, AuthorizationWatch)

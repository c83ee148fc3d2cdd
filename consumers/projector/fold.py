"""From what was read to rows: the rules of the read model, all of them. Pure; changes the rows it is handed.

A command's record and its events write different fields, and events are guarded by `sequence`, so the result does not
depend on how topics, batches and crashes interleave. Status moves forward only: `finished` gives way to nothing but a
later `finished`.
"""

from collections.abc import Iterable
from datetime import datetime

from pydantic_core import to_json

from adapters.postgres.rows import AuthorizationRow, CommandRow, Entry, HandoffRow, Rank, Rows
from consumers.projector.parsing import (
    CommandRecord,
    EventRecord,
    Item,
    SnapshotRecord,
    UnknownRecord,
    command_in,
    command_of,
    handoff_of,
)
from schemas.authorization import AuthorizationRecord
from schemas.commands import Redrive
from schemas.enums import PREFIX
from schemas.events import (
    AuthorizationSettled,
    CommandDeadLettered,
    CommandFinished,
    CommandWaiting,
    Event,
    HandoffAccessGranted,
    HandoffAtRisk,
    HandoffClosed,
    HandoffOpened,
    HandoffReconciled,
)
from schemas.field_types import word
from schemas.metadata import Metadata
from schemas.public_fields import public_json
from schemas.records import PublishedEvent, RecordedCommand

FINISHED, DEAD_LETTERED, WAITING = "finished", "dead_lettered", "waiting"
# A redrive that came too late or twice ends as rejected; its command stays as it was.
_OF_THE_REDRIVE = "not_dead_lettered"

_WITH_ATTEMPTS = (CommandFinished, CommandWaiting, CommandDeadLettered)
_ATTEMPTS = {"attempts"}


def fold(rows: Rows, items: Iterable[Item]) -> None:
    """Take up what was read, in order."""
    for item in items:
        match item:
            case CommandRecord():
                _asked(rows, item)
            case EventRecord(event=event):
                _happened(rows, event)
            case UnknownRecord():
                _strange(rows, item)
            case SnapshotRecord():
                _stands(rows, item.authorization_id, item.record)
            case _:
                pass


# Commands, as they were asked


def _asked(rows: Rows, asked: CommandRecord) -> None:
    command = asked.command
    about = command_of(command.data)
    place = f'"partition":{asked.partition},"offset":{asked.offset}'
    public = public_json(command.data)
    data = f'{{"type":"{command.data.TYPE}","caller":{_text(command.caller)},{place}{_members(public)}}}'
    kind = short(command.data.TYPE) + "_requested" if about else "command.accepted"
    rows.timeline.append(
        Entry(
            command.authorization_id,
            command.accepted_at,
            Rank.ASKED,
            asked.offset,
            kind,
            about or command.id,
            data,
        )
    )
    if about is None:
        _accepted(rows, command, asked)
    elif isinstance(command.data, Redrive):
        original = command.data.command
        row = _command(rows, command.data.command_id, command.authorization_id, original.type, original.caller)
        row.asked_redrive = max(row.asked_redrive, command.data.redrive)
        row.accepted_at = row.accepted_at or original.accepted_at


def _accepted(rows: Rows, command: RecordedCommand, asked: CommandRecord) -> None:
    row = _command(rows, command.id, command.authorization_id, command.data.TYPE, command.caller)
    if row.position is not None:
        return  # a retry that was kept twice: the first record in the log is the command
    # Had its events been read before, they said the same of type and caller.
    row.accepted_at, row.partition, row.position = command.accepted_at, asked.partition, asked.offset
    row.expires_at = getattr(command.data, "expires_at", None)
    row.metadata = _metadata(getattr(command.data, "metadata", None))


def _command(rows: Rows, command_id: str, authorization_id: str, type_: str, caller: str) -> CommandRow:
    row = rows.commands.get(command_id)
    if row is None:
        row = rows.commands[command_id] = CommandRow(command_id, authorization_id, str(type_), caller)
    return row


# Events


def _happened(rows: Rows, published: PublishedEvent) -> None:
    event = published.data
    attempts = (event.attempts if isinstance(event, _WITH_ATTEMPTS) else None) or ()
    command_id = command_in(event) or published.causation_id
    for attempt in attempts:
        rows.timeline.append(
            Entry(
                published.authorization_id,
                attempt.at,
                Rank.ATTEMPTED,
                0,
                "attempt",
                command_id,
                public_json(attempt),
            )
        )
    rows.timeline.append(
        Entry(
            published.authorization_id,
            published.time,
            Rank.HAPPENED,
            published.sequence,
            short(event.TYPE),
            command_id,
            public_json(event, without=_ATTEMPTS if attempts else None),
        )
    )
    _of_command(rows, published)
    _of_handoff(rows, published)


def _strange(rows: Rows, strange: UnknownRecord) -> None:
    envelope = strange.envelope
    if envelope.time is not None:
        rows.timeline.append(
            Entry(
                strange.authorization_id,
                envelope.time,
                Rank.HAPPENED,
                strange.sequence,
                word(envelope.type),
                envelope.extensions.get("causationid"),
                "{}",
            )
        )


def _of_command(rows: Rows, published: PublishedEvent) -> None:
    event = published.data
    if not isinstance(event, _WITH_ATTEMPTS):
        return
    if isinstance(event, CommandFinished) and event.redrive is not None and event.reason == _OF_THE_REDRIVE:
        return
    row = _command(rows, event.command_id, published.authorization_id, event.command, event.caller)
    if published.sequence <= row.sequence:
        return
    if isinstance(event, CommandFinished):
        row.status, row.outcome, row.effect = FINISHED, event.outcome.value, event.effect.value
        row.reason, row.version, row.until = event.reason, event.version, None
    elif row.status == FINISHED:
        return
    elif isinstance(event, CommandWaiting):
        row.status, row.reason, row.until = WAITING, event.reason, event.until
    else:
        row.status, row.reason, row.until = DEAD_LETTERED, event.cause, None
    row.sequence, row.changed_at = published.sequence, published.time
    row.redrive, row.advice = event.redrive or 0, event.advice
    if not isinstance(event, CommandWaiting):
        row.handoff_id = event.handoff_id or row.handoff_id


def _of_handoff(rows: Rows, published: PublishedEvent) -> None:
    event = published.data
    handoff_id = handoff_of(event)
    if handoff_id is None:
        return
    key = published.authorization_id, handoff_id
    row = rows.handoffs.get(key)
    if row is None:
        if isinstance(event, AuthorizationSettled):
            return
        row = rows.handoffs[key] = HandoffRow(*key)
    if published.sequence <= row.sequence:
        return
    row.sequence = published.sequence
    _change_handoff(row, event, published.time)


def _change_handoff(row: HandoffRow, event: Event, time: datetime) -> None:
    match event:
        case HandoffOpened():
            row.opened_at = event.opened_at or time
            row.access_available, row.final_submit_capable = event.access_available, event.final_submit_capable
            row.metadata = _metadata(event.metadata)
        case HandoffAccessGranted():
            row.grants += 1
            row.operator, row.grant_expires_at = event.operator, event.expires_at
            row.risk = row.risk_ends_at = None
        case HandoffAtRisk():
            row.risk, row.risk_ends_at = event.reason, event.ends_at
        case HandoffClosed():
            row.state, row.closed_at, row.access_available = "closed", time, False
            row.result, row.closed_by, row.reason = event.result, event.by.value, event.reason
            row.reported = event.reported.value if event.reported else None
            row.risk = row.risk_ends_at = None
        case HandoffReconciled() | AuthorizationSettled():
            row.state, row.agreement = "reconciled", event.agreement.value
        case _:
            pass


# Authorizations


def _stands(rows: Rows, authorization_id: str, record: AuthorizationRecord) -> None:
    known = rows.authorizations.get(authorization_id)
    if known is not None and known.sequence > record.sequence:
        return
    active = record.active_handoff
    rows.authorizations[authorization_id] = AuthorizationRow(
        authorization_id=authorization_id,
        sequence=record.sequence,
        status=record.status,
        settled=record.settled_at is not None,
        active_handoff_id=active.id if active else None,
        active_since=(active.opened_at or record.updated_at) if active else None,
        updated_at=record.updated_at,
        record=public_json(record),
    )


def short(type_: str) -> str:
    """Return a type without prefix and version: what people read and filter by."""
    return type_.removeprefix(PREFIX).rpartition(".")[0]


def _metadata(metadata: Metadata | None) -> str | None:
    return to_json(metadata).decode() if metadata else None


def _text(value: str) -> str:
    return to_json(value).decode()


def _members(public: str) -> str:
    return "" if public == "{}" else "," + public[1:-1]

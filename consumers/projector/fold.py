"""All rules of the read model: items in, rows changed. Pure.

A command's record and its events write different fields, and `sequence` guards the events of a life. So the result does
not depend on how topics, batches and crashes interleave. Status moves forward only: only a later `finished` replaces a
`finished`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from pydantic_core import to_json

from adapters.postgres.rows import NOT_DUE, AuthorizationRow, CommandRow, HandoffRow, Rank, Rows, TimelineRow
from consumers.projector.parsing import (
    CommandLogRecord,
    EventRecord,
    Item,
    SnapshotRecord,
    UnknownRecord,
    command_id_of,
    handoff_id_of,
    target_command,
)
from schemas.authorization import AuthorizationRecord
from schemas.collate.authorization import requires_handoff
from schemas.commands import Command, Discard, Redrive
from schemas.enums import Agreement, short_type
from schemas.events import (
    AuthorizationSettled,
    CommandDeadLettered,
    CommandFinished,
    CommandWaiting,
    Event,
    HandoffAccessChanged,
    HandoffAccessGranted,
    HandoffAtRisk,
    HandoffClosed,
    HandoffOpened,
    HandoffReconciled,
)
from schemas.events.reasons import OutcomeReason
from schemas.fields.metadata import Metadata
from schemas.fields.scalars import word
from schemas.public_fields import public_fields, public_json
from schemas.records import PublishedEvent

FINISHED, DEAD_LETTERED, WAITING = "finished", "dead_lettered", "waiting"

# A number that is not greater, so long after the event before, belongs to a new life of the authorization.
NEW_LIFE = timedelta(hours=12)
_WITH_ATTEMPTS = (CommandFinished, CommandWaiting, CommandDeadLettered)
_ATTEMPTS = {"attempts"}


def fold(rows: Rows, items: Iterable[Item]) -> None:
    """Apply the items to the rows, in order."""
    for item in items:
        match item:
            case CommandLogRecord():
                _apply_command(rows, item)
            case EventRecord(event=event):
                _apply_event(rows, event)
            case UnknownRecord():
                _apply_unknown_event(rows, item)
            case SnapshotRecord():
                _apply_snapshot(rows, item.authorization_id, item.record)


# Commands


def _apply_command(rows: Rows, item: CommandLogRecord) -> None:
    command = item.command
    target = target_command(command.data)
    place = {"type": command.data.TYPE, "caller": command.caller, "partition": item.partition, "offset": item.offset}
    data = to_json(place | public_fields(command.data) | _overtaken(rows, command.data)).decode()
    kind = short_type(command.data.TYPE) + "_requested" if target else "command.accepted"
    rows.timeline.append(
        TimelineRow(
            command.authorization_id,
            command.accepted_at,
            Rank.COMMAND,
            item.offset,
            kind,
            target or command.id,
            data,
        )
    )
    if target is None:
        _accept(rows, item)
    elif isinstance(command.data, Redrive):
        original = command.data.command
        row = _command_row(rows, command.data.command_id, command.authorization_id, original.type, original.caller)
        row.asked_redrive = max(row.asked_redrive, command.data.redrive)
        row.accepted_at = row.accepted_at or original.accepted_at


def _overtaken(rows: Rows, data: Command) -> dict[str, int]:
    """Return the field that says that a decision ends nothing: a redrive of its number is before it in the log."""
    if not isinstance(data, Redrive | Discard) or data.redrive is None:
        return {}
    row, number = rows.commands.get(data.command_id), data.redrive - isinstance(data, Redrive)
    return {"overtakenBy": row.asked_redrive} if row is not None and row.asked_redrive > number else {}


def _accept(rows: Rows, item: CommandLogRecord) -> None:
    command = item.command
    row = _command_row(rows, command.id, command.authorization_id, command.data.TYPE, command.caller)
    if row.position is not None:
        return  # a retry was recorded twice: the first record in the log is the command
    # Its events may already have created the row; they carry the same type and caller.
    row.accepted_at, row.partition, row.position = command.accepted_at, item.partition, item.offset
    rows.minute(command.accepted_at).accepted += 1
    row.expires_at = getattr(command.data, "expires_at", None)
    row.metadata = _metadata(getattr(command.data, "metadata", None))


def _command_row(rows: Rows, command_id: str, authorization_id: str, type_: str, caller: str) -> CommandRow:
    row = rows.commands.get(command_id)
    if row is None:
        row = rows.commands[command_id] = CommandRow(command_id, authorization_id, str(type_), caller)
    return row


# Events


def _apply_event(rows: Rows, published: PublishedEvent) -> None:
    event = published.data
    attempts = (event.attempts if isinstance(event, _WITH_ATTEMPTS) else None) or ()
    command_id = command_id_of(event) or published.causation_id
    for attempt in attempts:
        rows.timeline.append(
            TimelineRow(
                published.authorization_id,
                attempt.at,
                Rank.ATTEMPT,
                0,
                "attempt",
                command_id,
                public_json(attempt),
            )
        )
    rows.timeline.append(
        TimelineRow(
            published.authorization_id,
            published.time,
            Rank.EVENT,
            published.sequence,
            short_type(event.TYPE),
            command_id,
            public_json(event, without=_ATTEMPTS if attempts else None),
        )
    )
    _change_command(rows, published)
    _change_handoff(rows, published)


def _apply_unknown_event(rows: Rows, item: UnknownRecord) -> None:
    envelope = item.envelope
    if envelope.time is not None:
        rows.timeline.append(
            TimelineRow(
                item.authorization_id,
                envelope.time,
                Rank.EVENT,
                item.sequence,
                word(envelope.type),
                envelope.extensions.get("causationid"),
                "{}",
            )
        )


def _change_command(rows: Rows, published: PublishedEvent) -> None:
    event = published.data
    if not isinstance(event, _WITH_ATTEMPTS):
        return
    # A late or repeated redrive is rejected; its command does not change.
    if (
        isinstance(event, CommandFinished)
        and event.redrive is not None
        and event.reason == OutcomeReason.NOT_DEAD_LETTERED
    ):
        return
    row = _command_row(rows, event.command_id, published.authorization_id, event.command, event.caller)
    is_later = row.changed_at is not None and published.time - row.changed_at > NEW_LIFE
    if published.sequence <= row.sequence and not is_later:
        return
    if isinstance(event, CommandFinished):
        rows.minute(published.time).finished += 1
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


def _change_handoff(rows: Rows, published: PublishedEvent) -> None:
    event = published.data
    handoff_id = handoff_id_of(event)
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
    _apply_to_handoff(row, event, published.time)


def _apply_to_handoff(row: HandoffRow, event: Event, time: datetime) -> None:
    match event:
        case HandoffOpened():
            row.opened_at = event.opened_at or time
            row.access_available, row.final_submit_capable = event.access_available, event.final_submit_capable
            row.metadata, row.payer_id = _metadata(event.metadata), event.payer_id
        case HandoffAccessGranted():
            row.grants += 1
            row.operator, row.grant_expires_at = event.operator, event.expires_at
            row.risk = row.risk_ends_at = None
        case HandoffAccessChanged():
            row.access_available, row.final_submit_capable = event.access_available, event.final_submit_capable
        case HandoffAtRisk():
            row.risk, row.risk_ends_at = event.reason, event.ends_at
        case HandoffClosed():
            row.state, row.closed_at, row.access_available = "closed", time, False
            row.collate_closed_at = event.closed_at
            row.result, row.closed_by, row.reason = event.result, event.by.value, event.reason
            row.reported = event.reported.value if event.reported else None
            row.risk = row.risk_ends_at = None
        case HandoffReconciled() | AuthorizationSettled():
            row.state, row.agreement = "reconciled", event.agreement.value


# Authorizations


def _apply_snapshot(rows: Rows, authorization_id: str, record: AuthorizationRecord) -> None:
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
        payer_id=record.payer_id,
        action_required_at=record.action_required_at,
        handoff_required_at=_handoff_required_at(record),
        contradicted_at=_contradicted_at(record, known),
        claimed_by=active.claim.caller if active and active.claim else None,
        # Once it is settled, its due date no longer decides its place in a list.
        due_at=record.due_at if record.due_at is not None and record.settled_at is None else NOT_DUE,
    )


def _handoff_required_at(record: AuthorizationRecord) -> datetime | None:
    """Return since when the authorization has waited for a person to open a handoff."""
    is_waiting = record.active_handoff is None and requires_handoff(record.next_action, record.resolution)
    return record.action_required_at if is_waiting else None


def _contradicted_at(record: AuthorizationRecord, known: AuthorizationRow | None) -> datetime | None:
    """Return when the handoff closed whose report contradicts the payer. If that is unknown: when it was first seen."""
    last = record.last_handoff
    if last is None or last.agreement != Agreement.CONTRADICTS:
        return None
    return last.closed_at or (known and known.contradicted_at) or record.updated_at


def _metadata(metadata: Metadata | None) -> str | None:
    return to_json(metadata).decode() if metadata else None

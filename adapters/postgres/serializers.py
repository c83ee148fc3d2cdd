"""Serializers: rows of the database to response models. Pure."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

from adapters.postgres.rows import Rank
from schemas.api.lists import WorkItem
from schemas.api.reads import (
    CommandStatus,
    FullCaller,
    HandoffReporter,
    HandoffRequester,
    HandoffStatus,
    LastCalls,
    LastGrant,
    Risk,
    TimelineEntry,
    TurnedAway,
    UnfinishedCommand,
    WaitsFor,
)
from schemas.authorization import AuthorizationRecord, HandoffClaim
from schemas.callers import vouching
from schemas.timeline import describe
from schemas.times import parse_time

Row = Mapping[str, Any]


def command_status(row: Row) -> CommandStatus:
    """Return the status of a command, with the number of its redrive, also of a pending one."""
    status = row["shown_status"]
    redrive = row["redrive"] if status == row["status"] else row["asked_redrive"]
    is_finished = status == "finished"
    return CommandStatus(
        command_id=row["command_id"],
        type=row["type"],
        authorization_id=row["authorization_id"],
        caller=row["caller"],
        status=status,
        accepted_at=row["accepted_at"],
        expires_at=row["expires_at"],
        waiting=_waits_for(row),
        finished_at=row["changed_at"] if is_finished else None,
        outcome=row["outcome"],
        effect=row["effect"],
        reason=row["reason"] if is_finished else None,
        advice=row["advice"] if is_finished else None,
        handoff_id=row["handoff_id"],
        version=row["version"],
        redrive=redrive or None,
        metadata=row["metadata"],
    )


def unfinished_command(row: Row) -> UnfinishedCommand:
    """Return an unfinished command of a JSON aggregate."""
    row = _with_times(row, "accepted_at", "until")
    return UnfinishedCommand(
        command_id=row["command_id"],
        authorization_id=row["authorization_id"],
        type=row["type"],
        caller=row["caller"],
        status=row["shown_status"],
        accepted_at=row["accepted_at"],
        waiting=_waits_for(row),
    )


def full_caller(row: Row) -> FullCaller:
    """Return a caller whose share is full, of a JSON aggregate."""
    return FullCaller(**_with_times(row, "last_at"))


def turned_away(row: Row) -> TurnedAway:
    """Return a payer that turns people away, of a JSON aggregate."""
    return TurnedAway(**_with_times(row, "since", "last_submitted_at"))


def _with_times(row: Row, *names: str) -> Row:
    """Return the row with times instead of the texts that a JSON aggregate has."""
    return {**row, **{name: row[name] and parse_time(row[name]) for name in names}}


def _waits_for(row: Row) -> WaitsFor | None:
    if row["reason"] is None or row["shown_status"] not in {"waiting", "dead_lettered"}:
        return None
    return WaitsFor(
        reason=row["reason"],
        advice=row["advice"],
        until=row["until"],
        last_calls=last_calls(row.get("attempts") or ()),
    )


def last_calls(newest_first: Sequence[Row]) -> LastCalls | None:
    """Return the last attempts with the same result as one; times are text, because they come from a JSON aggregate."""
    if not newest_first:
        return None
    last = _result_of(newest_first[0])
    same = list(takewhile(lambda attempt: _result_of(attempt) == last, newest_first))
    operation, result, status, code = last
    return LastCalls(
        operation=operation,
        result=result,
        status=status,
        code=code,
        count=len(same),
        since=parse_time(same[-1]["at"]),
        until=parse_time(same[0]["at"]),
    )


def _result_of(attempt: Row) -> tuple[Any, ...]:
    return tuple(attempt["data"].get(name) for name in ("operation", "result", "status", "code"))


def timeline_entry(row: Row) -> TimelineEntry:
    """Return an entry of a timeline, with its description."""
    return TimelineEntry(
        at=_utc(row["at"]),
        kind=row["kind"],
        says=describe(row["kind"], row["data"]),
        command_id=row["command_id"],
        sequence=row["ordinal"] if row["rank"] == Rank.EVENT else None,
        data=row["data"],
    )


def handoff_status(row: Row) -> HandoffStatus:
    """Return a handoff. For an open one, the authorization's record takes precedence over the handoff's events."""
    active: Row = (row.get("record") or {}).get("activeHandoff") or {}
    people: Row = row.get("people") or {}
    return HandoffStatus(
        authorization_id=row["authorization_id"],
        handoff_id=row["handoff_id"],
        state=active.get("state") or row["state"],
        opened_at=row["opened_at"] or (row["since"] if active else None),
        access_available=active["accessAvailable"] if active else row["access_available"],
        final_submit_capable=active["finalSubmitCapable"] if active else row["final_submit_capable"],
        claim=_claim(active.get("claim")),
        grants=row["grants"] or 0,
        last_grant=_last_grant(row, people.get("handoff.access_granted") or {}),
        request=_request(people.get("handoff.opened") or {}),
        report=_report(people.get("handoff.closed") or {}),
        risk=Risk(reason=row["risk"], ends_at=row["risk_ends_at"]) if row["risk"] else None,
        closed_at=row.get("closed_at"),
        collate_closed_at=row.get("collate_closed_at"),
        result=row.get("result"),
        closed_by=row.get("closed_by"),
        reported=row.get("reported"),
        agreement=row.get("agreement"),
        metadata=row["metadata"],
    )


def work_item(row: Row) -> WorkItem:
    """Return an authorization of the work list; `record_text` is its record as JSON."""
    record = AuthorizationRecord.from_record(row["record_text"])
    handoff_id = row["active_handoff_id"]
    handoff = {**row, "record": json.loads(row["record_text"]), "handoff_id": handoff_id, "since": row["active_since"]}
    return WorkItem.model_construct(
        authorization_id=row["authorization_id"],
        waiting_since=_utc(row["since"]),
        handoff=None if handoff_id is None else handoff_status(handoff),
        metadata=row["newest_metadata"],
        **{name: getattr(record, name) for name in AuthorizationRecord.model_fields},
    )


def _claim(claim: Row | None) -> HandoffClaim | None:
    if claim is None:
        return None
    return HandoffClaim(by=claim["by"], caller=claim["caller"], since=parse_time(claim["since"]))


def _last_grant(row: Row, event: Row) -> LastGrant | None:
    operator, expires_at, caller = row["operator"], row["grant_expires_at"], event.get("caller")
    if not operator or not expires_at:
        return None
    return LastGrant(operator=operator, asserted_by=vouching(caller, operator), caller=caller, expires_at=expires_at)


def _request(event: Row) -> HandoffRequester | None:
    caller, requested_by, accepted_by = event.get("caller"), event.get("requestedBy"), event.get("acceptedBy")
    if caller is None:
        return None
    return HandoffRequester(
        caller=caller,
        requested_by=requested_by,
        accepted_by=accepted_by,
        asserted_by=vouching(caller, requested_by, accepted_by),
    )


def _report(event: Row) -> HandoffReporter | None:
    caller, reported_by = event.get("caller"), event.get("reportedBy")
    if caller is None:
        return None
    return HandoffReporter(caller=caller, reported_by=reported_by, asserted_by=vouching(caller, reported_by))


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)

"""Serializers: rows of the database to response models. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.postgres.descriptions import describe
from adapters.postgres.rows import Rank
from schemas.api.reads import CommandStatus, HandoffStatus, LastGrant, Risk, TimelineEntry, UnfinishedCommand, WaitsFor
from schemas.times import parse_time

Row = Mapping[str, Any]


def command_status(row: Row) -> CommandStatus:
    """Return the status of a command. A command with a pending redrive is accepted again."""
    status, redrive = row["status"], row["redrive"]
    if status == "dead_lettered" and row["asked_redrive"] > redrive:
        status, redrive = "accepted", row["asked_redrive"]
    is_finished = status == "finished"
    return CommandStatus(
        command_id=row["command_id"],
        type=row["type"],
        authorization_id=row["authorization_id"],
        caller=row["caller"],
        status=status,
        accepted_at=row["accepted_at"],
        expires_at=row["expires_at"],
        waiting=_waits_for(row) if status in {"waiting", "dead_lettered"} else None,
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
    """Return an unfinished command. Times are text, because the row comes from a JSON aggregate."""
    accepted_at, until = row["accepted_at"], row["until"]
    times = {
        "accepted_at": parse_time(accepted_at) if accepted_at else None,
        "until": parse_time(until) if until else None,
    }
    return UnfinishedCommand(
        command_id=row["command_id"],
        authorization_id=row["authorization_id"],
        type=row["type"],
        caller=row["caller"],
        status=row["status"],
        accepted_at=times["accepted_at"],
        waiting=_waits_for({**row, **times}) if row["reason"] else None,
    )


def _waits_for(row: Row) -> WaitsFor | None:
    if row["reason"] is None:
        return None
    return WaitsFor(reason=row["reason"], advice=row["advice"], until=row["until"])


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
    operator, expires_at = row["operator"], row["grant_expires_at"]
    grant = (
        LastGrant(operator=operator, caller=row["grant_caller"], expires_at=expires_at)
        if operator and expires_at
        else None
    )
    return HandoffStatus(
        authorization_id=row["authorization_id"],
        handoff_id=row["handoff_id"],
        state=active.get("state") or row["state"],
        opened_at=row["opened_at"] or (row["since"] if active else None),
        access_available=active["accessAvailable"] if active else row["access_available"],
        final_submit_capable=active["finalSubmitCapable"] if active else row["final_submit_capable"],
        grants=row["grants"] or 0,
        last_grant=grant,
        risk=Risk(reason=row["risk"], ends_at=row["risk_ends_at"]) if row["risk"] else None,
        closed_at=row.get("closed_at"),
        result=row.get("result"),
        closed_by=row.get("closed_by"),
        reported=row.get("reported"),
        agreement=row.get("agreement"),
        metadata=row["metadata"],
    )


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)

"""One authorization: its situation, its facts, and the actions that are possible now. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.console.times import is_after
from gateway.console.views.ended_handoff import EndedHandoff, ended_handoff
from gateway.console.views.overview import Tone
from gateway.console.views.timeline import TimelineView

Json = Mapping[str, Any]


class AuthorizationSituation(StrEnum):
    """The one thing that matters about an authorization now."""

    NEEDS_PERSON = "needs_person"
    HANDOFF_OPEN = "handoff_open"
    CLOSING = "closing"
    CONTRADICTED = "contradicted"
    SETTLED = "settled"
    WATCH_ENDED = "watch_ended"
    WATCHED = "watched"
    NOT_WATCHED = "not_watched"


@dataclass(frozen=True, slots=True)
class ActiveHandoffView:
    """The open handoff. `is_mine`: the signed-in person has claimed it."""

    handoff_id: str
    state: str
    access_available: bool
    final_submit_capable: bool
    opened_at: str | None
    requested_by: str | None
    claimed_by: str | None
    claimed_since: str | None
    is_mine: bool


@dataclass(frozen=True, slots=True)
class AuthorizationActions:
    """The actions that are possible in this situation. The template checks `person.may` for the permission."""

    can_work: bool
    can_watch: bool
    can_release: bool
    reports: bool


@dataclass(frozen=True, slots=True)
class AuthorizationFacts:
    """The latest record of an authorization."""

    status: str
    outcome: str | None
    next_action: str | None
    resolution: str | None
    snapshot_id: str | None
    payer_id: str | None
    receipt_seen: bool
    decision_seen: bool
    sequence: int
    version: int
    watched_since: str
    settled_at: str | None
    watch_ended_at: str | None
    updated_at: str


@dataclass(frozen=True, slots=True)
class AuthorizationView:
    """The page of an authorization. `facts` is None if the gateway does not watch it.

    `timeline` is None if it could not be read.
    """

    authorization_id: str
    situation: AuthorizationSituation
    tone: Tone
    since: str | None
    facts: AuthorizationFacts | None
    active: ActiveHandoffView | None
    last: EndedHandoff | None
    actions: AuthorizationActions
    timeline: TimelineView | None


def authorization_of(
    authorization_id: str, record: Json | None, timeline: TimelineView | None, me: str, now: datetime
) -> AuthorizationView:
    """Return the view of `GET /v1/authorizations/{id}`; `record` is None if the gateway does not know it."""
    if record is None:
        actions = AuthorizationActions(can_work=False, can_watch=True, can_release=False, reports=False)
        return AuthorizationView(
            authorization_id, AuthorizationSituation.NOT_WATCHED, Tone.PLAIN, None, None, None, None, actions, timeline
        )
    active, last = _active(record.get("activeHandoff"), me), ended_handoff(record.get("lastHandoff"))
    situation, tone, since = _situation(record, active, last)
    is_settled = bool(record.get("settledAt"))
    actions = AuthorizationActions(
        can_work=situation
        in {AuthorizationSituation.NEEDS_PERSON, AuthorizationSituation.HANDOFF_OPEN, AuthorizationSituation.CLOSING},
        can_watch=not is_settled and _has_passed(record.get("watchEndedAt"), now),
        can_release=active is not None and active.is_mine,
        reports=active is not None,
    )
    return AuthorizationView(authorization_id, situation, tone, since, _facts(record), active, last, actions, timeline)


def _situation(
    record: Json, active: ActiveHandoffView | None, last: EndedHandoff | None
) -> tuple[AuthorizationSituation, Tone, str | None]:
    """Return the situation, its urgency, and since when it lasts. The first row that applies counts."""
    if active is not None:
        state = AuthorizationSituation.CLOSING if active.state == "closing" else AuthorizationSituation.HANDOFF_OPEN
        return state, Tone.PLAIN if active.is_mine else Tone.WARN, active.opened_at
    if since := record.get("actionRequiredAt"):
        return AuthorizationSituation.NEEDS_PERSON, Tone.WARN, since
    if last is not None and last.agreement == "contradicts":
        return AuthorizationSituation.CONTRADICTED, Tone.BAD, last.closed_at
    if settled := record.get("settledAt"):
        return AuthorizationSituation.SETTLED, Tone.GOOD, settled
    if ended := record.get("watchEndedAt"):
        return AuthorizationSituation.WATCH_ENDED, Tone.WARN, ended
    return AuthorizationSituation.WATCHED, Tone.PLAIN, record.get("watchedSince")


def _has_passed(time: str | None, now: datetime) -> bool:
    return time is not None and not is_after(time, now)


def _active(handoff: Json | None, me: str) -> ActiveHandoffView | None:
    if handoff is None:
        return None
    claim: Json = handoff.get("claim") or {}
    return ActiveHandoffView(
        handoff_id=handoff["id"],
        state=handoff["state"],
        access_available=handoff["accessAvailable"],
        final_submit_capable=handoff["finalSubmitCapable"],
        opened_at=handoff.get("openedAt"),
        requested_by=handoff.get("requestedBy"),
        claimed_by=claim.get("by"),
        claimed_since=claim.get("since"),
        is_mine=claim.get("by") == me,
    )


def _facts(record: Json) -> AuthorizationFacts:
    return AuthorizationFacts(
        status=record["status"],
        outcome=record.get("outcome"),
        next_action=record.get("nextAction"),
        resolution=record.get("resolution"),
        snapshot_id=record.get("coversReviewSnapshotId"),
        payer_id=record.get("payerId"),
        receipt_seen=record["receiptSeen"],
        decision_seen=record["decisionSeen"],
        sequence=record["sequence"],
        version=record["version"],
        watched_since=record["watchedSince"],
        settled_at=record.get("settledAt"),
        watch_ended_at=record.get("watchEndedAt"),
        updated_at=record["updatedAt"],
    )

"""The work list: which authorizations need a person, who has them, and for how long they wait. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.console.times import is_after, midnight
from schemas.times import format_time

Json = Mapping[str, Any]
ROWS = 25


class Tab(StrEnum):
    """A tab of the work list; the value is its word in the address."""

    TO_DO = "todo"
    MINE = "mine"
    OPEN = "open"
    CLOSED = "closed"
    CONTRADICTED = "contradicted"


class Need(StrEnum):
    """What a person must do."""

    REVIEW = "review"
    OPEN = "open"
    FINISH = "finish"
    CONTRADICTION = "contradiction"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who works on an open handoff, as far as the gateway knows. `since` is known only for a claim."""

    name: str
    since: str | None
    is_me: bool
    is_claim: bool


@dataclass(frozen=True, slots=True)
class WorkRow:
    """One authorization that needs a person. `link_until` is None without a link, or once it has expired.

    `since` is None if the time of the opening is unknown.
    """

    authorization_id: str
    payer_id: str | None
    since: str | None
    need: Need
    action: str | None
    snapshot_id: str | None
    handoff_id: str | None
    holder: Holder | None
    link_until: str | None
    link_expired_at: str | None
    risk: str | None
    risk_ends_at: str | None
    reported: str | None


@dataclass(frozen=True, slots=True)
class ClosedRow:
    """One handoff that has ended."""

    authorization_id: str
    handoff_id: str
    at: str | None
    result: str | None
    closed_by: str | None
    reported: str | None
    reported_by: str | None
    agreement: str | None


@dataclass(frozen=True, slots=True)
class WorkFilter:
    """The filter of a page: the tab, a payer, and the place in the list."""

    tab: Tab
    payer: str | None = None
    cursor: str | None = None
    days_back: int = 0


@dataclass(frozen=True, slots=True)
class WorkView:
    """One page of the work list. `since` is the beginning of the days of the tab `closed`."""

    filter: WorkFilter
    rows: tuple[WorkRow, ...]
    closed: tuple[ClosedRow, ...]
    next: str | None
    since: str


def filter_of(query: Mapping[str, str]) -> WorkFilter:
    """Return the filter of a page's address; an unknown tab is the first one."""
    word = query.get("tab", "")
    return WorkFilter(
        tab=Tab(word) if word in set(Tab) else Tab.TO_DO,
        payer=query.get("payer", "").strip()[:128] or None,
        cursor=query.get("cursor") or None,
        days_back=1 if query.get("days") == "2" else 0,
    )


def question_of(filter_: WorkFilter, caller: str, now: datetime) -> tuple[str, dict[str, str]]:
    """Return the path and the query of the API for a page. `caller` is the person as a caller, for the tab `mine`."""
    query = {"limit": str(ROWS)}
    if filter_.cursor:
        query["cursor"] = filter_.cursor
    if filter_.tab is Tab.CLOSED:
        since = format_time(midnight(now, filter_.days_back))
        return "/v1/handoffs", {"state": "closed", "order": "newest", "since": since, **query}
    if filter_.tab is Tab.OPEN:
        return "/v1/handoffs", {"state": "active", **query}
    if filter_.payer:
        query["payer"] = filter_.payer
    match filter_.tab:
        case Tab.MINE:
            query |= {"needs": "person", "claimedBy": caller}
        case Tab.CONTRADICTED:
            query["needs"] = "contradicted"
        case _:
            query["needs"] = "person"
    return "/v1/authorizations", query


def work_of(answer: Json, filter_: WorkFilter, me: str, now: datetime) -> WorkView:
    """Return the view of the API's answer. `me` is the person's name."""
    handoffs: Sequence[Json] = answer.get("handoffs", ())
    is_open = filter_.tab is Tab.OPEN
    items = [_item_of(handoff) for handoff in handoffs] if is_open else answer.get("authorizations", ())
    return WorkView(
        filter=filter_,
        rows=tuple(row_of(item, me, now) for item in items),
        closed=() if is_open else tuple(_closed(handoff) for handoff in handoffs),
        next=answer.get("next"),
        since=format_time(midnight(now, filter_.days_back)),
    )


def row_of(item: Json, me: str, now: datetime) -> WorkRow:
    """Return one row of the work list."""
    handoff: Json = item.get("handoff") or {}
    risk: Json = handoff.get("risk") or {}
    until = (handoff.get("lastGrant") or {}).get("expiresAt")
    is_valid = until is not None and is_after(until, now)
    return WorkRow(
        authorization_id=item["authorizationId"],
        payer_id=item.get("payerId"),
        since=item["waitingSince"],
        need=_need(item),
        action=item.get("nextAction"),
        snapshot_id=item.get("coversReviewSnapshotId"),
        handoff_id=handoff.get("handoffId"),
        holder=holder_of(handoff, me),
        link_until=until if is_valid else None,
        link_expired_at=None if is_valid else until,
        risk=risk.get("reason"),
        risk_ends_at=risk.get("endsAt"),
        reported=(item.get("lastHandoff") or {}).get("reported"),
    )


def _item_of(handoff: Json) -> Json:
    """Return an open handoff as an item of the work list. The list of handoffs has no payer."""
    return {
        "authorizationId": handoff["authorizationId"],
        "waitingSince": handoff.get("openedAt"),
        "handoff": handoff,
    }


def holder_of(handoff: Json, me: str) -> Holder | None:
    """Return who has a handoff: the claim, else who received the last link, else who requested it."""
    claim, grant = handoff.get("claim"), handoff.get("lastGrant") or {}
    request = handoff.get("request") or {}
    if claim:
        return Holder(claim["by"], claim["since"], claim["by"] == me, is_claim=True)
    name = grant.get("operator") or request.get("requestedBy")
    return Holder(name, None, name == me, is_claim=False) if name else None


def _need(item: Json) -> Need:
    if item.get("handoff"):
        return Need.FINISH
    if item.get("actionRequiredAt") is None and (item.get("lastHandoff") or {}).get("agreement") == "contradicts":
        return Need.CONTRADICTION
    return Need.REVIEW if item.get("coversReviewSnapshotId") else Need.OPEN


def _closed(handoff: Json) -> ClosedRow:
    return ClosedRow(
        authorization_id=handoff["authorizationId"],
        handoff_id=handoff["handoffId"],
        at=handoff.get("closedAt") or handoff.get("collateClosedAt"),
        result=handoff.get("result"),
        closed_by=handoff.get("closedBy"),
        reported=handoff.get("reported"),
        reported_by=(handoff.get("report") or {}).get("reportedBy"),
        agreement=handoff.get("agreement"),
    )

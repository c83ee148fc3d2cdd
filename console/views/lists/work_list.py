"""The work list: which authorizations need a person, who has them, and for how long they wait. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import get_args

from console.api import Call, models, operations
from console.times import is_after, midnight
from console.work_items import Holder, Need, holder_of, need_of
from runtime.settings import ConsoleSettings
from schemas.api.queries import METADATA
from schemas.times import format_time

ROWS = 25


class Tab(StrEnum):
    """A tab of the work list; the value is its word in the address."""

    TO_DO = "todo"
    MINE = "mine"
    OPEN = "open"
    AT_RISK = "at_risk"
    OVERDUE = "overdue"
    CLOSED = "closed"
    CONTRADICTED = "contradicted"


_NEEDS: tuple[models.Needs, ...] = get_args(models.Needs)
ORDERS: tuple[models.WorkOrder, ...] = get_args(models.WorkOrder)


@dataclass(frozen=True, slots=True)
class WorkRow:
    """One authorization that needs a person. `has_link`: the last link into its session has not expired."""

    item: models.WorkItem
    need: Need
    holder: Holder | None
    is_mine: bool
    has_link: bool


@dataclass(frozen=True, slots=True)
class WorkFilter:
    """The filter of a page: the tab, a payer, who has it in hand, metadata of a command, the order and the place."""

    tab: Tab
    payer: str | None = None
    claimed_by: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    cursor: str | None = None
    days_back: int = 0
    order: models.WorkOrder = "urgent"


@dataclass(frozen=True, slots=True)
class WorkView:
    """One page of the work list."""

    rows: tuple[WorkRow, ...]
    closed: tuple[models.HandoffStatus, ...]
    next: str | None

    @property
    def has_due(self) -> bool:
        """Whether a row has a due date."""
        return any("dueAt" in row.item for row in self.rows)


def counts_of(overview: models.Overview | None, me: str) -> dict[str, int]:
    """Return the numbers of the tabs that have one, and of today's reports; none without an overview."""
    if overview is None:
        return {}
    work = overview["work"]
    return {
        Tab.TO_DO.value: work["person"],
        Tab.MINE.value: sum(claim["handoffs"] for claim in work["claims"] if claim["by"] == me),
        Tab.OPEN.value: overview["activeHandoffs"],
        Tab.AT_RISK.value: work["atRisk"],
        Tab.OVERDUE.value: work["overdue"],
        Tab.CLOSED.value: work["closedToday"],
        Tab.CONTRADICTED.value: work["contradicted"],
        "agreed": work["agreedToday"],
    }


def turned_away(overview: models.Overview | None) -> tuple[models.TurnedAway, ...]:
    """Return the payers that turn people away; none without an overview."""
    return () if overview is None else tuple(overview["work"].get("turnedAway", ()))


def filter_of(query: Mapping[str, str]) -> WorkFilter:
    """Return the filter of a page's address; an unknown tab is the first one."""
    word, order = query.get("tab", ""), query.get("order")
    return WorkFilter(
        tab=Tab(word) if word in set(Tab) else Tab.TO_DO,
        payer=query.get("payer", "").strip()[:128] or None,
        claimed_by=query.get("claimedBy") or None,
        metadata={
            name.removeprefix(METADATA): text
            for name, value in query.items()
            if name.startswith(METADATA) and (text := value.strip()[:64])
        },
        cursor=query.get("cursor") or None,
        days_back=1 if query.get("days") == "2" else 0,
        order=next((known for known in ORDERS if known == order), "urgent"),
    )


def columns_of(settings: ConsoleSettings, filter_: WorkFilter, view: WorkView | None) -> dict[str, str]:
    """Return the labels of the metadata keys that are columns and filters.

    Without a setting it is the key that most rows have, of several the first by name; of no row that of the filter.
    """
    if settings.case_columns:
        return {column.key: column.label for column in settings.case_columns}
    found = sorted(key for row in (() if view is None else view.rows) for key in row.item.get("metadata", ()))
    first = [key for key, _ in Counter(found).most_common(1)]  # of several the first that was counted
    return {key: f"{key[:1].upper()}{key[1:]}" for key in (*first, *filter_.metadata)}


def closed_call(filter_: WorkFilter, now: datetime) -> Call[models.HandoffList]:
    """Return the call of a page of the tab `closed`."""
    since = since_of(filter_, now)
    return operations.list_handoffs(
        {"state": "closed", "order": "newest", "since": since, "cursor": filter_.cursor, "limit": ROWS}
    )


def authorizations_call(filter_: WorkFilter, caller: str) -> Call[models.AuthorizationList]:
    """Return the call of any other page. `caller` is the person as a caller, for the tab `mine`."""
    return operations.list_authorizations(
        {
            "needs": next((needs for needs in _NEEDS if needs == filter_.tab), "person"),
            "order": filter_.order,
            "payer": filter_.payer,
            "metadata": dict(filter_.metadata),
            "claimedBy": caller if filter_.tab is Tab.MINE else filter_.claimed_by,
            "cursor": filter_.cursor,
            "limit": ROWS,
        }
    )


def since_of(filter_: WorkFilter, now: datetime) -> str:
    """Return the beginning of the days of the tab `closed`."""
    return format_time(midnight(now, filter_.days_back))


def authorizations_view(answer: models.AuthorizationList, me: str, now: datetime) -> WorkView:
    """Return the view of the authorizations that need a person. `me` is the person's name."""
    return WorkView(tuple(_row(item, me, now) for item in answer["authorizations"]), (), answer.get("next"))


def troubles_call(operator: str | None, now: datetime) -> Call[models.TroubleList]:
    """Return the call of a person's handoffs that need them first: of those that ended, since yesterday."""
    return operations.list_troubles({"operator": operator, "since": format_time(midnight(now, 1))})


def _row(item: models.WorkItem, me: str, now: datetime) -> WorkRow:
    handoff = item.get("handoff")
    holder = None if handoff is None else holder_of(handoff)
    grant = None if handoff is None else handoff.get("lastGrant")
    is_mine = holder is not None and holder.name == me
    has_link = grant is not None and is_after(grant["expiresAt"], now)
    return WorkRow(item, need_of(item), holder, is_mine=is_mine, has_link=has_link)

"""The layout of the work list. Pure."""

from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.cli.formatting import WIDE, age, local_time, stacked, table_of

Json = dict[str, Any]
_COLUMNS = ("authorization", "waits", "payer", "needs", "handoff", "who has it", "link until", "at risk")


def work_table(items: Iterable[Json], now: str, width: int) -> Table | Group:
    """Lay out the list: a table, or two lines per authorization in a narrow terminal."""
    if width < WIDE:
        return Group(*(part for item in items for part in _lines_of(item, now)))
    return table_of(_COLUMNS, (_cells(item, now) for item in items), {"waits", "link until"})


def _lines_of(item: Json, now: str) -> list[RenderableType]:
    name, waits, payer, needs, handoff, who, until, risk = _cells(item, now)
    parts = ((f"handoff {handoff}", handoff), (f"with {who}", who), (f"link until {until}", until), (risk, risk))
    return stacked(
        Text.assemble((name, "bold"), f"  {waits}  {payer}  {needs}"),
        ", ".join(text for text, is_shown in parts if is_shown),
    )


def _cells(item: Json, now: str) -> tuple[str, ...]:
    handoff: Json = item.get("handoff") or {}
    grant: Json = handoff.get("lastGrant") or {}
    until = grant.get("expiresAt")
    return (
        item["authorizationId"],
        age(item["waitingSince"], now),
        item.get("payerId", ""),
        needs_text(item),
        handoff.get("handoffId", ""),
        who_has_it(item),
        local_time(until)[11:19] if until and until > now else "",
        (handoff.get("risk") or {}).get("reason", ""),
    )


def needs_text(item: Json) -> str:
    """Describe what a person must do."""
    last: Json = item.get("lastHandoff") or {}
    if item.get("handoff"):
        return "finish the handoff"
    if item.get("actionRequiredAt") is None and last.get("agreement") == "contradicts":
        return f"{last.get('reported')} contradicts the payer"
    snapshot = item.get("coversReviewSnapshotId")
    return f"{item.get('nextAction', '')}{f', review {snapshot} first' if snapshot else ''}"


def who_has_it(item: Json) -> str:
    """Return who works on the open handoff, as far as the gateway knows."""
    handoff: Json = item.get("handoff") or {}
    claim, grant = handoff.get("claim") or {}, handoff.get("lastGrant") or {}
    request = handoff.get("request") or {}
    return str(claim.get("by") or grant.get("operator") or request.get("requestedBy") or "")

"""The handoff of an authorization that ended last, as pages show it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EndedHandoff:
    """The handoff that ended last, with the report and the payer's truth as far as they are known."""

    id: str
    result: str
    ended_by: str | None
    closed_at: str | None
    reported: str | None
    reported_by: str | None
    agreement: str | None


def ended_handoff(last: Mapping[str, Any] | None) -> EndedHandoff | None:
    """Return the view of `lastHandoff` of an authorization's record."""
    if last is None:
        return None
    return EndedHandoff(
        id=last["id"],
        result=last["result"],
        ended_by=last.get("by"),
        closed_at=last.get("closedAt"),
        reported=last.get("reported"),
        reported_by=last.get("reportedBy"),
        agreement=last.get("agreement"),
    )

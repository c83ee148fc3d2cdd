"""How old the data of a page may be, from the projector's report in the overview. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from console.api import models
from console.times import seconds_between
from schemas.api.reads import MOST_BEHIND, SILENT_SECONDS


class FreshnessState(StrEnum):
    """How current the page is."""

    FRESH = "fresh"
    BEHIND = "behind"
    SILENT = "silent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Freshness:
    """The state of the read model: the records that its projector has not read, and when it last reported."""

    state: FreshnessState
    behind: int | None = None
    reported_at: str | None = None


def freshness_of(overview: models.Overview | None) -> Freshness:
    """Return the freshness that an overview reports, by the overview's own clock."""
    if overview is None:
        return Freshness(FreshnessState.UNKNOWN)
    projector = overview["projector"]
    reported_at, behind = projector.get("at"), projector.get("behind")
    if reported_at is None:
        return Freshness(FreshnessState.SILENT)
    silence = seconds_between(reported_at, datetime.fromisoformat(overview["at"]))
    if silence > SILENT_SECONDS:
        return Freshness(FreshnessState.SILENT, behind, reported_at)
    state = FreshnessState.BEHIND if (behind or 0) > MOST_BEHIND else FreshnessState.FRESH
    return Freshness(state, behind, reported_at)

"""How old the data of a page may be, and which part of the gateway does not work, from the overview. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from console.api import Failure, GatewayProblem, models
from console.times import seconds_between
from schemas.api.reads import MOST_BEHIND, SILENT_SECONDS
from schemas.enums import PartFault


class FreshnessState(StrEnum):
    """How current the page is."""

    FRESH = "fresh"
    BEHIND = "behind"
    SILENT = "silent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Freshness:
    """The state of the read model: the records that its projector has not read, and when it last reported.

    `faults` are the gateway's parts that do not work, the worst first (`PartFault`).
    """

    state: FreshnessState
    behind: int | None = None
    reported_at: str | None = None
    faults: tuple[str, ...] = ()

    @property
    def worst(self) -> str | None:
        """The worst fault for people who work; webhooks are none of their concern."""
        return next((fault for fault in self.faults if fault != PartFault.DELIVERER), None)

    @property
    def keeps_out(self) -> bool:
        """Whether nobody gets into a payer session now."""
        return not {PartFault.KAFKA, PartFault.COLLATE}.isdisjoint(self.faults)

    @property
    def mark(self) -> str:
        """What a page says of it, for an ETag."""
        return f"{self.state}.{self.worst or ''}.{self.keeps_out:d}"


def faults_of(failure: Failure) -> tuple[str, ...]:
    """Return the faults that a problem of the overview names."""
    named = failure.members.get("faults") if isinstance(failure, GatewayProblem) else None
    return tuple(map(str, named)) if isinstance(named, list) else ()


def freshness_of(overview: models.Overview | None, faults: Sequence[str] = ()) -> Freshness:
    """Return the freshness that an overview reports, by the overview's own clock. `faults` are those without one."""
    if overview is None:
        return Freshness(FreshnessState.UNKNOWN, faults=tuple(faults))
    projector, faults = overview["projector"], tuple(overview.get("faults", ()))
    reported_at, behind = projector.get("at"), projector.get("behind")
    if reported_at is None:
        return Freshness(FreshnessState.SILENT, faults=faults)
    silence = seconds_between(reported_at, datetime.fromisoformat(overview["at"]))
    if silence > SILENT_SECONDS:
        return Freshness(FreshnessState.SILENT, behind, reported_at, faults)
    state = FreshnessState.BEHIND if (behind or 0) > MOST_BEHIND else FreshnessState.FRESH
    return Freshness(state, behind, reported_at, faults)

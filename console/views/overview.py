"""The overview: findings, the worst first, then the reasons and commands behind them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from console.api import models
from console.charts import ThroughputChart, throughput
from console.times import seconds_between
from console.views import guide
from console.views.freshness import Freshness, FreshnessState, freshness_of
from console.views.words import Tone
from schemas.api.reads import MOST_COUNTED
from schemas.enums import PartFault
from schemas.events.wait_reasons import WaitReason

DEAD_LETTERS_SHOWN = 5
"""Dead letters of the overview; their page has all."""
_SLOW_SECONDS = 120.0
_PERSON_WAITS_SECONDS = 4 * 3600.0  # as the alert CollateGatewayPersonWaits
# Reasons that end without an operator: Collate finishes a change, or a limit is reached for a time.
_ORDINARY = frozenset({"closing", "offered", "stale_read", "budget", "retry_after", "backoff"})


class FindingKind(StrEnum):
    """What is wrong, or that nothing is."""

    PART = "part"
    READ_MODEL = "read_model"
    COMMANDS_WAIT = "commands_wait"
    AT_RISK = "at_risk"
    DEAD_LETTERS = "dead_letters"
    COMMANDS_SLOW = "commands_slow"
    CALLER_FULL = "caller_full"
    PERSON_WAITS = "person_waits"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class OverviewFinding:
    """One sentence of the overview. `anchor` is its section of the operations guide."""

    kind: FindingKind
    tone: Tone
    count: int = 0
    reason: str | None = None
    since: str | None = None
    anchor: str | None = None


@dataclass(frozen=True, slots=True)
class WaitRow:
    """How many commands wait for one reason.

    Only the longest waiting commands are known. If none of them has this reason, `since` is None, and each wait is
    shorter than that of `shorter_than`, if it is known.
    """

    reason: str
    count: int
    since: str | None
    shorter_than: str | None
    anchor: str


@dataclass(frozen=True, slots=True)
class OverviewView:
    """The overview with what is computed from it."""

    overview: models.Overview
    waits: tuple[WaitRow, ...]
    chart: ThroughputChart | None
    freshness: Freshness
    findings: tuple[OverviewFinding, ...] = ()
    most_counted: int = MOST_COUNTED

    @property
    def dead_letters(self) -> int:
        """The number of dead letters."""
        return self.overview["unfinished"].get("dead_lettered", 0)

    @property
    def unfinished(self) -> int:
        """The number of commands in progress."""
        return sum(self.overview["unfinished"].values()) - self.dead_letters

    @property
    def dead(self) -> list[models.UnfinishedCommand]:
        """The oldest dead letters."""
        return self.overview["deadLetters"][:DEAD_LETTERS_SHOWN]


def overview_of(overview: models.Overview) -> OverviewView:
    """Return the view of `GET /v1/overview?history=1h`."""
    view = OverviewView(
        overview=overview,
        waits=_waits(overview["waiting"], overview["oldest"]),
        chart=throughput(overview.get("history") or ()),
        freshness=freshness_of(overview),
    )
    now = datetime.fromisoformat(overview["at"])
    quiet = (OverviewFinding(FindingKind.QUIET, Tone.GOOD),) * (view.freshness.state is FreshnessState.FRESH)
    return replace(view, findings=_findings(view, now) or quiet)


def _findings(view: OverviewView, now: datetime) -> tuple[OverviewFinding, ...]:
    """Return what an operator must know, the most urgent first."""
    found = _faults(view)
    # Without a worker, the reasons are those of the time before.
    has_worker = view.freshness.worst not in {PartFault.KAFKA, PartFault.WORKER}
    found += [
        OverviewFinding(FindingKind.COMMANDS_WAIT, Tone.BAD, row.count, row.reason, row.since, row.anchor)
        for row in view.waits
        if row.reason not in _ORDINARY and has_worker
    ]
    work = view.overview["work"]
    if work["atRisk"]:
        found.append(OverviewFinding(FindingKind.AT_RISK, Tone.WARN, work["atRisk"]))
    if view.dead_letters:
        since = view.dead[0].get("acceptedAt") if view.dead else None
        found.append(
            OverviewFinding(
                FindingKind.DEAD_LETTERS, Tone.WARN, view.dead_letters, since=since, anchor=guide.DEAD_LETTERS
            )
        )
    slow = [row for row in view.overview["oldest"] if _is_slow(row, now) and _reason(row) in {None, *_ORDINARY}]
    if slow and has_worker:
        reason, since = _reason(slow[0]), slow[0].get("acceptedAt")
        is_one = len({row["authorizationId"] for row in slow}) == 1
        anchor = guide.anchor_of(reason) if reason or is_one else guide.SEVERAL_LATE
        found.append(OverviewFinding(FindingKind.COMMANDS_SLOW, Tone.WARN, len(slow), reason, since, anchor))
    if full := view.overview.get("fullCallers"):
        found.append(OverviewFinding(FindingKind.CALLER_FULL, Tone.WARN, len(full), anchor=guide.CALLER_FULL))
    if (since := work.get("waitingSince")) and seconds_between(since, now) > _PERSON_WAITS_SECONDS:
        found.append(
            OverviewFinding(FindingKind.PERSON_WAITS, Tone.WARN, work["person"], since=since, anchor=guide.PERSON_WAITS)
        )
    return tuple(found)


def _faults(view: OverviewView) -> list[OverviewFinding]:
    """Return the parts that do not work. Where commands wait for Collate, their number says it already."""
    found = [
        OverviewFinding(
            FindingKind.PART,
            Tone.WARN if fault == PartFault.DELIVERER else Tone.BAD,
            reason=fault,
            anchor=guide.anchor_of_fault(fault),
        )
        for fault in view.freshness.faults
        if fault != PartFault.COLLATE or WaitReason.BREAKER not in view.overview["waiting"]
    ]
    if view.freshness.state is FreshnessState.SILENT:
        place = next((place for place, one in enumerate(found) if one.reason == PartFault.DELIVERER), len(found))
        since = view.freshness.reported_at
        # Without Kafka the projector has nothing to read, so its process is not gone.
        anchor = None if PartFault.KAFKA in view.freshness.faults else guide.PROCESS_GONE
        found.insert(place, OverviewFinding(FindingKind.READ_MODEL, Tone.BAD, since=since, anchor=anchor))
    return found


def _reason(command: models.UnfinishedCommand) -> str | None:
    waiting = command.get("waiting")
    return None if waiting is None else waiting["reason"]


def _is_slow(command: models.UnfinishedCommand, now: datetime) -> bool:
    accepted_at = command.get("acceptedAt")
    return accepted_at is not None and seconds_between(accepted_at, now) > _SLOW_SECONDS


def _waits(counts: Mapping[str, int], oldest: Sequence[models.UnfinishedCommand]) -> tuple[WaitRow, ...]:
    since_by_reason: dict[str | None, str] = {}
    last = None
    for command in oldest:
        if accepted_at := command.get("acceptedAt"):
            since_by_reason.setdefault(_reason(command), accepted_at)
            last = accepted_at
    rows = [
        WaitRow(reason, count, since := since_by_reason.get(reason), None if since else last, guide.anchor_of(reason))
        for reason, count in counts.items()
    ]
    return tuple(sorted(rows, key=_place))


def _place(row: WaitRow) -> tuple[bool, int, str]:
    return row.reason in _ORDINARY, -row.count, row.reason

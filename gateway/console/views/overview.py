"""The overview: findings, the worst first, then the reasons and commands behind them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.console.charts import ThroughputChart, throughput
from gateway.console.times import seconds_between
from gateway.console.views import guide
from gateway.console.views.commands import short_type
from gateway.console.views.freshness import Freshness, freshness_of

Json = Mapping[str, Any]
DEAD_LETTERS_SHOWN = 5
"""Dead letters of the overview; their page has all."""
PEOPLE_READ = 100
"""The overview reads this many authorizations that need a person; with more it shows `100 or more`."""

_SLOW_SECONDS = 120.0
_PERSON_WAITS_SECONDS = 4 * 3600.0  # as the alert CollateGatewayPersonWaits
# Reasons that end without an operator: Collate finishes a change, or a limit is reached for a time.
_ORDINARY = frozenset({"closing", "offered", "stale_read", "rate_limited", "budget", "retry_after", "backoff"})


class FindingKind(StrEnum):
    """What is wrong, or that nothing is."""

    COMMANDS_WAIT = "commands_wait"
    AT_RISK = "at_risk"
    DEAD_LETTERS = "dead_letters"
    COMMANDS_SLOW = "commands_slow"
    CALLER_FULL = "caller_full"
    PERSON_WAITS = "person_waits"
    QUIET = "quiet"


class Tone(StrEnum):
    """How urgent something is. Pages never show it by colour alone."""

    BAD = "bad"
    WARN = "warn"
    GOOD = "good"
    PLAIN = "plain"


_WEBHOOK_TONES = {"delivering": Tone.GOOD, "retrying": Tone.WARN, "held": Tone.WARN, "starting": Tone.WARN}


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
class StuckCommand:
    """A command that has not ended."""

    command_id: str
    authorization_id: str
    type: str
    caller: str
    status: str
    accepted_at: str | None
    reason: str | None
    advice: str | None
    until: str | None


@dataclass(frozen=True, slots=True)
class CallerFullRow:
    """A caller that has used up its share of an authorization."""

    authorization_id: str
    caller: str
    rejected: int


@dataclass(frozen=True, slots=True)
class PeopleCount:
    """The authorizations that need a person. `is_more`: the list has more than `count`."""

    count: int
    is_more: bool
    since: str | None
    unclaimed: int
    at_risk: int


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """One webhook subscription. `answer` and `answered_seconds` are None before the first answer."""

    name: str
    url: str
    state: str
    tone: Tone
    oldest_seconds: float
    undelivered: int
    answer: str | None
    answered_seconds: float | None


@dataclass(frozen=True, slots=True)
class WebhooksView:
    """The webhook subscriptions, and how many deliverers do not answer."""

    rows: tuple[WebhookRow, ...]
    unreachable: int


@dataclass(frozen=True, slots=True)
class OverviewView:
    """The overview. `people` is None if the work list could not be read, `webhooks` without a deliverer."""

    findings: tuple[OverviewFinding, ...]
    waits: tuple[WaitRow, ...]
    oldest: tuple[StuckCommand, ...]
    dead: tuple[StuckCommand, ...]
    full_callers: tuple[CallerFullRow, ...]
    people: PeopleCount | None
    open_handoffs: int
    dead_letters: int
    unfinished: int
    accepted: int
    finished: int
    calls: int
    chart: ThroughputChart | None
    freshness: Freshness
    webhooks: WebhooksView | None


def overview_of(overview: Json, work: Json | None) -> OverviewView:
    """Return the view of `GET /v1/overview?history=1h` and of the first page of `GET /v1/authorizations`."""
    now = datetime.fromisoformat(overview["at"])
    oldest = tuple(_stuck(command) for command in overview["oldest"])
    dead = tuple(_stuck(command) for command in overview["deadLetters"][:DEAD_LETTERS_SHOWN])
    full = tuple(
        CallerFullRow(row["authorizationId"], row["caller"], row["rejected"]) for row in overview.get("fullCallers", ())
    )
    unfinished, rates = overview["unfinished"], overview["lastMinute"]
    view = OverviewView(
        findings=(),
        waits=_waits(overview["waiting"], oldest),
        oldest=oldest,
        dead=dead,
        full_callers=full,
        people=None if work is None else _people(work),
        open_handoffs=overview["activeHandoffs"],
        dead_letters=unfinished.get("dead_lettered", 0),
        unfinished=sum(count for status, count in unfinished.items() if status != "dead_lettered"),
        accepted=rates["accepted"],
        finished=rates["finished"],
        calls=rates["attempts"],
        chart=throughput(overview.get("history") or ()),
        freshness=freshness_of(overview),
        webhooks=_webhooks(overview.get("webhooks")),
    )
    return replace(view, findings=_findings(view, now) or (OverviewFinding(FindingKind.QUIET, Tone.GOOD),))


def _findings(view: OverviewView, now: datetime) -> tuple[OverviewFinding, ...]:
    """Return what an operator must know, the most urgent first."""
    found = [
        OverviewFinding(FindingKind.COMMANDS_WAIT, Tone.BAD, row.count, row.reason, row.since, row.anchor)
        for row in view.waits
        if row.reason not in _ORDINARY
    ]
    people = view.people
    if people is not None and people.at_risk:
        found.append(OverviewFinding(FindingKind.AT_RISK, Tone.WARN, people.at_risk))
    if view.dead_letters:
        since = view.dead[0].accepted_at if view.dead else None
        found.append(
            OverviewFinding(
                FindingKind.DEAD_LETTERS, Tone.WARN, view.dead_letters, since=since, anchor=guide.DEAD_LETTERS
            )
        )
    slow = [command for command in view.oldest if _is_slow(command, now) and command.reason in {None, *_ORDINARY}]
    if slow:
        reason, since = slow[0].reason, slow[0].accepted_at
        anchor = guide.anchor_of(reason)
        found.append(OverviewFinding(FindingKind.COMMANDS_SLOW, Tone.WARN, len(slow), reason, since, anchor))
    if view.full_callers:
        found.append(
            OverviewFinding(FindingKind.CALLER_FULL, Tone.WARN, len(view.full_callers), anchor=guide.CALLER_FULL)
        )
    if people is not None and people.since and seconds_between(people.since, now) > _PERSON_WAITS_SECONDS:
        found.append(
            OverviewFinding(
                FindingKind.PERSON_WAITS, Tone.WARN, people.count, since=people.since, anchor=guide.PERSON_WAITS
            )
        )
    return tuple(found)


def _is_slow(command: StuckCommand, now: datetime) -> bool:
    return command.accepted_at is not None and seconds_between(command.accepted_at, now) > _SLOW_SECONDS


def _waits(counts: Mapping[str, int], oldest: Sequence[StuckCommand]) -> tuple[WaitRow, ...]:
    known = [command for command in oldest if command.accepted_at]
    last = known[-1].accepted_at if known else None
    rows = [
        WaitRow(
            reason,
            count,
            since := next((command.accepted_at for command in known if command.reason == reason), None),
            None if since else last,
            guide.anchor_of(reason),
        )
        for reason, count in counts.items()
    ]
    return tuple(sorted(rows, key=lambda row: (row.reason in _ORDINARY, -row.count, row.reason)))


def _people(work: Json) -> PeopleCount:
    items = work["authorizations"]
    handoffs = [item["handoff"] for item in items if item.get("handoff")]
    return PeopleCount(
        count=len(items),
        is_more=work.get("next") is not None,
        since=items[0]["waitingSince"] if items else None,
        unclaimed=sum(1 for item in items if not (item.get("handoff") or {}).get("claim")),
        at_risk=sum(1 for handoff in handoffs if handoff.get("risk")),
    )


def _webhooks(webhooks: Json | None) -> WebhooksView | None:
    if webhooks is None:
        return None
    return WebhooksView(tuple(_webhook(one) for one in webhooks["subscriptions"]), webhooks["unreachable"])


def _webhook(one: Json) -> WebhookRow:
    answer = one.get("lastAnswer")
    status = "" if answer is None or answer.get("status") is None else f"{answer['status']} "
    return WebhookRow(
        name=one["name"],
        url=one["url"],
        state=one["state"],
        tone=_WEBHOOK_TONES.get(one["state"], Tone.BAD),
        oldest_seconds=one["oldestSeconds"],
        undelivered=one["undelivered"],
        answer=None if answer is None else f"{status}{answer['result'].replace('_', ' ')}",
        answered_seconds=None if answer is None else answer["agoSeconds"],
    )


def _stuck(command: Json) -> StuckCommand:
    waiting = command.get("waiting") or {}
    return StuckCommand(
        command_id=command["commandId"],
        authorization_id=command["authorizationId"],
        type=short_type(command["type"]),
        caller=command["caller"],
        status=command["status"],
        accepted_at=command.get("acceptedAt"),
        reason=waiting.get("reason"),
        advice=waiting.get("advice"),
        until=waiting.get("until"),
    )

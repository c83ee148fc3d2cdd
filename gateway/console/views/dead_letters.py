"""Dead letters: the list, one with the forecast of each decision, and decisions about all that match a filter. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from consumers.applier.dry_run import Forecast
from gateway.console.views.content import Content, ShownFacts, content, single
from schemas.enums import PREFIX, CommandType

Json = dict[str, Any]
FILTERS: Final = ("cause", "command", "caller", "authorizationId", "since")
MOST_DECISIONS: Final = 20
"""The API decides at most this many in one request."""


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A dead letter in a list."""

    command_id: str
    kind: str
    authorization_id: str | None
    caller: str | None
    accepted_at: str | None
    dead_at: str
    cause: str
    advice: str | None
    redrive: int
    writes: int
    can_redrive: bool


@dataclass(frozen=True, slots=True)
class DeadLetterListView:
    """A page of the list. `filters` holds those that are set; `next_cursor` is None on the last page."""

    rows: tuple[DeadLetterRow, ...]
    matching: int
    left_out: int
    filters: Mapping[str, str]
    next_cursor: str | None

    @property
    def causes(self) -> tuple[tuple[str, int], ...]:
        """The causes on this page with their numbers, the most frequent first."""
        return tuple(Counter(row.cause for row in self.rows).most_common())


@dataclass(frozen=True, slots=True)
class SentWrite:
    """A write that was sent, or may have been sent, to Collate."""

    number: int
    operation: str
    handoff_id: str | None
    if_match: int | None
    first_sent_at: str | None
    ended: str | None
    may_have_arrived: bool


@dataclass(frozen=True, slots=True)
class ShownForecast:
    """The expected result of a decision. `kind` is the verdict's first word, `reason` what follows it."""

    kind: str
    reason: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class DeadLetterView:
    """One dead letter with its writes, the state at Collate and the forecasts.

    `situation` is None if Collate was not read; `redrive` is None then too.
    """

    row: DeadLetterRow
    asks: Content | None
    writes: tuple[SentWrite, ...]
    partition: int
    offset: int
    situation: ShownFacts | None
    situation_at: str | None
    redrive: ShownForecast | None
    discard: ShownForecast

    @property
    def may_have_arrived(self) -> bool:
        """Whether a write may have had an effect at Collate."""
        return any(write.may_have_arrived for write in self.writes)


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """How many dead letters have the same forecast, and one of its sentences."""

    forecast: ShownForecast
    count: int


@dataclass(frozen=True, slots=True)
class ChosenDeadLetters:
    """The dead letters that the next request decides about, as the API compares them.

    `after` is the cursor behind the decided ones. So the API decides only dead letters that the person has seen.
    """

    count: int
    digest: str
    before: str
    after: str | None = None

    @property
    def following(self) -> int:
        """How many remain after the next request."""
        return max(0, self.count - MOST_DECISIONS)


@dataclass(frozen=True, slots=True)
class BulkPlan:
    """Decisions about all dead letters that match. `forecast` covers the oldest `forecast_of`, which come next."""

    filters: Mapping[str, str]
    chosen: ChosenDeadLetters
    causes: tuple[tuple[str, int], ...]
    forecast: tuple[VerdictCount, ...]
    forecast_of: int
    unknown: int


def dead_letter_list_view(body: Json, filters: Mapping[str, str]) -> DeadLetterListView:
    """Return a page of `GET /v1/dead-letters`."""
    return DeadLetterListView(
        rows=tuple(dead_letter_row(dead_letter) for dead_letter in body["deadLetters"]),
        matching=body["matching"],
        left_out=body["leftOut"],
        filters=filters,
        next_cursor=body.get("next"),
    )


def dead_letter_row(dead_letter: Json) -> DeadLetterRow:
    """Return the public fields of a dead letter."""
    command = dead_letter.get("command")
    return DeadLetterRow(
        command_id=dead_letter["commandId"],
        kind="unreadable" if command is None else command.removeprefix(PREFIX).removesuffix(".v1"),
        authorization_id=dead_letter.get("authorizationId"),
        caller=dead_letter.get("caller"),
        accepted_at=dead_letter.get("acceptedAt"),
        dead_at=dead_letter["deadAt"],
        cause=dead_letter["cause"],
        advice=dead_letter.get("advice"),
        redrive=dead_letter["redrive"],
        writes=dead_letter["writes"],
        can_redrive=dead_letter["canRedrive"],
    )


def dead_letter_view(
    dead_letter: Json, situation: Json | None, redrive: Forecast | None, discard: Forecast
) -> DeadLetterView:
    """Return one dead letter.

    Args:
        dead_letter: the answer of `GET /v1/dead-letters/{commandId}`.
        situation: the answer of its `/situation`; None if it was not read.
        redrive: the forecast of a redrive; None if it could not be made.
        discard: the forecast of a discard.
    """
    return DeadLetterView(
        row=dead_letter_row(dead_letter),
        asks=content(dead_letter.get("asks")),
        writes=tuple(_write(write) for write in dead_letter["sent"]),
        partition=dead_letter["partition"],
        offset=dead_letter["offset"],
        situation=None if situation is None else _situation(situation),
        situation_at=None if situation is None else situation["at"],
        redrive=None if redrive is None else shown_forecast(redrive, dead_letter.get("command")),
        discard=shown_forecast(discard, dead_letter.get("command")),
    )


def shown_forecast(forecast: Forecast, command: str | None = None) -> ShownForecast:
    """Return a forecast for a page. A redriven watch command only reads from Collate."""
    first, _, rest = forecast.verdict.partition(",")
    kind, _, reason = first.partition(":")
    if kind == "write" and command == CommandType.AUTHORIZATION_WATCH:
        kind = "watch"
    if kind == "resend":
        reason = rest
    return ShownForecast(kind, reason or None, forecast.sentence)


def bulk_plan(
    listed: Json, filters: Mapping[str, str], forecasts: Iterable[ShownForecast | None], chosen: ChosenDeadLetters
) -> BulkPlan:
    """Return the plan of a decision about all that match.

    Args:
        listed: the answer of `GET /v1/dead-letters` behind `chosen.after`.
        filters: the filters that are set.
        forecasts: those of the next dead letters; None for one that could not be made.
        chosen: what the next request decides about.
    """
    made = list(forecasts)
    counted = Counter((each.kind, each.reason) for each in made if each is not None)
    example = {(each.kind, each.reason): each for each in reversed(made) if each is not None}
    return BulkPlan(
        filters=filters,
        chosen=chosen,
        causes=tuple(Counter(dead_letter["cause"] for dead_letter in listed["deadLetters"]).most_common()),
        forecast=tuple(VerdictCount(example[key], count) for key, count in counted.most_common()),
        forecast_of=len(made),
        unknown=sum(each is None for each in made),
    )


def _write(write: Json) -> SentWrite:
    return SentWrite(
        number=write["n"],
        operation=write["operation"],
        handoff_id=write.get("handoffId"),
        if_match=write.get("ifMatch"),
        first_sent_at=write.get("firstSentAt"),
        ended=write.get("ended"),
        may_have_arrived=write["mayHaveArrived"],
    )


_NOT_SHOWN: Final = frozenset({"commandId", "at", "authorizationId"})


def _situation(situation: Json) -> ShownFacts:
    flat = {name: value for name, value in situation.items() if name not in {*_NOT_SHOWN, "handoff"}}
    handoff = situation.get("handoff") or {}
    flat |= {f"handoff {name}": value for name, value in handoff.items()}
    return ShownFacts(tuple((name, single(value)) for name, value in flat.items() if value is not None))

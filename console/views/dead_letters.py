"""Dead letters: the list, one with the forecast of each decision, and decisions about all that match a filter. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from console.api import models
from console.forecast import Forecast
from console.views.content import Content, ShownFacts, content, field_name, single
from schemas.enums import CommandType
from schemas.sentences import in_words

FILTERS: Final = ("cause", "command", "caller", "authorizationId", "since")
MOST_DECISIONS: Final = 20
"""The API decides at most this many in one request."""


@dataclass(frozen=True, slots=True)
class ShownForecast:
    """The expected result of a decision. `kind` is the verdict's first word, `reason` what follows it."""

    kind: str
    reason: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class DeadLetterView:
    """One dead letter with its writes, the state at Collate and the forecasts.

    `situation` is None if Collate was not read; `redrive` is None if the forecast depends on it then.
    """

    answer: models.DeadLetterDetail
    asks: Content | None
    situation: ShownFacts | None
    situation_at: str | None
    redrive: ShownForecast | None
    discard: ShownForecast

    @property
    def may_have_arrived(self) -> bool:
        """Whether a write may have had an effect at Collate."""
        return any(write["mayHaveArrived"] for write in self.answer["sent"])


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


def causes_of(listed: models.DeadLetterList) -> tuple[tuple[str, int], ...]:
    """Return the causes of the listed dead letters with their numbers, the most frequent first."""
    return tuple(Counter(dead_letter["cause"] for dead_letter in listed["deadLetters"]).most_common())


def dead_letter_view(
    answer: models.DeadLetterDetail,
    situation: models.DeadLetterSituation | None,
    redrive: Forecast | None,
    discard: Forecast,
) -> DeadLetterView:
    """Return one dead letter.

    Args:
        answer: the answer of `GET /v1/dead-letters/{commandId}`.
        situation: the answer of its `/situation`; None if it was not read.
        redrive: the forecast of a redrive; None if it could not be made.
        discard: the forecast of a discard.
    """
    return DeadLetterView(
        answer=answer,
        asks=content(answer.get("asks")),
        situation=None if situation is None else _situation(situation),
        situation_at=None if situation is None else situation["at"],
        redrive=None if redrive is None else shown_forecast(redrive, answer.get("command")),
        discard=shown_forecast(discard, answer.get("command")),
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
    listed: models.DeadLetterList,
    filters: Mapping[str, str],
    forecasts: Iterable[ShownForecast | None],
    chosen: ChosenDeadLetters,
) -> BulkPlan:
    """Return the plan of a decision about all that match.

    Args:
        listed: the answer of `GET /v1/dead-letters` behind `chosen.after`.
        filters: the filters that are set.
        forecasts: those of the next dead letters; None for one that could not be made.
        chosen: what the next request decides about.
    """
    made = list(forecasts)
    counted = Counter((forecast.kind, forecast.reason) for forecast in made if forecast is not None)
    example = {(forecast.kind, forecast.reason): forecast for forecast in reversed(made) if forecast is not None}
    return BulkPlan(
        filters=filters,
        chosen=chosen,
        causes=causes_of(listed),
        forecast=tuple(VerdictCount(example[key], count) for key, count in counted.most_common()),
        forecast_of=len(made),
        unknown=sum(forecast is None for forecast in made),
    )


_NOT_SHOWN: Final = frozenset({"commandId", "at", "authorizationId", "handoff"})


def _situation(situation: models.DeadLetterSituation) -> ShownFacts:
    facts = {name: value for name, value in situation.items() if name not in _NOT_SHOWN}
    facts |= {f"handoff_{name}": value for name, value in situation.get("handoff", {}).items()}
    words = {"status", "nextAction", "resolution", "outcome", "handoff_state", "reviewSnapshotStatus"}
    rows = (
        (name, in_words(str(value)) if name in words else value) for name, value in facts.items() if value is not None
    )
    return ShownFacts(tuple((field_name(name), single(value)) for name, value in rows))

"""`--dry-run`: reads the current situation of each dead letter at Collate and forecasts the result of a decision."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import cast

from cli.api_client import ApiClient, RequestRejected, models, operations
from cli.dead_letters.decisions import AtCollate, DeadLetter, DryRunResult, Verb
from console.forecast import Forecast, forecast, forecast_of_discard, forecast_without_situation


def forecasts(
    gateway: ApiClient, dead_letters: Iterable[DeadLetter], verb: Verb, now: datetime
) -> Iterator[DryRunResult]:
    """Yield a forecast for each dead letter. Raises GatewayUnavailable."""
    for dead_letter in dead_letters:
        result: DryRunResult = {
            "commandId": dead_letter["commandId"],
            "authorizationId": dead_letter.get("authorizationId"),
            "cause": dead_letter["cause"],
            "verdict": "unknown",
            "says": "",
        }
        try:
            details = gateway.read(operations.read_dead_letter(dead_letter["commandId"]))
        except RequestRejected as rejection:
            yield {**result, "says": str(rejection)}
            continue
        expected = forecast_of_discard(details) if verb == "discard" else forecast_without_situation(details, now)
        try:
            situation = _situation(gateway, dead_letter["commandId"])
        except RequestRejected as rejection:
            expected = expected or Forecast("unknown", str(rejection))
            yield {**result, "verdict": expected.verdict, "says": expected.sentence}
            continue
        expected = expected or forecast(details, situation, now)
        yield {**result, "verdict": expected.verdict, "says": expected.sentence, "atCollate": _at_collate(situation)}


def _at_collate(situation: models.DeadLetterSituation | None) -> AtCollate | None:
    if situation is None:
        return None
    shown = {name: value for name, value in situation.items() if name in AtCollate.__annotations__}
    return cast("AtCollate", shown)


def _situation(gateway: ApiClient, command_id: str) -> models.DeadLetterSituation | None:
    try:
        return gateway.read(operations.read_dead_letter_situation(command_id))
    except RequestRejected as rejection:
        if rejection.slug == "authorization-not-found":
            return None
        raise

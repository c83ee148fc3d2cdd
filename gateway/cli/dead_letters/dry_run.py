"""`--dry-run`: reads the current situation of each dead letter at Collate and forecasts the result of a decision."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from consumers.applier.dry_run import forecast, forecast_of_discard
from gateway.cli.api_client import ApiClient, RequestRejected

Json = dict[str, Any]
_SHOWN = ("version", "status", "nextAction", "handoff")


def forecasts(gateway: ApiClient, dead_letters: Iterable[Json], verb: str, now: datetime) -> Iterator[Json]:
    """Yield a forecast for each dead letter. Raises GatewayUnavailable."""
    for dead_letter in dead_letters:
        command = {
            "commandId": dead_letter["commandId"],
            "authorizationId": dead_letter.get("authorizationId"),
            "cause": dead_letter["cause"],
        }
        try:
            details = dead_letter if "sent" in dead_letter else gateway.read("dead-letters", dead_letter["commandId"])
            situation = _situation(gateway, dead_letter["commandId"])
        except RequestRejected as rejection:
            yield command | {"verdict": "unknown", "says": str(rejection)}
            continue
        expected = forecast(details, situation, now) if verb == "redrive" else forecast_of_discard(details)
        at_collate = {name: situation[name] for name in _SHOWN if name in situation} if situation else None
        yield command | {"verdict": expected.verdict, "says": expected.sentence, "atCollate": at_collate}


def _situation(gateway: ApiClient, command_id: str) -> Json | None:
    try:
        situation: Json = gateway.read("dead-letters", command_id, "situation")
    except RequestRejected as rejection:
        if rejection.slug == "authorization-not-found":
            return None
        raise
    return situation

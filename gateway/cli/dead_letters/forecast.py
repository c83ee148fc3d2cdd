"""`--dry-run`: for each letter what is sent already, how its authorization is at Collate now, and what would follow."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from consumers.applier.dry_run import Forecast, forecast
from gateway.cli.api_client import ApiClient, Declined

Json = dict[str, Any]


def forecasts(gateway: ApiClient, letters: Iterable[Json], verb: str, now: datetime) -> Iterator[Json]:
    """Say what would happen to each. Raises Unanswered."""
    for letter in letters:
        command_id = letter["commandId"]
        told = {"commandId": command_id, "authorizationId": letter.get("authorizationId"), "cause": letter["cause"]}
        try:
            whole = letter if "sent" in letter else gateway.read("dead-letters", command_id)
            seen = _situation(gateway, command_id)
        except Declined as declined:
            yield told | {"verdict": "unknown", "says": str(declined)}
            continue
        found = forecast(whole, seen, now) if verb == "redrive" else _discarded(whole)
        at_collate = (
            {name: seen[name] for name in ("version", "status", "nextAction", "handoff") if name in seen}
            if seen
            else None
        )
        yield told | {"verdict": found.verdict, "says": found.sentence, "atCollate": at_collate}


def _situation(gateway: ApiClient, command_id: str) -> Json | None:
    try:
        found: Json = gateway.read("dead-letters", command_id, "situation")
    except Declined as declined:
        if declined.slug == "authorization-not-found":
            return None
        raise
    return found


def _discarded(letter: Json) -> Forecast:
    if any(write["mayHaveArrived"] for write in letter["sent"]):
        return Forecast(
            "discarded",
            "It would end as discarded. What was sent may have had its effect, which nobody will be told of: look in "
            "Collate first.",
        )
    return Forecast("discarded", "It would end as discarded; nothing of it is at Collate.")

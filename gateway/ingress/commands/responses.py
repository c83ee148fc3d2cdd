"""Responses to a command: 202 when the command is in the topic, 200 when it has finished while the request waited."""

import json
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from gateway.ingress.commands.waiters import Finished
from schemas.times import format_time


@dataclass(frozen=True, slots=True)
class CommandReceipt:
    """A command that is in the topic.

    Attributes:
        waited_seconds: The seconds of `Prefer: wait` that the gateway honoured.
        position: `<partition>-<offset>` of the record, if an endpoint serves the command's status.
        outcome: The outcome, if the command finished within `waited_seconds`.
    """

    command_id: str
    command_type: str
    authorization_id: str
    accepted_at: str
    is_replay: bool = False
    waited_seconds: int = 0
    position: str | None = None
    outcome: Finished | None = None


def command_response(receipt: CommandReceipt) -> Response:
    """Return the 202 or the 200 for a command."""
    headers = {}
    if receipt.is_replay:
        headers["idempotency-replayed"] = "true"
    if receipt.waited_seconds:
        headers["preference-applied"] = f"wait={receipt.waited_seconds}"
    if receipt.outcome is not None:
        return Response(_finished(receipt, receipt.outcome), 200, headers, "application/json")
    if receipt.position is not None:
        headers["location"] = f"/v1/commands/{receipt.command_id}?at={receipt.position}"
    return Response(_accepted(receipt), 202, headers, "application/json")


def _accepted(receipt: CommandReceipt) -> str:
    # Every value is an id, a type or a time, so nothing needs escaping.
    return (
        f'{{"commandId":"{receipt.command_id}","type":"{receipt.command_type}",'
        f'"authorizationId":"{receipt.authorization_id}","status":"accepted","acceptedAt":"{receipt.accepted_at}"}}'
    )


def _finished(receipt: CommandReceipt, outcome: Finished) -> str:
    event = outcome.event.model_dump(mode="json", by_alias=True, exclude_none=True)
    document: dict[str, Any] = {
        "commandId": event.pop("commandId"),
        "type": receipt.command_type,
        "authorizationId": receipt.authorization_id,
        "status": "finished",
        "acceptedAt": receipt.accepted_at,
    }
    if outcome.finished_at is not None:
        document["finishedAt"] = format_time(outcome.finished_at)
    for name in ("command", "caller", "attempts", "attemptsLeftOut"):
        event.pop(name, None)
    return json.dumps(document | event, separators=(",", ":"))

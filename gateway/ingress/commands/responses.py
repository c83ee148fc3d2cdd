"""Responses to a command: 202 when the command is in the topic, 200 when it has finished while the request waited.

A command that became a dead letter while the request waited gets a 202 with the status `dead_lettered`: it has not
ended.
"""

from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from gateway.ingress.commands.waiters import Finished, News, WaitingForOperator
from schemas.api.messages import CommandAccepted, CommandOutcome
from schemas.api.operation import JSON
from schemas.enums import CommandType


@dataclass(slots=True)
class CommandReceipt:
    """A command that is in the topic.

    Attributes:
        waited_seconds: The seconds of `Prefer: wait` that the gateway honoured.
        position: `<partition>-<offset>` of the record, if an endpoint serves the command's status.
        news: The outcome or the dead letter, if the command finished or became one within `waited_seconds`.
    """

    command_id: str
    command_type: CommandType
    authorization_id: str
    accepted_at: datetime
    is_replay: bool = False
    waited_seconds: int = 0
    position: str | None = None
    news: News | None = None


def command_response(receipt: CommandReceipt) -> Response:
    """Return the 202 or the 200 for a command."""
    headers: dict[str, str] = {}
    if receipt.is_replay:
        headers["idempotency-replayed"] = "true"
    if receipt.waited_seconds:
        headers["preference-applied"] = f"wait={receipt.waited_seconds}"
    if isinstance(receipt.news, Finished):
        return Response(_finished(receipt, receipt.news), 200, headers, media_type=JSON)
    if (location := location_of(receipt)) is not None:
        headers["location"] = location
    if receipt.news is not None:
        return Response(_dead_lettered(receipt, receipt.news), 202, headers, media_type=JSON)
    return Response(accepted(receipt).to_json(), 202, headers, media_type=JSON)


def location_of(receipt: CommandReceipt) -> str | None:
    """Return the path of the command's status, if an endpoint serves it."""
    return None if receipt.position is None else f"/v1/commands/{receipt.command_id}?at={receipt.position}"


def accepted(receipt: CommandReceipt) -> CommandAccepted:
    """Return the document of an accepted command."""
    return CommandAccepted.model_construct(
        command_id=receipt.command_id,
        type=receipt.command_type,
        authorization_id=receipt.authorization_id,
        accepted_at=receipt.accepted_at,
        status="accepted",
    )


def _dead_lettered(receipt: CommandReceipt, news: WaitingForOperator) -> bytes:
    event = news.event
    told = {"status": "dead_lettered", "cause": event.cause, "advice": event.advice, "redrive": event.redrive}
    return accepted(receipt).model_copy(update=told).to_json()


def _finished(receipt: CommandReceipt, outcome: Finished) -> bytes:
    event = outcome.event
    return CommandOutcome(
        command_id=receipt.command_id,
        type=event.command,
        authorization_id=receipt.authorization_id,
        accepted_at=receipt.accepted_at,
        finished_at=outcome.finished_at,
        outcome=event.outcome,
        effect=event.effect,
        reason=event.reason,
        advice=event.advice,
        handoff_id=event.handoff_id,
        version=event.version,
        redrive=event.redrive,
        metadata=event.metadata,
    ).to_json()

"""What a caller is told about its command: 202 as soon as it is kept, 200 once it has finished."""

import json
from typing import Any

from gateway.ingress.commands.waiters import Finished
from gateway.ingress.http.exchange import Answer, Headers
from schemas.times import format_time

_JSON = (b"content-type", b"application/json")
_REPLAYED = (b"idempotency-replayed", b"true")


def accepted(
    command_id: str,
    command_type: str,
    authorization_id: str,
    accepted_at: str,
    *,
    is_replay: bool,
    waited: int,
    place: str | None = None,
) -> Answer:
    """Tell that the command is kept: in `place`, where its status can be read.

    `waited` seconds of the caller's preference were honoured.
    """
    # Every value is an id, a type or a time: nothing in them needs escaping.
    body = (
        f'{{"commandId":"{command_id}","type":"{command_type}","authorizationId":"{authorization_id}",'
        f'"status":"accepted","acceptedAt":"{accepted_at}"}}'
    )
    headers = _headers(is_replay=is_replay, waited=waited)
    if place is not None:
        headers.append((b"location", f"/v1/commands/{command_id}?at={place}".encode()))
    return Answer(202, body.encode(), headers)


def finished(
    command_type: str, authorization_id: str, accepted_at: str, outcome: Finished, *, is_replay: bool, waited: int
) -> Answer:
    """Tell how the command ended."""
    event = outcome.event.model_dump(mode="json", by_alias=True, exclude_none=True)
    told: dict[str, Any] = {
        "commandId": event.pop("commandId"),
        "type": command_type,
        "authorizationId": authorization_id,
        "status": "finished",
        "acceptedAt": accepted_at,
    }
    if outcome.finished_at is not None:
        told["finishedAt"] = format_time(outcome.finished_at)
    for name in ("command", "caller", "attempts", "attemptsLeftOut"):
        event.pop(name, None)
    return Answer(
        200, json.dumps(told | event, separators=(",", ":")).encode(), _headers(is_replay=is_replay, waited=waited)
    )


def _headers(*, is_replay: bool, waited: int) -> Headers:
    headers = [_JSON]
    if is_replay:
        headers.append(_REPLAYED)
    if waited:
        headers.append((b"preference-applied", b"wait=%d" % waited))
    return headers

"""The operators' routes of the OpenAPI document: dead letters, all with permission `operate`."""

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import TypeAdapter

from schemas.api.dead_letters import (
    DeadLetterDecision,
    DeadLetterDetail,
    DeadLetterList,
    DeadLetterOriginal,
    DeadLetterSituation,
)
from schemas.field_types import Name, Slug, Word

Json = dict[str, Any]

_READ = (400, 401, 403, 404, 429, 500, 503, 504)
_LIVE = (*_READ, 409, 502)
_DECIDE = (400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503, 504)


def letter_paths(
    parameter: Callable[[str, str, Json, str], Json],
    id_pattern: str,
    *,
    answer: Callable[..., Json],
    body: Callable[..., Json],
    problems: Callable[[Iterable[int]], Json],
    kept: Callable[[], Json],
    prefer: Json,
) -> Json:
    """Return the paths, made with the document's own tools."""
    slug, word, name = (TypeAdapter(shape).json_schema() for shape in (Slug, Word, Name))
    uuid = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
    command_id = parameter("path", "commandId", uuid, "The command.")
    letter = "/v1/dead-letters/{commandId}"

    def get(operation: str, summary: str, model: Any, *parameters: Json, statuses: Iterable[int] = _READ) -> Json:
        return {
            "get": {
                "operationId": operation,
                "summary": summary,
                "description": "Needs the permission `operate`.",
                "parameters": list(parameters),
                "responses": {"200": answer(summary, model)} | problems(statuses),
            }
        }

    def post(operation: str, summary: str, description: str) -> Json:
        return {
            "post": {
                "operationId": operation,
                "summary": summary,
                "description": f"Needs the permission `operate`. {description} Send it again if the answer is lost: "
                "the letter's `redrive` makes it the same request, at any replica.",
                "parameters": [command_id, prefer],
                "requestBody": body(DeadLetterDecision, is_required=True),
                "responses": kept() | problems(_DECIDE),
            }
        }

    return {
        "/v1/dead-letters": get(
            "listDeadLetters",
            "Commands that wait for a person, oldest first.",
            DeadLetterList,
            parameter("query", "cause", slug, "Only of this cause."),
            parameter("query", "command", word, "Only of this type, in full or as in handoff.request."),
            parameter("query", "caller", name, "Only what this caller asked."),
            parameter("query", "authorizationId", {"type": "string", "pattern": id_pattern}, "Only of this one."),
            parameter("query", "since", {"type": "string", "format": "date-time"}, "Only those given up since then."),
            parameter("query", "limit", {"type": "integer", "minimum": 1, "maximum": 200}, "How many at most; 50."),
            parameter("query", "cursor", {"type": "string", "maxLength": 512}, "`next` of the answer before."),
        ),
        letter: get("readDeadLetter", "All that is public of a dead letter.", DeadLetterDetail, command_id),
        f"{letter}/original": get(
            "readDeadLetterOriginal",
            "What the caller sent, PHI included; who asks is logged.",
            DeadLetterOriginal,
            command_id,
            parameter("query", "operator", name, "Who will see it: a member of staff.") | {"required": True},
        ),
        f"{letter}/situation": get(
            "readDeadLetterSituation",
            "How its authorization is at Collate now.",
            DeadLetterSituation,
            command_id,
            statuses=_LIVE,
        ),
        f"{letter}/redrive": post(
            "redriveDeadLetter",
            "Try the command again, with what was sent so far.",
            "It ends with one more `command.finished`, or as a dead letter again.",
        ),
        f"{letter}/discard": post(
            "discardDeadLetter", "Give the command up.", "It ends with `command.finished`, outcome discarded."
        ),
    }

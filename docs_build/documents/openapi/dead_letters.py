"""The operators' routes of the OpenAPI document: dead letters. All need the permission `operate`."""

from collections.abc import Iterable

from pydantic import TypeAdapter

from docs_build.documents.openapi.parts import (
    IDENTIFIER,
    PARAMETERS,
    UUID,
    Json,
    command_responses,
    json_body,
    json_response,
    next_page,
    parameter,
    problems,
    used_parameters,
)
from schemas.api.dead_letters import (
    DeadLetterDecision,
    DeadLetterDecisions,
    DeadLetterDetail,
    DeadLetterList,
    DeadLetterOriginal,
    DeadLettersDecided,
    DeadLetterSituation,
)
from schemas.fields.scalars import Slug, Word
from schemas.fields.visible_text import SentName
from schemas.model import Model

_READ = (400, 401, 403, 404, 422, 429, 500, 503, 504)
_LIVE = (*_READ, 409, 502)
_DECIDE = (400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503, 504)
_COMMAND_ID = parameter("path", "commandId", UUID, "The command's id.")
_OPERATOR = PARAMETERS["Operator"] | {
    "description": f"{PARAMETERS['Operator']['description']} Required from a service."
}


def dead_letter_paths() -> Json:
    """Return the paths."""
    slug, word, name = (TypeAdapter(shape).json_schema() for shape in (Slug, Word, SentName))
    dead_letter = "/v1/dead-letters/{commandId}"
    return {
        "/v1/dead-letters": _get(
            "listDeadLetters",
            "Commands that wait for an operator, oldest first.",
            DeadLetterList,
            parameter("query", "cause", slug, "Only dead letters with this cause."),
            parameter("query", "command", word, "Only commands of this type: the full type, or as in handoff.request."),
            parameter("query", "caller", name, "Only commands of this caller."),
            parameter("query", "authorizationId", IDENTIFIER, "Only commands for this authorization."),
            parameter(
                "query", "since", {"type": "string", "format": "date-time"}, "Only dead letters since this time."
            ),
            parameter(
                "query", "before", {"type": "string", "format": "date-time"}, "Only dead letters before this time."
            ),
            parameter(
                "query",
                "digest",
                {"type": "string", "enum": ["true"]},
                "`true`: also the digest of all matching dead letters.",
            ),
            *used_parameters("Limit", "Cursor"),
        ),
        "/v1/dead-letters/decisions": {
            "post": {
                "operationId": "decideDeadLetters",
                "tags": ["dead-letters"],
                "summary": "Redrive or discard all dead letters that match, in steps of at most 20.",
                "description": "409 if the matching dead letters are not those of `count` and `digest`: nothing was "
                "decided. Send the next request with `remaining`, `digest` and `next` of the response.",
                "parameters": [],
                "requestBody": json_body(DeadLetterDecisions, is_required=True),
                "responses": {"200": json_response("What was decided, and what remains.", DeadLettersDecided)}
                | problems(_DECIDE),
            }
        },
        dead_letter: _get("readDeadLetter", "All public fields of a dead letter.", DeadLetterDetail, _COMMAND_ID),
        f"{dead_letter}/original": _get(
            "readDeadLetterOriginal",
            "The original data, with PHI. The read is on record before the response leaves.",
            DeadLetterOriginal,
            _COMMAND_ID,
            _OPERATOR,
        ),
        f"{dead_letter}/situation": _get(
            "readDeadLetterSituation",
            "The current state of its authorization at Collate.",
            DeadLetterSituation,
            _COMMAND_ID,
            statuses=_LIVE,
        ),
        f"{dead_letter}/redrive": _post(
            "redriveDeadLetter",
            "Retry the command with its recorded writes.",
            "It ends with one more `command.finished`, or as a dead letter again.",
        ),
        f"{dead_letter}/discard": _post(
            "discardDeadLetter", "Discard the command.", "It ends with `command.finished`, outcome discarded."
        ),
    }


def _get(operation: str, summary: str, model: type[Model], *parameters: Json, statuses: Iterable[int] = _READ) -> Json:
    following = next_page(operation, parameters)
    return {
        "get": {
            "operationId": operation,
            "tags": ["dead-letters"],
            "summary": summary,
            "description": "Needs the permission `operate`.",
            "parameters": list(parameters),
            "responses": {"200": json_response(summary, model, **following)} | problems(statuses),
        }
    }


def _post(operation: str, summary: str, description: str) -> Json:
    return {
        "post": {
            "operationId": operation,
            "tags": ["dead-letters"],
            "summary": summary,
            "description": f"Needs the permission `operate`. {description} If the response is lost, send the request "
            "again: the dead letter's `redrive` makes it the same request, at any replica.",
            "parameters": [_COMMAND_ID, *used_parameters("Prefer")],
            "requestBody": json_body(DeadLetterDecision, is_required=True),
            "responses": command_responses() | problems(_DECIDE),
        }
    }

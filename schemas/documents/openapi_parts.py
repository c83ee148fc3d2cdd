"""Parts that the paths of the OpenAPI document share: parameters, bodies, responses and problems."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter

from schemas.api.messages import CommandAccepted, CommandOutcome, ProblemDetails
from schemas.fields.visible_text import SentName
from schemas.model import Model

Json = dict[str, Any]

ID_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$"
IDENTIFIER: Json = {"type": "string", "pattern": ID_PATTERN}
UUID: Json = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}

_PROBLEMS: Mapping[int, str] = {
    400: "The JSON, a header or the path is invalid. `errors` names the place.",
    401: "The credential is missing or unknown, or a signature is not accepted here.",
    403: "The caller lacks the permission.",
    404: "Not found.",
    408: "The body did not arrive in time.",
    409: "Not possible now; `reason` has the reason.",
    413: "The body is larger than 64 KiB, or a batch of commands larger than 512 KiB.",
    414: "The URL is longer than 4 KiB.",
    415: "The media type is not supported.",
    422: "The body does not fit its schema, or the key was used with another body before.",
    429: "The caller exceeds its rate.",
    431: "The request has more than 64 headers, or more than 16 KiB of headers.",
    500: "Internal error.",
    501: "The transfer coding of the body is not `chunked`.",
    502: "Collate's response is not usable.",
    503: "Not available now. A command's state is unknown unless `kept` is `no`: retry with the same key.",
    504: "The request took too long. As with 503, retry with the same key.",
    505: "The HTTP version is not 1.0 or 1.1.",
}
_WITH_RETRY_AFTER = frozenset({429, 503, 504})
_FOR_ALL_ROUTES = (414, 431, 501, 505)


def parameter(place: str, name: str, schema: Json, description: str) -> Json:
    """Return a parameter; `place` is path, query or header. Only path parameters are required."""
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "schema": schema,
        "description": description,
    }


AUTHORIZATION_ID = parameter("path", "authorizationId", IDENTIFIER, "Collate's id of the authorization.")
OPERATOR = parameter(
    "query",
    "operator",
    TypeAdapter(SentName).json_schema(),
    "The member of staff who will read it. A person's own token says it.",
)
LIMIT = parameter("query", "limit", {"type": "integer", "minimum": 1, "maximum": 200}, "The page size; default: 50.")
CURSOR = parameter("query", "cursor", {"type": "string", "maxLength": 512}, "`next` of the previous page.")
PREFER = parameter(
    "header",
    "Prefer",
    {"type": "string"},
    "`wait=N` (RFC 7240): respond 200 with the outcome if the command ends within N seconds, at most 30. The response "
    "is 202 at once if the command becomes a dead letter, if too many requests wait, or if the client closes its side.",
)
REQUEST_ID = parameter(
    "header",
    "X-Request-Id",
    {"type": "string"},
    "The response and the log repeat it if it has at most 64 characters of A-Z a-z 0-9 . _ -.",
)


def json_body(model: type[Model], *, is_required: bool) -> Json:
    """Return a request body."""
    return {"required": is_required, "content": {"application/json": {"schema": _reference(model)}}}


def json_response(description: str, model: type[Model], headers: Json | None = None) -> Json:
    """Return a response with a JSON body."""
    response: Json = {"description": description, "content": {"application/json": {"schema": _reference(model)}}}
    return response | ({"headers": headers} if headers else {})


def command_responses() -> Json:
    """Return the successful responses to a command, by status."""
    text = {"schema": {"type": "string"}}
    replayed = {"Idempotency-Replayed": text | {"description": "`true` for a retry of a known command."}}
    applied = {"Preference-Applied": text | {"description": "`wait=N` if the gateway waited."}}
    location = {"Location": text | {"description": "The URL of the command's status, if a read model is installed."}}
    return {
        "200": json_response("The command has finished, with any outcome.", CommandOutcome, replayed | applied),
        "202": json_response(
            "The command is stored; it will end with one `command.finished`. A status `dead_lettered` is not the end.",
            CommandAccepted,
            replayed | applied | location,
        ),
    }


def problems(statuses: Iterable[int]) -> Json:
    """Return the problem responses for these statuses, and for those that every route has."""
    found: Json = {}
    for status in sorted({*statuses, *_FOR_ALL_ROUTES}):
        found |= problem(status)
    return found


def problem(status: int, model: type[Model] = ProblemDetails) -> Json:
    """Return the problem response of one status, with this body."""
    content = {"application/problem+json": {"schema": _reference(model)}}
    response: Json = {"description": _PROBLEMS[status], "content": content}
    if status in _WITH_RETRY_AFTER:
        response["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}}
    return {str(status): response}


def _reference(model: type[Model]) -> Json:
    return {"$ref": f"#/components/schemas/{model.__name__}"}

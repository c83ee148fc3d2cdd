"""The read routes of the OpenAPI document."""

from schemas.api.reads import AuthorizationStatus, CommandStatus, HandoffList, Overview, Timeline
from schemas.documents.openapi_parts import (
    AUTHORIZATION_ID,
    CURSOR,
    LIMIT,
    UUID,
    Json,
    json_response,
    parameter,
    problems,
)
from schemas.model import Model

_STATUSES = (400, 401, 403, 404, 429, 500, 503, 504)
_ETAG: Json = {"ETag": {"schema": {"type": "string"}, "description": "For If-None-Match: 304 if nothing has changed."}}
_UNCHANGED: Json = {"description": "Nothing has changed since the ETag in If-None-Match."}
_IF_NONE_MATCH = parameter("header", "If-None-Match", {"type": "string"}, "The ETag of an earlier response.")


def read_paths() -> Json:
    """Return the paths."""
    at = {"type": "string", "pattern": "^[0-9]{1,9}-[0-9]{1,18}$"}
    state = {"enum": ["active", "closed"]}
    return {
        "/v1/commands/{commandId}": _get(
            "readCommand",
            "The status of a command: your own, or any with authorization:read.",
            CommandStatus,
            parameter("path", "commandId", UUID, "The commandId of the 202."),
            parameter(
                "query",
                "at",
                at,
                "From the Location of the 202: `accepted` instead of 404 until the command is in the read model.",
            ),
        ),
        "/v1/authorizations/{authorizationId}": _get(
            "readAuthorization", "The status of an authorization.", AuthorizationStatus, AUTHORIZATION_ID
        ),
        "/v1/authorizations/{authorizationId}/timeline": _get(
            "readTimeline",
            "The commands, attempts and events of an authorization, in order.",
            Timeline,
            AUTHORIZATION_ID,
            LIMIT,
            CURSOR,
        ),
        "/v1/handoffs": _get(
            "listHandoffs",
            "Handoffs in one state, the oldest first.",
            HandoffList,
            parameter("query", "state", state, "active (the default) or closed."),
            LIMIT,
            CURSOR,
        ),
        "/v1/overview": _get("readOverview", "The state of the whole gateway.", Overview),
    }


def _get(name: str, summary: str, model: type[Model], *parameters: Json) -> Json:
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "description": "503 while the read model is not available, 404 without a read model. "
            "Neither affects commands.",
            "parameters": [*parameters, _IF_NONE_MATCH],
            "responses": {"200": json_response(summary, model, _ETAG), "304": _UNCHANGED} | problems(_STATUSES),
        }
    }

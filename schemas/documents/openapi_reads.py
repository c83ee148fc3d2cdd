"""The read routes of the OpenAPI document."""

from collections.abc import Callable, Iterable
from typing import Any

from schemas.api.reads import AuthorizationStatus, CommandStatus, HandoffList, Overview, Timeline

Json = dict[str, Any]

_STATUSES = (400, 401, 403, 404, 429, 500, 503, 504)
_ETAG: Json = {
    "ETag": {"schema": {"type": "string"}, "description": "Send it as If-None-Match: 304 if it still is so."}
}
_UNCHANGED: Json = {"description": "What you have is what there is."}


def read_paths(
    parameter: Callable[[str, str, Json, str], Json],
    id_pattern: str,
    answer: Callable[[str, Any, Json], Json],
    problems: Callable[[Iterable[int]], Json],
) -> Json:
    """Return the paths, made with the document's own tools."""
    identifier = {"type": "string", "pattern": id_pattern}
    authorization = parameter("path", "authorizationId", identifier, "Collate's id of the authorization.")
    limit = parameter("query", "limit", {"type": "integer", "minimum": 1, "maximum": 200}, "How many at most; 50.")
    cursor = parameter("query", "cursor", {"type": "string", "maxLength": 512}, "`next` of the answer before.")
    if_none_match = parameter("header", "If-None-Match", {"type": "string"}, "The ETag of what you have.")

    def get(name: str, summary: str, model: Any, *parameters: Json) -> Json:
        responses = {"200": answer(summary, model, _ETAG), "304": _UNCHANGED} | problems(_STATUSES)
        return {
            "get": {
                "operationId": name,
                "summary": summary,
                "description": "503 while status can't be read, 404 where none is kept; commands are taken as ever.",
                "parameters": [*parameters, if_none_match],
                "responses": responses,
            }
        }

    uuid = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
    at = {"type": "string", "pattern": "^[0-9]{1,9}-[0-9]{1,18}$"}
    state = {"enum": ["active", "closed"]}
    return {
        "/v1/commands/{commandId}": get(
            "readCommand",
            "How a command is: your own, or any with authorization:read.",
            CommandStatus,
            parameter("path", "commandId", uuid, "The commandId of the 202."),
            parameter("query", "at", at, "From the 202's Location: says `accepted` instead of 404 until it is read."),
        ),
        "/v1/authorizations/{authorizationId}": get(
            "readAuthorization", "How an authorization is.", AuthorizationStatus, authorization
        ),
        "/v1/authorizations/{authorizationId}/timeline": get(
            "readTimeline",
            "What was asked, attempted and happened, in order.",
            Timeline,
            authorization,
            limit,
            cursor,
        ),
        "/v1/handoffs": get(
            "listHandoffs",
            "Handoffs by age: a work list.",
            HandoffList,
            parameter("query", "state", state, "active (so if absent) or closed."),
            limit,
            cursor,
        ),
        "/v1/overview": get("readOverview", "The whole gateway at a glance.", Overview),
    }

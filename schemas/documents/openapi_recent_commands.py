"""The operators' route of the OpenAPI document that empties recent commands. It needs the permission `operate`."""

from schemas.api.recent_commands import RecentCommandsAccepted, RecentCommandsDecision
from schemas.documents.openapi_parts import (
    AUTHORIZATION_ID,
    REQUEST_ID,
    Json,
    json_body,
    json_response,
    problems,
)

_STATUSES = (400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503, 504)


def recent_commands_paths(idempotency_key: Json) -> Json:
    """Return the paths."""
    accepted = "The decision is accepted; `authorization.recent_commands_emptied` follows."
    return {
        "/v1/authorizations/{authorizationId}/recent-commands/empty": {
            "post": {
                "operationId": "emptyRecentCommands",
                "summary": "Let the gateway forget recent commands, so that a caller's new commands have room.",
                "description": "Needs the permission `operate`. A repeat of a forgotten command is a new command: it "
                "may take effect a second time. A retry with the same Idempotency-Key is the same decision.",
                "parameters": [AUTHORIZATION_ID, idempotency_key, REQUEST_ID],
                "requestBody": json_body(RecentCommandsDecision, is_required=True),
                "responses": {"202": json_response(accepted, RecentCommandsAccepted)} | problems(_STATUSES),
            }
        }
    }

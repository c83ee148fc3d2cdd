"""The operators' routes of the OpenAPI document about one authorization. They need the permission `operate`."""

from docs_build.documents.openapi.parts import (
    Json,
    json_body,
    json_response,
    problems,
    used_parameters,
)
from schemas.api.operator_decisions import (
    RecentCommandsAccepted,
    RecentCommandsDecision,
    VersionFloorAccepted,
    VersionFloorDecision,
)
from schemas.model import Model

_STATUSES = (400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503, 504)
_AUTHORIZATION = "/v1/authorizations/{authorizationId}"


def operator_decision_paths() -> Json:
    """Return the paths."""
    return {
        f"{_AUTHORIZATION}/recent-commands/empty": _decision(
            "emptyRecentCommands",
            "Let the gateway forget recent commands, so that a caller's new commands have room.",
            "A repeat of a forgotten command is a new command: it may take effect a second time.",
            (RecentCommandsDecision, RecentCommandsAccepted, "authorization.recent_commands_emptied"),
        ),
        f"{_AUTHORIZATION}/version-floor/lower": _decision(
            "lowerVersionFloor",
            "Let the gateway accept lower versions, after Collate was restored from a backup.",
            "The gateway follows what Collate shows now: an authorization that had settled is watched again, and a "
            "handoff that Collate no longer knows has ended.",
            (VersionFloorDecision, VersionFloorAccepted, "authorization.version_floor_lowered"),
        ),
    }


def _decision(
    operation: str,
    summary: str,
    effect: str,
    models: tuple[type[Model], type[Model], str],
) -> Json:
    body, accepted, event = models
    return {
        "post": {
            "operationId": operation,
            "tags": ["operators"],
            "summary": summary,
            "description": f"Needs the permission `operate`. {effect} A retry with the same Idempotency-Key is the "
            "same decision.",
            "parameters": used_parameters("AuthorizationId", "IdempotencyKey", "RequestId"),
            "requestBody": json_body(body, is_required=True),
            "responses": {"202": json_response(f"The decision is accepted; `{event}` follows.", accepted)}
            | problems(_STATUSES),
        }
    }

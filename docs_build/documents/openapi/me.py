"""The route of the OpenAPI document that tells callers who they are."""

from docs_build.documents.openapi.parts import Json, json_response, problems, used_parameters
from schemas.api.me import Me

_STATUSES = (400, 401, 429, 500, 503)


def me_paths() -> Json:
    """Return the paths."""
    return {
        "/v1/me": {
            "get": {
                "operationId": "readMe",
                "tags": ["caller"],
                "summary": "Who you are, and what you may do.",
                "description": "Needs no permission. For people, the names in their requests come from their token: "
                "`operator`, `requestedBy`, `acceptedBy` and `reportedBy` may be left out.",
                "parameters": used_parameters("RequestId"),
                "responses": {"200": json_response("The caller.", Me)} | problems(_STATUSES),
            }
        }
    }

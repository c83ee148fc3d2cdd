"""The routes of the OpenAPI document about the live payer session. The gateway calls Collate and stores no content."""

from collections.abc import Iterable

from docs_build.documents.openapi.parts import (
    Json,
    access_conflict,
    json_body,
    json_response,
    links,
    parameter,
    problems,
    used_parameters,
)
from schemas.api.messages import AccessGrantBody, AccessGranted, PayerEvidence, ReleaseAccepted, ReleaseBody, Review
from schemas.api.situations import LiveHandoff

_AUTHORIZATION = "/v1/authorizations/{authorizationId}"
_HANDOFF = f"{_AUTHORIZATION}/handoffs/{{handoffId}}"
_LIVE = (404, 409, 502)
_READ = (400, 401, 403, 422, 429, 500, 503, 504, *_LIVE)


def live_paths(rejections: Iterable[int]) -> Json:
    """Return the paths. `rejections`: the statuses of the problems of a request with a body."""
    rejections = tuple(rejections)
    return {
        _HANDOFF: {"get": _handoff()},
        f"{_HANDOFF}/access-grants": {"post": _grant(rejections)},
        f"{_HANDOFF}/release": {"post": _release(rejections)},
        f"{_AUTHORIZATION}/review-snapshot": {"get": _review()},
        f"{_AUTHORIZATION}/payer-evidence": {"get": _evidence()},
    }


def _grant(rejections: tuple[int, ...]) -> Json:
    granted = json_response(
        "The link. The grant is recorded, without the link.",
        AccessGranted,
        links=links(close="CloseOfGrantedHandoff"),
    )
    return {
        "operationId": "createAccessGrant",
        "tags": ["sessions"],
        "summary": "Create a short-lived link into the live payer session; `active` means the running handoff.",
        "description": "A retry with the same Idempotency-Key returns the same grant; without a key, a new grant. A "
        "person's first grant claims the handoff; another person gets 409 `handoff-claimed`, unless they send "
        "`takeOver: true`. `claimCheck: required`: 503 `claim-unknown` if claims are "
        "unknown. Keep the link in memory only, and drop it at the event `handoff.closed`: no operator may "
        "work in the session after that. `handoff.at_risk` with `grant_expiring` says when a new link is needed.",
        "parameters": used_parameters("AuthorizationId", "HandoffId", "OptionalIdempotencyKey", "RequestId"),
        "requestBody": json_body(AccessGrantBody, is_required=True),
        "responses": {"201": granted} | problems((*rejections, *_LIVE)) | access_conflict(),
    }


def _handoff() -> Json:
    omitted = parameter(
        "query",
        "message",
        {"type": "string", "enum": ["omit"]},
        "omit: without Collate's message. Such a read is not on record, and works while Kafka is away.",
    )
    return {
        "operationId": "readHandoff",
        "tags": ["sessions"],
        "summary": "Read an authorization and its handoff from Collate now; `active` means the running handoff.",
        "description": "Needs the permission `handoff:grant`, and no read model. All viewers share one read for 5 s; "
        "`at` says when. A read of a handoff is on record before the response leaves: `authorization.content_read`.",
        "parameters": [*used_parameters("AuthorizationId", "HandoffId", "Operator", "RequestId"), omitted],
        "responses": {"200": json_response("The state at Collate.", LiveHandoff)} | problems(_READ),
    }


def _release(rejections: tuple[int, ...]) -> Json:
    return {
        "operationId": "releaseHandoff",
        "tags": ["sessions"],
        "summary": "Give back a handoff that you have claimed. For people, with their own token.",
        "description": "Needs the permission `handoff:grant`. It changes nothing if no person has claimed the handoff, "
        "or if another person has.",
        "parameters": used_parameters("AuthorizationId", "HandoffId", "RequestId"),
        "requestBody": json_body(ReleaseBody, is_required=False),
        "responses": {"202": json_response("The release is recorded.", ReleaseAccepted)} | problems(rejections),
    }


def _review() -> Json:
    snapshot = json_response("Collate's current snapshot.", Review, links=links(request="HandoffOfReview"))
    return {
        "operationId": "readReviewSnapshot",
        "tags": ["sessions"],
        "summary": "Read the snapshot that a reviewer must accept before a handoff.",
        "description": "The read is on record before the response leaves: `authorization.content_read`.",
        "parameters": used_parameters("AuthorizationId", "Operator", "RequestId"),
        "responses": {"200": snapshot} | problems(_READ),
    }


def _evidence() -> Json:
    return {
        "operationId": "readPayerEvidence",
        "tags": ["sessions"],
        "summary": "Read the payer's receipt and decision as Collate shows them: the payer's truth.",
        "description": "Needs the permission `authorization:evidence`. The read is on record before the response "
        "leaves: `authorization.content_read`. The gateway stores nothing of it.",
        "parameters": used_parameters("AuthorizationId", "Operator", "RequestId"),
        "responses": {"200": json_response("What the payer said.", PayerEvidence)} | problems(_READ),
    }

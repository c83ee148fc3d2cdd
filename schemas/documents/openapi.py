"""The OpenAPI 3.1 document of the ingress, made from the models.

A test compares its `paths` with the ingress's routes. CloudEvents' binary mode is described in prose: OpenAPI cannot
require certain headers for one media type only.
"""

from collections.abc import Iterable, Iterator, Mapping

from schemas.api.dead_letters import DEAD_LETTER_BODIES
from schemas.api.lists import LISTS
from schemas.api.me import Me
from schemas.api.messages import (
    AccessGrantBody,
    AccessGranted,
    AccessProblemDetails,
    BatchedCommands,
    CommandAccepted,
    CommandOutcome,
    PayerEvidence,
    ProblemDetails,
    ReleaseAccepted,
    ReleaseBody,
    Review,
)
from schemas.api.operator_decisions import (
    RecentCommandsAccepted,
    RecentCommandsDecision,
    VersionFloorAccepted,
    VersionFloorDecision,
)
from schemas.api.reads import READS
from schemas.commands import COMMANDS, PUBLIC_COMMANDS, AuthorizationWatch, HandoffCloseBody, HandoffRequest
from schemas.documents.json_schema import component_schemas
from schemas.documents.openapi_cloudevents import cloudevents
from schemas.documents.openapi_dead_letters import dead_letter_paths
from schemas.documents.openapi_me import me_paths
from schemas.documents.openapi_operator_decisions import operator_decision_paths
from schemas.documents.openapi_parts import (
    AUTHORIZATION_ID,
    IDENTIFIER,
    OPERATOR,
    PREFER,
    REQUEST_ID,
    Json,
    command_responses,
    json_body,
    json_response,
    parameter,
    problem,
    problems,
)
from schemas.documents.openapi_reads import read_paths
from schemas.events import EVENTS
from schemas.model import Model

VERSION = "1.0.0"

_MODELS: tuple[type[Model], ...] = (
    HandoffRequest,
    HandoffCloseBody,
    AuthorizationWatch,
    *(COMMANDS[name] for name in sorted(PUBLIC_COMMANDS)),
    AccessGrantBody,
    CommandAccepted,
    CommandOutcome,
    BatchedCommands,
    AccessGranted,
    ReleaseBody,
    ReleaseAccepted,
    Review,
    PayerEvidence,
    AccessProblemDetails,
    ProblemDetails,
    *READS,
    *LISTS,
    *DEAD_LETTER_BODIES,
    RecentCommandsDecision,
    RecentCommandsAccepted,
    VersionFloorDecision,
    VersionFloorAccepted,
    Me,
)
_COMMAND_EXAMPLE = {
    "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
    "type": "collate-gateway.handoff.request.v1",
    "authorizationId": "auth_7Q2M",
    "status": "accepted",
    "acceptedAt": "2026-06-02T14:06:00.120000Z",
}
_EXAMPLES: Mapping[str, Json] = {
    "HandoffCloseBody": {
        "result": {"type": "completed", "reportedOutcome": "submitted", "observedReferenceNumber": "REF-0042"},
        "metadata": {"case": "case-0042"},
    },
    "AccessGrantBody": {"operator": "op-7"},
    "Me": {
        "caller": "people:jo.miller",
        "kind": "person",
        "person": "jo.miller",
        "permissions": ["authorization:read", "handoff:grant"],
        "limits": {"requestsPerSecond": 200.0, "burst": 400, "streams": 20, "waitingRequests": 100},
    },
    "CommandAccepted": _COMMAND_EXAMPLE,
    "CommandOutcome": _COMMAND_EXAMPLE
    | {
        "status": "finished",
        "finishedAt": "2026-06-02T14:06:01Z",
        "outcome": "applied",
        "effect": "ours",
        "handoffId": "mhand_55",
        "version": 24,
    },
    "AccessGranted": {
        "handoffId": "mhand_55",
        "id": "rag_EXAMPLE",
        "url": "https://collate.example/runtime/access/rag_EXAMPLE",
        "expiresAt": "2026-06-02T14:15:00Z",
    },
    "Review": {
        "authorizationId": "auth_7Q2M",
        "version": 23,
        "coversReviewSnapshotId": "rev_90",
        "reviewSnapshot": {"id": "rev_90", "status": "current", "summary": {}},
    },
    "ProblemDetails": {
        "type": "urn:collate-gateway:problem:invalid-command",
        "title": "The command does not fit its schema",
        "status": 422,
        "detail": "Correct the fields named in `errors`; nothing was stored.",
        "requestId": "8deacda0e5f320c0",
        "errors": [{"pointer": "/result/reason", "detail": "expected a value: the field is required"}],
    },
}

_BODY = (400, 401, 403, 408, 413, 415, 422, 429, 500, 503, 504)
_LIVE = (404, 409, 502)


def openapi() -> Json:
    """Return the document."""
    authorization = "/v1/authorizations/{authorizationId}"
    handoff = f"{authorization}/handoffs/{{handoffId}}"
    reads = read_paths()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Collate handoff gateway",
            "version": VERSION,
            "description": (
                "The gateway stores a command in Kafka and responds 202. The outcome is on the events topic, in "
                "GET /v1/events, or in the response itself with `Prefer: wait`. New fields appear without notice: "
                "ignore unknown ones. Errors are RFC 9457 problems and never repeat the request's values."
            ),
        },
        "servers": [{"url": "/"}],
        "security": [{"credential": []}],
        "paths": {
            f"{authorization}/handoffs": {
                "post": _command("requestHandoff", "Request a manual handoff.", HandoffRequest)
            },
            f"{handoff}/close": {
                "post": _command("closeHandoff", "Close a handoff with the operator's report.", HandoffCloseBody)
            },
            f"{authorization}/watch": {
                "post": _command("watchAuthorization", "Watch an authorization until it settles.", AuthorizationWatch)
            },
            "/v1/commands": {"post": cloudevents(_BODY)} | reads.pop("/v1/commands"),
            f"{handoff}/access-grants": {"post": _grant()},
            f"{handoff}/release": {"post": _release()},
            f"{authorization}/review-snapshot": {"get": _review()},
            f"{authorization}/payer-evidence": {"get": _evidence()},
            "/v1/events": {"get": _events()},
            "/openapi.json": {"get": _document("openApi", "This document.")},
            "/asyncapi.json": {"get": _document("asyncApi", "The topics and events.")},
        }
        | reads
        | operator_decision_paths(_idempotency_key(is_required=True))
        | me_paths()
        | dead_letter_paths(),
        "components": {
            "schemas": _schemas(_MODELS),
            "securitySchemes": {
                "credential": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The API key of your service (`cgk_…`), or a token of a trusted issuer, of "
                    "your service or of a person.",
                },
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "webhook-signature",
                    "description": "A Standard Webhooks signature, only for a structured CloudEvent or a batch to POST "
                    "/v1/commands: it covers the body, but not the method, path and query. `webhook-id` is the event's "
                    "`id`, `webhook-timestamp` is at most 5 minutes old, and the first `?caller=` names the signer.",
                },
            },
        },
    }


def _command(name: str, summary: str, body: type[Model]) -> Json:
    return {
        "operationId": name,
        "summary": summary,
        "description": "A retry with the same Idempotency-Key is the same command, at any replica.",
        "parameters": [*_path_parameters(name), _idempotency_key(is_required=True), PREFER, REQUEST_ID],
        "requestBody": json_body(body, is_required=body is HandoffCloseBody),
        "responses": command_responses() | problems(_BODY),
    }


def _grant() -> Json:
    granted = json_response("The link. The grant is recorded, without the link.", AccessGranted)
    return {
        "operationId": "createAccessGrant",
        "summary": "Create a short-lived link into the live payer session; `active` means the running handoff.",
        "description": "A retry with the same Idempotency-Key returns the same grant; without a key, a new grant. A "
        "person's first grant claims the handoff; another person gets 409 `handoff-claimed`, unless they send "
        "`takeOver: true`. Keep the link in memory only, and drop it at the event `handoff.closed`: no operator may "
        "work in the session after that. `handoff.at_risk` with `grant_expiring` says when a new link is needed.",
        "parameters": [*_path_parameters("createAccessGrant"), _idempotency_key(is_required=False), REQUEST_ID],
        "requestBody": json_body(AccessGrantBody, is_required=True),
        "responses": {"201": granted} | problems((*_BODY, *_LIVE)) | problem(409, AccessProblemDetails),
    }


def _release() -> Json:
    return {
        "operationId": "releaseHandoff",
        "summary": "Give back a handoff that you have claimed. For people, with their own token.",
        "description": "Needs the permission `handoff:grant`. It changes nothing if another person has claimed the "
        "handoff, or nobody.",
        "parameters": [*_path_parameters("createAccessGrant"), REQUEST_ID],
        "requestBody": json_body(ReleaseBody, is_required=False),
        "responses": {"202": json_response("The release is recorded.", ReleaseAccepted)} | problems(_BODY),
    }


def _review() -> Json:
    return {
        "operationId": "readReviewSnapshot",
        "summary": "Read the snapshot that a reviewer must accept before a handoff.",
        "description": "The read is on record before the response leaves: `authorization.content_read`.",
        "parameters": [*_path_parameters("readReviewSnapshot"), OPERATOR, REQUEST_ID],
        "responses": {"200": json_response("Collate's current snapshot.", Review)}
        | problems((400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504)),
    }


def _evidence() -> Json:
    return {
        "operationId": "readPayerEvidence",
        "summary": "Read the payer's receipt and decision as Collate shows them: the payer's truth.",
        "description": "Needs the permission `authorization:evidence`. The read is on record before the response "
        "leaves: `authorization.content_read`. The gateway stores nothing of it.",
        "parameters": [AUTHORIZATION_ID, OPERATOR, REQUEST_ID],
        "responses": {"200": json_response("What the payer said.", PayerEvidence)}
        | problems((400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504)),
    }


def _events() -> Json:
    words = {"type": "array", "items": {"enum": sorted(EVENTS)}, "maxItems": 100}
    ids = {"type": "array", "items": IDENTIFIER, "maxItems": 100}
    return {
        "operationId": "streamEvents",
        "summary": "Stream the events as server-sent events.",
        "description": (
            "`data` is a CloudEvent in structured mode, `event` is its type. To resume, send the last `id` as "
            "Last-Event-ID. If the gateway ends a stream, its last event `stream.ended` has the reason."
        ),
        "parameters": [
            parameter("query", "type", words, "Only events of these types."),
            parameter("query", "authorizationId", ids, "Only events of these authorizations."),
            parameter(
                "header",
                "Last-Event-ID",
                {"type": "string", "pattern": r"^([0-9]{1,18}(\.[0-9]{1,18})*)?$"},
                "The id of the last event received; empty means none.",
            ),
            REQUEST_ID,
        ],
        "responses": {
            "200": {
                "description": "The events from now on, or after Last-Event-ID.",
                # The schema has no type: some tools apply it to the whole text, others to one event.
                "content": {"text/event-stream": {"schema": {"description": "The events in order."}}},
            }
        }
        | problems((400, 401, 403, 429, 500, 503)),
    }


def _document(name: str, summary: str) -> Json:
    return {
        "operationId": name,
        "summary": summary,
        "security": [],
        "responses": {"200": {"description": summary, "content": {"application/json": {"schema": {"type": "object"}}}}}
        | problems((500, 503)),
    }


def _path_parameters(operation: str) -> Iterator[Json]:
    yield AUTHORIZATION_ID
    if operation in {"closeHandoff", "createAccessGrant"}:
        yield parameter("path", "handoffId", IDENTIFIER, "Collate's id of the handoff.")


def _idempotency_key(*, is_required: bool) -> Json:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": is_required,
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": r'^([!#-+\--\[\]-~]+|"([ !#-\[\]-~]|\\["\\])+")$',
        },
        "description": "A new key for each command, the same key for its retries; quoted or unquoted.",
        "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
    }


def _schemas(models: Iterable[type[Model]]) -> Json:
    found: Json = {}
    for model in models:
        found |= component_schemas(model)
        if model.__name__ in _EXAMPLES:
            found[model.__name__]["examples"] = [_EXAMPLES[model.__name__]]
    return dict(sorted(found.items()))

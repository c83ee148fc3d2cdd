"""The OpenAPI 3.1 document of the ingress, made from the models.

A test compares its `paths` with the ingress's routes. CloudEvents' binary mode is described in prose: OpenAPI cannot
require certain headers for one media type only.
"""

from collections.abc import Iterable, Iterator, Mapping

from schemas.api.dead_letters import DEAD_LETTER_BODIES
from schemas.api.messages import AccessGrantBody, AccessGranted, CommandAccepted, CommandOutcome, ProblemDetails, Review
from schemas.api.reads import READS
from schemas.api.recent_commands import RecentCommandsAccepted, RecentCommandsDecision
from schemas.commands import COMMANDS, PUBLIC_COMMANDS, AuthorizationWatch, HandoffCloseBody, HandoffRequest
from schemas.documents.json_schema import component_schemas
from schemas.documents.openapi_dead_letters import dead_letter_paths
from schemas.documents.openapi_parts import (
    AUTHORIZATION_ID,
    IDENTIFIER,
    PREFER,
    REQUEST_ID,
    Json,
    command_responses,
    json_body,
    json_response,
    parameter,
    problems,
)
from schemas.documents.openapi_reads import read_paths
from schemas.documents.openapi_recent_commands import recent_commands_paths
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
    AccessGranted,
    Review,
    ProblemDetails,
    *READS,
    *DEAD_LETTER_BODIES,
    RecentCommandsDecision,
    RecentCommandsAccepted,
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
# CloudEvents 1.0 section 3.1: the text of an attribute and the name of an extension.
_ATTRIBUTE = {"type": "string", "minLength": 1, "pattern": r"^[^\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]*$"}
_EXTENSION = "^[a-z0-9]{1,64}$"


def openapi() -> Json:
    """Return the document."""
    authorization = "/v1/authorizations/{authorizationId}"
    handoff = f"{authorization}/handoffs/{{handoffId}}"
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
            "/v1/commands": {"post": _cloudevent()},
            f"{handoff}/access-grants": {"post": _grant()},
            f"{authorization}/review-snapshot": {"get": _review()},
            "/v1/events": {"get": _events()},
            "/openapi.json": {"get": _document("openApi", "This document.")},
            "/asyncapi.json": {"get": _document("asyncApi", "The topics and events.")},
        }
        | read_paths()
        | recent_commands_paths(_idempotency_key(is_required=True))
        | dead_letter_paths(),
        "components": {
            "schemas": _schemas(_MODELS),
            "securitySchemes": {
                "credential": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The API key of your service (`cgk_…`), or a token of a trusted issuer.",
                },
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "webhook-signature",
                    "description": "A Standard Webhooks signature, only for a structured CloudEvent to POST "
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


def _cloudevent() -> Json:
    variants = [_event_schema(name) for name in sorted(PUBLIC_COMMANDS)]
    return {
        "operationId": "sendCommand",
        "summary": "Send any command as a CloudEvent 1.0.",
        "description": (
            "This describes structured mode. Binary mode is accepted too: the data as application/json, the attributes "
            "as `ce-` headers. `source` and `id` are the idempotency key; `subject` is the authorization's id. "
            "Structured mode may be signed instead of carrying an API key or a token: see `signature`."
        ),
        "security": [{"credential": []}, {"signature": []}],
        "parameters": [PREFER, REQUEST_ID],
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {
                    "schema": {"oneOf": variants},
                    "example": {
                        "specversion": "1.0",
                        "id": "7d1f0c9a",
                        "source": "/scheduling",
                        "type": "collate-gateway.authorization.watch.v1",
                        "subject": "auth_7Q2M",
                        "data": {},
                    },
                }
            },
        },
        "responses": command_responses() | problems(_BODY),
    }


def _event_schema(name: str) -> Json:
    needs_data = any(field.is_required() for field in COMMANDS[name].model_fields.values())
    extension = [_ATTRIBUTE | {"minLength": 0}, {"type": "boolean"}, {"type": "integer", "format": "int32"}]
    return {
        "type": "object",
        "propertyNames": {"pattern": _EXTENSION},
        "additionalProperties": {"anyOf": [*extension, {"type": "null"}]},
        "properties": {
            "specversion": {"const": "1.0"},
            "id": _ATTRIBUTE,
            "source": _ATTRIBUTE,
            "type": {"const": name},
            "subject": IDENTIFIER,
            "datacontenttype": {"const": "application/json"},
            "data": {"$ref": f"#/components/schemas/{COMMANDS[name].__name__}"},
        },
        "required": ["specversion", "id", "source", "type", "subject", *(["data"] if needs_data else [])],
    }


def _grant() -> Json:
    granted = json_response("The link. The grant is recorded, without the link.", AccessGranted)
    return {
        "operationId": "createAccessGrant",
        "summary": "Create a short-lived link into the live payer session; `active` means the running handoff.",
        "description": "A retry with the same Idempotency-Key returns the same grant; without a key, a new grant.",
        "parameters": [*_path_parameters("createAccessGrant"), _idempotency_key(is_required=False), REQUEST_ID],
        "requestBody": json_body(AccessGrantBody, is_required=True),
        "responses": {"201": granted} | problems((*_BODY, *_LIVE)),
    }


def _review() -> Json:
    return {
        "operationId": "readReviewSnapshot",
        "summary": "Read the snapshot that a reviewer must accept before a handoff.",
        "parameters": [*_path_parameters("readReviewSnapshot"), REQUEST_ID],
        "responses": {"200": json_response("Collate's current snapshot.", Review)}
        | problems((400, 401, 403, 404, 409, 429, 500, 502, 503, 504)),
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

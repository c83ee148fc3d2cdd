"""OpenAPI 3.1 of the ingress, from the models: what a caller may send and what it can hear.

The ingress's routes are compared with `paths` by a test. CloudEvents' binary mode stands in prose: OpenAPI can't say
"these headers with that media type".
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from schemas.api.dead_letters import DEAD_LETTER_BODIES
from schemas.api.messages import AccessGrantBody, AccessGranted, CommandAccepted, CommandOutcome, ProblemDetails, Review
from schemas.api.reads import READS
from schemas.commands import COMMANDS, PUBLIC_COMMANDS, AuthorizationWatch, HandoffCloseBody, HandoffRequest
from schemas.documents.json_schema import json_schema
from schemas.documents.openapi_dead_letters import letter_paths
from schemas.documents.openapi_reads import read_paths
from schemas.events import EVENTS
from schemas.model import Model

VERSION = "1.0.0"
Json = dict[str, Any]

_ID_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$"
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
        "detail": "Correct the fields named in `errors`; nothing was kept.",
        "requestId": "8deacda0e5f320c0",
        "errors": [{"pointer": "/result/reason", "detail": "expected to be there: it is required"}],
    },
}

# What each status means wherever it stands; `Retry-After` comes with those that ask for it.
_PROBLEMS: Mapping[int, str] = {
    400: "Not readable: JSON, a header or the path. `errors` says where.",
    401: "No credential, or none that is known.",
    403: "The caller lacks the permission.",
    404: "Not found.",
    408: "The body did not arrive in time.",
    409: "Not possible now; `reason` says why.",
    413: "The body is larger than 64 KiB.",
    414: "The URL is longer than 4 KiB.",
    415: "Not a media type that is read here.",
    422: "The body does not fit its schema, or the key came with another body before.",
    429: "The caller is over its rate.",
    431: "More than 64 headers, or more than 16 KiB of them.",
    500: "We failed.",
    502: "Collate's answer could not be used.",
    503: "Not now. For a command: unknown unless `kept` is `no`; send the same request with the same key again.",
    504: "It took too long; as with 503, send the same request with the same key again.",
}
_PATIENCE = frozenset({429, 503, 504})
_BODY = (400, 401, 403, 408, 413, 415, 422, 429, 500, 503, 504)
_LIVE = (404, 409, 502)
_ANYWHERE = (414, 431)
# CloudEvents 1.0, 3.1: what an attribute's text is, and how an extension is named.
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
                "Commands are kept in Kafka and answered 202; what became of them is on the events topic, in "
                "GET /v1/events, or in the answer itself with `Prefer: wait`. Fields are added without notice: "
                "ignore what you do not know. Errors are RFC 9457 and never repeat what was sent."
            ),
        },
        "servers": [{"url": "/"}],
        "security": [{"credential": []}],
        "paths": {
            f"{authorization}/handoffs": {
                "post": _command("requestHandoff", "Ask for a manual handoff.", HandoffRequest)
            },
            f"{handoff}/close": {
                "post": _command("closeHandoff", "Close a handoff with what the operator reports.", HandoffCloseBody)
            },
            f"{authorization}/watch": {
                "post": _command("watchAuthorization", "Follow an authorization until it settles.", AuthorizationWatch)
            },
            "/v1/commands": {"post": _cloudevent()},
            f"{handoff}/access-grants": {"post": _grant()},
            f"{authorization}/review-snapshot": {"get": _review()},
            "/v1/events": {"get": _events()},
            "/openapi.json": {"get": _document("openApi", "This document.")},
            "/asyncapi.json": {"get": _document("asyncApi", "Topics and events.")},
        }
        | read_paths(_parameter, _ID_PATTERN, _json_answer, _problems)
        | letter_paths(
            _parameter,
            _ID_PATTERN,
            answer=_json_answer,
            body=_json_body,
            problems=_problems,
            kept=_kept,
            prefer=_PREFER,
        ),
        "components": {
            "schemas": _schemas(_MODELS),
            "securitySchemes": {
                "credential": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The API key that was issued to your service (`cgk_…`), or a token of an issuer "
                    "that the operators trust. Standard Webhooks signatures are taken as well, at every address: "
                    "the first `?caller=` names the signer, `webhook-id` is the idempotency key.",
                }
            },
        },
    }


def _command(name: str, summary: str, body: type[Model]) -> Json:
    return {
        "operationId": name,
        "summary": summary,
        "description": "Retry with the same Idempotency-Key: it stays one command, at any replica.",
        "parameters": [*_path_parameters(name), _idempotency_key(is_required=True), _PREFER, _REQUEST_ID],
        "requestBody": _json_body(body, is_required=body is HandoffCloseBody),
        "responses": _kept() | _problems(_BODY),
    }


def _cloudevent() -> Json:
    variants = [_event_schema(name) for name in sorted(PUBLIC_COMMANDS)]
    return {
        "operationId": "sendCommand",
        "summary": "Send any of the commands as a CloudEvent 1.0.",
        "description": (
            "Structured mode as described here; binary mode as well: the data as application/json, the attributes as "
            "`ce-` headers. `source` and `id` are the idempotency key; `subject` is the authorization's id."
        ),
        "parameters": [_PREFER, _REQUEST_ID],
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
        "responses": _kept() | _problems(_BODY),
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
            "subject": {"type": "string", "pattern": _ID_PATTERN},
            "datacontenttype": {"const": "application/json"},
            "data": {"$ref": f"#/components/schemas/{COMMANDS[name].__name__}"},
        },
        "required": ["specversion", "id", "source", "type", "subject", *(["data"] if needs_data else [])],
    }


def _grant() -> Json:
    granted = _json_answer("A link. It is on record, and in no log, topic or database.", AccessGranted)
    return {
        "operationId": "createAccessGrant",
        "summary": "Get a short-lived link into the live payer session; `active` names the running handoff.",
        "description": "With an Idempotency-Key a retry after a lost answer is the same mint; without one, another.",
        "parameters": [*_path_parameters("createAccessGrant"), _idempotency_key(is_required=False), _REQUEST_ID],
        "requestBody": _json_body(AccessGrantBody, is_required=True),
        "responses": {"201": granted} | _problems((*_BODY, *_LIVE)),
    }


def _review() -> Json:
    return {
        "operationId": "readReviewSnapshot",
        "summary": "Read what a reviewer must see before a handoff that covers it.",
        "parameters": [*_path_parameters("readReviewSnapshot"), _REQUEST_ID],
        "responses": {"200": _json_answer("The snapshot as Collate has it now.", Review)}
        | _problems((400, 401, 403, 404, 409, 429, 500, 502, 503, 504)),
    }


def _events() -> Json:
    words = {"type": "array", "items": {"enum": sorted(EVENTS)}, "maxItems": 100}
    ids = {"type": "array", "items": {"type": "string", "pattern": _ID_PATTERN}, "maxItems": 100}
    return {
        "operationId": "streamEvents",
        "summary": "Follow the events as server-sent events.",
        "description": (
            "`data` is a CloudEvent in structured mode, `event` its type. Send the last `id` as Last-Event-ID to go on "
            "where you were. A stream that we end says why in `stream.ended`."
        ),
        "parameters": [
            _parameter("query", "type", words, "Only these types."),
            _parameter("query", "authorizationId", ids, "Only these authorizations."),
            _parameter(
                "header",
                "Last-Event-ID",
                {"type": "string", "pattern": r"^([0-9]{1,18}(\.[0-9]{1,18})*)?$"},
                "The id of the last event that you have; empty is none.",
            ),
            _REQUEST_ID,
        ],
        "responses": {
            "200": {
                "description": "Events, from now on or from where you were.",
                # Without a type: to some readers it describes the whole text, to others one event.
                "content": {"text/event-stream": {"schema": {"description": "Events, one after the other."}}},
            }
        }
        | _problems((400, 401, 403, 429, 500, 503)),
    }


def _document(name: str, summary: str) -> Json:
    return {
        "operationId": name,
        "summary": summary,
        "security": [],
        "responses": {"200": {"description": summary, "content": {"application/json": {"schema": {"type": "object"}}}}}
        | _problems((500, 503)),
    }


def _path_parameters(operation: str) -> Iterator[Json]:
    identifier = {"type": "string", "pattern": _ID_PATTERN}
    yield _parameter("path", "authorizationId", identifier, "Collate's id of the authorization.")
    if operation in {"closeHandoff", "createAccessGrant"}:
        yield _parameter("path", "handoffId", identifier, "Collate's id of the handoff.")


def _parameter(place: str, name: str, schema: Json, description: str) -> Json:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "schema": schema,
        "description": description,
    }


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
        "description": "Fresh for every command, the same for its retries; quoted or bare.",
        "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
    }


_PREFER: Json = _parameter(
    "header",
    "Prefer",
    {"type": "string"},
    "`wait=N` (RFC 7240): answer 200 with the outcome if it comes within N seconds, at most 30.",
)
_REQUEST_ID: Json = _parameter(
    "header",
    "X-Request-Id",
    {"type": "string"},
    "Comes back and stands in our log, if it is at most 64 of A-Z a-z 0-9 . _ -.",
)


def _json_body(model: type[Model], *, is_required: bool) -> Json:
    return {"required": is_required, "content": {"application/json": {"schema": _reference(model)}}}


def _json_answer(description: str, model: type[Model], headers: Json | None = None) -> Json:
    answer: Json = {"description": description, "content": {"application/json": {"schema": _reference(model)}}}
    return answer | ({"headers": headers} if headers else {})


def _kept() -> Json:
    text = {"schema": {"type": "string"}}
    replayed = {"Idempotency-Replayed": text | {"description": "`true` where a repeat was recognized."}}
    applied = {"Preference-Applied": text | {"description": "`wait=N` where it was honoured."}}
    location = {"Location": text | {"description": "Where its status is read, if this installation keeps status."}}
    kept = replayed | applied | location
    return {
        "200": _json_answer("Finished, whatever the outcome.", CommandOutcome, replayed | applied),
        "202": _json_answer("Kept; it will end with one `command.finished`.", CommandAccepted, kept),
    }


def _problems(statuses: Iterable[int]) -> Json:
    found: Json = {}
    for status in sorted({*statuses, *_ANYWHERE}):
        content = {"application/problem+json": {"schema": _reference(ProblemDetails)}}
        found[str(status)] = {"description": _PROBLEMS[status], "content": content}
        if status in _PATIENCE:
            found[str(status)]["headers"] = {
                "Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}
            }
    return found


def _reference(model: type[Model]) -> Json:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _schemas(models: Iterable[type[Model]]) -> Json:
    """Put every model, and what it refers to, side by side; a definition stays its owner's."""
    found: Json = {}
    for model in models:
        schema = json_schema(model)
        schema.pop("$schema")
        schema.pop("$id", None)
        inner = {f"{model.__name__}.{name}": value for name, value in schema.pop("$defs", {}).items()}
        if model.__name__ in _EXAMPLES:
            schema["examples"] = [_EXAMPLES[model.__name__]]
        found |= {name: _moved(value, model.__name__) for name, value in {model.__name__: schema, **inner}.items()}
    return dict(sorted(found.items()))


def _moved(schema: Any, owner: str) -> Any:
    if isinstance(schema, list):
        return [_moved(item, owner) for item in schema]
    if isinstance(schema, str):
        return schema.replace("#/$defs/", f"#/components/schemas/{owner}.")
    if not isinstance(schema, dict):
        return schema
    return {key: _moved(value, owner) for key, value in schema.items()}

"""The OpenAPI 3.1 document of the ingress, made from the models.

A test compares its `paths` with the ingress's routes, and `make clients` generates clients from it. CloudEvents' binary
mode is described in prose: see `cloudevents`.
"""

from typing import Final

from docs_build.documents.openapi.cloudevents import SIGNATURE_SCHEMES, cloudevents, event_schemas
from docs_build.documents.openapi.components import component_schemas, reference, with_names_of_words
from docs_build.documents.openapi.dead_letters import dead_letter_paths
from docs_build.documents.openapi.examples import EXAMPLES
from docs_build.documents.openapi.live import live_paths
from docs_build.documents.openapi.me import me_paths
from docs_build.documents.openapi.operator_decisions import operator_decision_paths
from docs_build.documents.openapi.parts import (
    IDENTIFIER,
    Json,
    command_responses,
    components,
    json_body,
    parameter,
    problems,
    used_parameters,
)
from docs_build.documents.openapi.reads import PARAMETER_WORDS, read_paths
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
from schemas.api.situations import LiveHandoff
from schemas.commands import COMMANDS, PUBLIC_COMMANDS, AuthorizationWatch, HandoffCloseBody, HandoffRequest
from schemas.events import EVENTS
from schemas.model import Model

VERSION: Final = "1.0.0"
"""The version of the contract, not of the gateway: docs/changing.md has the rule, a test checks it."""

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
    LiveHandoff,
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
_TAGS: Final[Json] = {
    "commands": "Request and close handoffs, watch authorizations, and read the status of commands.",
    "sessions": "Live calls for the people who work in a payer session: grants, review, evidence. They are not queued.",
    "authorizations": "The work list, authorizations, handoffs and timelines from the read model.",
    "events": "What happened, as a stream of CloudEvents.",
    "dead-letters": "Commands that wait for an operator's decision. They need the permission `operate`.",
    "operators": "The state of the gateway, and decisions of operators about one authorization.",
    "caller": "The caller and its permissions.",
    "documents": "The published documents. They need no credential.",
}
_BODY = (400, 401, 403, 408, 413, 415, 422, 429, 500, 503, 504)


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
                "ignore unknown ones. Errors are RFC 9457 problems and never repeat the request's values. "
                "`info.version` is the version of this contract: a minor version adds to it, a patch changes words."
            ),
        },
        "servers": [{"url": "/"}],
        "security": [{"credential": []}],
        "tags": [{"name": name, "description": description} for name, description in _TAGS.items()],
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
            **live_paths(_BODY),
            "/v1/events": {"get": _events()},
            "/openapi.json": {"get": _document("openApi", "This document.")},
            "/asyncapi.json": {"get": _document("asyncApi", "The topics and events.")},
        }
        | reads
        | operator_decision_paths()
        | me_paths()
        | dead_letter_paths(),
        "components": {
            "schemas": _schemas(),
            **components(),
            "securitySchemes": {
                "credential": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The API key of your service (`cgk_…`), or a token of a trusted issuer, of "
                    "your service or of a person.",
                },
                **SIGNATURE_SCHEMES,
            },
        },
    }


def _command(name: str, summary: str, body: type[Model]) -> Json:
    path = ("AuthorizationId", "HandoffId") if body is HandoffCloseBody else ("AuthorizationId",)
    return {
        "operationId": name,
        "tags": ["commands"],
        "summary": summary,
        "description": "A retry with the same Idempotency-Key is the same command, at any replica.",
        "parameters": used_parameters(*path, "IdempotencyKey", "Prefer", "RequestId"),
        "requestBody": json_body(body, is_required=body is HandoffCloseBody),
        "responses": command_responses() | problems(_BODY),
    }


def _events() -> Json:
    words = {"type": "array", "items": reference("EventType"), "maxItems": 100}
    ids = {"type": "array", "items": IDENTIFIER, "maxItems": 100}
    return {
        "operationId": "streamEvents",
        "tags": ["events"],
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
            *used_parameters("RequestId"),
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
        "tags": ["documents"],
        "summary": summary,
        "security": [],
        "responses": {"200": {"description": summary, "content": {"application/json": {"schema": {"type": "object"}}}}}
        | problems((500, 503)),
    }


def _schemas() -> Json:
    words = {name: {"title": name, "type": "string"} | schema for name, schema in PARAMETER_WORDS.items()}
    types = {"title": "EventType", "description": "The types of events.", "type": "string", "enum": sorted(EVENTS)}
    found = component_schemas(_MODELS) | event_schemas() | words | {"EventType": types}
    for name, example in EXAMPLES.items():
        found[name]["examples"] = [example]
    return with_names_of_words(dict(sorted(found.items())))

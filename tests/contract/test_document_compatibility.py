"""An incompatible change planted in today's documents is found by comparing them with the real baseline."""

import json

import pytest

from schemas.documents import publish
from schemas.documents.compatibility import openapi_breaks
from schemas.events import EVENTS
from tests.contract.planted import planted


def parameters_of(item):
    return item.get("get", {}).get("parameters", ())


CLOSE = "/v1/authorizations/{authorizationId}/handoffs/{handoffId}/close"
CLOSING = ("paths", CLOSE, "post")
STREAM = ("paths", "/v1/events", "get")
COMPONENTS = ("components", "schemas")
EVENTS_CHANNEL = ("channels", "events")
RESULT = "/properties/result/properties/reportedOutcome"
DATA = f"properties/data{RESULT}"
ID = "/properties/commandId"
BATCHED = "BatchedCommands/properties/results/items/properties/command"
REPORTED = f"HandoffCloseBody{RESULT}"
OPENED = ("components", "messages", "HandoffOpened")
PATHS = json.loads(publish.read("openapi.json"))["paths"]
STORED = json.loads(publish.read("openapi.json"))["components"]["responses"]["CommandStored"]
HEADERS = STORED["headers"]
NO_BODY = [f"post {CLOSE} 202 application/json: is gone"]
NO_HEADERS = [f"post {CLOSE} 202 {header}: is gone" for header in HEADERS]
LIMIT = ("components", "parameters", "Limit", "schema")
LISTS = [path for path, item in PATHS.items() if {"$ref": "#/components/parameters/Limit"} in parameters_of(item)]


@pytest.mark.parametrize(
    ("way", "value", "found"),
    [
        (("paths", CLOSE), ..., [f"post {CLOSE}: is gone"]),
        (CLOSING, ..., [f"post {CLOSE}: is gone"]),
        ((*CLOSING, "operationId"), "close", [f"post {CLOSE}: operationId has changed"]),
        ((*CLOSING, "security"), [{"other": []}], [f"post {CLOSE}: needs another credential"]),
        (("paths", "/openapi.json", "get", "security"), ..., ["get /openapi.json: needs another credential"]),
        ((*CLOSING, "requestBody"), ..., [f"post {CLOSE} body application/json: is gone"]),
        (
            (*CLOSING, "requestBody", "content", "application/json"),
            ...,
            [f"post {CLOSE} body application/json: is gone"],
        ),
        ((*CLOSING, "responses", "202"), ..., [f"post {CLOSE}: no longer has the response 202"]),
        ((*CLOSING, "responses", "409"), {"description": "New."}, []),
        (
            (*CLOSING, "responses", "503"),
            {"$ref": "#/components/responses/InternalError"},
            [f"post {CLOSE} 503 Retry-After: is gone"],
        ),
        ((*CLOSING, "responses", "202"), {"description": "Empty.", "headers": HEADERS}, NO_BODY),
        ((*CLOSING, "responses", "202", "$ref"), "#/components/responses/NotModified", [*NO_BODY, *NO_HEADERS]),
        ((*STREAM, "parameters", 0), ..., ["get /v1/events query type: is gone"]),
        ((*STREAM, "parameters", 0, "required"), True, ["get /v1/events query type: is required now"]),
        (
            (*STREAM, "parameters", 0, "schema", "items", "enum"),
            sorted(EVENTS)[1:],
            [f"get /v1/events query type/items: enum was narrowed, {min(EVENTS)} is gone"],
        ),
        (
            (*STREAM, "parameters", 0, "schema", "maxItems"),
            9,
            ["get /v1/events query type: maxItems was lowered"],
        ),
        (
            (*STREAM, "parameters"),
            [{"name": "since", "in": "query", "required": True, "schema": {}}],
            [
                "get /v1/events query since: is required now",
                "get /v1/events query type: is gone",
                "get /v1/events query authorizationId: is gone",
                "get /v1/events header Last-Event-ID: is gone",
                "get /v1/events header X-Request-Id: is gone",
            ],
        ),
        # A shared part breaks each operation that has it.
        ((*LIMIT, "maximum"), 100, [f"get {path} query limit: maximum was lowered" for path in LISTS]),
        (
            (*COMPONENTS, "CommandAccepted", "properties", "commandId"),
            ...,
            [f"CommandAccepted{ID}: property is gone", f"{BATCHED}{ID}: property is gone"],
        ),
        (
            (*COMPONENTS, "CommandAccepted", "required"),
            ["type", "authorizationId", "acceptedAt", "status"],
            [f"CommandAccepted{ID}: may now be absent", f"{BATCHED}{ID}: may now be absent"],
        ),
        (
            (*COMPONENTS, "AccessGrantBody", "required"),
            ["reason"],
            ["AccessGrantBody/properties/reason: is required now"],
        ),
        (
            (*COMPONENTS, "ReportedOutcome", "enum"),
            ["submitted", "decision_observed", "not_required_observed"],
            [
                f"{at}: enum was narrowed, follow_up_required_observed is gone"
                for at in (REPORTED, f"CommandEvent/{DATA}", f"CommandEventBatch/items/{DATA}")
            ],
        ),
        ((*COMPONENTS, "CommandAccepted", "properties", "new"), {"type": "string"}, []),
        ((*COMPONENTS, "AccessGrantBody", "properties", "new"), {"type": "string"}, []),
    ],
)
def test_an_incompatible_change_of_openapi_is_found(monkeypatch, way, value, found):
    assert_caught(monkeypatch, "openapi.json", way, value, found)


@pytest.mark.parametrize(
    ("way", "value", "found"),
    [
        (EVENTS_CHANNEL, ..., ["events: is gone"]),
        ((*EVENTS_CHANNEL, "address"), "other.events", ["events: address has changed"]),
        ((*EVENTS_CHANNEL, "messages", "HandoffOpened"), ..., ["events HandoffOpened: is gone"]),
        ((*OPENED, "name"), "collate-gateway.handoff.opened.v2", ["events HandoffOpened: name has changed"]),
        ((*OPENED, "contentType"), "text/plain", ["events HandoffOpened: contentType has changed"]),
        (
            (*OPENED, "headers"),
            {"$ref": "#/components/schemas/deadLetterHeaders"},
            [
                "events HandoffOpened headers/properties/ce_sequence: property is gone",
                "events HandoffOpened headers/properties/ce_causationid: property is gone",
                "events HandoffOpened headers/properties/ce_sequence: may now be absent",
                "events HandoffOpened headers/properties/ce_subject: may now be absent",
            ],
        ),
        (
            (*COMPONENTS, "eventHeaders", "properties", "ce_sequence"),
            ...,
            ["eventHeaders/properties/ce_sequence: property is gone"],
        ),
        (
            (*COMPONENTS, "HandoffOpened", "properties", "handoffId"),
            ...,
            ["HandoffOpened/properties/handoffId: property is gone"],
        ),
        ((*COMPONENTS, "HandoffOpened", "properties", "new"), {"type": "string"}, []),
        ((*COMPONENTS, "HandoffClose", "required"), ["result"], []),
        ((*EVENTS_CHANNEL, "messages", "New"), {"$ref": "#/components/messages/HandoffOpened"}, []),
    ],
)
def test_an_incompatible_change_of_asyncapi_is_found(monkeypatch, way, value, found):
    assert_caught(monkeypatch, "asyncapi.json", way, value, found)


def test_a_header_that_leaves_a_shared_response_is_found_at_each_operation(monkeypatch):
    released = json.loads((publish.RELEASED / "openapi.json").read_text())
    limited = [
        f"{method} {path} 429 Retry-After: is gone"
        for path, operations in released["paths"].items()
        for method, operation in operations.items()
        if "429" in operation["responses"]
    ]
    assert len(limited) > 15
    assert_caught(monkeypatch, "openapi.json", ("components", "responses", "TooManyRequests", "headers"), {}, limited)


def test_removing_any_route_or_field_of_openapi_is_found():
    released = json.loads((publish.RELEASED / "openapi.json").read_text())
    without_routes = released | {"paths": {}}
    routes = [f"{method} {path}: is gone" for path, methods in released["paths"].items() for method in methods]
    assert list(openapi_breaks(released, without_routes)) == routes
    for component, schema in released["components"]["schemas"].items():
        found = "\n".join(openapi_breaks(released, planted(released, (*COMPONENTS, component, "properties"), {})))
        unseen = [
            field for field in schema.get("properties", ()) if f"/properties/{field}: property is gone" not in found
        ]
        assert unseen == [], component


def assert_caught(monkeypatch, path, way, value, found):
    today = publish.documents()
    # Any change needs a greater version; a test of the version is elsewhere.
    changed = planted(planted(today[path], way, value), ("info", "version"), "1.99.0")
    monkeypatch.setattr(publish, "documents", lambda: today | {path: changed})
    assert list(publish.release_breaks()) == [f"{path}: {what}" for what in found]

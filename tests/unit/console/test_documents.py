"""The served OpenAPI and AsyncAPI documents as pages."""

import json

from gateway.console.views.documents import examples_of, message_page, messages_of, operation_page, operations_of
from schemas.published import read

OPENAPI, ASYNCAPI = json.loads(read("openapi.json")), json.loads(read("asyncapi.json"))


def test_every_operation_and_message_has_a_page():
    for line in operations_of(OPENAPI):
        page = operation_page(OPENAPI, line.id)
        assert page is not None
        assert page.responses
    for line in messages_of(ASYNCAPI):
        assert message_page(ASYNCAPI, line.id) is not None


def test_a_page_names_each_field_with_its_type_and_those_inside_it():
    [path] = [line.id for line in operations_of(OPENAPI) if line.path.endswith("/{handoffId}/close")]
    page = operation_page(OPENAPI, path)
    assert page is not None
    fields = {(row.name, row.depth): row for row in page.body}
    assert fields["result", 0].is_required
    assert "reportedOutcome" in {row.name for row in page.body if row.depth == 1}


def test_a_message_shows_its_attributes_and_an_example_as_a_cloudevent():
    page = message_page(ASYNCAPI, "HandoffOpened")
    assert page is not None
    attributes = {row.name: row for row in page.attributes}
    assert attributes["sequence"].is_required
    assert "leading zeros" in attributes["sequence"].description
    assert {"id", "source", "type", "dataschema", "causationid"} <= set(attributes)
    assert page.example is not None
    assert page.example["dataschema"] == "urn:collate-gateway:handoff:opened:v1"
    assert len(page.example["sequence"]) == 20
    assert page.example["data"]["handoffId"]


def test_the_body_of_a_curl_command_is_the_documents_example():
    [id_] = [line.id for line in operations_of(OPENAPI) if line.path.endswith("/{handoffId}/close")]
    examples = examples_of(OPENAPI, id_)
    assert examples.request["result"]["type"]
    assert examples_of(OPENAPI, "nothing").request is None


def test_an_example_of_the_media_type_comes_before_that_of_the_schema():
    media = {"schema": {"examples": [{"from": "schema"}]}, "example": {"from": "media"}}
    named = {"schema": {"examples": [{"from": "schema"}]}, "examples": {"one": {"value": {"from": "named"}}}}
    for content, expected in ((media, "media"), (named, "named"), ({"schema": media["schema"]}, "schema")):
        post = {"requestBody": {"content": {"application/json": content}}, "responses": {}}
        assert examples_of({"paths": {"/x": {"post": post}}}, "post-/x").request == {"from": expected}


def test_an_unknown_name_has_no_page():
    assert operation_page(OPENAPI, "nothing") is None
    assert message_page(ASYNCAPI, "nothing") is None


def test_a_reference_that_leads_nowhere_or_in_a_circle_ends():
    circle = {
        "paths": {"/x": {"post": {"requestBody": _json("#/components/schemas/A"), "responses": {}}}},
        "components": {
            "schemas": {"A": {"properties": {"again": {"$ref": "#/components/schemas/A"}, "lost": {"$ref": "#/no"}}}}
        },
    }
    page = operation_page(circle, "post-/x")
    assert page is not None
    assert max(row.depth for row in page.body) == 4


def _json(reference):
    return {"content": {"application/json": {"schema": {"$ref": reference}}}}

"""openapi.json fits the official JSON Schema of OpenAPI 3.1 (from schemathesis) and rules beyond it."""

import json
import re
from collections import Counter

import pytest
from jsonschema import Draft202012Validator

from docs_build.documents.openapi import components
from docs_build.documents.openapi.components import DefinitionConflict, component_schemas, with_names_of_words
from schemas import published
from schemas.model import Model
from tests.contract.planted import planted
from tests.contract.references import resolved, walk

DOCUMENT = json.loads(published.read("openapi.json"))
SCHEMAS = DOCUMENT["components"]["schemas"]
UNAUTHENTICATED = ("paths", "/v1/commands", "post", "responses", "401", "content", "application/problem+json")
STREAM = ("paths", "/v1/events", "get")
OPERATIONS = [(path, operation) for path, operations in DOCUMENT["paths"].items() for operation in operations.values()]
BY_ID = {operation["operationId"]: (path, operation) for path, operation in OPERATIONS}


def found(key, document=DOCUMENT):
    return [value[key] for value in walk(document) if isinstance(value, dict) and key in value]


def parameters(operation):
    return [resolved(DOCUMENT, one) for one in operation.get("parameters", ())]


def responses(operation):
    return {int(status): resolved(DOCUMENT, response) for status, response in operation["responses"].items()}


def test_the_document_is_valid_openapi_3_1():
    import schemathesis  # noqa: PLC0415 - no other test needs it, and it takes 0.6 s

    assert DOCUMENT["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(DOCUMENT).validate()


def test_the_schemas_are_valid_json_schema_2020_12():
    schemas = [*SCHEMAS.values(), *found("schema")]
    assert len(schemas) > 150
    for schema in schemas:
        Draft202012Validator.check_schema(schema)


def test_every_reference_has_a_target_in_the_document():
    references = [reference for reference in found("$ref") if isinstance(reference, str)]
    assert len(references) > 200
    assert all(isinstance(resolved(DOCUMENT, {"$ref": reference}), dict) for reference in references)


def test_every_component_is_used():
    used = set(found("$ref")) | {one for mapping in found("mapping") for one in mapping.values()}
    components = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "parameters", "responses", "headers", "links")
        for name in DOCUMENT["components"][kind]
    }
    assert components - used == set()


def test_an_operation_has_a_unique_name_and_exactly_the_parameters_of_its_path():
    names = [operation["operationId"] for _, operation in OPERATIONS]
    assert len(set(names)) == len(names)
    for path, operation in OPERATIONS:
        places = [(parameter["in"], parameter["name"]) for parameter in parameters(operation)]
        assert len(set(places)) == len(places), path
        assert {name for place, name in places if place == "path"} == set(re.findall(r"{(\w+)}", path))


def test_an_operation_has_one_tag_and_each_tag_a_description():
    described = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
    assert all(described.values())
    assert {tag for _, operation in OPERATIONS for tag in operation["tags"]} == set(described)
    assert all(len(operation["tags"]) == 1 for _, operation in OPERATIONS)


def test_each_definition_occurs_once_under_the_name_that_is_its_title():
    assert {name: schema["title"] for name, schema in SCHEMAS.items()} == {name: name for name in SCHEMAS}
    inner = [part for schema in SCHEMAS.values() for part in walk(schema) if part is not schema]
    titled = [part for part in inner if isinstance(part, dict) and isinstance(part.get("title"), str)]
    assert [part for part in titled if "properties" in part or "enum" in part] == []
    vocabularies = Counter(json.dumps(words) for words in found("enum") if isinstance(words, list) and len(words) > 1)
    assert [words for words, times in vocabularies.items() if times > 1] == []


def test_null_is_a_variant_only_beside_a_reference():
    # OpenAPI Generator and openapi-python-client read such a union as an optional value.
    for union in found("anyOf"):
        if {"type": "null"} in union:
            assert len(union) == 2
            assert "$ref" in union[0]


def test_two_definitions_of_one_name_are_refused():
    first, second = (type("Same", (Model,), {"__module__": __name__, "__annotations__": {}}) for _ in range(2))
    second.__doc__ = "Another one."
    assert "Same" in component_schemas([first, first])
    with pytest.raises(DefinitionConflict):
        component_schemas([first, second])


def test_a_word_of_two_enums_without_names_is_refused(monkeypatch):
    schemas = {"ClosedBy": {"enum": ["other"]}, "DecisionReason": {"enum": ["other"]}}
    assert with_names_of_words(schemas)["ClosedBy"]["x-enum-varnames"] == ["CLOSED_BY_OTHER"]
    monkeypatch.setattr(components, "_WORD_PREFIXES", {})
    with pytest.raises(DefinitionConflict):
        with_names_of_words(schemas)


def links():
    for _, operation in OPERATIONS:
        for status, response in responses(operation).items():
            for name, link in response.get("links", {}).items():
                yield operation, status, name, resolved(DOCUMENT, link)


def test_a_link_gives_an_operation_parameters_that_the_response_or_the_request_has():
    seen = {(operation["operationId"], status, name) for operation, status, name, _ in links()}
    assert {
        ("requestHandoff", 202, "status"),
        ("requestHandoff", 200, "grant"),
        ("createAccessGrant", 201, "close"),
        ("listHandoffs", 200, "next"),
    } <= seen
    for operation, status, name, link in links():
        _, target = BY_ID[link["operationId"]]
        known = {parameter["name"] for parameter in parameters(target)}
        assert link["parameters"].keys() <= known, name
        (content,) = responses(operation)[status]["content"].values()
        fields = resolved(DOCUMENT, content["schema"])["properties"]
        path = {parameter["name"] for parameter in parameters(operation) if parameter["in"] == "path"}
        for expression in link["parameters"].values():
            place, _, field = expression.partition("#/" if "#/" in expression else "path.")
            assert field in (fields if place == "$response.body" else path), (name, expression)


def examples(value, at="#"):
    """Yield each example of the document with the pointer of its schema."""
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from examples(inner, f"{at}/{index}")
        return
    if not isinstance(value, dict):
        return
    is_schema = "schema" not in value
    if isinstance(value.get("examples"), list):
        yield from ((at, example) for example in value["examples"])
    if isinstance(value.get("examples"), dict) and not is_schema:
        yield from ((f"{at}/schema", example["value"]) for example in value["examples"].values())
    if "example" in value:
        yield (at if is_schema else f"{at}/schema"), value["example"]
    for key, inner in value.items():
        if key not in {"example", "examples"}:
            yield from examples(inner, f"{at}/{key.replace('~', '~0').replace('/', '~1')}")


def violations(document):
    """Return the pointers of schemas that an example of theirs violates."""
    for at, example in examples(document):
        schema = {**document, "$ref": at.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")}
        validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        if not validator.is_valid(example):
            yield at


def test_every_example_fits_its_schema():
    assert len(list(examples(DOCUMENT))) > 40
    assert list(violations(DOCUMENT)) == []


@pytest.mark.parametrize(
    ("way", "value", "at"),
    [
        (("components", "schemas", "AuthorizationStatus", "examples", 0, "authorizationId"), ..., None),
        (("components", "schemas", "CommandAccepted", "examples", 0, "acceptedAt"), "yesterday", None),
        (
            ("components", "parameters", "IdempotencyKey", "example"),
            "",
            "#/components/parameters/IdempotencyKey/schema",
        ),
        (
            (*UNAUTHENTICATED, "examples", "signature", "value", "status"),
            "401",
            "#/paths/~1v1~1commands/post/responses/401/content/application~1problem+json/schema",
        ),
    ],
)
def test_an_example_that_violates_its_schema_is_found(way, value, at):
    assert list(violations(planted(DOCUMENT, way, value))) == [at or "#/components/schemas/" + way[2]]


def test_every_body_has_an_example():
    bodies = {reference.rpartition("/")[2] for reference in found("$ref", found("content"))}
    told = {"AccessProblemDetails", "ReleaseBody"}  # a problem with one more field; a body without fields
    assert {name for name in bodies - told if not SCHEMAS[name].get("examples")} == {
        "CommandEvent",  # beside the media type
        "CommandEventBatch",
    }


def test_a_signed_request_is_described_by_all_of_its_parts():
    _, send = BY_ID["sendCommand"]
    signed = send["security"][1]
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert {(schemes[name]["in"], schemes[name]["name"]) for name in signed} == {
        ("header", "webhook-signature"),
        ("header", "webhook-id"),
        ("header", "webhook-timestamp"),
        ("query", "caller"),
    }
    assert {"signature", "notStructured"} <= set(
        responses(send)[401]["content"]["application/problem+json"]["examples"]
    )

"""openapi.json fits the official JSON Schema of OpenAPI 3.1 (from schemathesis) and rules beyond it."""

import json
import re

import pytest
import schemathesis
from jsonschema import Draft202012Validator
from jsonschema_rs import ValidationError

from schemas.documents import publish
from schemas.documents.compatibility import resolved
from tests.contract.planted import planted

DOCUMENT = json.loads(publish.read("openapi.json"))
STREAM = ("paths", "/v1/events", "get")
OPERATIONS = [(path, operation) for path, operations in DOCUMENT["paths"].items() for operation in operations.values()]


def walk(value):
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


def found(key, document=DOCUMENT):
    return [value[key] for value in walk(document) if isinstance(value, dict) and key in value]


def test_the_document_is_valid_openapi_3_1():
    assert DOCUMENT["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(DOCUMENT).validate()


@pytest.mark.parametrize(
    ("way", "value"),
    [
        (("info", "title"), ...),
        ((*STREAM, "summery"), "Misspelt."),
        ((*STREAM, "parameters", 0, "in"), "nowhere"),
        ((*STREAM, "responses", "200", "description"), ...),
        (("components", "securitySchemes", "credential", "scheme"), ...),
    ],
)
def test_an_invalid_document_is_rejected(way, value):
    with pytest.raises(ValidationError):
        schemathesis.openapi.from_dict(planted(DOCUMENT, way, value)).validate()


def test_the_schemas_are_valid_json_schema_2020_12():
    schemas = [*DOCUMENT["components"]["schemas"].values(), *found("schema")]
    assert len(schemas) > 300
    for schema in schemas:
        Draft202012Validator.check_schema(schema)


def test_every_reference_has_a_target_in_the_document():
    references = found("$ref")
    assert len(references) > 200
    assert all(isinstance(resolved(DOCUMENT, {"$ref": reference}), dict) for reference in references)


def test_an_operation_has_a_unique_name_and_exactly_the_parameters_of_its_path():
    names = [operation["operationId"] for _, operation in OPERATIONS]
    assert len(set(names)) == len(names)
    for path, operation in OPERATIONS:
        parameters = [(parameter["in"], parameter["name"]) for parameter in operation.get("parameters", ())]
        assert len(set(parameters)) == len(parameters), path
        assert {name for place, name in parameters if place == "path"} == set(re.findall(r"{(\w+)}", path))

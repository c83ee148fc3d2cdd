from copy import deepcopy

import pytest

from docs_build.documents.schema_compatibility import Break, schema_breaks
from tests.contract.planted import planted

OLD = {
    "$defs": {"Colour": {"enum": ["red", "green"], "type": "string"}},
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 10, "pattern": "^a"},
        "count": {"type": "integer", "minimum": 0, "maximum": 9},
        "colour": {"$ref": "#/$defs/Colour"},
        "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        "pairs": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 16},
        "kind": {"const": "x", "type": "string"},
        "plain": {"type": "string"},
    },
    "required": ["name"],
}


def changed(path, value):
    return planted(OLD, path.split("."), value)


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("properties.name", ..., Break("/properties/name", "property is gone")),
        ("required", ["name", "plain"], Break("/properties/plain", "is required now")),
        ("required", ["name", "new"], Break("/properties/new", "is required now")),
        ("$defs.Colour.enum", ["red"], Break("/properties/colour", "enum was narrowed, green is gone")),
        ("$defs.Colour.type", "integer", Break("/properties/colour", "type was narrowed, string is gone")),
        ("properties.plain.enum", ["a"], Break("/properties/plain", "is an enum now")),
        ("properties.plain.type", "integer", Break("/properties/plain", "type was narrowed, string is gone")),
        ("properties.count.minimum", 1, Break("/properties/count", "minimum was raised")),
        ("properties.count.maximum", 8, Break("/properties/count", "maximum was lowered")),
        ("properties.plain.maxLength", 5, Break("/properties/plain", "maxLength was lowered")),
        ("properties.plain.minLength", 1, Break("/properties/plain", "minLength was raised")),
        ("properties.name.pattern", "^b", Break("/properties/name", "pattern has changed")),
        ("properties.plain.format", "uuid", Break("/properties/plain", "format has changed")),
        ("properties.kind.const", "y", Break("/properties/kind", "const has changed")),
        ("properties.either", {"type": "string"}, Break("/properties/either", "type was narrowed, null is gone")),
        ("properties.tags.items.type", "integer", Break("/properties/tags/items", "type was narrowed, string is gone")),
        ("properties.tags.maxItems", 2, Break("/properties/tags", "maxItems was lowered")),
        (
            "properties.pairs.additionalProperties.maxLength",
            9,
            Break("/properties/pairs/additionalProperties", "maxLength was lowered"),
        ),
        (
            "properties.pairs.propertyNames",
            {"pattern": "^a"},
            Break("/properties/pairs/propertyNames", "pattern has changed"),
        ),
        ("additionalProperties", False, Break("", "rejects unknown properties now")),
        ("properties.plain.not", {}, Break("/properties/plain", "uses not, which this comparison does not support")),
    ],
)
def test_an_incompatible_change_is_found(path, value, found):
    assert schema_breaks(OLD, changed(path, value)) == [found]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties.new", {"type": "string"}),
        ("required", []),
        ("$defs.Colour.enum", ["red", "green", "blue"]),
        ("properties.count.maximum", 10),
        ("properties.count.minimum", ...),
        ("properties.name.pattern", ...),
        ("properties.name.maxLength", 11),
        ("properties.plain", {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ("properties.either.anyOf", [{"type": "null"}, {"type": "string"}, {"type": "integer"}]),
        ("properties.plain.description", "words"),
        ("properties.kind", {"enum": ["x", "y"], "type": "string"}),
    ],
)
def test_a_compatible_change_is_accepted(path, value):
    assert schema_breaks(OLD, changed(path, value)) == []


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        ("required", [], "may now be absent"),
        ("properties.count.type", "number", "may now be number"),
        (
            "properties.either.anyOf",
            [{"type": "null"}, {"type": "string"}, {"type": "integer"}],
            "has a new variant",
        ),
    ],
)
def test_a_change_that_breaks_readers_of_outgoing_messages_is_found(path, value, what):
    assert [found.change for found in schema_breaks(OLD, changed(path, value), outgoing=True)] == [what]


def test_an_unchanged_schema_is_compatible():
    assert schema_breaks(OLD, deepcopy(OLD)) == []
    assert schema_breaks(OLD, deepcopy(OLD), outgoing=True) == []

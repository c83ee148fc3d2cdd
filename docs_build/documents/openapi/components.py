"""The component schemas of the OpenAPI document: each definition once, under the name that is also its title.

Generators name a type after its component or its title. Several of them fail on a second definition of a name, on the
same enum at two places, and on null as a variant of a union.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from docs_build.documents.json_schema import json_schema
from schemas.api.messages import Kept
from schemas.commands import CloseResult
from schemas.fields.metadata import Metadata
from schemas.model import Model

Json = dict[str, Any]
_PREFIX: Final = "#/components/schemas/"
_NULL: Final = {"type": "null"}
_ANY_VALUE: Final = "JsonValue"
# Types that several models have and that are no classes.
_SHARED: Final[Mapping[str, Any]] = {"CloseResult": CloseResult, "Kept": Kept, "Metadata": Metadata}
# Some generators make a constant of each word, and Go has one space of names for all constants.
_WORD_PREFIXES: Final[Mapping[str, str]] = {
    "CloseReport": "REPORTED",
    "ClosedBy": "CLOSED_BY",
    "Kept": "KEPT",
    "Needs": "NEEDS",
}


class DefinitionConflict(ValueError):
    """Two models of one name differ, or two enums have the same word: a generator needs two names."""


def reference(name: str) -> Json:
    """Return a reference to a component schema."""
    return {"$ref": f"{_PREFIX}{name}"}


def component_schemas(models: Iterable[type[Model]]) -> Json:
    """Return the schemas of the models, and of all models and enums in them, by name. Raises DefinitionConflict."""
    shared = {name: _referring(_without(TypeAdapter(kind).json_schema(), "$defs")) for name, kind in _SHARED.items()}
    found: Json = {name: {"title": name} | definition for name, definition in shared.items()}
    for model in models:
        schema = _without(json_schema(model), "$schema", "$id")
        parts = {**schema.pop("$defs", {}), model.__name__: schema}
        for name, part in parts.items():
            if name != _ANY_VALUE:
                _add(found, name, {"title": name} | _simplified(_referring(part), shared))
    return dict(sorted(found.items()))


def with_names_of_words(schemas: Json) -> Json:
    """Return the schemas with a name for each word of an enum that repeats words of another enum.

    Raises DefinitionConflict if two enums without such names have a word in common.
    """
    named: Json = {}
    owners: dict[str, str] = {}
    for name, schema in schemas.items():
        named[name] = schema
        words = schema.get("enum", ())
        if prefix := _WORD_PREFIXES.get(name):
            named[name] = schema | {"x-enum-varnames": [f"{prefix}_{word.upper()}" for word in words]}
            continue
        for word in words:
            if (other := owners.setdefault(word, name)) != name:
                raise DefinitionConflict(f"{other} and {name} both have the word {word}: give one of them a prefix.")
    return named


def _add(found: Json, name: str, schema: Json) -> None:
    known = found.get(name, schema)
    # A model has its example only where it is a whole document.
    if _without(known, "examples") != _without(schema, "examples"):
        raise DefinitionConflict(f"Two models named {name} have different schemas.")
    found[name] = known | schema


def _without(schema: Json, *keys: str) -> Json:
    return {key: value for key, value in schema.items() if key not in keys}


def _referring(schema: Any) -> Any:
    """Replace references to definitions of a model with references to components."""
    if isinstance(schema, list):
        return [_referring(item) for item in schema]
    if isinstance(schema, str):
        return schema.replace("#/$defs/", _PREFIX)
    if not isinstance(schema, dict):
        return schema
    changed = {key: _referring(value) for key, value in schema.items()}
    return _without(changed, "$ref") if changed.get("$ref") == f"{_PREFIX}{_ANY_VALUE}" else changed


def _simplified(schema: Json, shared: Mapping[str, Json]) -> Json:
    """Return the schema with references to shared types, without titles and with null in `type` where possible."""
    for name, definition in shared.items():
        if all(schema.get(key) == value for key, value in definition.items()):
            return reference(name) | _without(schema, "title", *definition)
    simple: Json = {}
    for key, value in schema.items():
        if key == "properties":
            simple[key] = {field: _simplified(inner, shared) for field, inner in value.items()}
        elif key in {"items", "additionalProperties", "propertyNames"} and isinstance(value, dict):
            simple[key] = _simplified(value, shared)
        elif key in {"anyOf", "oneOf"}:
            simple[key] = [_simplified(variant, shared) for variant in value]
        elif key != "title":
            simple[key] = value
    return _with_null_as_a_type(simple)


def _with_null_as_a_type(schema: Json) -> Json:
    variants = schema.get("anyOf", [])
    if len(variants) == 2 and variants[1] == _NULL and "type" in variants[0]:
        return {**variants[0], "type": [variants[0]["type"], "null"]} | _without(schema, "anyOf")
    return schema

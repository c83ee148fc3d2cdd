"""The JSON Schema (2020-12) of a model: the wire format, each field's data class and an example."""

from collections.abc import Mapping
from typing import Any

from schemas.model import Message, Model
from schemas.records import schema_uri

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(model: type[Model]) -> dict[str, Any]:
    """Return the self-contained schema. The schema of an open model allows unknown fields and no null values."""
    schema = _simplified(model.model_json_schema(), is_open=model.open_on_the_wire)
    head: dict[str, Any] = {"$schema": DIALECT}
    if issubclass(model, Message):
        head["$id"] = schema_uri(model.TYPE)
        schema["examples"] = [dict(model.EXAMPLE)]
    return head | schema


def component_schemas(model: type[Model]) -> dict[str, Any]:
    """Return the schema of a model and of each model in it, as components of an OpenAPI or AsyncAPI document.

    A nested model's component has the name `Owner.Nested`: an open and a closed owner need different schemas of it.
    """
    schema = json_schema(model)
    schema.pop("$schema")
    schema.pop("$id", None)
    nested = {f"{model.__name__}.{name}": value for name, value in schema.pop("$defs", {}).items()}
    components = {model.__name__: schema, **nested}
    return {name: _with_references(value, model.__name__) for name, value in components.items()}


def without_key(schema: Any, key: str) -> Any:
    """Return the schema without a key, at every depth."""
    if isinstance(schema, list):
        return [without_key(item, key) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: without_key(value, key) for name, value in schema.items() if name != key}


def _with_references(schema: Any, owner: str) -> Any:
    """Replace references to definitions with references to components."""
    if isinstance(schema, list):
        return [_with_references(item, owner) for item in schema]
    if isinstance(schema, str):
        return schema.replace("#/$defs/", f"#/components/schemas/{owner}.")
    if not isinstance(schema, dict):
        return schema
    return {key: _with_references(value, owner) for key, value in schema.items()}


def _simplified(schema: Mapping[str, Any], *, is_open: bool) -> dict[str, Any]:
    simple = {key: _simplified_value(key, value, is_open=is_open) for key, value in schema.items()}
    if is_open and simple.get("additionalProperties") is False:
        del simple["additionalProperties"]
    return simple


def _simplified_value(key: str, value: Any, *, is_open: bool) -> Any:
    if key in {"properties", "$defs"}:
        return {name: _simplified_field(inner, is_open=is_open) for name, inner in value.items()}
    if isinstance(value, Mapping) and key not in {"default", "mapping", "discriminator"}:
        return _simplified(value, is_open=is_open)
    if isinstance(value, list):
        return [_simplified(item, is_open=is_open) if isinstance(item, Mapping) else item for item in value]
    return value


def _simplified_field(schema: Mapping[str, Any], *, is_open: bool) -> dict[str, Any]:
    simple = _simplified(schema, is_open=is_open)
    if simple.get("type") != "object" and "enum" not in simple:
        # pydantic makes a title from the field's name. Only titles of models and vocabularies are useful.
        simple.pop("title", None)
    if simple.get("default", ...) is None:
        del simple["default"]
    if is_open and "anyOf" in simple:
        variants = [variant for variant in simple["anyOf"] if variant != {"type": "null"}]
        if len(variants) == 1:
            del simple["anyOf"]
            simple = variants[0] | simple
    return simple

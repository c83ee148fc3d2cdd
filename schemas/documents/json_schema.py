"""A model as a self-contained JSON Schema (2020-12): what is on the wire, how secret each field is, and an example."""

from collections.abc import Mapping
from typing import Any

from schemas.model import Message, Model

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(model: type[Model]) -> dict[str, Any]:
    """Return the schema; what we say ourselves is open (fields will be added) and never null (absent instead)."""
    schema = _tidied(model.model_json_schema(), is_open=model.open_on_the_wire)
    head: dict[str, Any] = {"$schema": DIALECT}
    if issubclass(model, Message):
        head["$id"] = f"urn:{model.TYPE.replace('.', ':')}"
        schema["examples"] = [dict(model.EXAMPLE)]
    return head | schema


def _tidied(schema: Mapping[str, Any], *, is_open: bool) -> dict[str, Any]:
    tidy = {key: _inside(key, value, is_open=is_open) for key, value in schema.items()}
    if is_open and tidy.get("additionalProperties") is False:
        del tidy["additionalProperties"]
    return tidy


def _inside(key: str, value: Any, *, is_open: bool) -> Any:
    if key in {"properties", "$defs"}:
        return {name: _field(inner, is_open=is_open) for name, inner in value.items()}
    if isinstance(value, Mapping) and key not in {"default", "mapping", "discriminator"}:
        return _tidied(value, is_open=is_open)
    if isinstance(value, list):
        return [_tidied(item, is_open=is_open) if isinstance(item, Mapping) else item for item in value]
    return value


def _field(schema: Mapping[str, Any], *, is_open: bool) -> dict[str, Any]:
    tidy = _tidied(schema, is_open=is_open)
    if tidy.get("type") != "object" and "enum" not in tidy:
        # pydantic makes titles of field names; models and vocabularies have real ones.
        tidy.pop("title", None)
    if tidy.get("default", ...) is None:
        del tidy["default"]
    if is_open and "anyOf" in tidy:
        variants = [variant for variant in tidy["anyOf"] if variant != {"type": "null"}]
        if len(variants) == 1:
            del tidy["anyOf"]
            tidy = variants[0] | tidy
    return tidy

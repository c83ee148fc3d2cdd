"""Generator of the chart's schema of `settings`, so that `helm install` rejects a misspelt setting.

The chart itself sets addresses, ports, files, names and stop deadlines; they are not values of `settings`.
"""

import json
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from runtime.environ import section_of
from runtime.settings import Settings
from runtime.units import SizeUnit

_SET_BY_CHART = frozenset(
    {
        ("kafka", "username"),
        ("kafka", "oauth_client_id"),
        ("ingress", "host"),
        ("ingress", "port"),
        ("ingress", "stop_deadline"),
        ("worker", "instance"),
        ("worker", "stop_deadline"),
        ("deliverer", "admin_urls"),
        ("deliverer", "instance"),
        ("deliverer", "stop_deadline"),
        ("console", "host"),
        ("console", "port"),
        ("console", "stop_deadline"),
        ("console", "link_directory"),
        ("admin", "host"),
        ("admin", "port"),
    }
)
_DURATION = {"type": "string", "pattern": r"^(\s*\d+(\.\d+)?\s*(ms|s|m|h|d))+\s*$"}
_SIZE = {"type": ["string", "integer"], "pattern": r"^\d+\s*(B|KiB|MiB|GiB)?$"}
_LIST = {"type": ["array", "string"], "items": {"type": "string"}}
_KEPT_KEYWORDS = ("enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern")


def settings_schema() -> dict[str, Any]:
    """Return the JSON Schema of the chart's `settings`."""
    properties: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        section = section_of(field.annotation)
        own = _section(name, section) if section else _one(field, Settings.model_json_schema()["properties"][name])
        properties[name] = own
    return {
        "type": "object",
        "description": "Settings of the gateway by section and name, as in docs/configuration.md in lower case.",
        "additionalProperties": False,
        "properties": properties,
    }


def _section(name: str, section: type[BaseModel]) -> dict[str, Any]:
    written = section.model_json_schema()["properties"]
    fields = {
        key: field
        for key, field in section.model_fields.items()
        if not key.endswith("_file") and (name, key) not in _SET_BY_CHART
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {key: _one(field, written[key]) for key, field in fields.items()},
    }


def _one(field: FieldInfo, written: dict[str, Any]) -> dict[str, Any]:
    # The values omit an optional setting; they never contain null.
    shape = next((one for one in written.get("anyOf", ()) if one.get("type") != "null"), written)
    kind: dict[str, Any]
    if field.annotation is timedelta:
        kind = _DURATION
    elif any(isinstance(mark, SizeUnit) for mark in field.metadata):
        kind = _SIZE
    elif written.get("type") == "array" and shape.get("items", {}).get("type") == "string":
        kind = _LIST
    elif shape.get("type") in {"integer", "number", "boolean"}:
        kind = {"type": shape["type"]}
    else:
        kind = {"type": "string"}
    # A template names all missing values at once, so that `helm lint` accepts the defaults.
    if field.is_required() and "pattern" in shape:
        shape = shape | {"pattern": f"^$|{shape['pattern']}"}
    limits = {key: shape[key] for key in _KEPT_KEYWORDS if key in shape and key not in kind and kind is not _SIZE}
    return {**kind, **limits, "description": field.description or ""}


def put_into(text: str) -> str:
    """Return the text of values.schema.json with a current schema of `settings`."""
    schema = json.loads(text)
    schema["$defs"]["settings"] = settings_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"

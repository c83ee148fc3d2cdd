"""The chart's schema of `settings`, written from the settings themselves, so that a misspelt one fails `helm install`.

Run `python -m docs_build.chart_schema` after changing a setting; a test keeps the schema current. What the chart itself
decides (addresses, ports, files, names, stop deadlines) is not a value of `settings`.
"""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from runtime.environ import section_of
from runtime.settings import Settings
from runtime.units import SizeUnit

SCHEMA = Path("helm/gateway/values.schema.json")
_CHARTS_OWN = frozenset(
    {
        ("kafka", "username"),
        ("kafka", "oauth_client_id"),
        ("ingress", "host"),
        ("ingress", "port"),
        ("ingress", "stop_deadline"),
        ("worker", "instance"),
        ("worker", "stop_deadline"),
        ("admin", "host"),
        ("admin", "port"),
    }
)
_DURATION = {"type": "string", "pattern": r"^(\s*\d+(\.\d+)?\s*(ms|s|m|h|d))+\s*$"}
_SIZE = {"type": ["string", "integer"], "pattern": r"^\d+\s*(B|KiB|MiB|GiB)?$"}
_LIST = {"type": ["array", "string"], "items": {"type": "string"}}
_KEPT = ("enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern")


def settings_schema() -> dict[str, Any]:
    """Return the JSON Schema of the chart's `settings`: every section, every setting, nothing else."""
    properties: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        section = section_of(field.annotation)
        own = _section(name, section) if section else _one(field, Settings.model_json_schema()["properties"][name])
        properties[name] = own
    return {
        "type": "object",
        "description": "Settings of the gateway by section and name, as in docs/configuration.md in lower case.",
        "additionalProperties": False,
        "required": ["environment", *(name for name, own in properties.items() if own.get("required"))],
        "properties": properties,
    }


def _section(name: str, section: type[BaseModel]) -> dict[str, Any]:
    written = section.model_json_schema()["properties"]
    fields = {
        key: field
        for key, field in section.model_fields.items()
        if not key.endswith("_file") and (name, key) not in _CHARTS_OWN
    }
    required = [key for key, field in fields.items() if field.is_required()]
    return {
        "type": "object",
        "additionalProperties": False,
        **({"required": required} if required else {}),
        "properties": {key: _one(field, written[key]) for key, field in fields.items()},
    }


def _one(field: FieldInfo, written: dict[str, Any]) -> dict[str, Any]:
    # An optional setting is left out of the values, never null.
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
    limits = {key: shape[key] for key in _KEPT if key in shape and key not in kind and kind is not _SIZE}
    return {**kind, **limits, "description": field.description or ""}


def main(path: Path = SCHEMA) -> None:
    """Write the part about settings into the chart's schema."""
    schema = json.loads(path.read_text(encoding="utf-8"))
    schema["properties"]["settings"] = settings_schema()
    path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

"""Compatibility of JSON Schemas: whether callers and readers of the old schema can use the new one.

A change is incompatible if it removes a property, requires another one, narrows a type, enum, const, format or bound,
or closes an open object. For outgoing messages a widened type, a new variant and a newly optional property are
incompatible too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_SCALAR_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_JSON_TYPES = (
    (bool, "boolean"),
    (str, "string"),
    (int, "integer"),
    (float, "number"),
    (list, "array"),
    (dict, "object"),
)
_LOWER_IS_NARROWER = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
_HIGHER_IS_NARROWER = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
_ANY_CHANGE_IS_NARROWER = ("pattern", "format", "const", "contentEncoding", "uniqueItems")
_UNIONS = ("anyOf", "oneOf")
_ANNOTATIONS = ("$schema", "$id", "$defs", "title", "description", "default", "examples", "discriminator", "deprecated")
_COMPARED = frozenset(
    {
        *_LOWER_IS_NARROWER,
        *_HIGHER_IS_NARROWER,
        *_ANY_CHANGE_IS_NARROWER,
        *_UNIONS,
        *_ANNOTATIONS,
        *("type", "enum", "properties", "required", "additionalProperties", "unevaluatedProperties"),
        *("propertyNames", "items"),
    }
)

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Break:
    """An incompatible change."""

    pointer: str
    change: str


def schema_breaks(
    old: Schema, new: Schema, *, outgoing: bool = False, within: tuple[Schema, Schema] | None = None
) -> list[Break]:
    """Return the incompatible changes of a schema. `within` has the two documents if the schemas refer to them."""
    old_root, new_root = within or (old, new)
    return list(_Comparison(old_root, new_root, outgoing).of(old, new, ""))


@dataclass(frozen=True, slots=True)
class _Comparison:
    old_root: Schema
    new_root: Schema
    outgoing: bool

    def of(self, old: Schema, new: Schema, at: str) -> Iterator[Break]:
        old, new = resolved(self.old_root, old), resolved(self.new_root, new)
        if any(keyword in schema for keyword in _UNIONS for schema in (old, new)):
            yield from self._unions(_variants(old), _variants(new), at)
            return
        if unknown := sorted(key for key in new if key not in _COMPARED and not key.startswith("x-")):
            yield Break(at, f"uses {', '.join(unknown)}, which this comparison does not support")
        yield from self._types(old, new, at)
        yield from self._words(old, new, at)
        yield from self._bounds(old, new, at)
        yield from self._properties(old, new, at)
        for keyword in ("items", "propertyNames"):
            if keyword in new:
                # The name of a property is always a string.
                kind = {"type": "string"} if keyword == "propertyNames" else {}
                yield from self.of(old.get(keyword, {}) | kind, new[keyword] | kind, f"{at}/{keyword}")

    def _unions(self, old: list[Schema], new: list[Schema], at: str) -> Iterator[Break]:
        for number, variant in enumerate(old):
            tried = [list(self.of(variant, candidate, at)) for candidate in new]
            if all(tried):
                yield from min(tried, key=_distance, default=[]) or [Break(at, f"variant {number} is gone")]
        if self.outgoing and len(new) > len(old):
            yield Break(at, "has a new variant")

    def _types(self, old: Schema, new: Schema, at: str) -> Iterator[Break]:
        before, now = _types(old), _types(new)
        if not before <= now:
            yield Break(at, f"type was narrowed, {', '.join(sorted(before - now))} is gone")
        if self.outgoing and not now <= before:
            yield Break(at, f"may now be {', '.join(sorted(now - before))}")

    def _words(self, old: Schema, new: Schema, at: str) -> Iterator[Break]:
        if "enum" not in new:
            return
        if "enum" not in old:
            if old.get("const") not in new["enum"]:
                yield Break(at, "is an enum now")
            return
        if gone := [word for word in old["enum"] if word not in new["enum"]]:
            yield Break(at, f"enum was narrowed, {', '.join(map(str, gone))} is gone")

    def _bounds(self, old: Schema, new: Schema, at: str) -> Iterator[Break]:
        for keyword in _LOWER_IS_NARROWER:
            if keyword in new and not new[keyword] >= old.get(keyword, float("inf")):
                yield Break(at, f"{keyword} was lowered")
        for keyword in _HIGHER_IS_NARROWER:
            if keyword in new and not new[keyword] <= old.get(keyword, float("-inf")):
                yield Break(at, f"{keyword} was raised")
        for keyword in _ANY_CHANGE_IS_NARROWER:
            if keyword in new and new[keyword] != old.get(keyword):
                yield Break(at, f"{keyword} has changed")

    def _properties(self, old: Schema, new: Schema, at: str) -> Iterator[Break]:
        before, now = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            if name in now:
                yield from self.of(schema, now[name], f"{at}/properties/{name}")
            else:
                yield Break(f"{at}/properties/{name}", "property is gone")
        needed_before, needed_now = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(needed_now - needed_before):
            yield Break(f"{at}/properties/{name}", "is required now")
        if self.outgoing:
            for name in sorted(needed_before - needed_now):
                yield Break(f"{at}/properties/{name}", "may now be absent")
        rest_before, rest_now = _rest(old), _rest(new)
        if rest_now is False and rest_before is not False:
            yield Break(at, "rejects unknown properties now")
        elif isinstance(rest_now, Mapping) and rest_before is not False:
            yield from self.of(
                rest_before if isinstance(rest_before, Mapping) else {}, rest_now, f"{at}/additionalProperties"
            )


def _distance(found: list[Break]) -> tuple[int, int]:
    # A constant identifies a variant, so a variant with another constant is the least similar.
    return sum(one.change == "const has changed" for one in found), len(found)


def resolved(root: Schema, schema: Schema) -> Schema:
    """Return the schema that a reference of the document points to."""
    while "$ref" in schema:
        target: Any = root
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _variants(schema: Schema) -> list[Schema]:
    for keyword in _UNIONS:
        if keyword in schema:
            return list(schema[keyword])
    return [schema]


def _rest(schema: Schema) -> Any:
    """Return the schema of the properties without a name: in a schema without variants, both keywords mean the same."""
    return schema.get("additionalProperties", schema.get("unevaluatedProperties", True))


def _types(schema: Schema) -> set[str]:
    if "type" not in schema:
        words = schema.get("enum", [schema["const"]] if "const" in schema else ())
        # A schema that names its values has their types.
        return {_type_of(word) for word in words} or set(_SCALAR_TYPES)
    # Every integer is a number.
    return {"number", "integer"} if schema["type"] == "number" else {schema["type"]}


def _type_of(value: Any) -> str:
    return next((name for kind, name in _JSON_TYPES if isinstance(value, kind)), "null")

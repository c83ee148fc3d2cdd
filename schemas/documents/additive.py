"""Whether a new JSON Schema only adds to an old one: what was valid, or could be relied on, still is.

Broken by: a property that is gone or newly required, a type, enum, const, format or bound that got narrower, an object
that was open and is closed. For what we say ourselves (`said`), also by what a reader could rely on and no longer can.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_SCALAR_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_LOWER_IS_NARROWER = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
_HIGHER_IS_NARROWER = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
_ANY_CHANGE_IS_NARROWER = ("pattern", "format", "const", "contentEncoding", "uniqueItems")
_UNIONS = ("anyOf", "oneOf")
_ANNOTATIONS = ("$schema", "$id", "$defs", "title", "description", "default", "examples", "discriminator", "deprecated")
_JUDGED = frozenset(
    {
        *_LOWER_IS_NARROWER,
        *_HIGHER_IS_NARROWER,
        *_ANY_CHANGE_IS_NARROWER,
        *_UNIONS,
        *_ANNOTATIONS,
        *("type", "enum", "properties", "required", "additionalProperties", "propertyNames", "items"),
    }
)

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Break:
    """A change that somebody out there would notice."""

    pointer: str
    what: str


def breaks(old: Schema, new: Schema, *, said: bool = False, within: tuple[Schema, Schema] | None = None) -> list[Break]:
    """Compare two schemas, self-contained or each within its document; no break means that the new one only adds."""
    old_root, new_root = within or (old, new)
    return list(_Comparison(old_root, new_root, said).of(old, new, ""))


@dataclass(frozen=True, slots=True)
class _Comparison:
    old_root: Schema
    new_root: Schema
    said: bool

    def of(self, old: Schema, new: Schema, at: str) -> Iterator[Break]:
        old, new = resolved(self.old_root, old), resolved(self.new_root, new)
        old_variants, new_variants = _variants(old), _variants(new)
        if len(old_variants) > 1 or len(new_variants) > 1:
            yield from self._unions(old_variants, new_variants, at)
            return
        if unknown := sorted(key for key in new if key not in _JUDGED and not key.startswith("x-")):
            yield Break(at, f"uses {', '.join(unknown)}, which this comparison cannot judge")
        yield from self._types(old, new, at)
        yield from self._words(old, new, at)
        yield from self._bounds(old, new, at)
        yield from self._properties(old, new, at)
        for keyword in ("items", "propertyNames"):
            if keyword in new:
                yield from self.of(old.get(keyword, {}), new[keyword], f"{at}/{keyword}")

    def _unions(self, old: list[Schema], new: list[Schema], at: str) -> Iterator[Break]:
        for number, variant in enumerate(old):
            tried = [list(self.of(variant, candidate, at)) for candidate in new]
            if all(tried):
                yield from min(tried, key=_distance, default=[]) or [Break(at, f"variant {number} is gone")]
        if self.said and len(new) > len(old):
            yield Break(at, "may be something that it never was")

    def _types(self, old: Schema, new: Schema, at: str) -> Iterator[Break]:
        before, now = _types(old), _types(new)
        if not before <= now:
            yield Break(at, f"type was narrowed, {', '.join(sorted(before - now))} is gone")
        if self.said and not now <= before:
            yield Break(at, f"may be {', '.join(sorted(now - before))}, which it never was")

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
        if self.said:
            for name in sorted(needed_before - needed_now):
                yield Break(f"{at}/properties/{name}", "may be absent, which it never was")
        rest_before, rest_now = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if rest_now is False and rest_before is not False:
            yield Break(at, "takes no further properties now")
        elif isinstance(rest_now, Mapping) and rest_before is not False:
            yield from self.of(
                rest_before if isinstance(rest_before, Mapping) else {}, rest_now, f"{at}/additionalProperties"
            )


def _distance(found: list[Break]) -> tuple[int, int]:
    # Variants are told apart by constants: one with another constant is another variant.
    return sum(one.what == "const has changed" for one in found), len(found)


def resolved(root: Schema, schema: Schema) -> Schema:
    """Follow a reference into the document that it stands in."""
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


def _types(schema: Schema) -> set[str]:
    if "type" not in schema:
        return set(_SCALAR_TYPES)
    named = schema["type"]
    types = {named} if isinstance(named, str) else set(named)
    # Every integer is a number.
    return types | {"integer"} if "number" in types else types

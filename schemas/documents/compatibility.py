"""Compatibility of published documents: whether callers and readers of the old document can use the new one.

A change of a JSON Schema is incompatible if it removes a property, requires another one, narrows a type, enum, const,
format or bound, or closes an open object. One exception: a caller may no longer send texts with control or invisible
characters (`visible_text.NARROWED`), because they deceive the person who reads them. For outgoing messages a widened
type, a new variant and a newly optional property are incompatible too. In OpenAPI and AsyncAPI documents, bodies and
parameters are incoming; responses and records are outgoing. A finding in a component is reported once, under the
component's name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.fields.visible_text import NARROWED

_SCALAR_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
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
        *("type", "enum", "properties", "required", "additionalProperties", "propertyNames", "items"),
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
        old_variants, new_variants = _variants(old), _variants(new)
        if len(old_variants) > 1 or len(new_variants) > 1:
            yield from self._unions(old_variants, new_variants, at)
            return
        if unknown := sorted(key for key in new if key not in _COMPARED and not key.startswith("x-")):
            yield Break(at, f"uses {', '.join(unknown)}, which this comparison does not support")
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
            if (
                keyword in new
                and new[keyword] != old.get(keyword)
                and not self._is_narrowed_on_purpose(keyword, old, new)
            ):
                yield Break(at, f"{keyword} has changed")

    def _is_narrowed_on_purpose(self, keyword: str, old: Schema, new: Schema) -> bool:
        return not self.outgoing and keyword == "pattern" and NARROWED.get(old.get("pattern", "")) == new["pattern"]

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
        rest_before, rest_now = old.get("additionalProperties", True), new.get("additionalProperties", True)
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


def _types(schema: Schema) -> set[str]:
    if "type" not in schema:
        return set(_SCALAR_TYPES)
    named = schema["type"]
    types = {named} if isinstance(named, str) else set(named)
    # Every integer is a number.
    return types | {"integer"} if "number" in types else types


def openapi_breaks(old: Schema, new: Schema) -> Iterator[str]:
    """Return the incompatible changes between two OpenAPI documents."""
    return iter(dict.fromkeys(_OpenApi(old, new).findings()))


def asyncapi_breaks(old: Schema, new: Schema) -> Iterator[str]:
    """Return the incompatible changes between two AsyncAPI documents."""
    return iter(dict.fromkeys(_AsyncApi(old, new).findings()))


@dataclass(frozen=True, slots=True)
class _Documents:
    old: Schema
    new: Schema

    def schema(self, where: str, old: Schema, new: Schema, *, outgoing: bool) -> Iterator[str]:
        if old == new and "$ref" in old:
            where = old["$ref"].rpartition("/")[2]
        for found in schema_breaks(old, new, outgoing=outgoing, within=(self.old, self.new)):
            yield f"{where}{found.pointer}: {found.change}"


class _OpenApi(_Documents):
    __slots__ = ()

    def findings(self) -> Iterator[str]:
        for path, operations in self.old["paths"].items():
            for method, operation in operations.items():
                if current := self.new["paths"].get(path, {}).get(method):
                    yield from self._operation(f"{method} {path}", operation, current)
                else:
                    yield f"{method} {path}: is gone"

    def _operation(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        if old["operationId"] != new["operationId"]:
            yield f"{where}: operationId has changed"
        before, now = old.get("security", self.old["security"]), new.get("security", self.new["security"])
        if now and (not before or any(way not in now for way in before)):
            yield f"{where}: needs another credential"
        yield from self._parameters(where, _parameters(old), _parameters(new))
        yield from self._request(f"{where} body", old.get("requestBody", {}), new.get("requestBody", {}))
        for status, response in old["responses"].items():
            if status in new["responses"]:
                yield from self._response(f"{where} {status}", response, new["responses"][status])
            else:
                yield f"{where}: no longer has the response {status}"

    def _parameters(self, where: str, old: Mapping[str, Schema], new: Mapping[str, Schema]) -> Iterator[str]:
        for name, parameter in new.items():
            if parameter["required"] and not old.get(name, {}).get("required"):
                yield f"{where} {name}: is required now"
        for name, parameter in old.items():
            if name in new:
                yield from self.schema(f"{where} {name}", parameter["schema"], new[name]["schema"], outgoing=False)
            else:
                yield f"{where} {name}: is gone"

    def _request(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        if new.get("required") and not old.get("required"):
            yield f"{where}: is required now"
        yield from self._content(where, old, new, outgoing=False)

    def _response(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        yield from self._content(where, old, new, outgoing=True)
        for name, header in old.get("headers", {}).items():
            if current := new.get("headers", {}).get(name):
                yield from self.schema(f"{where} {name}", header["schema"], current["schema"], outgoing=True)
            else:
                yield f"{where} {name}: is gone"

    def _content(self, where: str, old: Schema, new: Schema, *, outgoing: bool) -> Iterator[str]:
        for kind, content in old.get("content", {}).items():
            if current := new.get("content", {}).get(kind):
                yield from self.schema(f"{where} {kind}", content["schema"], current["schema"], outgoing=outgoing)
            else:
                yield f"{where} {kind}: is gone"


class _AsyncApi(_Documents):
    __slots__ = ()

    def findings(self) -> Iterator[str]:
        for name, channel in self.old["channels"].items():
            current = self.new["channels"].get(name)
            if current is None:
                yield f"{name}: is gone"
                continue
            if channel["address"] != current["address"]:
                yield f"{name}: address has changed"
            # Commands are incoming: they may get wider, also for readers of their topic.
            outgoing = name != "commands"
            for title, message in channel["messages"].items():
                if title in current["messages"]:
                    yield from self._message(f"{name} {title}", message, current["messages"][title], outgoing=outgoing)
                else:
                    yield f"{name} {title}: is gone"

    def _message(self, where: str, old: Schema, new: Schema, *, outgoing: bool) -> Iterator[str]:
        old, new = resolved(self.old, old), resolved(self.new, new)
        for fixed in ("name", "contentType"):
            if old[fixed] != new[fixed]:
                yield f"{where}: {fixed} has changed"
        yield from self.schema(f"{where} headers", old["headers"], new["headers"], outgoing=True)
        yield from self.schema(f"{where} payload", old["payload"], new["payload"], outgoing=outgoing)


def _parameters(operation: Schema) -> dict[str, Schema]:
    return {f"{one['in']} {one['name']}": one for one in operation.get("parameters", ())}

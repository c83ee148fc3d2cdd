"""Compatibility of published documents: whether callers and readers of the old document can use the new one.

`schema_compatibility` compares the schemas. In OpenAPI and AsyncAPI documents, bodies and parameters are incoming;
responses and records are outgoing. A finding in a component is reported once, under the component's name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from schemas.documents.schema_compatibility import Schema, resolved, schema_breaks


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
        if "$ref" in old and old["$ref"] == new.get("$ref"):
            where = new["$ref"].rpartition("/")[2]
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
        yield from self._parameters(where, _parameters(self.old, old), _parameters(self.new, new))
        yield from self._request(f"{where} body", old.get("requestBody", {}), new.get("requestBody", {}))
        for status, response in old["responses"].items():
            if current := new["responses"].get(status):
                yield from self._response(
                    f"{where} {status}", resolved(self.old, response), resolved(self.new, current)
                )
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
                before, now = resolved(self.old, header), resolved(self.new, current)
                yield from self.schema(f"{where} {name}", before["schema"], now["schema"], outgoing=True)
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


def _parameters(document: Schema, operation: Schema) -> dict[str, Schema]:
    parameters = [resolved(document, one) for one in operation.get("parameters", ())]
    return {f"{one['in']} {one['name']}": one for one in parameters}

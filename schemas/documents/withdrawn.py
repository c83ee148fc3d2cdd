"""What those who rely on a released OpenAPI or AsyncAPI document would miss under today's.

Schemas are judged by `schemas.documents.additive`: bodies and parameters as what we take, answers and records as
what we say.
A finding in a component is said once, under the component's name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.documents.additive import breaks, resolved

Json = Mapping[str, Any]


def from_callers(old: Json, new: Json) -> Iterator[str]:
    """Compare two OpenAPI documents."""
    return iter(dict.fromkeys(_OpenApi(old, new).findings()))


def from_readers(old: Json, new: Json) -> Iterator[str]:
    """Compare two AsyncAPI documents."""
    return iter(dict.fromkeys(_AsyncApi(old, new).findings()))


@dataclass(frozen=True, slots=True)
class _Documents:
    old: Json
    new: Json

    def schema(self, where: str, old: Json, new: Json, *, said: bool) -> Iterator[str]:
        if old == new and "$ref" in old:
            where = old["$ref"].rpartition("/")[2]
        for found in breaks(old, new, said=said, within=(self.old, self.new)):
            yield f"{where}{found.pointer}: {found.what}"


class _OpenApi(_Documents):
    __slots__ = ()

    def findings(self) -> Iterator[str]:
        for path, operations in self.old["paths"].items():
            for method, operation in operations.items():
                if current := self.new["paths"].get(path, {}).get(method):
                    yield from self._operation(f"{method} {path}", operation, current)
                else:
                    yield f"{method} {path}: is gone"

    def _operation(self, where: str, old: Json, new: Json) -> Iterator[str]:
        if old["operationId"] != new["operationId"]:
            yield f"{where}: operationId has changed"
        before, now = old.get("security", self.old["security"]), new.get("security", self.new["security"])
        if now and (not before or any(way not in now for way in before)):
            yield f"{where}: asks for another credential"
        yield from self._parameters(where, _parameters(old), _parameters(new))
        yield from self._request(f"{where} body", old.get("requestBody", {}), new.get("requestBody", {}))
        for status, answer in old["responses"].items():
            if status in new["responses"]:
                yield from self._answer(f"{where} {status}", answer, new["responses"][status])
            else:
                yield f"{where}: no longer answers {status}"

    def _parameters(self, where: str, old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
        for name, parameter in new.items():
            if parameter["required"] and not old.get(name, {}).get("required"):
                yield f"{where} {name}: is required now"
        for name, parameter in old.items():
            if name in new:
                yield from self.schema(f"{where} {name}", parameter["schema"], new[name]["schema"], said=False)
            else:
                yield f"{where} {name}: is gone"

    def _request(self, where: str, old: Json, new: Json) -> Iterator[str]:
        if new.get("required") and not old.get("required"):
            yield f"{where}: is required now"
        yield from self._content(where, old, new, said=False)

    def _answer(self, where: str, old: Json, new: Json) -> Iterator[str]:
        yield from self._content(where, old, new, said=True)
        for name, header in old.get("headers", {}).items():
            if current := new.get("headers", {}).get(name):
                yield from self.schema(f"{where} {name}", header["schema"], current["schema"], said=True)
            else:
                yield f"{where} {name}: is gone"

    def _content(self, where: str, old: Json, new: Json, *, said: bool) -> Iterator[str]:
        for kind, content in old.get("content", {}).items():
            if current := new.get("content", {}).get(kind):
                yield from self.schema(f"{where} {kind}", content["schema"], current["schema"], said=said)
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
            # What we take may get wider, also for those who read it on its topic.
            said = name != "commands"
            for title, message in channel["messages"].items():
                if title in current["messages"]:
                    yield from self._message(f"{name} {title}", message, current["messages"][title], said=said)
                else:
                    yield f"{name} {title}: is gone"

    def _message(self, where: str, old: Json, new: Json, *, said: bool) -> Iterator[str]:
        old, new = resolved(self.old, old), resolved(self.new, new)
        for fixed in ("name", "contentType"):
            if old[fixed] != new[fixed]:
                yield f"{where}: {fixed} has changed"
        yield from self.schema(f"{where} headers", old["headers"], new["headers"], said=True)
        yield from self.schema(f"{where} payload", old["payload"], new["payload"], said=said)


def _parameters(operation: Json) -> dict[str, Json]:
    return {f"{one['in']} {one['name']}": one for one in operation.get("parameters", ())}

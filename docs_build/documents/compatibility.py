"""Compatibility of AsyncAPI documents: whether writers and readers of the old document can use the new one.

`schema_compatibility` compares the schemas. Commands are incoming; all other records, and all headers, are outgoing. A
finding in a component is reported once, under the component's name. oasdiff compares OpenAPI documents.
"""

from collections.abc import Iterator

from docs_build.documents.schema_compatibility import Schema, resolved, schema_breaks


def asyncapi_breaks(old: Schema, new: Schema) -> list[str]:
    """Return the incompatible changes between two AsyncAPI documents."""
    return list(dict.fromkeys(_breaks(old, new)))


def _breaks(old: Schema, new: Schema) -> Iterator[str]:
    for name, channel in old["channels"].items():
        current = new["channels"].get(name)
        if current is None:
            yield f"{name}: is gone"
            continue
        if channel["address"] != current["address"]:
            yield f"{name}: address has changed"
        for title, message in channel["messages"].items():
            where = f"{name} {title}"
            if title not in current["messages"]:
                yield f"{where}: is gone"
                continue
            before, now = resolved(old, message), resolved(new, current["messages"][title])
            for fixed in ("name", "contentType"):
                if before[fixed] != now[fixed]:
                    yield f"{where}: {fixed} has changed"
            # Commands may get wider, also for readers of their topic.
            for part, outgoing in (("headers", True), ("payload", name != "commands")):
                at = now[part]["$ref"].rpartition("/")[2] if before[part] == now[part] else f"{where} {part}"
                for found in schema_breaks(before[part], now[part], outgoing=outgoing, within=(old, new)):
                    yield f"{at}{found.pointer}: {found.change}"

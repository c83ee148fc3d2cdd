"""The types of the Python client: a TypedDict for each object of the published documents.

A TypedDict costs nothing at run time and refuses nothing: fields and words of a newer gateway pass. The components
come from openapi.json, the events' data from asyncapi.json.
"""

import keyword
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from docs_build.clients.formatting import formatted

PATH: Final = "clients/python/collate_gateway_client/models.py"
_HEAD: Final = '''\
"""The objects of the API and of the events, as they are in JSON.

A newer gateway may send further fields, and further words in a field with a closed list.
"""

# Made by `make docs` from schemas/published; don't edit.

from typing import Literal, NotRequired, TypedDict

'''
_PREFIX: Final = "#/components/schemas/"
_SCALARS: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}

Json = dict[str, Any]


def models_module(openapi: Json, asyncapi: Json) -> str:
    """Return the text of the module."""
    events = dict(_events(asyncapi))
    schemas = _merged(
        openapi["components"]["schemas"], dict(_reachable(asyncapi["components"]["schemas"], events.values()))
    )
    names = component_names(schemas)
    # Several components may be the same type: one definition of each.
    written: dict[str, str] = {}
    for component in _in_order(schemas):
        written.setdefault(names[component], _definition(schemas[component], names[component], names))
    kinds = {kind: names[component] for kind, component in sorted(events.items())}
    union = f'EventData = {" | ".join(kinds.values())}\n"""The data of an event."""\n'
    return formatted("\n".join([_HEAD, *written.values(), union]), PATH)


def _merged(ours: Json, more: Json) -> Json:
    """Return all components. Raises ValueError if two documents describe one name differently."""
    same = {component: component for component in ours | more}
    for component in ours.keys() & more.keys():
        if _definition(ours[component], component, same) != _definition(more[component], component, same):
            raise ValueError(f"openapi.json and asyncapi.json differ in {component}")
    return ours | more


def _events(asyncapi: Json) -> Iterator[tuple[str, str]]:
    """Yield the type of each event and the component of its data."""
    for reference in asyncapi["channels"]["events"]["messages"].values():
        message = asyncapi["components"]["messages"][reference["$ref"].rpartition("/")[2]]
        yield message["name"], message["payload"]["$ref"].removeprefix(_PREFIX)


def _references(schema: Any) -> Iterator[str]:
    """Yield the components that a schema refers to."""
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference.removeprefix(_PREFIX)
        for name, value in schema.items():
            if name not in {"discriminator", "examples", "example"}:
                yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _reachable(schemas: Json, roots: Iterable[str]) -> Iterator[tuple[str, Json]]:
    waiting, seen = list(roots), set[str]()
    while waiting:
        component = waiting.pop()
        if component not in seen:
            seen.add(component)
            waiting += _references(schemas[component])
            yield component, schemas[component]


def _in_order(schemas: Json) -> Iterator[str]:
    """Yield the components so that each one comes after those that it refers to."""
    done = set[str]()

    def visit(component: str) -> Iterator[str]:
        if component not in done:
            done.add(component)
            for reference in _references(schemas[component]):
                yield from visit(reference)
            yield component

    for component in sorted(schemas):
        yield from visit(component)


def component_names(schemas: Json) -> dict[str, str]:
    """Return the Python name of each component: the part behind the dot, if all components with it are one type."""
    short = {component: component.rpartition(".")[2] for component in schemas}
    texts = defaultdict[str, set[str]](set)
    for component, schema in schemas.items():
        texts[short[component]].add(_definition(schema, short[component], short))
    return {
        component: name if len(texts[name]) == 1 or name == component else component.replace(".", "")
        for component, name in short.items()
    }


def _definition(schema: Json, name: str, names: Mapping[str, str]) -> str:
    """Return the definition of one component."""
    described = " ".join(str(schema.get("description", "")).split())
    if schema.get("type") != "object" or ("properties" not in schema and "additionalProperties" in schema):
        text = f'"""{described}"""\n' if described else ""
        return f"{name} = {type_of(schema, names)}\n{text}\n"
    fields = {field: _field(schema, field, names) for field in schema.get("properties", {})}
    if any(keyword.iskeyword(field) for field in fields):
        members = "".join(f"    {field!r}: {kind},\n" for field, kind in fields.items())
        return f'{name} = TypedDict("{name}", {{\n{members}}})\n"""{described}"""\n\n'
    lines = [f"class {name}(TypedDict):", f'    """{described}"""\n']
    for field, kind in fields.items():
        lines.append(f"    {field}: {kind}")
        if note := " ".join(str(schema["properties"][field].get("description", "")).split()):
            lines.append(f'    """{note}"""')
    return "\n".join(lines) + "\n\n"


def _field(schema: Json, field: str, names: Mapping[str, str]) -> str:
    kind = type_of(schema["properties"][field], names)
    return kind if field in schema.get("required", ()) else f"NotRequired[{kind}]"


def type_of(schema: Any, names: Mapping[str, str]) -> str:
    """Return the type of a value. A schema without a type is any JSON, which the reader checks."""
    if not isinstance(schema, dict):
        return "object"
    if "$ref" in schema:
        return names[schema["$ref"].removeprefix(_PREFIX)]
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    if "enum" in schema:
        return f"Literal[{', '.join(map(repr, schema['enum']))}]"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " | ".join(dict.fromkeys(type_of(one, names) for one in schema[several]))
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(type_of(schema | {"type": one}, names) for one in kind)
    if kind == "array":
        return f"list[{type_of(schema.get('items'), names)}]"
    if kind == "object":
        return f"dict[str, {type_of(schema.get('additionalProperties'), names)}]"
    return _SCALARS.get(str(kind), "object")

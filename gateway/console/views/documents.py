"""The published documents, OpenAPI and AsyncAPI, as the API serves them, for the pages of developers. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from gateway.http.methods import METHODS

Json = Mapping[str, Any]
_MOST_DEPTH = 4
_REFERENCE = "#/"
_HEADER = "ce_"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of a body, with those inside it below it. `depth` is 0 for the fields of the body itself."""

    name: str
    depth: int
    type: str
    is_required: bool
    description: str


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """One parameter of an operation."""

    name: str
    place: str
    type: str
    is_required: bool
    description: str


@dataclass(frozen=True, slots=True)
class ResponseRow:
    """One response of an operation, and the fields of its body unless it is a problem."""

    status: str
    description: str
    fields: tuple[FieldRow, ...]


@dataclass(frozen=True, slots=True)
class OperationLine:
    """An operation in the list."""

    id: str
    method: str
    path: str
    summary: str


@dataclass(frozen=True, slots=True)
class OperationPage:
    """One operation with all that a developer needs to call it."""

    line: OperationLine
    description: str
    parameters: tuple[ParameterRow, ...]
    body: tuple[FieldRow, ...]
    responses: tuple[ResponseRow, ...]
    is_public: bool


@dataclass(frozen=True, slots=True)
class MessageLine:
    """A message of a topic in the list."""

    id: str
    name: str
    topic: str
    summary: str


@dataclass(frozen=True, slots=True)
class MessagePage:
    """One message: its attributes, the fields of its data, and an example as a CloudEvent in JSON values."""

    line: MessageLine
    attributes: tuple[FieldRow, ...]
    fields: tuple[FieldRow, ...]
    example: Json | None


@dataclass(frozen=True, slots=True)
class OperationExamples:
    """The body of a request, and the bodies of responses by status, as JSON values."""

    request: Any | None
    responses: tuple[tuple[str, Any], ...]


def operations_of(openapi: Json) -> tuple[OperationLine, ...]:
    """Return the operations, in the order of the document."""
    return tuple(line for line, _ in _operations(openapi))


def operation_page(openapi: Json, operation_id: str) -> OperationPage | None:
    """Return one operation; None if the document has no such id."""
    for line, operation in _operations(openapi):
        if line.id == operation_id:
            resolve = partial(_resolve, openapi)
            return OperationPage(
                line=line,
                description=operation.get("description", ""),
                parameters=tuple(
                    _parameter(one, resolve(one.get("schema") or {})) for one in _parameters(openapi, operation)
                ),
                body=_fields(openapi, _json_schema(resolve(operation.get("requestBody") or {}))),
                responses=tuple(
                    _response(openapi, status, resolve(response)) for status, response in operation["responses"].items()
                ),
                is_public=operation.get("security") == [],
            )
    return None


def messages_of(asyncapi: Json) -> tuple[MessageLine, ...]:
    """Return the messages of each topic, in the order of the document."""
    lines = []
    for channel in asyncapi["channels"].values():
        for id_, reference in channel["messages"].items():
            message = _resolve(asyncapi, reference)
            lines.append(
                MessageLine(id_, str(message.get("name", id_)), channel["address"], str(message.get("summary", "")))
            )
    return tuple(lines)


def message_page(asyncapi: Json, message_id: str) -> MessagePage | None:
    """Return one message; None if the document has no such id."""
    for line in messages_of(asyncapi):
        if line.id == message_id:
            message = asyncapi["components"]["messages"][message_id]
            attributes = tuple(
                replace(row, name=row.name.removeprefix(_HEADER))
                for row in _fields(asyncapi, message.get("headers") or {})
                if row.name.startswith(_HEADER)
            )
            fields = _fields(asyncapi, message.get("payload") or {})
            return MessagePage(line, attributes, fields, _cloud_event(message))
    return None


def examples_of(openapi: Json, operation_id: str) -> OperationExamples:
    """Return the examples of an operation, as far as the document has them."""
    for line, operation in _operations(openapi):
        if line.id == operation_id:
            responses = (
                (status, _example(openapi, _resolve(openapi, response)))
                for status, response in operation["responses"].items()
                if int(status) < 400
            )
            return OperationExamples(
                _example(openapi, _resolve(openapi, operation.get("requestBody") or {})),
                tuple((status, example) for status, example in responses if example is not None),
            )
    return OperationExamples(None, ())


def _cloud_event(message: Json) -> Json | None:
    """Return the first example as one JSON object: CloudEvents' structured mode, as the event stream sends it."""
    example = next(iter(message.get("examples") or ()), None)
    if example is None:
        return None
    headers = example.get("headers") or {}
    attributes = {name.removeprefix(_HEADER): value for name, value in headers.items() if name.startswith(_HEADER)}
    return {**attributes, "data": example.get("payload")}


def _example(document: Json, holder: Json) -> Any | None:
    """Return the example of a body: its media type's own one, else that of its schema."""
    content = holder.get("content") or {}
    for media_type in (_JSON, *content):
        media = content.get(media_type) or {}
        if "example" in media:
            return media["example"]
        named = [_resolve(document, one) for one in (media.get("examples") or {}).values()]
        if named and "value" in named[0]:
            return named[0]["value"]
        if media_type == _JSON and (of_schema := _resolve(document, media.get("schema") or {}).get("examples")):
            return of_schema[0]
    return None


def _operations(openapi: Json) -> Iterator[tuple[OperationLine, Json]]:
    for path, item in openapi["paths"].items():
        for method in METHODS:
            if operation := item.get(method.lower()):
                id_ = operation.get("operationId") or f"{method.lower()}-{path}"
                yield OperationLine(id_, method, path, operation.get("summary", "")), operation


def _parameters(openapi: Json, operation: Json) -> Iterable[Json]:
    found = [_resolve(openapi, one) for one in operation.get("parameters", ())]
    return [one for one in found if "name" in one]


def _parameter(parameter: Json, schema: Json) -> ParameterRow:
    return ParameterRow(
        name=parameter["name"],
        place=parameter["in"],
        type=_type(schema),
        is_required=bool(parameter.get("required")),
        description=parameter.get("description", ""),
    )


def _response(openapi: Json, status: str, response: Json) -> ResponseRow:
    # All problems have one form, which the page shows once.
    schema = {} if int(status) >= 400 else _json_schema(response)
    return ResponseRow(status, response.get("description", ""), _fields(openapi, schema))


def _json_schema(holder: Json) -> Json:
    content = holder.get("content") or {}
    for media_type in ("application/json", "application/cloudevents+json"):
        if media_type in content:
            schema: Json = content[media_type].get("schema") or {}
            return schema
    return {}


def _fields(document: Json, schema: Json, depth: int = 0) -> tuple[FieldRow, ...]:
    rows: list[FieldRow] = []
    shape = _resolve(document, schema)
    required = set(shape.get("required", ()))
    for name, property_ in (shape.get("properties") or {}).items():
        inner = _resolve(document, property_)
        rows.append(
            FieldRow(
                name,
                depth,
                _type(inner),
                name in required,
                property_.get("description") or inner.get("description", ""),
            )
        )
        if depth < _MOST_DEPTH:
            rows += _inside(document, inner, depth + 1)
    return tuple(rows)


def _inside(document: Json, schema: Json, depth: int) -> Iterable[FieldRow]:
    """Return the fields of an object, of the items of a list, or of each alternative."""
    if items := schema.get("items"):
        return _fields(document, items, depth)
    rows: list[FieldRow] = list(_fields(document, schema, depth)) if "properties" in schema else []
    for alternative in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        rows += _fields(document, alternative, depth)
    return rows


def _resolve(document: Json, schema: Json) -> Json:
    """Follow references inside the document, a bounded number of times; one that leads nowhere is an empty schema."""
    for _ in range(8):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith(_REFERENCE):
            return schema
        found: Any = document
        for step in reference.removeprefix(_REFERENCE).split("/"):
            found = found.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
        schema = found
    return schema


def _type(schema: Json) -> str:
    if "const" in schema:
        return str(schema["const"])
    if words := schema.get("enum"):
        return " | ".join(str(word) for word in words)
    if items := schema.get("items"):
        return f"list of {_type(items)}" if "$ref" not in items else "list"
    if alternatives := (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        return " | ".join(dict.fromkeys(_type(one) for one in alternatives))
    type_ = schema.get("type", "object" if "$ref" in schema or "properties" in schema else "any")
    named = " | ".join(type_) if isinstance(type_, list) else str(type_)
    return f"{named} ({schema['format']})" if schema.get("format") else named

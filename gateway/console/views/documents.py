"""The published documents, OpenAPI and AsyncAPI, as the API serves them, for the pages of developers. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from gateway.console.views.json_values import JsonObject, list_of, object_of, text_of
from gateway.http.methods import METHODS

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
    """One parameter of an operation. `words` are all its values, if it is one of a few words."""

    name: str
    place: str
    type: str
    is_required: bool
    description: str
    words: tuple[str, ...] = ()


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
    """One operation with all that a developer needs to call it. `answers` are the names of the 2xx bodies' schemas."""

    line: OperationLine
    description: str
    parameters: tuple[ParameterRow, ...]
    body: tuple[FieldRow, ...]
    responses: tuple[ResponseRow, ...]
    answers: tuple[str, ...]
    is_public: bool

    @property
    def places(self) -> tuple[str, ...]:
        """The names of the path's parameters, in order."""
        return tuple(part[1:-1] for part in self.line.path.split("/") if part.startswith("{"))


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
    example: JsonObject | None


@dataclass(frozen=True, slots=True)
class OperationExamples:
    """The body of a request, and the bodies of responses by status, as JSON values."""

    request: object | None
    responses: tuple[tuple[str, object], ...]


def operations_of(openapi: JsonObject) -> tuple[OperationLine, ...]:
    """Return the operations, in the order of the document."""
    return tuple(line for line, _ in _operations(openapi))


def operation_page(openapi: JsonObject, operation_id: str) -> OperationPage | None:
    """Return one operation; None if the document has no such id."""
    for line, operation in _operations(openapi):
        if line.id == operation_id:
            responses = {
                status: _resolve(openapi, response) for status, response in object_of(operation["responses"]).items()
            }
            named = (
                text_of(_json_schema(response).get("$ref")).rpartition("/")[2]
                for status, response in responses.items()
                if status < "3"
            )
            return OperationPage(
                line=line,
                description=text_of(operation.get("description")),
                parameters=tuple(_parameters(openapi, operation)),
                body=_fields(openapi, _json_schema(_resolve(openapi, operation.get("requestBody")))),
                responses=tuple(_response(openapi, *one) for one in responses.items()),
                answers=tuple(filter(None, named)),
                is_public=operation.get("security") == [],
            )
    return None


def messages_of(asyncapi: JsonObject) -> tuple[MessageLine, ...]:
    """Return the messages of each topic, in the order of the document."""
    lines = []
    for channel in map(object_of, object_of(asyncapi["channels"]).values()):
        for id_, reference in object_of(channel["messages"]).items():
            message = _resolve(asyncapi, reference)
            name, summary = text_of(message.get("name")) or id_, text_of(message.get("summary"))
            lines.append(MessageLine(id_, name, text_of(channel["address"]), summary))
    return tuple(lines)


def message_page(asyncapi: JsonObject, message_id: str) -> MessagePage | None:
    """Return one message; None if the document has no such id."""
    for line in messages_of(asyncapi):
        if line.id == message_id:
            message = object_of(object_of(object_of(asyncapi["components"])["messages"])[message_id])
            attributes = tuple(
                replace(row, name=row.name.removeprefix(_HEADER))
                for row in _fields(asyncapi, message.get("headers"))
                if row.name.startswith(_HEADER)
            )
            return MessagePage(line, attributes, _fields(asyncapi, message.get("payload")), _cloud_event(message))
    return None


def examples_of(openapi: JsonObject, operation_id: str) -> OperationExamples:
    """Return the examples of an operation, as far as the document has them."""
    for line, operation in _operations(openapi):
        if line.id == operation_id:
            responses = (
                (status, _example(openapi, _resolve(openapi, response)))
                for status, response in object_of(operation["responses"]).items()
                if int(status) < 400
            )
            return OperationExamples(
                _example(openapi, _resolve(openapi, operation.get("requestBody"))),
                tuple((status, example) for status, example in responses if example is not None),
            )
    return OperationExamples(None, ())


def _cloud_event(message: JsonObject) -> JsonObject | None:
    """Return the first example as one JSON object: CloudEvents' structured mode, as the event stream sends it."""
    for example in map(object_of, list_of(message.get("examples"))):
        headers = object_of(example.get("headers")).items()
        attributes = {name.removeprefix(_HEADER): value for name, value in headers if name.startswith(_HEADER)}
        return attributes | {"data": example.get("payload")}
    return None


def _example(document: JsonObject, holder: JsonObject) -> object | None:
    """Return the example of a body: its media type's own one, else that of its schema."""
    content = object_of(holder.get("content"))
    for media_type in (_JSON, *content):
        media = object_of(content.get(media_type))
        if "example" in media:
            return media["example"]
        named = [_resolve(document, one) for one in object_of(media.get("examples")).values()]
        if named and "value" in named[0]:
            return named[0]["value"]
        of_schema = list_of(_resolve(document, media.get("schema")).get("examples"))
        if media_type == _JSON and of_schema:
            return of_schema[0]
    return None


def _operations(openapi: JsonObject) -> Iterator[tuple[OperationLine, JsonObject]]:
    for path, item in object_of(openapi["paths"]).items():
        for method in METHODS:
            if operation := object_of(object_of(item).get(method.lower())):
                id_ = text_of(operation.get("operationId")) or f"{method.lower()}-{path}"
                yield OperationLine(id_, method, path, text_of(operation.get("summary"))), operation


def _parameters(openapi: JsonObject, operation: JsonObject) -> Iterator[ParameterRow]:
    for one in list_of(operation.get("parameters")):
        parameter = _resolve(openapi, one)
        schema = _resolve(openapi, parameter.get("schema"))
        if "name" in parameter:
            yield ParameterRow(
                name=text_of(parameter["name"]),
                place=text_of(parameter["in"]),
                type=_type(schema),
                is_required=bool(parameter.get("required")),
                description=text_of(parameter.get("description")),
                words=tuple(map(text_of, list_of(schema.get("enum")))),
            )


def _response(openapi: JsonObject, status: str, response: JsonObject) -> ResponseRow:
    # All problems have one form, which the page shows once.
    schema = {} if int(status) >= 400 else _json_schema(response)
    return ResponseRow(status, text_of(response.get("description")), _fields(openapi, schema))


def _json_schema(holder: JsonObject) -> JsonObject:
    content = object_of(holder.get("content"))
    media = content.get("application/json", content.get("application/cloudevents+json"))
    return object_of(object_of(media).get("schema"))


def _fields(document: JsonObject, schema: object, depth: int = 0) -> tuple[FieldRow, ...]:
    rows: list[FieldRow] = []
    shape = _resolve(document, schema)
    required = list_of(shape.get("required"))
    for name, property_ in object_of(shape.get("properties")).items():
        inner = _resolve(document, property_)
        description = text_of(object_of(property_).get("description")) or text_of(inner.get("description"))
        rows.append(FieldRow(name, depth, _type(inner), name in required, description))
        if depth < _MOST_DEPTH:
            rows += _inside(document, inner, depth + 1)
    return tuple(rows)


def _inside(document: JsonObject, schema: JsonObject, depth: int) -> Iterable[FieldRow]:
    """Return the fields of an object, of the items of a list, or of each alternative."""
    if items := schema.get("items"):
        return _fields(document, items, depth)
    rows = list(_fields(document, schema, depth)) if "properties" in schema else []
    for alternative in _alternatives(schema):
        rows += _fields(document, alternative, depth)
    return rows


def _alternatives(schema: JsonObject) -> list[object]:
    return [*list_of(schema.get("oneOf")), *list_of(schema.get("anyOf"))]


def _resolve(document: JsonObject, schema: object) -> JsonObject:
    """Follow references inside the document, a bounded number of times; one that leads nowhere is an empty schema."""
    for _ in range(8):
        reference = text_of(object_of(schema).get("$ref"))
        if not reference.startswith(_REFERENCE):
            break
        schema = document
        for step in reference.removeprefix(_REFERENCE).split("/"):
            schema = object_of(schema).get(step.replace("~1", "/").replace("~0", "~"))
    return object_of(schema)


def _type(schema: JsonObject) -> str:
    if "const" in schema:
        return str(schema["const"])
    if words := list_of(schema.get("enum")):
        return " | ".join(str(word) for word in words)
    if items := object_of(schema.get("items")):
        return f"list of {_type(items)}" if "$ref" not in items else "list"
    if alternatives := _alternatives(schema):
        return " | ".join({_type(object_of(one)): None for one in alternatives})
    type_ = schema.get("type", "object" if "$ref" in schema or "properties" in schema else "any")
    named = " | ".join(map(str, list_of(type_))) or str(type_)
    return f"{named} ({schema['format']})" if schema.get("format") else named

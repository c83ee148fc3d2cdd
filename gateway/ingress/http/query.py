"""The query of a request. Functions raise InvalidParameter, which names the expected value and quotes no input."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from adapters.postgres.cursor import CursorInvalid, read_cursor
from gateway.ingress.http.problem import Fault
from gateway.ingress.http.problems import InvalidParameter
from schemas.field_types import Id, Slug, Word
from schemas.times import parse_time
from schemas.visible_text import FROM_CALLER, SentName

MAX_ROWS = 200
DEFAULT_ROWS = 50
_MAX_PARAMETERS = 10
_SHAPES: Mapping[str, tuple[TypeAdapter[str], str]] = {
    "cause": (TypeAdapter(Slug), "the cause of a dead letter"),
    "command": (TypeAdapter(Word), "a command type"),
    "caller": (TypeAdapter(SentName), "a caller's name, on one line, at most 128 characters, none of them invisible"),
    "operator": (
        TypeAdapter(SentName),
        "the name of the operator, on one line, at most 128 characters, none of them invisible",
    ),
    "authorizationId": (TypeAdapter(Id), "an id of Collate"),
}


def read_query(request: Request, *known: str) -> Mapping[str, str]:
    """Return the parameters. Each must be one of `known`, given once, and of its shape."""
    text = request.scope["query_string"].decode("latin-1")
    try:
        terms = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise invalid_parameter("query", f"at most {_MAX_PARAMETERS} parameters") from None
    query = dict(terms)
    if len(query) != len(terms) or not query.keys() <= set(known):
        raise invalid_parameter("query", f"each of {', '.join(known)} once at most" if known else "no parameters")
    for name in query:
        if name in _SHAPES:
            require_shape(query, name)
    return query


def require_shape(query: Mapping[str, str], name: str) -> str:
    """Return a required parameter."""
    shape, expected = _SHAPES[name]
    try:
        return shape.validate_python(query.get(name), context=FROM_CALLER)
    except ValidationError:
        raise invalid_parameter(name, expected) from None


def read_since(query: Mapping[str, str]) -> datetime | None:
    """Return the parameter `since`."""
    text = query.get("since")
    try:
        return None if text is None else parse_time(text)
    except ValueError:
        raise invalid_parameter("since", "an RFC 3339 time with an offset") from None


def read_limit(query: Mapping[str, str]) -> int:
    """Return the parameter `limit`: the number of rows of a page."""
    text = query.get("limit")
    if text is None:
        return DEFAULT_ROWS
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_ROWS):
        raise invalid_parameter("limit", f"a number from 1 to {MAX_ROWS}")
    return int(text)


def read_after(query: Mapping[str, str], *types: type) -> Any:
    """Return the parameter `cursor`: the sort key after which the page starts, with values of these types."""
    cursor = query.get("cursor")
    if cursor is None:
        return None
    try:
        return read_cursor(cursor, *types)
    except CursorInvalid:
        raise invalid_parameter("cursor", "`next` of the previous page, unchanged") from None


def invalid_parameter(parameter: str, expected: str) -> InvalidParameter:
    """Return the problem of one parameter."""
    return InvalidParameter("Correct the query.", faults=(Fault(expected, parameter=parameter),))

"""The query of a request. Functions raise InvalidParameter, which names the expected value and quotes no input."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from adapters.postgres.cursor import CursorInvalid, read_cursor
from adapters.postgres.filters import Order
from gateway.ingress.http.problems import InvalidParameter
from runtime.http.problem import Fault
from schemas.fields.metadata import Metadata
from schemas.fields.scalars import Id, Slug, Word
from schemas.fields.visible_text import FROM_CALLER, SentName
from schemas.times import parse_time

MAX_ROWS = 200
DEFAULT_ROWS = 50
_MAX_PARAMETERS = 24
_SHAPES: Mapping[str, tuple[TypeAdapter[str], str]] = {
    "cause": (TypeAdapter(Slug), "the cause of a dead letter"),
    "command": (TypeAdapter(Word), "a command type"),
    "caller": (TypeAdapter(SentName), "a caller's name, on one line, at most 128 characters, none of them invisible"),
    "claimedBy": (TypeAdapter(SentName), "a person as a caller, such as people:jo.miller, or none"),
    "operator": (
        TypeAdapter(SentName),
        "the name of the operator, on one line, at most 128 characters, none of them invisible",
    ),
    "authorizationId": (TypeAdapter(Id), "an id of Collate"),
    "payer": (TypeAdapter(Id), "Collate's id of a payer"),
    "reason": (TypeAdapter(Slug), "the reason of a command"),
}
_METADATA: TypeAdapter[dict[str, str]] = TypeAdapter(Metadata)


METADATA = "metadata."
"""The prefix of the parameters that name a command's metadata: `metadata.case=case-0042`."""


def read_query(request: Request, *known: str, metadata: bool = False) -> Mapping[str, str]:
    """Return the parameters. Each must be one of `known`, or of the metadata, given once, and of its shape."""
    text = request.scope["query_string"].decode("latin-1")
    try:
        terms = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise invalid_parameter("query", f"at most {_MAX_PARAMETERS} parameters") from None
    query = dict(terms)
    named = {name for name in query if not (metadata and name.startswith(METADATA))}
    if len(query) != len(terms) or not named <= set(known):
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


def read_since(query: Mapping[str, str], name: str = "since") -> datetime | None:
    """Return a parameter that is a time."""
    text = query.get(name)
    try:
        return None if text is None else parse_time(text)
    except ValueError:
        raise invalid_parameter(name, "an RFC 3339 time with an offset") from None


def read_word(query: Mapping[str, str], name: str, words: tuple[str, ...]) -> str | None:
    """Return a parameter that is one of these words, or None."""
    word = query.get(name)
    if word is not None and word not in words:
        raise invalid_parameter(name, " or ".join(words))
    return word


def read_order(query: Mapping[str, str]) -> Order:
    """Return the parameter `order`."""
    return "newest" if read_word(query, "order", ("oldest", "newest")) == "newest" else "oldest"


def read_metadata(query: Mapping[str, str]) -> Mapping[str, str]:
    """Return the metadata that the parameters `metadata.KEY=VALUE` name."""
    named = {name.removeprefix(METADATA): value for name, value in query.items() if name.startswith(METADATA)}
    try:
        return _METADATA.validate_python(named)
    except ValidationError:
        raise invalid_parameter("metadata", "metadata.KEY=VALUE, as a command's metadata has them") from None


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

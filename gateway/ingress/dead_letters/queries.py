"""The queries of the operators' routes. Each raises InvalidParameter: what was expected, never what was found."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError

from adapters.postgres.cursor import CursorInvalid, read_cursor
from gateway.ingress.http.exchange import Exchange
from gateway.ingress.http.problem import Fault
from gateway.ingress.http.problems import InvalidParameter
from schemas.field_types import Id, Name, Slug, Word
from schemas.times import parse_time

MOST_ROWS, USUAL_ROWS = 200, 50
_MOST_TERMS = 10
_SHAPES: Mapping[str, tuple[TypeAdapter[str], str]] = {
    "cause": (TypeAdapter(Slug), "a cause, as a letter has it"),
    "command": (TypeAdapter(Word), "a command's type"),
    "caller": (TypeAdapter(Name), "a caller's name, on one line, at most 128 characters"),
    "operator": (TypeAdapter(Name), "who will see it, on one line, at most 128 characters"),
    "authorizationId": (TypeAdapter(Id), "an id of Collate's"),
}


def query(exchange: Exchange, *known: str) -> Mapping[str, str]:
    """Return the parameters, each known and given once."""
    text = exchange.query.decode("latin-1")
    try:
        terms = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_TERMS)
    except ValueError:
        raise _wrong("query", f"at most {_MOST_TERMS} parameters") from None
    found = dict(terms)
    if len(found) != len(terms) or not found.keys() <= set(known):
        raise _wrong("query", f"each of {', '.join(known)} once at most" if known else "no parameters")
    for name, value in found.items():
        if name in _SHAPES:
            _require(name, value)
    return found


def _require(name: str, value: str | None) -> str:
    shape, expected = _SHAPES[name]
    try:
        return shape.validate_python(value)
    except ValidationError:
        raise _wrong(name, expected) from None


def since(text: str | None) -> datetime | None:
    """Return a time."""
    try:
        return None if text is None else parse_time(text)
    except ValueError:
        raise _wrong("since", "an RFC 3339 time with an offset") from None


def limit(text: str | None) -> int:
    """Return how many are wanted."""
    if text is None:
        return USUAL_ROWS
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MOST_ROWS):
        raise _wrong("limit", f"a number from 1 to {MOST_ROWS}")
    return int(text)


def behind(cursor: str | None) -> tuple[datetime, str] | None:
    """Return where the page before ended."""
    try:
        if cursor is None:
            return None
        at, command_id = read_cursor(cursor, str)
    except CursorInvalid:
        raise _wrong("cursor", "`next` of the answer before, unchanged") from None
    return at, command_id


def operator(text: str | None) -> str:
    """Return who will see it."""
    return _require("operator", text)


def _wrong(parameter: str, expected: str) -> InvalidParameter:
    return InvalidParameter("Correct the query.", faults=(Fault(expected, parameter=parameter),))

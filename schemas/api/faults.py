"""Errors in a caller's JSON: a JSON pointer to each field and the expected value, never the value found.

The pointer contains an unknown key only if the key looks like a field name. Otherwise it ends at the object with the
key. Show and log these, never the ValidationError: its text contains unknown keys as sent.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from schemas.commands import CLOSE_ACTIONS
from schemas.fields.scalars import PHRASES

_MAX_FAULTS = 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_PLACE = re.compile(r"at (line \d+ column \d+)\Z")
_KEY = "[key]"
# pydantic adds the variant of a union to the location; it is not part of the document.
_VARIANTS = tuple(action.model_fields["type"].default for action in CLOSE_ACTIONS)
_UNION = "result"


@dataclass(frozen=True, slots=True)
class FieldFault:
    """An invalid field. An empty pointer means the whole document."""

    pointer: str
    expected: str


def faults(error: ValidationError) -> list[FieldFault]:
    """Return the invalid fields, at most 20."""
    details = error.errors(include_url=False, include_input=False)
    return [_fault(detail["loc"], detail["type"], detail.get("ctx", {})) for detail in details[:_MAX_FAULTS]]


def _fault(location: tuple[int | str, ...], kind: str, context: Mapping[str, Any]) -> FieldFault:
    expected = _EXPECTED.get(kind, _ANYTHING)(context)
    if location and location[-1] == _KEY:
        return FieldFault(_pointer(location[:-2]), f"keys to be {expected}")
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        location = (*location, "type")
    return FieldFault(_pointer(location), expected)


def _pointer(location: tuple[int | str, ...]) -> str:
    pointer = ""
    for at, part in enumerate(location):
        if at and location[at - 1] == _UNION and part in _VARIANTS:
            continue
        if isinstance(part, str) and not _NAME.fullmatch(part):
            return pointer
        pointer += f"/{part}"
    return pointer


def _json(context: Mapping[str, Any]) -> str:
    place = _PLACE.search(str(context.get("error", "")))
    return f"JSON in UTF-8 (the error is at {place[1]})" if place else "JSON in UTF-8"


def _pattern(context: Mapping[str, Any]) -> str:
    pattern = str(context["pattern"])
    return PHRASES.get(pattern, f"a text that matches {pattern}")


def _always(phrase: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda _: phrase


_ANYTHING = _always("a value of the documented type")
_EXPECTED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": _always("a value: the field is required"),
    "extra_forbidden": _always("no such field"),
    "json_invalid": _json,
    "json_type": _always("JSON in UTF-8"),
    "model_type": _always("an object"),
    "model_attributes_type": _always("an object"),
    "dict_type": _always("an object"),
    "list_type": _always("an array"),
    "string_type": _always("a text"),
    "string_pattern_mismatch": _pattern,
    "string_too_long": lambda context: f"at most {context['max_length']} characters",
    "string_too_short": lambda context: f"at least {context['min_length']} characters",
    "too_long": lambda context: f"at most {context['max_length']} entries",
    "bool_type": _always("true or false"),
    "int_type": _always("a whole number"),
    "int_from_float": _always("a whole number"),
    "greater_than_equal": lambda context: f"a number of at least {context['ge']}",
    "less_than_equal": lambda context: f"a number of at most {context['le']}",
    "enum": lambda context: f"one of {context['expected']}",
    "literal_error": lambda context: f"one of {context['expected']}",
    "time": _always("an RFC 3339 time with an offset, such as 2026-01-31T12:00:00Z"),
    "datetime_type": _always("an RFC 3339 time with an offset, such as 2026-01-31T12:00:00Z"),
    "union_tag_not_found": _always(f"one of {', '.join(map(repr, _VARIANTS))}"),
    "union_tag_invalid": lambda context: f"one of {context['expected_tags']}",
}
"""The expected value by pydantic's error type, for all types that the models can raise; a test checks this."""

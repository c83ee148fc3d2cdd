"""Texts of callers that a person sees: names, reasons and notes, without characters that deceive the person.

Control characters (C0, C1) steer a terminal. Format characters (bidirectional controls, tags and others) hide text or
change its order. The rules apply where a caller's text enters. A stored record is read as it was accepted.
"""

import json
import re
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, StringConstraints, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

FROM_CALLER = {"from_caller": True}
"""The validation context of a text that a caller sends now."""

# Unicode's categories Cc, Cf, Zl and Zp; tests/unit/schemas/test_visible_text.py compares them. Free text may have
# tabs, line breaks and the invisible characters that web pages, emoji and some scripts need: they change no order.
_CONTROLS = r"\x00-\x1f\x7f-\x9f"
_TEXT_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_SCRIPTS = r"\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e"
_FORMAT = rf"\xad{_SCRIPTS}\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"
_TEXT_FORMAT = rf"{_SCRIPTS}\u200e\u200f\u2028-\u202e\u2061-\u206f\ufff0-\ufffb"
# Characters above U+FFFF are not in the published patterns: a regular expression of UTF-16 units can't have them.
_ASTRAL = r"\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"

_LINE = rf"^[^{_CONTROLS}{_FORMAT}]+$"
_TEXT = rf"^[^{_TEXT_CONTROLS}{_TEXT_FORMAT}]*$"
_SOME_TEXT = rf"^[^{_TEXT_CONTROLS}{_TEXT_FORMAT}]+$"
# A name or a ticket is published; a link in it would be what `gateway check promises` takes for a secret.
_NO_URL = "^(?!.*://)"
# A class of characters below U+10000 is a table; with others it is a list of ranges, and ten times slower.
_HIDDEN_IN_LINE = re.compile(f"[{_CONTROLS}{_FORMAT}]")
_HIDDEN_IN_TEXT = re.compile(f"[{_TEXT_CONTROLS}{_TEXT_FORMAT}]")
_HIDDEN_ASTRAL = re.compile(f"[{_ASTRAL}]")
_ESCAPED = re.compile(f"[{_TEXT_CONTROLS}{_TEXT_FORMAT}{_ASTRAL}]")

STORED_LINE = r"^[^\x00-\x1f\x7f]+$"
STORED_TEXT = r"^[^\x00]*$"
STORED_SOME_TEXT = r"^[^\x00]+$"

PHRASES = {
    STORED_LINE: "a text on one line, without control characters",
    STORED_TEXT: "a text without NUL",
    STORED_SOME_TEXT: "a text, not empty and without NUL",
    _LINE: "a text on one line, without control or invisible characters",
    _TEXT: "a text without control characters and characters that change its direction",
    _NO_URL + _LINE[1:]: "a text on one line, without ://, control or invisible characters",
    _SOME_TEXT: "a text, not empty, without control characters and characters that change its direction",
}
"""A description of each pattern for error messages."""

NARROWED = {STORED_LINE: _LINE, STORED_TEXT: _TEXT, STORED_SOME_TEXT: _SOME_TEXT}
"""The patterns of records, and the narrower ones of what a caller sends."""


def is_visible_line(value: str) -> bool:
    """Whether a text has no control and no format characters."""
    return not _has(_HIDDEN_IN_LINE, value)


def _has(hidden: re.Pattern[str], value: str) -> bool:
    return hidden.search(value) is not None or (not value.isascii() and _HIDDEN_ASTRAL.search(value) is not None)


def escaped(value: str) -> str:
    """Return a stored text for a terminal: each control or format character except line breaks and tabs as its code."""
    return _ESCAPED.sub(lambda found: f"\\u{{{ord(found[0]):04x}}}", value)


def escaped_json(document: str) -> str:
    """Return the same JSON for a terminal, with those characters as JSON escapes."""
    return _ESCAPED.sub(lambda found: json.dumps(found[0])[1:-1], document)


class FromCaller:
    """An annotation of a text: a caller may send visible characters only. The published pattern says so."""

    def __init__(self, stored: str, *, has_url: bool = True) -> None:
        """`stored` is the pattern of records; with `has_url` a caller may send a URL."""
        narrowed = NARROWED.get(stored, stored)
        self._pattern = narrowed if has_url else _NO_URL + narrowed[1:]
        self._has_url = has_url
        self._hidden = _HIDDEN_IN_LINE if stored == STORED_LINE else _HIDDEN_IN_TEXT

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate after the stored pattern."""

        def must_be_visible(value: str, info: ValidationInfo) -> str:
            is_narrowed = _has(self._hidden, value) or ("://" in value and not self._has_url)
            if info.context is FROM_CALLER and is_narrowed:
                raise PydanticCustomError(
                    "string_pattern_mismatch", "String should match pattern '{pattern}'", {"pattern": self._pattern}
                )
            return value

        return core_schema.with_info_after_validator_function(must_be_visible, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Publish the narrower pattern."""
        return handler(core) | {"pattern": self._pattern}


SentName = Annotated[
    str, StringConstraints(pattern=STORED_LINE, max_length=128), FromCaller(STORED_LINE, has_url=False)
]
"""The name of an operator in a request: a member of staff, never a patient."""

Reference = Annotated[str, StringConstraints(pattern=STORED_LINE, max_length=128), FromCaller(STORED_LINE)]
Notes = Annotated[str, StringConstraints(pattern=STORED_TEXT, max_length=4000), FromCaller(STORED_TEXT)]
Why = Annotated[str, StringConstraints(pattern=STORED_SOME_TEXT, max_length=500), FromCaller(STORED_SOME_TEXT)]

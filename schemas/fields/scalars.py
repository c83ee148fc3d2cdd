"""Scalar types: ids, short words, free text, open and closed vocabularies.

The patterns are published. A wider pattern is compatible, a narrower one is not.
"""

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BeforeValidator, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from schemas.fields.visible_text import PHRASES as TEXT_PHRASES
from schemas.fields.visible_text import STORED_LINE, FromCaller

_ID = r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$"
_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_SLUG = r"^[a-z0-9_]{1,64}$"
_SHORT = r"^[A-Za-z0-9._:-]{1,64}$"
_METADATA_KEY = r"^[A-Za-z0-9._-]{1,64}$"
_TICKET = r"^[A-Za-z0-9._:/#-]{1,64}$"
_SENT_TICKET = r"^(?!.*://)[A-Za-z0-9._:/#-]{1,64}$"

PHRASES = {
    _ID: "1 to 128 characters of A-Z a-z 0-9 . _ ~ -, beginning with a letter or a digit",
    _UUID: "a UUID in lower case",
    _SLUG: "1 to 64 characters of a-z 0-9 _",
    _SHORT: "1 to 64 characters of A-Z a-z 0-9 . _ : -",
    _METADATA_KEY: "1 to 64 characters of A-Z a-z 0-9 . _ -",
    _TICKET: "1 to 64 characters of A-Z a-z 0-9 . _ : / # -",
    _SENT_TICKET: "1 to 64 characters of A-Z a-z 0-9 . _ : / # -, without ://",
    **TEXT_PHRASES,
}
"""A description of each pattern for error messages."""

Id = Annotated[str, StringConstraints(pattern=_ID)]
"""An id of Collate's. It is safe in a URL path and as a Kafka key."""

CommandId = Annotated[str, StringConstraints(pattern=_UUID)]
Slug = Annotated[str, StringConstraints(pattern=_SLUG)]
"""A reason for programs to branch on."""

Word = Annotated[str, StringConstraints(pattern=_SHORT)]
"""A word of a foreign vocabulary: short, never free text."""

_NAME_LENGTH = 128
Name = Annotated[str, StringConstraints(pattern=STORED_LINE, max_length=_NAME_LENGTH)]
"""The name of a caller or an operator, as stored: a service or a member of staff, never a patient."""

Ticket = Annotated[str, StringConstraints(pattern=_TICKET)]
"""A ticket id in an external tracker, never free text."""

SentTicket = Annotated[str, StringConstraints(pattern=_TICKET), FromCaller(_TICKET, has_url=False)]
"""A ticket in a request: an id, and no URL."""

Advice = Annotated[str, StringConstraints(min_length=1, max_length=500)]
"""One sentence that the gateway wrote; it contains no input."""


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
"""An integer in a request. JSON Schema, and languages without integers, treat 3.0 as 3."""

METADATA_PAIRS = 16
MetadataKey = Annotated[str, StringConstraints(pattern=_METADATA_KEY)]
MetadataValue = Annotated[str, StringConstraints(pattern=_SHORT)]

UNRECOGNISED = "unrecognised"
_ID_TEXT = re.compile(_ID[1:-1])
_UUID_TEXT = re.compile(_UUID[1:-1])
_NAME_TEXT = re.compile(STORED_LINE[1:-1])
_TICKET_TEXT = re.compile(_SENT_TICKET[1:-1])
_SLUG_TEXT = re.compile(_SLUG[1:-1])
_METADATA_KEY_TEXT = re.compile(_METADATA_KEY[1:-1])
_WORD = re.compile(_SHORT[1:-1])
ID_PHRASE = PHRASES[_ID]
TICKET_PHRASE = PHRASES[_SENT_TICKET]


def is_id(value: str) -> bool:
    """Whether a text is a valid id of Collate's."""
    return _ID_TEXT.fullmatch(value) is not None


def is_command_id(value: str) -> bool:
    """Whether a text is a valid id of a command."""
    return _UUID_TEXT.fullmatch(value) is not None


def is_name(value: str) -> bool:
    """Whether a text is a valid stored name of a caller or an operator."""
    return len(value) <= _NAME_LENGTH and _NAME_TEXT.fullmatch(value) is not None


def is_ticket(value: str) -> bool:
    """Whether a text is a valid ticket id of a request."""
    return _TICKET_TEXT.fullmatch(value) is not None


def is_slug(value: str) -> bool:
    """Whether a text is a valid reason for programs."""
    return _SLUG_TEXT.fullmatch(value) is not None


def is_metadata_key(value: str) -> bool:
    """Whether a text is a valid key of metadata."""
    return _METADATA_KEY_TEXT.fullmatch(value) is not None


def is_metadata_value(value: str) -> bool:
    """Whether a text is a valid value of metadata."""
    return _WORD.fullmatch(value) is not None


def word(value: str) -> str:
    """Return a foreign value if it is a word, else `unrecognised`, so that free text is never published."""
    return value if _WORD.fullmatch(value) else UNRECOGNISED


class Vocabulary(StrEnum):
    """An open set of words. An unknown word becomes a member named UNKNOWN that keeps its text."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str) or not _WORD.fullmatch(value):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = "UNKNOWN"
        unknown._value_ = value
        return unknown

    @property
    def is_known(self) -> bool:
        """Whether this version knows the word."""
        return self._name_ != "UNKNOWN"


class KnownOnly:
    """An annotation of a field: a caller may send known words only."""

    def __get_pydantic_core_schema__(self, source: type[Vocabulary], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate after the enum's own validator, which accepts unknown words."""
        expected = " or ".join(f"'{member.value}'" for member in source)

        def must_be_known(value: Vocabulary) -> Vocabulary:
            if not value.is_known:
                raise PydanticCustomError("enum", "Input should be {expected}", {"expected": expected})
            return value

        return core_schema.no_info_after_validator_function(must_be_known, handler(source))

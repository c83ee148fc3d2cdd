"""JSON of other systems as values with types: nothing is taken for granted. Pure."""

import json
from typing import Final

from typing_extensions import TypeIs

JsonObject = dict[str, object]
NOTHING: Final[JsonObject] = {}


class NumberText(str):
    """A number of a JSON document, as it was written: 1.10 stays 1.10."""

    __slots__ = ()


def is_object(value: object) -> TypeIs[JsonObject]:
    """Return whether a JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeIs[list[object]]:
    """Return whether a JSON value is a list."""
    return isinstance(value, list)


def object_of(value: object) -> JsonObject:
    """Return an object; an empty one for any other value."""
    return value if is_object(value) else NOTHING


def list_of(value: object) -> list[object]:
    """Return a list; an empty one for any other value."""
    return value if is_list(value) else []


def text_of(value: object) -> str:
    """Return a text; an empty one for any other value."""
    return value if isinstance(value, str) else ""


def parsed(text: str | bytes) -> object:
    """Parse JSON. Raises ValueError."""
    value: object = json.loads(text)
    return value


def document_of(body: bytes) -> JsonObject:
    """Parse a JSON object and keep its numbers as they were written. Raises ValueError."""
    document: object = json.loads(body, parse_float=NumberText, parse_int=NumberText)
    if not is_object(document):
        raise ValueError("the document is no object")
    return document

"""JSON of other systems as values with types: nothing is taken for granted. Pure."""

import json

from typing_extensions import TypeIs

JsonObject = dict[str, object]


class NumberText(str):
    """A number of a JSON document, as it was written: 1.10 stays 1.10."""

    __slots__ = ()


def is_object(value: object) -> TypeIs[JsonObject]:
    """Return whether a JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeIs[list[object]]:
    """Return whether a JSON value is a list."""
    return isinstance(value, list)


def document_of(body: bytes) -> JsonObject:
    """Parse a JSON object and keep its numbers as they were written. Raises ValueError."""
    document: object = json.loads(body, parse_float=NumberText, parse_int=NumberText)
    if not is_object(document):
        raise ValueError("the document is no object")
    return document

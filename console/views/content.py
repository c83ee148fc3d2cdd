"""Content of another system, shown unchanged: as small tables where its shape allows it, else as a tree. Pure.

Nothing is dropped or reordered; the names of fields are shown as words. Characters that hide text or change its
direction are shown as their codes.
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from console.views.json_values import JsonObject, NumberText, is_list, is_object
from schemas.fields.visible_text import escaped

_PROGRAM_NAME: Final = re.compile(r"[a-z][a-z0-9_]*([A-Z][a-z0-9_]+)*")
_WORD_BEGINS: Final = re.compile(r"[A-Z]")
_DEEPEST: Final = 24  # deeper values are shown as their JSON, on one line
_WIDEST: Final = 8  # a table with more columns does not fit on a page


class ValueKind(StrEnum):
    """The kind of a value, for its look on the page."""

    TEXT = "text"
    NUMBER = "number"
    WORD = "word"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class ShownValue:
    """A single value as text."""

    text: str
    kind: ValueKind = ValueKind.TEXT


@dataclass(frozen=True, slots=True)
class ShownFacts:
    """An object of single values: a table with a row for each."""

    rows: tuple[tuple[str, ShownValue], ...]
    shape: str = "facts"


@dataclass(frozen=True, slots=True)
class ShownGrid:
    """A list of similar objects: a table with a column for each name. A cell is None where the object has no value."""

    columns: tuple[str, ...]
    rows: tuple[tuple[ShownValue | None, ...], ...]
    shape: str = "grid"


@dataclass(frozen=True, slots=True)
class ShownLines:
    """A list of single values."""

    lines: tuple[ShownValue, ...]
    shape: str = "lines"


@dataclass(frozen=True, slots=True)
class ShownNode:
    """A value of a tree: a single value, or children. The name of an element of a list is its place, from 1."""

    name: str
    value: ShownValue | None = None
    children: tuple["ShownNode", ...] = ()


@dataclass(frozen=True, slots=True)
class ShownTree:
    """Any other content."""

    nodes: tuple[ShownNode, ...]
    shape: str = "tree"


Content = ShownFacts | ShownGrid | ShownLines | ShownTree


@dataclass(frozen=True, slots=True)
class ShownPart:
    """A named part of a document. `content` is None if the part is empty."""

    name: str
    content: Content | None


def part(name: str, value: object) -> ShownPart:
    """Return a part of a document with its content."""
    return ShownPart(escaped(name), content(value))


def content(value: object) -> Content | None:
    """Return a value in the simplest shape that shows all of it; None if it is empty or null."""
    if value is None or value in ({}, []):
        return None
    if is_object(value):
        if all(is_single(item) for item in value.values()):
            return ShownFacts(tuple((field_name(name), single(item)) for name, item in value.items()))
        return ShownTree(nodes(value))
    if is_list(value) and not all(is_single(item) for item in value):
        return grid(value) or ShownTree(nodes(value))
    return ShownLines(tuple(single(item) for item in (value if is_list(value) else [value])))


def grid(values: list[object]) -> ShownGrid | None:
    """Return a list of objects of single values, or of lists of them, as a table; None for any other list."""
    rows = [value for value in values if is_object(value)]
    columns = list(dict.fromkeys((name for row in rows for name in row), True))
    fits = len(rows) == len(values) and all(_fits_cell(value) for row in rows for value in row.values())
    if not fits or not columns or len(columns) > _WIDEST:
        return None
    cells = (tuple(_cell(row[name]) if name in row else None for name in columns) for row in rows)
    return ShownGrid(tuple(map(field_name, columns)), tuple(cells))


def nodes(value: JsonObject | list[object], depth: int = 0) -> tuple[ShownNode, ...]:
    """Return the children of an object or a list."""
    named = value.items() if is_object(value) else ((str(number), each) for number, each in enumerate(value, 1))
    return tuple(_node(name, each, depth) for name, each in named)


def field_name(name: str) -> str:
    """Return the name of a field as words: `priorAuthorizationVersion` reads `prior authorization version`."""
    if not _PROGRAM_NAME.fullmatch(name):
        return escaped(name)
    return _WORD_BEGINS.sub(r" \g<0>", name).replace("_", " ").lower()


def is_single(value: object) -> bool:
    """Whether a value has no parts. An empty object or list is one value."""
    return not isinstance(value, dict | list) or not value


def single(value: object) -> ShownValue:
    """Return a value without parts as text."""
    match value:
        case None:
            return ShownValue("null", ValueKind.ABSENT)
        case bool():
            return ShownValue("true" if value else "false", ValueKind.WORD)
        case NumberText():
            return ShownValue(str(value), ValueKind.NUMBER)
        case "" | {} | []:
            return ShownValue("empty", ValueKind.ABSENT)
        case str():
            return ShownValue(escaped(value))
        case int() | float():
            return ShownValue(json.dumps(value), ValueKind.NUMBER)
        case _:
            return ShownValue(escaped(one_line(value)))


def one_line(value: object) -> str:
    """Return the JSON of a value."""
    return json.dumps(value, ensure_ascii=False)


def _node(name: str, value: object, depth: int) -> ShownNode:
    if not value or not (is_object(value) or is_list(value)):
        return ShownNode(field_name(name), single(value))
    if depth == _DEEPEST:
        return ShownNode(field_name(name), ShownValue(escaped(one_line(value))))
    return ShownNode(field_name(name), children=nodes(value, depth + 1))


def _fits_cell(value: object) -> bool:
    return is_single(value) or (is_list(value) and all(is_single(item) for item in value))


def _cell(value: object) -> ShownValue:
    if is_list(value) and value:
        return ShownValue(", ".join(single(item).text for item in value))
    return single(value)

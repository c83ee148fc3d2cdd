"""The lines of a file with authorizations: ids on lines, CSV with a header, or JSON lines. Pure but for reading.

ids      auth_1
CSV      authorizationId,metadata.case      (other columns are ignored)
         auth_1,case-0042
JSONL    {"authorizationId": "auth_1", "metadata": {"case": "case-0042"}}
"""

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

from pydantic import TypeAdapter, ValidationError

from schemas.fields.metadata import Metadata
from schemas.fields.scalars import METADATA_PAIRS, METADATA_VALUE_PHRASE, is_id

COLUMN: Final = "authorizationId"
_METADATA = "metadata."
_BOM = "\ufeff"
_metadata = TypeAdapter[dict[str, str]](Metadata)


@dataclass(frozen=True, slots=True)
class Line:
    """An authorization to watch. `number` is the line in the file, from 1."""

    number: int
    authorization_id: str
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WrongLine:
    """A line that names no authorization. `expected` describes a right one; it repeats nothing of the line."""

    number: int
    expected: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A file: its sha256, and how many lines it has."""

    digest: str
    lines: int


def summarise(path: Path) -> Summary:
    """Read a file once, to know it again and to show progress. Raises OSError."""
    digest, lines = hashlib.sha256(), 0
    with path.open("rb") as file:
        for line in file:
            digest.update(line)
            lines += 1
    return Summary(digest.hexdigest(), lines)


def read_lines(path: Path, after: int = 0) -> Iterator[Line | WrongLine]:
    """Yield the authorizations of a file behind line `after`. Empty lines are skipped. Raises OSError."""
    # A byte that is no UTF-8 makes its line wrong, not the file unreadable.
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for line in _parsed(file):
            if line.number > after:
                yield line


def _parsed(file: TextIO) -> Iterator[Line | WrongLine]:
    start = file.readline()
    file.seek(0)
    columns = [name.strip() for name in next(csv.reader([start.removeprefix(_BOM)]), [])]
    if COLUMN in columns:
        yield from _of_csv(file, columns)
        return
    for number, text in enumerate(file, 1):
        stripped = text.removeprefix(_BOM).strip()
        if stripped:
            yield _of_json(number, stripped) if stripped.startswith("{") else _line(number, stripped, {})


def _of_csv(file: TextIO, columns: list[str]) -> Iterator[Line | WrongLine]:
    reader = csv.reader(file)
    next(reader)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error:
            yield WrongLine(number, "a row of CSV")
            continue
        if row is None:
            return
        if not any(row):
            continue
        values = dict(zip(columns, (value.strip() for value in row), strict=False))
        pairs = {
            name.removeprefix(_METADATA): value
            for name, value in values.items()
            if name.startswith(_METADATA) and value
        }
        yield _line(number, values.get(COLUMN, ""), pairs)


def _of_json(number: int, text: str) -> Line | WrongLine:
    try:
        document: dict[str, object] = json.loads(text)
    except (ValueError, RecursionError):
        return WrongLine(number, "a JSON object on one line")
    return _line(number, document.get(COLUMN), document.get("metadata") or {})


def _line(number: int, authorization_id: object, pairs: object) -> Line | WrongLine:
    if not isinstance(authorization_id, str) or not is_id(authorization_id):
        return WrongLine(number, "an authorization's id as Collate shows it")
    try:
        return Line(number, authorization_id, _metadata.validate_python(pairs))
    except ValidationError:
        return WrongLine(number, f"metadata of at most {METADATA_PAIRS} pairs; a value is {METADATA_VALUE_PHRASE}")

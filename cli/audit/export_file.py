"""The file of an export: its bytes, and what differs from the events. Pure.

    a record each line, by authorization and sequence
    the span and the number of records          {"since":…,"until":…,"records":12,"final":true}
    the SHA-256 of all bytes before             {"sha256":"…"}

`final`: no event of the span can come any more, and none was missing. So two final exports of a span by one version
have the same bytes. A CSV has the records and the last line only.
"""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from cli.audit.audit_record import COLUMNS
from schemas.fields.visible_text import escaped, escaped_json
from schemas.model import Model, Public
from schemas.times import Time, format_time, parse_time

Format = Literal["jsonl", "csv"]
Record = Mapping[str, object]
Key = tuple[str, int, str]

MOST_DIFFERENCES = 20
# A spreadsheet takes a cell that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ExportSummary(Model):
    """The line before the last: what the export covers."""

    since: Public[Time | None] = None
    until: Public[Time]
    authorization_id: Public[str | None] = None
    records: Public[int]
    final: Public[bool]


class _Digest(Model):
    """The last line."""

    sha256: Public[str]


@dataclass(frozen=True, slots=True)
class ExportFile:
    """An export as it was read. `records` are its lines of records, in order."""

    summary: ExportSummary
    records: tuple[bytes, ...]
    is_unchanged: bool

    def __str__(self) -> str:
        """Return what the export covers, as a sentence."""
        covers, key = self.summary, self.summary.authorization_id
        since = "the oldest event" if covers.since is None else format_time(covers.since)
        whose = "every authorization" if key is None else escaped(f"authorization {key} alone")
        count = f"{len(self.records)} record{'' if len(self.records) == 1 else 's'}"
        return f"{count} from {since} until {format_time(covers.until)}, of {whose}"


def to_bytes(records: Iterable[Record], summary: ExportSummary, format_: Format) -> bytes:
    """Return the content of the file."""
    ordered = sorted(records, key=_key)
    if format_ == "csv":
        return _with_digest(_csv(ordered), lambda digest: _csv_row({"time": "sha256", "event": digest}))
    content = b"".join(map(_line, ordered)) + summary.to_json() + b"\n"
    return _sealed(content)


def read_file(content: bytes) -> ExportFile | None:
    """Return the export; None if the content does not end as an export in JSON lines does."""
    lines = content.splitlines(keepends=True)
    try:
        summary, _ = ExportSummary.from_record(lines[-2]), _Digest.from_record(lines[-1])
    except (ValidationError, IndexError):
        return None
    return ExportFile(summary, tuple(lines[:-2]), content == _sealed(b"".join(lines[:-1])))


def faults(file: ExportFile) -> Iterator[str]:
    """Yield what is wrong in the file by itself: its span, its count, a line that is outside of what it covers."""
    covers = file.summary
    if covers.since is not None and covers.since >= covers.until:
        yield f"the span is empty: it begins at {format_time(covers.since)}"
    if covers.records != len(file.records):
        yield f"expected {covers.records} records, found {len(file.records)}"
    for number, line in enumerate(file.records, 1):
        record = _record_of(line)
        if record is None:
            yield f"line {number} is no record"
        elif covers.authorization_id not in {None, _key(record)[0]} or not _is_in_span(record, covers):
            yield f"line {number} is outside of the span or the authorization: {_shown(_key(record))}"


def differences(file: ExportFile, events: Iterable[Record], may_lack: Callable[[str], bool]) -> Iterator[str]:
    """Yield what differs from the events. `may_lack`: whether an event of an authorization may be gone."""
    expected = {_key(record): _line(record) for record in events}
    for number, line in enumerate(file.records, 1):
        if (record := _record_of(line)) is None:
            continue
        key = _key(record)
        event = expected.pop(key, None)
        if event is None and not may_lack(key[0]):
            yield f"line {number} has no event: {_shown(key)}"
        elif event is not None and event != line:
            yield f"line {number} differs from its event: {_shown(key)}"
    for key in sorted(expected):
        yield f"an event has no line: {_shown(key)}"


def _key(record: Record) -> Key:
    return str(record["authorizationId"]), int(str(record["sequence"])), str(record["id"])


def _record_of(line: bytes) -> Record | None:
    try:
        record: dict[str, object] = json.loads(line)
        _key(record)
        parse_time(str(record["time"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return record


def _is_in_span(record: Record, covers: ExportSummary) -> bool:
    time = parse_time(str(record["time"]))
    return time < covers.until and (covers.since is None or time >= covers.since)


def _shown(key: Key) -> str:
    return escaped(f"authorization {key[0]}, sequence {key[1]}")


def _line(value: Record) -> bytes:
    return escaped_json(json.dumps(value, ensure_ascii=False, separators=(",", ":"))).encode() + b"\n"


def _sealed(lines: bytes) -> bytes:
    return _with_digest(lines, lambda digest: _line({"sha256": digest}))


def _with_digest(content: bytes, line_of: Callable[[str], bytes]) -> bytes:
    return content + line_of(hashlib.sha256(content).hexdigest())


def _csv(records: Iterable[Record]) -> bytes:
    return ",".join(COLUMNS).encode() + b"\n" + b"".join(map(_csv_row, records))


def _csv_row(record: Record) -> bytes:
    row: dict[str, object] = {name: _cell(value) for name, value in record.items()}
    out = io.StringIO()
    csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n").writerow(row)
    return out.getvalue().encode()


def _cell(value: object) -> object:
    """Return a value that a spreadsheet shows as text, with hidden characters as their codes."""
    if not isinstance(value, str):
        return value
    return escaped(f"'{value}" if value.startswith(_FORMULA) else value)

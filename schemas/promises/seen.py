"""The records of the topics as the rules see them. All times are Unix seconds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from schemas.commands import Redrive
from schemas.dead_letter import DeadLetter
from schemas.enums import short_type
from schemas.fields.scalars import is_command_id
from schemas.identity import dead_letter_id
from schemas.promises.confidential import has_clear_text
from schemas.records import RecordedCommand, TopicRecord, read_command, read_dead_letter
from schemas.times import parse_time


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """A record on `events`. `at` is its timestamp, `time` the event's; `kind` is the short type."""

    authorization_id: str
    sequence: int
    kind: str
    cause: str | None = None
    at: float = 0.0
    data: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None
    time: float = 0.0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class SeenCommand:
    """A record on `commands`. `redrives` is the command and the number that a redrive runs."""

    id: str
    authorization_id: str
    type: str
    body: bytes = b""
    redrives: tuple[str, int] | None = None
    offset: int = 0
    has_clear_text: bool = False


_short = cache(short_type)


def logged_event(record: TopicRecord) -> SeenEvent | None:
    """Return the event; None for a record that is none."""
    headers = dict(record.headers)
    try:
        data: dict[str, Any] = {**json.loads(record.value or b"")}  # a TypeError if it is no object
        cause = headers.get("ce_causationid")
        return SeenEvent(
            (record.key or b"").decode("utf-8", "replace"),
            int(headers["ce_sequence"]),
            _short(headers["ce_type"].decode()),
            None if cause is None else cause.decode(),
            record.timestamp / 1_000,
            data,
            headers["ce_id"].decode(),
            parse_time(headers["ce_time"].decode()).timestamp(),
            record.offset,
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def logged_command(record: TopicRecord, partition: int) -> SeenCommand:
    """Return the command; one that cannot be read has the id of its dead letter, and no type."""
    read, key = read_command(record.headers, record.value, None), (record.key or b"").decode("utf-8", "replace")
    if isinstance(read, RecordedCommand):
        redrives = (read.data.command_id, read.data.redrive) if isinstance(read.data, Redrive) else None
        is_clear = has_clear_text(read.data, record.value or b"")
        return SeenCommand(read.id, key, _short(read.data.TYPE), b"", redrives, record.offset, is_clear)
    id_ = read.envelope.id if read.envelope is not None else ""
    own = id_ if is_command_id(id_) else dead_letter_id(f"{partition}-{record.offset}", 0)
    return SeenCommand(own, key, "", offset=record.offset)


def dead_letter(record: TopicRecord) -> tuple[SeenEvent, bool]:
    """Return the end that a dead letter is, and whether its original record shows what must be encrypted."""
    read = read_dead_letter(record.headers, record.value)
    if not isinstance(read, DeadLetter):
        return SeenEvent("", 0, ""), False
    original = read_command(*read.record.bytes(), None)
    is_clear = isinstance(original, RecordedCommand) and has_clear_text(original.data, read.record.bytes()[1])
    return SeenEvent("", 0, "", data={"commandId": read.command_id, "redrive": read.redrive}), is_clear

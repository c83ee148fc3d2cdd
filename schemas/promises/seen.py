"""The records of the topics as the rules see them. All times are Unix seconds."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from schemas.commands import Redrive
from schemas.dead_letter import DeadLetter
from schemas.enums import short_type
from schemas.fields.scalars import is_command_id
from schemas.identity import dead_letter_id
from schemas.promises.confidential import has_clear_text
from schemas.records import RecordedCommand, read_command, read_dead_letter
from schemas.times import parse_time


class KafkaRecord(Protocol):
    """The fields of a Kafka record that the rules need."""

    @property
    def offset(self) -> int: ...  # noqa: D102 - see the class
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def headers(self) -> Iterable[tuple[str, bytes]]: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102


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


def logged_event(record: KafkaRecord) -> SeenEvent | None:
    """Return the event; None for a record that is none."""
    headers = dict(record.headers)
    try:
        cause = headers.get("ce_causationid")
        return SeenEvent(
            (record.key or b"").decode("utf-8", "replace"),
            int(headers["ce_sequence"]),
            _short(headers["ce_type"].decode()),
            None if cause is None else cause.decode(),
            record.timestamp / 1_000,
            json.loads(record.value or b""),
            headers["ce_id"].decode(),
            parse_time(headers["ce_time"].decode()).timestamp(),
            record.offset,
        )
    except (KeyError, ValueError):
        return None


def logged_command(record: KafkaRecord, partition: int) -> SeenCommand:
    """Return the command; one that cannot be read has the id of its dead letter, and no type."""
    read, key = read_command(record.headers, record.value, None), (record.key or b"").decode("utf-8", "replace")
    if isinstance(read, RecordedCommand):
        redrives = (read.data.command_id, read.data.redrive) if isinstance(read.data, Redrive) else None
        is_clear = has_clear_text(read.data, record.value or b"")
        return SeenCommand(read.id, key, _short(read.data.TYPE), b"", redrives, record.offset, is_clear)
    id_ = read.envelope.id if read.envelope is not None else ""
    own = id_ if is_command_id(id_) else dead_letter_id(f"{partition}-{record.offset}", 0)
    return SeenCommand(own, key, "", offset=record.offset)


def dead_letter(record: KafkaRecord) -> tuple[SeenEvent, bool]:
    """Return the end that a dead letter is, and whether its original record shows what must be encrypted."""
    read = read_dead_letter(record.headers, record.value)
    if not isinstance(read, DeadLetter):
        return SeenEvent("", 0, ""), False
    original = read_command(*read.record.bytes(), None)
    is_clear = isinstance(original, RecordedCommand) and has_clear_text(original.data, read.record.bytes()[1])
    return SeenEvent("", 0, "", data={"commandId": read.command_id, "redrive": read.redrive}), is_clear

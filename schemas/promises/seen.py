"""The records of the topics as the rules see them. All times are Unix seconds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from typing import Any, Final

from schemas.commands import Redrive
from schemas.dead_letter import DeadLetter
from schemas.enums import PREFIX, short_type
from schemas.fields.scalars import is_command_id, is_id
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
_TEXTS: Final = (
    *("caller", "commandId", "handoffId", "reason", "outcome", "effect", "assertedBy"),
    *("by", "operator", "requestedBy", "acceptedBy", "reportedBy"),
)
NO_ID: Final = "no id"
# A rogue record of `commands` whose key is no id becomes a dead letter, and may be discarded.
_OF_ANY_KEY: Final = frozenset({"command.dead_lettered", "command.finished"})
_NO_COMMAND: Final = "00000000-0000-0000-0000-000000000000"
MOST_DIGITS: Final = 20
_MOST_REDRIVES: Final = 1_000


def key_of(record: TopicRecord) -> str:
    """Return the authorization's id of a record. Of a key that is none only a digest: it may be anything."""
    raw = record.key or b""
    key = raw.decode("utf-8", "replace")
    return key if is_id(key) else f"({NO_ID} {blake2b(raw, digest_size=6).hexdigest()})"


def logged_event(record: TopicRecord) -> SeenEvent | str | None:
    """Return the event; what is wrong with one of another form; None for a record without a type of ours.

    Only what the rules read is validated: a rogue writer may have put anything there.
    """
    headers = dict(record.headers)
    try:
        kind = headers.get("ce_type", b"").decode()
        if not kind.startswith(PREFIX):
            return None
        key, short = key_of(record), _short(kind)
        if key.startswith(f"({NO_ID}") and short not in _OF_ANY_KEY:
            return "key"
        data: dict[str, Any] = {**json.loads(record.value or b"")}  # a TypeError if it is no object
        if (wrong := _malformed(data)) is not None:
            return wrong
        sequence, cause, id_ = headers["ce_sequence"], headers.get("ce_causationid"), headers["ce_id"].decode()
        if not (sequence.isdigit() and len(sequence) <= MOST_DIGITS and is_command_id(id_)):
            return "sequence or id"
        return SeenEvent(
            key,
            int(sequence),
            short,
            None if cause is None else cause.decode(),
            record.timestamp / 1_000,
            data,
            id_,
            parse_time(headers["ce_time"].decode()).timestamp(),
            record.offset,
        )
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        return "headers or JSON"


def _malformed(data: Mapping[str, Any]) -> str | None:
    """Return the first field that the rules read and that has another form."""
    decision = data.get("decision")
    if not isinstance(decision, dict | None):
        return "decision"
    for act in (data, decision or {}):
        if wrong := next((name for name in _TEXTS if not isinstance(act.get(name), str | None)), None):
            return wrong
    if not is_id(data.get("handoffId") or "none"):
        return "handoffId"
    if not is_command_id(data.get("commandId") or _NO_COMMAND):
        return "commandId"
    redrive = data.get("redrive")
    return None if redrive is None or (type(redrive) is int and 0 <= redrive <= _MOST_REDRIVES) else "redrive"


def logged_command(record: TopicRecord, partition: int) -> SeenCommand:
    """Return the command; one that cannot be read has the id of its dead letter, and no type."""
    read, key = read_command(record.headers, record.value, None), key_of(record)
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

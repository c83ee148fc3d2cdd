"""The events page: the newest events of the stream, and the parts of the stream that a page needs. Pure.

`EventFrames` parses server-sent events from arbitrary pieces of bytes. `before` computes a position a little before the
end, so the list of the newest events needs no database.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.console.views.content import is_single, single
from gateway.console.views.json_values import JsonObject, is_object, object_of, parsed, text_of
from schemas.enums import PREFIX, EventType, short_type

_MOST_PENDING: Final = 1 << 20
_MOST_FACTS: Final = 8
_OWN_PLACE: Final = frozenset({"commandId", "handoffId", "attempts", "attemptsLeftOut", "metadata"})


@dataclass(frozen=True, slots=True)
class EventFrame:
    """One message of the stream. `name` is empty for a comment or a bare id."""

    name: str
    data: str
    id: str | None


@dataclass(frozen=True, slots=True)
class ListedEvent:
    """An event in a list. `facts` are its public single values; `caller` is that of the command, if there is one."""

    kind: str
    authorization_id: str
    at: str | None
    sequence: str | None
    command_id: str | None
    handoff_id: str | None
    caller: str | None
    facts: tuple[tuple[str, str], ...]

    def is_of(self, caller: str) -> bool:
        """Whether the event is about a command of the caller, as a webhook's filter has it; "" is every caller."""
        return caller in {"", self.caller}


@dataclass(frozen=True, slots=True)
class EventTypeChoice:
    """A type that the filter offers."""

    value: str
    kind: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class EventPage:
    """The page. `events` is None if the list was not requested. `is_whole`: the whole window was read."""

    types: tuple[EventTypeChoice, ...]
    authorization_id: str
    caller: str
    query: str
    events: tuple[ListedEvent, ...] | None
    is_whole: bool = True

    @property
    def is_filtered(self) -> bool:
        """Whether a filter is set."""
        return bool(self.authorization_id or self.caller) or any(choice.is_chosen for choice in self.types)


class EventFrames:
    """Parses a stream. A frame longer than 1 MiB raises ValueError."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, piece: bytes) -> Iterator[EventFrame]:
        """Yield the frames that are complete."""
        self._pending += piece.replace(b"\r\n", b"\n")
        if len(self._pending) > _MOST_PENDING:
            raise ValueError("a frame of the event stream is longer than 1 MiB")
        *complete, self._pending = self._pending.split(b"\n\n")
        for frame in complete:
            yield _frame(frame.decode("utf-8", "replace"))


def before(vector: str, records: int) -> str:
    """Return the position that many records before this one in each partition, at least 0."""
    return ".".join(str(max(0, int(offset) - records)) for offset in vector.split("."))


def is_position(text: str) -> bool:
    """Whether a text has the shape of the id of a stream."""
    return 0 < len(text) <= 4096 and all(part.isascii() and part.isdigit() for part in text.split("."))


def has_reached(vector: str, end: str) -> bool:
    """Whether a position is at or behind another one in every partition."""
    here, there = vector.split("."), end.split(".")
    return len(here) == len(there) and all(int(one) >= int(other) for one, other in zip(here, there, strict=True))


def listed_event(frame: EventFrame) -> ListedEvent | None:
    """Return the event of a frame; None for another frame."""
    if not frame.name.startswith(PREFIX):
        return None
    try:
        envelope = object_of(parsed(frame.data))
    except ValueError:
        return None
    data = envelope.get("data")
    if "subject" not in envelope or not is_object(data):
        return None
    return ListedEvent(
        kind=short_type(frame.name),
        authorization_id=str(envelope["subject"]),
        at=text_of(envelope.get("time")) or None,
        sequence=str(envelope["sequence"]) if "sequence" in envelope else None,
        command_id=text_of(data.get("commandId")) or None,
        handoff_id=text_of(data.get("handoffId")) or None,
        caller=text_of(data.get("caller")) or None,
        facts=_facts(data),
    )


def event_types(chosen: frozenset[str]) -> tuple[EventTypeChoice, ...]:
    """Return every type of event for the filter."""
    return tuple(EventTypeChoice(each, short_type(each), each in chosen) for each in EventType)


def newest_first(events: list[ListedEvent], most: int) -> tuple[ListedEvent, ...]:
    """Return the newest events. The stream orders those of one authorization only: sort by time, then sequence."""
    return tuple(sorted(events, key=_place, reverse=True)[:most])


def _place(event: ListedEvent) -> tuple[str, int]:
    sequence = event.sequence or ""
    return event.at or "", int(sequence) if sequence.isdigit() else 0


def _facts(data: JsonObject) -> tuple[tuple[str, str], ...]:
    shown = [
        (name, single(value).text)
        for name, value in data.items()
        if name not in _OWN_PLACE and value is not None and is_single(value)
    ]
    return tuple(shown[:_MOST_FACTS])


def _frame(text: str) -> EventFrame:
    name, data, frame_id = "", [], None
    for line in text.split("\n"):
        field, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if not field or not colon:
            continue
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            frame_id = value
    return EventFrame(name, "\n".join(data), frame_id)

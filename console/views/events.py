"""The parts of the event stream that a page needs. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_MOST_PENDING: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class EventFrame:
    """One message of the stream. `name` is empty for a comment or a bare id."""

    name: str
    id: str | None


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


def is_position(text: str) -> bool:
    """Whether a text has the shape of the id of a stream."""
    return 0 < len(text) <= 4096 and all(part.isascii() and part.isdigit() for part in text.split("."))


def _frame(text: str) -> EventFrame:
    name, frame_id = "", None
    for line in text.split("\n"):
        field, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if not field or not colon:
            continue
        if field == "event":
            name = value
        elif field == "id":
            frame_id = value
    return EventFrame(name, frame_id)

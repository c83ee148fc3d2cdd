"""A parser of server-sent events, as the WHATWG's HTML standard defines them. Pure: bytes in, frames out.

Any split of the bytes into pieces gives the same frames. A frame is complete: its blank line has arrived. So a position
that follows frames never passes an event whose bytes are cut off.
"""

import re
from codecs import getincrementaldecoder
from dataclasses import dataclass
from typing import Final

MOST_CHARACTERS: Final = 8 << 20
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_BYTE_ORDER_MARK: Final = "\ufeff"


class FrameTooLong(Exception):
    """A frame is longer than `MOST_CHARACTERS`."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame: the fields before one blank line.

    Attributes:
        position: The last `id` so far; None before the first one.
        type: The `event` field; empty without one.
        data: The `data` lines; None if there are none, as in a frame with an id only.
        retry_milliseconds: The `retry` field; None without one.
    """

    position: str | None
    type: str = ""
    data: str | None = None
    retry_milliseconds: int | None = None


class FrameParser:
    """Parses the bytes of one connection."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._is_at_start = True
        self._position: str | None = None
        self._type = ""
        self._data: list[str] = []
        self._retry: int | None = None
        self._characters = 0

    def feed(self, piece: bytes) -> list[Frame]:
        """Return the frames that this piece completes. Raises FrameTooLong."""
        text = self._decoder.decode(piece)
        if self._is_at_start and text:
            text = text.removeprefix(_BYTE_ORDER_MARK)
            self._is_at_start = False
        *lines, self._rest = self._split(self._rest + text)
        frames = [frame for line in lines if (frame := self._line(line)) is not None]
        if self._characters + len(self._rest) > MOST_CHARACTERS:
            raise FrameTooLong
        return frames

    def _split(self, text: str) -> list[str]:
        # The next piece may begin with the line feed of this carriage return.
        held = "\r" if text.endswith("\r") else ""
        lines = _LINE_END.split(text.removesuffix(held) if held else text)
        lines[-1] += held
        return lines

    def _line(self, line: str) -> Frame | None:
        if not line:
            return self._complete()
        self._characters += len(line)
        name, _colon, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._type = value
            case "id" if "\0" not in value:
                self._position = value
            case "retry" if value.isascii() and value.isdigit():
                self._retry = int(value[:9])
            case _:
                pass  # a comment or an unknown field
        return None

    def _complete(self) -> Frame:
        frame = Frame(self._position, self._type, "\n".join(self._data) if self._data else None, self._retry)
        self._type, self._data, self._retry, self._characters = "", [], None, 0
        return frame

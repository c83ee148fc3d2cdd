"""The finished offsets of one partition: a watermark, and a bitmap of the offsets beyond it.

Pure and synchronous. Invariant: every offset below `watermark` is finished; the watermark never passes an unfinished
offset. Offsets that Kafka never delivers (markers, compacted records) count as finished once a later record arrives.
"""

from __future__ import annotations

import base64
import zlib
from typing import NamedTuple

# One key that waits for a day must not stop its partition: 11 records a second fit. The bitmap has at most 125 kB, and
# finishing an offset then costs 14 microseconds. In base85 it has at most 160 kB, far below the largest record.
WINDOW = 1_000_000


class BitmapUnreadable(ValueError):
    """The text is not a bitmap of this engine."""


class Committed(NamedTuple):
    """A watermark and its bitmap: the progress of a partition."""

    offset: int
    bitmap: str


class OffsetTracker:
    """The finished offsets of one partition, from a watermark and bitmap onward."""

    __slots__ = ("_begin", "_finished", "_next", "_restored", "_watermark", "_window")

    def __init__(self, watermark: int, bitmap: str = "", *, window: int = WINDOW) -> None:
        """Begin at this progress. Raises BitmapUnreadable if `encode` did not write `bitmap`."""
        self._watermark = watermark
        self._next = watermark
        self._window = window
        self._begin = watermark
        self._restored = _decode(bitmap, window)  # bit i: the offset begin + i was finished before
        self._finished = int.from_bytes(self._restored, "little")  # bit i: the offset watermark + i is finished
        self._advance()

    @property
    def watermark(self) -> int:
        """The offset to commit: every offset below it is finished."""
        return self._watermark

    @property
    def next_offset(self) -> int:
        """The next offset to fetch: no offset from here on has been taken."""
        return max(self._next, self._watermark)

    @property
    def gap(self) -> int:
        """The number of offsets between the watermark and the last offset taken: 0 when all are finished."""
        return max(0, self._next - self._watermark)

    def accepts(self, offset: int) -> bool:
        """Return whether `offset` fits into the window now; if not, an earlier offset must be finished first."""
        # The first condition: no offset that was taken is unfinished. Inlined here and in `take`: once per record each.
        return self._watermark >= self._next or offset < self._watermark + self._window

    def take(self, offset: int) -> bool:
        """Take an offset that `accepts`. False: it is finished already (a replay)."""
        if offset < self._next or offset < self._watermark:
            return False
        if self._watermark >= self._next:
            self._finished >>= offset - self._watermark  # the offsets between are finished or do not exist
            self._watermark = offset
        elif offset > self._next:
            self._finished |= ((1 << (offset - self._next)) - 1) << (self._next - self._watermark)
        self._next = offset + 1
        if self._was_finished(offset):
            if offset == self._watermark:
                self._advance()
            return False
        return True

    def finish(self, offset: int) -> None:
        """Mark an offset that was taken as finished."""
        self._finished |= 1 << (offset - self._watermark)
        if offset == self._watermark:
            self._advance()

    def skip_to(self, offset: int) -> None:
        """Count every offset below `offset` as finished, before any is taken."""
        if offset > self._watermark:
            self._finished >>= offset - self._watermark
            self._watermark = self._next = offset
            self._advance()

    @property
    def size(self) -> int:
        """How many offsets the bitmap covers."""
        return self._finished.bit_length()

    def committed(self) -> Committed:
        """Return the watermark and the bitmap."""
        return Committed(self._watermark, self.encode())

    def encode(self) -> str:
        """Return the bitmap beyond the watermark as text; empty when there is none."""
        if not self._finished:
            return ""
        return base64.b85encode(zlib.compress(_pack(self._finished), 1)).decode("ascii")

    def _was_finished(self, offset: int) -> bool:
        """Say whether the offset was finished before. A bit of the whole bitmap would cost a copy of it per record."""
        place, bit = divmod(offset - self._begin, 8)
        return place < len(self._restored) and bool(self._restored[place] >> bit & 1)

    def _advance(self) -> None:
        trailing_ones = (~self._finished & (self._finished + 1)).bit_length() - 1
        if trailing_ones:
            self._watermark += trailing_ones
            self._finished >>= trailing_ones


def _pack(finished: int) -> bytes:
    return finished.to_bytes((finished.bit_length() + 7) // 8, "little")


def _decode(bitmap: str, window: int) -> bytes:
    if not bitmap:
        return b""
    try:
        decompressor = zlib.decompressobj()
        packed = decompressor.decompress(base64.b85decode(bitmap), window // 4)
    except (ValueError, zlib.error) as error:
        raise BitmapUnreadable(_UNREADABLE) from error
    if not decompressor.eof:
        raise BitmapUnreadable(_UNREADABLE)
    return packed


_UNREADABLE = "not a bitmap of this engine (base85 of zlib, or empty)"

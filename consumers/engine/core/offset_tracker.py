"""The finished offsets of one partition: a watermark, and a bitmap of the offsets beyond it.

Pure and synchronous. Invariant: every offset below `watermark` is finished; the watermark never passes an unfinished
offset. Offsets that Kafka never delivers (markers, compacted records) count as finished once a later record arrives.
"""

from __future__ import annotations

import base64
import zlib
from typing import NamedTuple

# A random bitmap of 10,000 bits is 1,250 bytes, about 1,575 characters in base85: well below the broker's
# offset.metadata.max.bytes = 4,096. The window therefore also bounds the unfinished records of a partition.
WINDOW = 10_000


class MetadataUnreadable(ValueError):
    """The committed metadata is not a bitmap of this engine; another program commits for this group."""


class Committed(NamedTuple):
    """A committed offset and its metadata."""

    offset: int
    metadata: str


class OffsetTracker:
    """The finished offsets of one partition, from the committed offset and metadata onward."""

    __slots__ = ("_finished", "_next", "_watermark", "_window")

    def __init__(self, watermark: int, metadata: str = "", *, window: int = WINDOW) -> None:
        """Begin at a committed offset. Raises MetadataUnreadable if `encode` did not write `metadata`."""
        self._watermark = watermark
        self._next = watermark
        self._window = window
        self._finished = _decode(metadata, window)  # bit i: the offset watermark + i is finished
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
        if self._finished >> (offset - self._watermark) & 1:
            self._advance()
            return False
        return True

    def finish(self, offset: int) -> None:
        """Mark an offset that was taken as finished."""
        self._finished |= 1 << (offset - self._watermark)
        if offset == self._watermark:
            self._advance()

    def skip_to(self, offset: int) -> None:
        """Count every offset below `offset` as finished, before any is taken: the log no longer holds them."""
        if offset > self._watermark:
            self._finished >>= offset - self._watermark
            self._watermark = self._next = offset
            self._advance()

    def encode(self) -> str:
        """Return the bitmap beyond the watermark as commit metadata; empty when there is none."""
        if not self._finished:
            return ""
        packed = self._finished.to_bytes((self._finished.bit_length() + 7) // 8, "little")
        return base64.b85encode(zlib.compress(packed, 1)).decode("ascii")

    def _advance(self) -> None:
        trailing_ones = (~self._finished & (self._finished + 1)).bit_length() - 1
        if trailing_ones:
            self._watermark += trailing_ones
            self._finished >>= trailing_ones


def _decode(metadata: str, window: int) -> int:
    if not metadata:
        return 0
    try:
        decompressor = zlib.decompressobj()
        packed = decompressor.decompress(base64.b85decode(metadata), window // 4)
    except (ValueError, zlib.error) as error:
        raise MetadataUnreadable(_UNREADABLE) from error
    if not decompressor.eof:
        raise MetadataUnreadable(_UNREADABLE)
    return int.from_bytes(packed, "little")


_UNREADABLE = (
    "the committed offset's metadata is not a bitmap of this engine (base85 of zlib, or empty). Another program "
    "has committed offsets for this group: stop it"
)

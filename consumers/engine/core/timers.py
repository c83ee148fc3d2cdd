"""When each key of one partition wants to be called, found without scanning, in few bytes per key.

Pure and synchronous. Alarms of the running span of time are in a heap; later ones only in a list per span, which is
sorted when its time has come. A replaced alarm stays where it was put until it comes up, and is then known by its time.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPAN_SECONDS: Final = 64.0


class Timers:
    """See the module. `entries` counts what is held, replaced alarms included."""

    __slots__ = ("_at", "_far", "_near", "_opened", "_spans", "entries")

    def __init__(self) -> None:
        self._at: dict[bytes, float] = {}
        self._empty()

    def _empty(self) -> None:
        self._near: list[tuple[float, bytes]] = []
        self._far: dict[int, list[bytes]] = {}
        self._spans: list[int] = []
        self._opened: int | None = None  # the last span that is in the heap; those before it are, too
        self.entries = 0

    def __len__(self) -> int:
        """Count the keys that have an alarm."""
        return len(self._at)

    def get(self, key: bytes) -> float | None:
        """Return the key's alarm."""
        return self._at.get(key)

    def set(self, key: bytes, at: float | None) -> None:
        """Replace the key's alarm; None removes it."""
        if at is None:
            self._at.pop(key, None)
            return
        if self._at.get(key) == at:
            return
        self._at[key] = at
        self._put(key, at)
        # Replaced alarms stay until they come up; begin anew before they outnumber the real ones.
        if self.entries > 2 * len(self._at) + 64:
            self._empty()
            for owner, due in self._at.items():
                self._put(owner, due)

    def taken(self, key: bytes) -> None:
        """Note that the alarm which came up has been heard, so that the same time can be set again."""
        self._at.pop(key, None)

    def due(self, now: float) -> Iterator[bytes]:
        """Take the keys whose alarm has come up, earliest first. Their alarm is known until it is replaced."""
        while self._spans and self._spans[0] * _SPAN_SECONDS <= now:
            self._open()
        while self._near and self._near[0][0] <= now:
            at, key = self._pop()
            if self._at.get(key) == at:
                yield key

    def may_be_due(self, now: float) -> bool:
        """Whether `due` is worth a call; it may still have nothing."""
        if self._near:
            return self._near[0][0] <= now
        return bool(self._spans) and self._spans[0] * _SPAN_SECONDS <= now

    def next_due(self) -> float | None:
        """Return when `due` may have something; for a far one, when its span begins."""
        while self._near and self._at.get(self._near[0][1]) != self._near[0][0]:
            self._pop()
        if self._near:
            return self._near[0][0]
        return self._spans[0] * _SPAN_SECONDS if self._spans else None

    def _put(self, key: bytes, at: float) -> None:
        self.entries += 1
        span = int(at // _SPAN_SECONDS)
        if self._opened is not None and span <= self._opened:
            heapq.heappush(self._near, (at, key))
        elif (keys := self._far.get(span)) is not None:
            keys.append(key)
        else:
            self._far[span] = [key]
            heapq.heappush(self._spans, span)

    def _pop(self) -> tuple[float, bytes]:
        self.entries -= 1
        return heapq.heappop(self._near)

    def _open(self) -> None:
        span = self._opened = heapq.heappop(self._spans)
        keys = self._far.pop(span)
        self.entries -= len(keys)
        for key in dict.fromkeys(keys):
            at = self._at.get(key)
            if at is not None and at // _SPAN_SECONDS == span:
                self._put(key, at)

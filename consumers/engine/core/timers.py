"""The timers of one partition's keys: due timers are found without a scan, with few bytes per key.

Pure and synchronous. Timers of the current span of time are in a heap; later ones are in a list per span, and enter the
heap when their span begins. The entry of a replaced timer stays until its time; its time then differs from the key's.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPAN_SECONDS: Final = 64.0


class Timers:
    """At most one timer per key. `entries` counts the entries, those of replaced timers included."""

    __slots__ = ("_at", "_far", "_near", "_opened", "_spans", "entries")

    def __init__(self) -> None:
        self._at: dict[bytes, float] = {}
        self._empty()

    def _empty(self) -> None:
        self._near: list[tuple[float, bytes]] = []
        self._far: dict[int, list[bytes]] = {}
        self._spans: list[int] = []
        self._opened: int | None = None  # the last span that is in the heap, with all before it
        self.entries = 0

    def __len__(self) -> int:
        """Count the keys that have a timer."""
        return len(self._at)

    def get(self, key: bytes) -> float | None:
        """Return when the key's timer is due."""
        return self._at.get(key)

    def set(self, key: bytes, at: float | None) -> None:
        """Replace the key's timer; None removes it."""
        if at is None:
            self._at.pop(key, None)
            return
        if self._at.get(key) == at:
            return
        self._at[key] = at
        self._put(key, at)
        # Rebuild before the entries of replaced timers outnumber the others.
        if self.entries > 2 * len(self._at) + 64:
            self._empty()
            for timer_key, due in self._at.items():
                self._put(timer_key, due)

    def expire(self, key: bytes) -> None:
        """Remove a timer that was due, so that the same time can be set again."""
        self._at.pop(key, None)

    def due(self, now: float) -> Iterator[bytes]:
        """Yield the keys whose timer is due, earliest first. The timers stay set until `expire` or `set`."""
        while self._spans and self._spans[0] * _SPAN_SECONDS <= now:
            self._open()
        while self._near and self._near[0][0] <= now:
            at, key = self._pop()
            if self._at.get(key) == at:
                yield key

    def may_be_due(self, now: float) -> bool:
        """Return, at low cost, whether `due` may yield a key."""
        if self._near:
            return self._near[0][0] <= now
        return bool(self._spans) and self._spans[0] * _SPAN_SECONDS <= now

    def next_due(self) -> float | None:
        """Return the earliest time at which `due` may yield a key; for a later timer, the start of its span."""
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

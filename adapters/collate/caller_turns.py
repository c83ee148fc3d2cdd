"""The turns of the callers whose live calls share a budget: no caller can take the budget from the others. Pure.

A call without a caller, as the worker makes it, takes no part.
"""

from collections import Counter
from typing import Final

# A caller beyond this number counts as new: its next call comes first.
_MOST_REMEMBERED: Final = 1_024


class CallerTurns:
    """The live calls in flight by caller, and the order in which callers got their last one."""

    def __init__(self) -> None:
        self._in_flight: Counter[str] = Counter()
        self._begun = 0
        self._last: dict[str, int] = {}

    def may_begin(self, caller: str, limit: int) -> bool:
        """Return whether the caller has less than half of `limit` calls in flight, or none."""
        return not caller or self._in_flight[caller] < max(1, (limit + 1) // 2)

    def begin(self, caller: str) -> None:
        """Count a call that begins."""
        if not caller:
            return
        self._in_flight[caller] += 1
        self._begun += 1
        self._last.pop(caller, None)
        self._last[caller] = self._begun
        if len(self._last) > _MOST_REMEMBERED:
            del self._last[next(iter(self._last))]

    def end(self, caller: str) -> None:
        """Count the end of a call."""
        if not caller:
            return
        self._in_flight[caller] -= 1
        if not self._in_flight[caller]:
            del self._in_flight[caller]

    def rank(self, caller: str) -> tuple[int, int]:
        """Return the caller's place among the callers that wait: few calls in flight first, then the longest wait."""
        return self._in_flight[caller], self._last.get(caller, 0)

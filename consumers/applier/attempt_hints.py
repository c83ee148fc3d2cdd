"""Uncommitted knowledge of this process about the current intent. A successor works without it.

Without a hint an intent counts as sent and perhaps applied (decision 0002). A hint allows more, so it is valid only for
the key queue that created it (`since`): a new key queue may follow another owner. A key queue that was kept through a
rebalance is safe too: every conclusion needs a commit, and a fenced commit fails. Bounded; losing a hint is safe.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_MOST_HINTS: Final = 20_000


@dataclass(slots=True)
class AttemptHint:
    """This process's knowledge about one intent.

    Attributes:
        since: when this process first received the record.
        unsent: no byte of the request left this machine, and only this process can have sent it.
        clean: every attempt had a definite response without effect, so the write was not applied.
        fault: status and code of the last response that Collate may have stored and replay.
        faults: the number of equal faults in a row.
    """

    since: float
    unsent: bool = False
    clean: bool = False
    fault: tuple[int, str | None] | None = None
    faults: int = 0

    def count_fault(self, fault: tuple[int, str | None] | None) -> int:
        """Count a response; return the number of equal faults in a row. None is a response without a fault."""
        self.faults = self.faults + 1 if fault is not None and fault == self.fault else int(fault is not None)
        self.fault = fault
        return self.faults


class AttemptHints:
    """Hints by the key of their intent."""

    def __init__(self) -> None:
        self._hints: OrderedDict[str, AttemptHint] = OrderedDict()

    def of(self, key: str, since: float) -> AttemptHint:
        """Return the hint of an intent; a hint without knowledge if this key queue has none."""
        hint = self._hints.get(key)
        if hint is None or hint.since != since:
            hint = self._hints[key] = AttemptHint(since)
            if len(self._hints) > _MOST_HINTS:
                self._hints.popitem(last=False)
        return hint

    def begin(self, key: str, since: float) -> AttemptHint:
        """Add the hint of an intent that this process has just committed."""
        hint = self.of(key, since)
        hint.unsent = hint.clean = True
        return hint

    def drop(self, key: str) -> None:
        """Remove the hint of an intent that has ended."""
        self._hints.pop(key, None)

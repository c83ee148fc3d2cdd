"""What this process knows of the intent in flight beyond what is committed. A successor doesn't have it and needs not.

Without a note an intent counts as *sent, perhaps applied* (decision 0002). A note makes us bolder, so it holds only for
the lane it was made in (`since`): a lane that begins anew may have had another owner in between. Where lanes are kept
although there was one, whatever we conclude needs a commit, and that is fenced. Bounded; losing a note is safe.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_MOST: Final = 20_000


@dataclass(slots=True)
class AttemptHint:
    """Of one intent.

    Attributes:
        since: when the lane took the record up.
        unsent: nothing of it ever left this machine, and nobody but this process can have sent it.
        clean: every attempt had a definite answer without effect, so it was not applied.
        fault: the last answer that a store could replay for ever, as status and code.
        faults: how many in a row were equal to it.
    """

    since: float
    unsent: bool = False
    clean: bool = False
    fault: tuple[int, str | None] | None = None
    faults: int = 0

    def fails(self, fault: tuple[int, str | None] | None) -> int:
        """Count an answer; return how many equal faults came in a row."""
        self.faults = self.faults + 1 if fault is not None and fault == self.fault else int(fault is not None)
        self.fault = fault
        return self.faults


class AttemptHints:
    """Notes by intent's key."""

    def __init__(self) -> None:
        self._notes: OrderedDict[str, AttemptHint] = OrderedDict()

    def of(self, key: str, since: float) -> AttemptHint:
        """Return the note of an intent; a cautious one if there is none of this lane."""
        note = self._notes.get(key)
        if note is None or note.since != since:
            note = self._notes[key] = AttemptHint(since)
            if len(self._notes) > _MOST:
                self._notes.popitem(last=False)
        return note

    def begin(self, key: str, since: float) -> AttemptHint:
        """Note an intent that this very process has just committed."""
        note = self.of(key, since)
        note.unsent = note.clean = True
        return note

    def drop(self, key: str) -> None:
        """Forget an intent that is over."""
        self._notes.pop(key, None)

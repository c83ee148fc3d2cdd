"""What waits for a person, worked out from `dead-letters` read in order. Synchronous; owned by one reader.

    a letter ─▶ kept, in place of an earlier one of the same command      its end ─▶ dropped      30 days ─▶ dropped

Holds public fields and places only, never what a caller wrote; bounded: of too many the oldest are left out.
"""

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.api.dead_letters import DeadLetterSummary
from schemas.dead_letter import DeadLetter, DeadLetterEnded
from schemas.enums import PREFIX
from schemas.field_types import is_command_id, is_id
from schemas.records import UnreadableRecord, read_dead_letter

MOST = 20_000
# As long as the topic keeps them; the worker remembers them no longer either.
KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A letter that waits, and where its record is."""

    partition: int
    offset: int
    summary: DeadLetterSummary

    @property
    def order(self) -> tuple[datetime, str]:
        """Return what lists are sorted by: the oldest first."""
        return self.summary.dead_at, self.summary.command_id


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Which letters are asked for; None wants all."""

    cause: str | None = None
    command: str | None = None
    caller: str | None = None
    authorization_id: str | None = None
    since: datetime | None = None

    def accepts(self, letter: DeadLetterSummary) -> bool:
        """Whether a letter is one of these; a type may be given as in `handoff.request`."""
        types = {self.command, f"{PREFIX}{self.command}.v1"}
        return (
            self.cause in {None, letter.cause}
            and (self.command is None or letter.command in types)
            and self.caller in {None, letter.caller}
            and self.authorization_id in {None, letter.authorization_id}
            and (self.since is None or letter.dead_at >= self.since)
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Some of those that were asked for, and how many there are in all."""

    entries: tuple[IndexEntry, ...]
    matching: int
    has_more: bool


class DeadLetterIndex:
    """See the module."""

    def __init__(self, most: int = MOST) -> None:
        self.left_out = 0
        self._most = most
        self._entries: dict[str, IndexEntry] = {}
        self.open_by_cause: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    def take(self, partition: int, offset: int, headers: Iterable[tuple[str, bytes]], value: bytes | None) -> bool:
        """Take up the next record of a partition; False for one that this version can't read."""
        letter = read_dead_letter(headers, value)
        match letter:
            case UnreadableRecord():
                return False
            case DeadLetterEnded():
                self._remove(letter.command_id)
            case DeadLetter(command_id=command_id) if command_id is not None and is_command_id(command_id):
                self._remove(command_id)  # so that the newest entry is the last one
                self._entries[command_id] = IndexEntry(partition, offset, _summary(command_id, letter))
                self.open_by_cause[letter.cause] += 1
                if len(self._entries) > self._most:
                    self._remove(next(iter(self._entries)))
                    self.left_out += 1
            case _:
                return False
        return True

    def find(self, command_id: str, now: datetime) -> IndexEntry | None:
        """Return the letter of a command, if it waits."""
        entry = self._entries.get(command_id)
        return None if entry is None or entry.summary.dead_at < now - KEPT else entry

    def page(self, wanted: DeadLetterFilter, behind: tuple[datetime, str] | None, limit: int, now: datetime) -> Page:
        """Return those that are wanted, oldest first, beginning behind a place."""
        self._sweep(now)
        matching = [entry for entry in self._entries.values() if wanted.accepts(entry.summary)]
        rest = matching if behind is None else [entry for entry in matching if entry.order > behind]
        found = heapq.nsmallest(limit + 1, rest, key=lambda entry: entry.order)
        return Page(tuple(found[:limit]), len(matching), len(found) > limit)

    def _sweep(self, now: datetime) -> None:
        oldest = now - KEPT
        for command_id in [key for key, entry in self._entries.items() if entry.summary.dead_at < oldest]:
            self._remove(command_id)

    def _remove(self, command_id: str) -> None:
        entry = self._entries.pop(command_id, None)
        if entry is not None:
            self.open_by_cause[entry.summary.cause] -= 1


def _summary(command_id: str, letter: DeadLetter) -> DeadLetterSummary:
    authorization_id = letter.authorization_id if is_id(letter.authorization_id) else None
    is_whole = bool(letter.record.value) and letter.cause != "invalid_record"
    return DeadLetterSummary(
        command_id=command_id,
        command=letter.command,
        caller=letter.caller,
        authorization_id=authorization_id,
        accepted_at=letter.accepted_at,
        dead_at=letter.dead_at,
        cause=letter.cause,
        advice=letter.advice,
        redrive=letter.redrive,
        writes=len(letter.intents),
        can_redrive=is_whole and authorization_id is not None,
    )

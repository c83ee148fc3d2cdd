"""The open dead letters, built from the records of `dead-letters` in order. Synchronous; owned by one reader.

    dead letter ─▶ added, replaces an earlier one of the same command      end, or RETENTION later ─▶ removed

Holds only public fields and positions, never a caller's data. Bounded: above MAX_ENTRIES the caller with the most
loses its oldest, so that one caller cannot take the places of the others.
"""

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.api.dead_letters import DeadLetterSelection, DeadLetterSummary
from schemas.api.queries import DeadLettersQuery
from schemas.dead_letter import DeadLetter, DeadLetterEnded
from schemas.enums import full_type
from schemas.events.reasons import DeadLetterCause
from schemas.fields.scalars import is_command_id, is_id
from schemas.records import UnreadableRecord, read_dead_letter
from schemas.topics import DEAD_LETTER_DAYS

MAX_ENTRIES = 20_000
# The retention of the topic and of the worker's state.
RETENTION = timedelta(days=DEAD_LETTER_DAYS)


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """An open dead letter and the position of its record."""

    partition: int
    offset: int
    summary: DeadLetterSummary

    @property
    def order(self) -> tuple[datetime, str]:
        """The sort key of lists: the oldest entry first."""
        return self.summary.dead_at, self.summary.command_id


DeadLetterFilter = DeadLettersQuery | DeadLetterSelection
"""The conditions of a list or of a decision; None accepts all."""


@dataclass(frozen=True, slots=True)
class IndexPage:
    """One page of the matching entries, and the number of all matching entries."""

    entries: tuple[IndexEntry, ...]
    matching: int
    has_more: bool


def digest_of(entries: Iterable[IndexEntry]) -> str:
    """Return the digest of the commands and their redrive numbers, in this order."""
    found = hashlib.blake2b(digest_size=16)
    for entry in entries:
        found.update(f"{entry.summary.command_id} {entry.summary.redrive}\n".encode())
    return found.hexdigest()


class DeadLetterIndex:
    """The open dead letters by command. `left_out` counts the entries removed by the bound."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self.left_out = 0
        self._max_entries = max_entries
        self._entries: dict[str, IndexEntry] = {}
        self._by_caller: Counter[str | None] = Counter()
        self.open_by_cause: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, partition: int, offset: int, headers: Iterable[tuple[str, bytes]], value: bytes | None) -> bool:
        """Apply the next record of a partition; return False if this version can't read it."""
        record = read_dead_letter(headers, value)
        match record:
            case UnreadableRecord():
                return False
            case DeadLetterEnded():
                self._remove(record.command_id)
            case DeadLetter(command_id=command_id) if command_id is not None and is_command_id(command_id):
                self._remove(command_id)  # so that the newest entry is the last one
                self._entries[command_id] = IndexEntry(partition, offset, _summary(command_id, record))
                self.open_by_cause[record.cause] += 1
                self._by_caller[record.caller] += 1
                if len(self._entries) > self._max_entries:
                    self._remove(self._oldest_of_fullest())
                    self.left_out += 1
            case _:
                return False
        return True

    def find(self, command_id: str, now: datetime) -> IndexEntry | None:
        """Return the open dead letter of a command, or None."""
        entry = self._entries.get(command_id)
        return None if entry is None or entry.summary.dead_at < now - RETENTION else entry

    def page(
        self, wanted: DeadLetterFilter, after: tuple[datetime, str] | None, limit: int, now: datetime
    ) -> IndexPage:
        """Return the matching entries after a sort key, oldest first."""
        matching, rest = self._matching(wanted, after, now)
        found = heapq.nsmallest(limit + 1, rest, key=lambda entry: entry.order)
        return IndexPage(tuple(found[:limit]), len(matching), len(found) > limit)

    def selected(self, wanted: DeadLetterFilter, after: tuple[datetime, str] | None, now: datetime) -> list[IndexEntry]:
        """Return all matching entries after a sort key, oldest first."""
        _, rest = self._matching(wanted, after, now)
        return sorted(rest, key=lambda entry: entry.order)

    def _matching(
        self, wanted: DeadLetterFilter, after: tuple[datetime, str] | None, now: datetime
    ) -> tuple[list[IndexEntry], list[IndexEntry]]:
        """Return all matching entries, and those of them after a sort key. Remove what has expired."""
        oldest = now - RETENTION
        for command_id in [key for key, entry in self._entries.items() if entry.summary.dead_at < oldest]:
            self._remove(command_id)
        matching = [entry for entry in self._entries.values() if _accepts(wanted, entry.summary)]
        return matching, matching if after is None else [entry for entry in matching if entry.order > after]

    def _oldest_of_fullest(self) -> str:
        ((fullest, _),) = self._by_caller.most_common(1)
        return next(key for key, entry in self._entries.items() if entry.summary.caller == fullest)

    def _remove(self, command_id: str) -> None:
        entry = self._entries.pop(command_id, None)
        if entry is not None:
            self._by_caller[entry.summary.caller] -= 1
            self.open_by_cause[entry.summary.cause] -= 1


def _accepts(wanted: DeadLetterFilter, summary: DeadLetterSummary) -> bool:
    return (
        wanted.cause in {None, summary.cause}
        # The type may be short, such as `handoff.request`.
        and (wanted.command is None or summary.command in {wanted.command, full_type(wanted.command)})
        and wanted.caller in {None, summary.caller}
        and wanted.authorization_id in {None, summary.authorization_id}
        and (wanted.since is None or summary.dead_at >= wanted.since)
        and (wanted.before is None or summary.dead_at < wanted.before)
    )


def _summary(command_id: str, dead_letter: DeadLetter) -> DeadLetterSummary:
    authorization_id = dead_letter.authorization_id if is_id(dead_letter.authorization_id) else None
    is_whole = bool(dead_letter.record.value) and dead_letter.cause != DeadLetterCause.INVALID_RECORD
    return DeadLetterSummary(
        command_id=command_id,
        command=dead_letter.command,
        caller=dead_letter.caller,
        authorization_id=authorization_id,
        accepted_at=dead_letter.accepted_at,
        dead_at=dead_letter.dead_at,
        cause=dead_letter.cause,
        advice=dead_letter.advice,
        redrive=dead_letter.redrive,
        writes=len(dead_letter.intents),
        can_redrive=is_whole and authorization_id is not None,
    )

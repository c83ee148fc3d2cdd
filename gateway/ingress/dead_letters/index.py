"""The open dead letters, built from the records of `dead-letters` in order. Owned by one reader.

    dead letter ─▶ added, replaces an earlier one of the same command      end, or RETENTION later ─▶ removed

Holds only public fields and positions, never a caller's data. Bounded: above MAX_ENTRIES the caller with the most
loses its oldest, so that one caller cannot take the places of the others. A list and a digest are of the entries of
one moment, and give way to other tasks after each PIECE.
"""

import asyncio
import hashlib
from bisect import bisect_left, bisect_right, insort
from collections import Counter, OrderedDict, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

from schemas.api.dead_letters import DeadLetterSelection, DeadLetterSummary
from schemas.api.queries import DeadLettersQuery
from schemas.dead_letter import DeadLetter, DeadLetterEnded
from schemas.enums import full_type
from schemas.events.reasons import DeadLetterCause
from schemas.fields.scalars import is_command_id, is_id
from schemas.records import UnreadableRecord, read_dead_letter
from schemas.times import format_time
from schemas.topics import DEAD_LETTER_DAYS

MAX_ENTRIES = 20_000
# The retention of the topic and of the worker's state.
RETENTION = timedelta(days=DEAD_LETTER_DAYS)
# Compared in 0.1 ms, removed in 1 ms.
PIECE: Final = 250


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """An open dead letter and the position of its record.

    `order` is the sort key of lists, the oldest entry first; `identity` what a digest contains of it.
    """

    partition: int
    offset: int
    summary: DeadLetterSummary
    order: tuple[datetime, str]
    identity: bytes


_ORDER: Final = attrgetter("order")

DeadLetterFilter = DeadLettersQuery | DeadLetterSelection
"""The conditions of a list or of a decision; None accepts all."""


async def digest_of(entries: Sequence[IndexEntry]) -> str:
    """Return the digest of the commands, their redrive numbers and times, in this order."""
    found = hashlib.blake2b(digest_size=16)
    async for piece in _pieces(entries):
        found.update(b"".join([entry.identity for entry in piece]))
    return found.hexdigest()


def after(entries: Sequence[IndexEntry], order: tuple[datetime, str] | None) -> Sequence[IndexEntry]:
    """Return the entries after a sort key; all without a key."""
    return entries if order is None else entries[bisect_right(entries, order, key=_ORDER) :]


async def _pieces(entries: Sequence[IndexEntry]) -> AsyncIterator[Sequence[IndexEntry]]:
    for at in range(0, len(entries), PIECE):
        yield entries[at : at + PIECE]
        await asyncio.sleep(0)


class DeadLetterIndex:
    """The open dead letters by command. `left_out` counts the entries removed by the bound."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self.left_out = 0
        self._max_entries = max_entries
        self._entries: dict[str, IndexEntry] = {}
        self._sorted: list[IndexEntry] = []
        self._by_caller: defaultdict[str | None, OrderedDict[str, None]] = defaultdict(OrderedDict)
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
                self._remove(command_id)
                order = record.dead_at, command_id
                identity = f"{command_id} {record.redrive} {format_time(record.dead_at)}\n".encode()
                entry = IndexEntry(partition, offset, _summary(command_id, record), order, identity)
                self._entries[command_id] = entry
                insort(self._sorted, entry, key=_ORDER)
                self._by_caller[record.caller][command_id] = None
                self.open_by_cause[record.cause] += 1
                if len(self._entries) > self._max_entries:
                    fullest: OrderedDict[str, None] = max(self._by_caller.values(), key=len)
                    self._remove(next(iter(fullest)))
                    self.left_out += 1
            case _:
                return False
        return True

    def find(self, command_id: str, now: datetime) -> IndexEntry | None:
        """Return the open dead letter of a command, or None."""
        entry = self._entries.get(command_id)
        return None if entry is None or entry.summary.dead_at < now - RETENTION else entry

    async def matching(self, wanted: DeadLetterFilter, now: datetime) -> Sequence[IndexEntry]:
        """Return the matching entries of this moment, oldest first."""
        oldest = now - RETENTION
        while self._sorted and self._sorted[0].summary.dead_at < oldest:
            for entry in self._sorted[:PIECE]:
                if entry.summary.dead_at < oldest:
                    self._remove(entry.summary.command_id)
            await asyncio.sleep(0)
        since = oldest if wanted.since is None else max(wanted.since, oldest)
        begin = bisect_left(self._sorted, (since, ""), key=_ORDER)
        end = None if wanted.before is None else bisect_left(self._sorted, (wanted.before, ""), key=_ORDER)
        found = self._sorted[begin:end]
        if all(value is None for value in (wanted.cause, wanted.command, wanted.caller, wanted.authorization_id)):
            return found
        return [entry async for piece in _pieces(found) for entry in piece if _accepts(wanted, entry.summary)]

    def _remove(self, command_id: str) -> None:
        entry = self._entries.pop(command_id, None)
        if entry is None:
            return
        caller = entry.summary.caller
        del self._sorted[bisect_left(self._sorted, entry.order, key=_ORDER)]
        del self._by_caller[caller][command_id]
        if not self._by_caller[caller]:
            del self._by_caller[caller]
        self.open_by_cause[entry.summary.cause] -= 1


def _accepts(wanted: DeadLetterFilter, summary: DeadLetterSummary) -> bool:
    return (
        wanted.cause in {None, summary.cause}
        # The type may be short, such as `handoff.request`.
        and (wanted.command is None or summary.command in {wanted.command, full_type(wanted.command)})
        and wanted.caller in {None, summary.caller}
        and wanted.authorization_id in {None, summary.authorization_id}
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

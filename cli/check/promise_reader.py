"""Reads the topics for `gateway check promises`, one partition after another, in the order of decision 0030."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from adapters.kafka.topic_reader import TopicReader, open_reader
from consumers.engine.core.offset_tracker import OffsetTracker
from consumers.engine.core.progress import PROGRESS_KEY, ProgressRecord, readable
from consumers.engine.core.tail import number_of
from runtime.settings import ClusterSettings, KafkaSettings
from schemas.promises.authorization import CLOCK_SECONDS
from schemas.promises.ends import KEPT_SECONDS
from schemas.promises.partition import NewestTransaction, SeenPartition, torn
from schemas.promises.seen import MOST_DIGITS, dead_letter, key_of, logged_command, logged_event
from schemas.promises.violations import PartitionFindings, PromiseRule
from schemas.records import TopicRecord
from schemas.topics import catalogue, partition_for

# A command waits at most a day (`worker.command_max_age`), and a repeat is accepted within a day of the end.
_BEFORE: Final = timedelta(seconds=KEPT_SECONDS + 2 * CLOCK_SECONDS)
# So long a leader that is cut off from its successor may answer (docs/kafka-notes.md).
_DEPOSED_SECONDS: Final = 30.0
# The progress is in the newest transaction; only starts of the partition write after it.
_TAIL_OFFSETS: Final = 1_000


async def find_violations(
    settings: ClusterSettings, since: datetime, second_look_seconds: float = _DEPOSED_SECONDS
) -> list[PartitionFindings]:
    """Return the findings of each partition; a violation counts if a second look finds it too. Raises KafkaFailure."""
    found = await _look(settings, since)
    if any(one.violations for one in found):
        await asyncio.sleep(second_look_seconds)
        for one, again in zip(found, await _look(settings, since), strict=True):
            one.seen_again(again)
    return found


async def _look(settings: ClusterSettings, since: datetime) -> list[PartitionFindings]:
    topics = {topic.role: topic.name for topic in catalogue(settings.topics.prefix)}
    numbers, begin = range(settings.topics.partitions), since - _BEFORE
    places = {(role, number): (name, number) for role, name in topics.items() for number in numbers}
    # Without positions it fetches nothing: it only says where the logs begin and end.
    async with open_reader(settings.kafka, places, reset="none", is_committed=False) as reader:
        ids = await reader.topic_ids()
        return [
            await _PartitionReader(settings.kafka, topics, number, len(numbers), reader, begin).read(
                ids["commands", number]
            )
            for number in numbers
        ]


@dataclass(slots=True)
class _PartitionReader:
    """Reads one partition."""

    kafka: KafkaSettings
    topics: Mapping[str, str]
    number: int
    partitions: int
    places: TopicReader[tuple[str, int]]  # by role and number
    since: datetime
    seen: SeenPartition = field(default_factory=SeenPartition)
    newest: dict[str, NewestTransaction] = field(default_factory=dict)
    begins: dict[str, int] = field(default_factory=dict)
    placed: set[bytes] = field(default_factory=set)

    async def read(self, topic_id: str) -> PartitionFindings:
        seen, self.seen.findings.partition = self.seen, self.number
        self.begins = self._of(await self.places.beginnings())
        progress, place = await self._progress(self.begins["state"])
        parts = {role: progress.parts[name] for role, name in self.topics.items() if name in progress.parts}
        ends, starts = self._of(await self.places.ends()), await self._starts(parts)
        seen.is_whole = starts["events"] == starts["commands"] == 0
        await self._authorizations(self.begins["authorizations"], ends["authorizations"])
        seen.records_read()
        await self._events(starts, self._of(await self.places.ends()))
        later = self._of(await self.places.ends())
        await self._authorizations(ends["authorizations"], later["authorizations"])
        seen.compare_records()
        await self._commands(starts["commands"], ends["commands"], progress if progress.topic == topic_id else None)
        if seen.unexplained:
            await self._look_back(starts["events"], later["dead_letters"])
        seen.lost_ends()
        last, _ = await self._progress(place)
        if progress.number and last.number:
            for half in torn(progress.number, parts, self.newest, last.number):
                seen.findings.add(PromiseRule.TORN, *half)
            seen.findings.examined[PromiseRule.TORN.promise] += 1
        else:
            self._leave("partitions whose transactions have no number")
        return seen.findings

    def _of(self, offsets: Mapping[tuple[str, int], int]) -> dict[str, int]:
        return {role: offset for (role, number), offset in offsets.items() if number == self.number}

    def _leave(self, what: str, count: int = 1) -> None:
        self.seen.findings.not_examined[what] += count

    async def _starts(self, parts: Mapping[str, tuple[int, int, int]]) -> dict[str, int]:
        """Return where the span begins. The newest transaction may be older than the span: then it begins there."""
        starts, at = self._of(await self.places.ends()), await self.places.offsets_at(self.since)
        for role in starts:
            if (first := at[role, self.number]) is not None:
                starts[role] = first
            if role in {"commands", "events"} and 0 < self.begins[role] == starts[role]:
                self._leave(f"partitions of {role} that begin later: retention has deleted the rest")
        for role in ("events", "dead_letters"):
            begin, _, lasting = parts.get(role, (0, 0, 0))
            if lasting and begin >= self.begins[role]:
                starts[role] = min(starts[role], begin)
        return starts

    async def _progress(self, begin: int) -> tuple[ProgressRecord, int]:
        """Return the newest progress and its offset; without one, `begin`."""
        end, tail = self._of(await self.places.ends())["state"], _TAIL_OFFSETS
        start = end
        while start > begin:
            start, tail, found = max(begin, end - tail), 10 * tail, None
            async for record in self._records("state", start, end):
                if record.key == PROGRESS_KEY:
                    found = record
            if found is not None:
                return readable(found.value), found.offset
        return readable(None), begin

    async def _authorizations(self, begin: int, end: int) -> None:
        async for record in self._records("authorizations", begin, end):
            sequence = next((value for name, value in record.headers if name == "ce_sequence"), None) or b""
            is_shown = record.value is not None and sequence.isdigit() and len(sequence) <= MOST_DIGITS
            self.seen.see_record(key_of(record), int(sequence) if is_shown else None, record.offset)

    async def _events(self, starts: Mapping[str, int], ends: Mapping[str, int]) -> None:
        async for record in self._records("events", starts["events"], ends["events"]):
            event = logged_event(record)
            if event is None:
                self._leave("records on events of another program")
            elif isinstance(event, str):
                self.seen.findings.add(PromiseRule.MALFORMED, key_of(record), "events", record.offset, event)
            else:
                self.seen.see_event(event)
        async for record in self._records("dead_letters", starts["dead_letters"], ends["dead_letters"]):
            if dead_letter(record)[1]:
                self.seen.findings.add(PromiseRule.CLEAR_TEXT, key_of(record), "dead_letters", record.offset)

    async def _commands(self, begin: int, end: int, progress: ProgressRecord | None) -> None:
        tracker = OffsetTracker(*progress.progress) if progress else None
        async for record in self._records("commands", begin, end):
            is_finished = tracker is not None and not tracker.take(record.offset)
            self.seen.see_command(logged_command(record, self.number), is_finished=is_finished)
        if progress is None:
            self._leave("partitions without progress in this `commands`: promise 5")

    async def _look_back(self, end: int, dead_letters_end: int) -> None:
        """Look for the ends of repeats before the span, and for their dead letters."""
        before = (await self.places.offsets_at(self.since - _BEFORE))["events", self.number]
        start = end if before is None else min(before, end)
        async for record in self._records("events", start, end):
            event = logged_event(record)
            if event is not None and not isinstance(event, str):
                self.seen.see_earlier(event)
        async for record in self._records("dead_letters", self.begins["dead_letters"], dead_letters_end):
            self.seen.see_earlier(dead_letter(record)[0])
        if 0 < self.begins["events"] == start and self.seen.unexplained:
            self._leave("commands whose end retention may have deleted", len(self.seen.unexplained))
            self.seen.unexplained.clear()

    def _see_place(self, role: str, record: TopicRecord) -> None:
        if record.key is None or record.key in self.placed:
            return
        if partition_for(record.key, self.partitions) == self.number:
            self.placed.add(record.key)
        else:
            self.seen.findings.add(PromiseRule.MISPLACED, key_of(record), role, record.offset)

    async def _records(self, role: str, begin: int, end: int) -> AsyncIterator[TopicRecord]:
        """Yield the committed records between two offsets, look for secrets, and note the newest transaction."""
        if begin >= end:
            return
        newest, key, offset = 0, "", begin
        async with open_reader(self.kafka, {0: (self.topics[role], self.number)}) as reader:
            reader.seek({0: begin})
            async for _, record in reader.read_until({0: end}):
                if role != "state":
                    self.seen.see_value(role, key_of(record), record.offset, record.value)
                    self._see_place(role, record)
                if (transaction := number_of(record)) > newest:
                    newest, key, offset = transaction, key_of(record), record.offset
                yield record
        before = self.newest.get(role)
        if role != "state" and (before is None or before.number < newest):
            self.newest[role] = NewestTransaction(newest, key, offset, before.begin if before else begin)

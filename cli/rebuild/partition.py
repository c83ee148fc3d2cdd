"""Rebuilds one partition: reads its part of each topic, and makes the records of `state` and the progress.

All topics have the same number of partitions, so everything of an authorization is in partitions of one number.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field

from adapters.kafka.topic_copy import Extent, read_partitions
from cli.rebuild.history import History
from cli.rebuild.logged import LoggedCommand, ended, first_unended, logged
from cli.rebuild.state import rebuilt
from cli.rebuild.stopped import RebuildRefused
from consumers.applier.task import read
from consumers.authorization.recent_commands import REMEMBERED_SECONDS
from consumers.authorization.state import AuthorizationState
from consumers.engine import Output, Record
from consumers.engine.core.offset_tracker import WINDOW, Committed, OffsetTracker
from consumers.engine.core.progress import PROGRESS_KEY
from consumers.engine.state_store import state_record
from consumers.watcher.cadence import delete_at, is_unknown
from runtime.settings import KafkaSettings
from schemas.authorization import AuthorizationRecord
from schemas.records import TopicRecord, UnreadableRecord, read_authorization, read_event
from schemas.sealing import Keys
from schemas.topics import Topics


@dataclass(frozen=True, slots=True)
class RebuildInput:
    """What a rebuild knows before it reads: `extents` by role and partition, `copies` the group's copy of the progress.

    `topic_id`: of `commands`, read before its extents. `copies` has only copies that are of this topic.
    `watch_seconds`: how long each authorization is watched from now. `now`: Unix seconds.
    """

    kafka: KafkaSettings
    topics: Topics
    extents: Mapping[str, list[Extent]]
    copies: Mapping[int, int]
    topic_id: str
    digest_key: bytes
    keys: Keys
    watch_seconds: float
    now: float


@dataclass(slots=True)
class PartitionSources:
    """What the topics hold of one partition, by authorization.

    `skipped` counts events of other programs. `events_since`: before this time (Unix seconds), events were deleted.
    """

    commands: dict[bytes, list[LoggedCommand]] = field(default_factory=lambda: defaultdict(list))
    histories: dict[bytes, History] = field(default_factory=dict)
    records: dict[bytes, AuthorizationRecord | None] = field(default_factory=dict)
    skipped: int = 0
    events_since: float = 0.0

    def has_lost_ends(self) -> bool:
        """Return whether an unfinished command is older than the first event, so that its end may have been deleted."""
        return any(
            one.accepted_at < self.events_since and not one.is_own and not has_ended
            for key, commands in self.commands.items()
            for one, has_ended in zip(commands, ended(commands, self.history_of(key)), strict=True)
        )

    def history_of(self, key: bytes) -> History:
        """Return the events of an authorization."""
        return self.histories.get(key) or History(0.0)

    def states(self, known: RebuildInput) -> Iterator[tuple[bytes, AuthorizationState]]:
        """Return each authorization's state, but those that the worker would delete now (decision 0028)."""
        for key in sorted(self.commands.keys() | self.histories.keys() | self.records.keys()):
            state = self.state_of(key, known)
            is_over = is_unknown(state) and (delete_at(state, 0.0) or 0.0) <= known.now
            # An unfinished command may be a repeat that was accepted within the day.
            if not is_over or first_unended(self.commands.get(key, ()), self.history_of(key)) is not None:
                yield key, state

    def state_of(self, key: bytes, known: RebuildInput) -> AuthorizationState:
        """Return the state of one authorization."""
        history = self.history_of(key)
        record, commands = self.records.get(key), self.commands.get(key, ())
        return rebuilt(history, record, commands, now=known.now, watch_seconds=known.watch_seconds)


async def read_sources(known: RebuildInput, number: int, only: bytes | None = None) -> PartitionSources:
    """Read one partition of `commands`, `events` and `authorizations`; `only` keeps one authorization.

    Raises RebuildRefused and KafkaFailure.
    """
    found = PartitionSources()
    oldest = await _read_commands(known, number, only, found)
    # A late worker still recognises repeats of commands that ended a day before the oldest record in `commands`.
    await _read_events(known, number, only, found, recent_since=oldest - REMEMBERED_SECONDS)
    await _read_authorizations(known, number, only, found)
    return found


async def _read_commands(known: RebuildInput, number: int, only: bytes | None, found: PartitionSources) -> float:
    """Return the time of the oldest record (Unix seconds), now without one."""
    oldest = known.now
    async for record in _records(known, "commands", number):
        key = record.key or b""
        if only in {None, key}:
            entry = logged(read(_input(record), known.digest_key, known.keys), number, record.offset)
            found.commands[key].append(entry)
            oldest = min(oldest, record.timestamp / 1_000)
    return oldest


async def _read_events(
    known: RebuildInput, number: int, only: bytes | None, found: PartitionSources, *, recent_since: float
) -> None:
    async for record in _records(known, "events", number):
        if not found.events_since and known.extents["events"][number].begin > 0:
            found.events_since = record.timestamp / 1_000
        if record.key is None or only not in {None, record.key}:
            continue
        event = read_event(record.headers, record.value)
        if isinstance(event, UnreadableRecord):
            _require_foreign(event, "events", number, record.offset)
            found.skipped += 1
        else:
            found.histories.setdefault(record.key, History(recent_since)).see(event)


async def _read_authorizations(known: RebuildInput, number: int, only: bytes | None, found: PartitionSources) -> None:
    async for record in _records(known, "authorizations", number):
        if record.key is None or only not in {None, record.key}:
            continue
        shown = None if record.value is None else read_authorization(record.headers, record.value)
        if isinstance(shown, UnreadableRecord):
            _require_foreign(shown, "authorizations", number, record.offset)
            found.skipped += 1
        else:
            found.records[record.key] = None if shown is None else shown[1]


def state_outputs(sources: PartitionSources, known: RebuildInput) -> Iterator[Output]:
    """Return the record of each authorization's state; its timer is due at once, so that Collate is read soon."""
    for key, state in sources.states(known):
        yield state_record(known.topics.state.name, key, state.encode(), known.now)


def progress_of(sources: PartitionSources, known: RebuildInput, number: int) -> tuple[Committed, int] | None:
    """Return the progress and the number of unfinished records; None if it has too many records after one of these.

    Every command below the group's copy was finished, also if `events` no longer shows its end.
    """
    finished: dict[int, bool] = {}
    copied = known.copies.get(number, 0)
    for key, commands in sources.commands.items():
        for command, has_ended in zip(commands, ended(commands, sources.history_of(key)), strict=True):
            finished[command.offset] = has_ended or command.offset < copied
    tracker = OffsetTracker(known.extents["commands"][number].begin)
    for offset in sorted(finished):
        tracker.take(offset)
        if finished[offset]:
            tracker.finish(offset)
    if tracker.size > WINDOW:
        return None
    return tracker.committed(), sum(not has_ended for has_ended in finished.values())


async def has_progress(known: RebuildInput, number: int) -> bool:
    """Return whether a partition of `state` has a progress record: it was not lost, or is rebuilt."""
    extents = {number: known.extents["state"][number]}
    return number in await progress_records(known.kafka, known.topics.state.name, extents)


async def progress_records(kafka: KafkaSettings, topic: str, extents: Mapping[int, Extent]) -> dict[int, bytes]:
    """Return the value of the newest progress record in each of these partitions of `state`. Raises KafkaFailure."""
    found: dict[int, bytes | None] = {}
    async for number, record in read_partitions(kafka, topic, extents):
        if record.key == PROGRESS_KEY:
            found[number] = record.value
    return {number: value for number, value in found.items() if value is not None}


async def _records(known: RebuildInput, role: str, number: int) -> AsyncIterator[TopicRecord]:
    topic = next(topic for topic in known.topics if topic.role == role)
    extents = {number: known.extents[role][number]}
    async for _, record in read_partitions(known.kafka, topic.name, extents):
        yield record


def _input(record: TopicRecord) -> Record:
    headers = tuple(record.headers)
    return Record(record.partition, record.offset, record.key or b"", record.value or b"", headers, 0.0)


def _require_foreign(record: UnreadableRecord, role: str, number: int, offset: int) -> None:
    if record.envelope is not None and record.envelope.source.startswith("/collate-gateway/"):
        raise RebuildRefused(
            f"offset {offset} of partition {number} of {role} cannot be read ({record.problem}): if a newer release "
            "wrote it, rebuild with that release"
        )

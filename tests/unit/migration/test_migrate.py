"""The steps of a migration on topics in memory: interrupted after any number of writes, it ends the same."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import pytest

from adapters.kafka.topic_copy import Extent
from consumers.engine.core.offset_tracker import Committed, OffsetTracker
from consumers.engine.core.progress import MARKER_KEY, PROGRESS_KEY, combine, decode, encode
from offline import stopped
from offline.migration import copying, migrate
from offline.migration.migrate import Migrated, Migration
from offline.migration.plan import PLAN_KEY
from offline.stopped import OfflineRefused
from schemas.topics import catalogue, partition_for

OLD, NEW = catalogue("old."), catalogue("new.")
KEYS = [b"auth_%d" % number for number in range(7)]
BEFORE, AFTER = 2, 3
ROLES = {topic.role: BEFORE for topic in OLD} | {"commands": AFTER, "state": AFTER}


@dataclass
class Stored:
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple = field(default=())


class Interrupted(Exception):
    pass


class Memory:
    """Topics in memory, with the three functions through which a migration reaches Kafka."""

    def __init__(self):
        self.topics, self.is_open, self.clock = {}, False, count(1_000)
        self.left = None

    def append(self, topic, partition, key, value, headers=(), timestamp=None):  # noqa: PLR0917 - the fields of a record
        log = self.topics.setdefault((topic, partition), [])
        log.append(Stored(partition, len(log), timestamp or next(self.clock), key, value, tuple(headers)))

    async def extents_of(self, _, topics, *, committed):
        behind = int(self.is_open and committed)
        return {
            topic: [Extent(0, len(self.topics.get((topic, number), ())) - behind) for number in range(partitions)]
            for topic, partitions in topics.items()
        }

    async def read_partitions(self, _, topic, extents, wanted):
        left = dict(extents)
        while left:
            for number in sorted(wanted() & left.keys()) or sorted(left):
                begin, end = left[number]
                yield number, self.topics.get((topic, number), [])[begin : min(end, begin + 2)], begin + 2 >= end
                left[number] = (begin + 2, end)
                if begin + 2 >= end:
                    del left[number]

    @asynccontextmanager
    async def open_writer(self, _):
        yield self

    async def write(self, topic, partition, *, key, value, headers=(), timestamp=None):
        if self.left is not None:
            if not self.left:
                raise Interrupted
            self.left -= 1
        self.append(topic, partition, key, value, headers, timestamp)

    async def flush(self):
        pass

    def records(self, topics, role):
        name = next(topic.name for topic in topics if topic.role == role)
        return [record for (topic, _), log in sorted(self.topics.items()) if topic == name for record in log]


@pytest.fixture
def memory(monkeypatch):
    """Two partitions, then a third one was added to `commands` and `state`; some commands are finished."""
    found = Memory()
    monkeypatch.setattr(migrate, "extents_of", found.extents_of)
    monkeypatch.setattr(stopped, "extents_of", found.extents_of)
    monkeypatch.setattr(migrate, "open_writer", found.open_writer)
    monkeypatch.setattr(copying, "read_partitions", found.read_partitions)
    trackers = [OffsetTracker(0) for _ in range(BEFORE)]
    for number in range(40):
        key = KEYS[number % len(KEYS)]
        partition = partition_for(key, BEFORE)
        found.append(OLD.commands.name, partition, key, b"command %d" % number, [("ce_id", b"%d" % number)])
        offset = len(found.topics[OLD.commands.name, partition]) - 1
        trackers[partition].take(offset)
        if number % 5:
            trackers[partition].finish(offset)
            found.append(OLD.events.name, partition, key, b"event %d" % number)
            found.append(OLD.state.name, partition, key, b"state %d" % number, [("alarm", b"17.5")])
            found.append(OLD.authorizations.name, partition, key, b"record %d" % number)
    found.append(OLD.dead_letters.name, 0, KEYS[0], b"dead")
    for number, tracker in enumerate(trackers):
        found.append(OLD.state.name, number, MARKER_KEY, b"")
        found.append(OLD.state.name, number, PROGRESS_KEY, encode(tracker.committed(), "old id"))
    for number in range(40, 45):  # ingress saw the third partition before it stopped
        key = KEYS[number % len(KEYS)]
        found.append(OLD.commands.name, partition_for(key, AFTER), key, b"command %d" % number)
    return found


def migration(partitions=AFTER):
    return Migration(None, OLD, NEW, ROLES, partitions, source_id="old id", target_id="new id")


async def run(partitions=AFTER):
    return await migration(partitions).run(lambda _: None)


def by_key(records):
    found = {}
    for record in records:
        if record.key not in {MARKER_KEY, PROGRESS_KEY, PLAN_KEY}:
            found.setdefault(record.key, []).append(record.value)
    return found


def unfinished(memory):
    """Return the commands that a worker would process on the new topics."""
    left = []
    for number in range(AFTER):
        states = [one for one in memory.topics[NEW.state.name, number] if one.key == PROGRESS_KEY]
        progress, topic, *_ = decode(states[-1].value)
        assert topic == "new id"
        tracker = OffsetTracker(*progress)
        left += [one.value for one in memory.topics.get((NEW.commands.name, number), ()) if tracker.take(one.offset)]
    return sorted(left)


EXPECTED_UNFINISHED = sorted([b"command %d" % number for number in range(45) if number % 5 == 0 or number >= 40])


async def test_every_key_keeps_its_order_its_state_and_its_timer_and_only_unfinished_commands_run(memory):
    result = await run()
    assert result.unfinished == len(EXPECTED_UNFINISHED)
    assert unfinished(memory) == EXPECTED_UNFINISHED
    commands = by_key(memory.records(NEW, "commands"))
    assert commands == {key: [b"command %d" % n for n in range(45) if KEYS[n % 7] == key] for key in KEYS}
    assert by_key(memory.records(NEW, "events")) == by_key(memory.records(OLD, "events"))
    assert by_key(memory.records(NEW, "dead_letters")) == {KEYS[0]: [b"dead"]}
    for role in ("state", "authorizations"):
        newest = {key: values[-1:] for key, values in by_key(memory.records(OLD, role)).items()}
        assert by_key(memory.records(NEW, role)) == newest
    for (topic, number), log in memory.topics.items():
        if topic.startswith("new."):
            assert all(one.key in {PROGRESS_KEY, PLAN_KEY} or partition_for(one.key, AFTER) == number for one in log)
    states = [one for one in memory.records(NEW, "state") if one.key in KEYS]
    assert {one.headers for one in states} == {(("alarm", b"17.5"),)}


async def test_a_run_that_is_interrupted_after_any_write_goes_on_and_ends_the_same(memory):
    old = {place: list(log) for place, log in memory.topics.items()}
    await run()
    wanted = memory.topics
    writes = sum(len(log) for (topic, _), log in wanted.items() if topic.startswith("new."))
    for first in range(0, writes, 3):
        for second in (0, 1, 5):
            memory.topics = {place: list(log) for place, log in old.items()}
            for allowed in (first, second):
                memory.left = allowed
                try:
                    await run()
                except Interrupted:
                    assert_workers_stop(memory)
            memory.left = None
            await run()
            assert without_repeated_progress(memory.topics) == without_repeated_progress(wanted), (first, second)


def assert_workers_stop(memory):
    """A worker that is started too early stops each partition that has states and no progress."""
    for number in range(AFTER):
        log = memory.topics.get((NEW.state.name, number), [])
        states = [one for one in log if one.key in KEYS]
        progress = [one.value for one in log if one.key == PROGRESS_KEY]
        known = combine(progress[-1] if progress else None, None, topic="new id", has_states=bool(states))
        assert known.problem if states and not progress else True


def without_repeated_progress(topics):
    """Return keys and values; an interrupted last step may write a progress record again."""
    found = {}
    for place, log in topics.items():
        content = [(one.key, one.value, one.headers) for one in log]
        if place[0] == NEW.state.name:
            content = [one for at, one in enumerate(content) if one not in content[:at]]
        found[place] = content
    return found


async def test_a_second_run_after_the_end_changes_nothing(memory):
    await run()
    before = {place: len(log) for place, log in memory.topics.items()}
    assert await run() == Migrated(None, None)
    assert {place: len(log) for place, log in memory.topics.items()} == before


async def test_a_process_that_still_runs_is_noticed_before_during_and_between_runs(memory, monkeypatch):
    memory.is_open = True
    monkeypatch.setattr(stopped, "TRANSACTIONS_WITHIN_SECONDS", 0)
    with pytest.raises(OfflineRefused, match="a transaction is open"):
        await run()
    memory.is_open, memory.left = False, 9
    with pytest.raises(Interrupted):
        await run()
    memory.append(OLD.commands.name, 1, KEYS[1], b"late")
    memory.left = None
    with pytest.raises(OfflineRefused, match=r"old.commands 1 ended at .*: a process still runs"):
        await run()


async def test_records_that_arrive_during_the_copy_are_noticed(memory, monkeypatch):
    prove = Migration._prove

    async def late(self, *args):
        memory.append(OLD.commands.name, 1, KEYS[1], b"late")
        await prove(self, *args)

    monkeypatch.setattr(Migration, "_prove", late)
    with pytest.raises(OfflineRefused, match="while records were copied"):
        await run()


async def test_another_record_in_a_new_topic_is_noticed(memory):
    memory.left = 30
    with pytest.raises(Interrupted):
        await run()
    memory.append(NEW.events.name, 0, b"stranger", b"x")
    memory.left = None
    with pytest.raises(OfflineRefused, match=r"new.events has \d+ records and must have"):
        await run()


async def test_topics_in_use_and_another_number_of_partitions_are_refused(memory):
    memory.append(NEW.events.name, 0, KEYS[0], b"x")
    with pytest.raises(OfflineRefused, match="choose another prefix"):
        await run()
    memory.topics.pop((NEW.events.name, 0))
    memory.left = 5
    with pytest.raises(Interrupted):
        await run()
    memory.left = None
    with pytest.raises(OfflineRefused, match="it moves old"):
        await run(partitions=4)


async def test_states_without_progress_and_states_in_two_partitions_are_refused(memory):
    memory.append(OLD.state.name, 2, b"auth_x", b"state")
    with pytest.raises(OfflineRefused, match=r"partition 2 of old.state has states and no progress record"):
        await run()
    memory.topics = {place: log for place, log in memory.topics.items() if not place[0].startswith("new.")}
    memory.append(OLD.state.name, 2, KEYS[0], b"state")
    with pytest.raises(OfflineRefused, match="states in two partitions"):
        await run()


async def test_progress_of_a_deleted_topic_is_refused(memory):
    memory.append(OLD.state.name, 1, PROGRESS_KEY, encode(Committed(1, ""), "deleted id"))
    with pytest.raises(
        OfflineRefused, match=r"progress record of partition 1 is of another topic, not of old\.commands"
    ):
        await run()

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from adapters.kafka import topic_follower
from gateway.ingress.event_stream.tail import Tail
from runtime.health import Health
from schemas.cloudevents import to_kafka

from .test_waiters import finished


@dataclass
class Record:
    offset: int
    headers: tuple
    value: bytes


@dataclass
class MemoryTopic:
    """A topic of two partitions in memory that also acts as its reader; with `fails` every call raises."""

    records: dict = field(default_factory=lambda: {0: [], 1: []})
    fails: bool = False
    stuck: bool = False
    opened: int = 0

    def put(self, partition, value=None, headers=None):
        envelope = finished().envelope
        own, data = to_kafka(envelope)
        records = self.records[partition]
        records.append(Record(len(records), own if headers is None else headers, data if value is None else value))

    @asynccontextmanager
    async def open(self):
        self.opened += 1
        self.positions_now = {}
        yield self

    def seek(self, positions):
        self.positions_now = dict(positions)

    async def ends(self):
        if self.fails:
            raise ConnectionError
        return {partition: len(records) for partition, records in self.records.items()}

    async def positions(self):
        return dict(self.positions_now)

    async def read(self):
        await asyncio.sleep(0.001)
        if self.fails:
            raise ConnectionError
        if self.stuck:
            return {}
        batches = {partition: records[self.positions_now[partition] :] for partition, records in self.records.items()}
        self.positions_now = {partition: len(records) for partition, records in self.records.items()}
        return {partition: records for partition, records in batches.items() if records}


@pytest.fixture
def topic():
    topic = MemoryTopic()
    topic.put(0)
    return topic


@pytest.fixture
def health():
    return Health()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name, seconds in {
        "CHECK_EVERY_SECONDS": 0.01,
        "LAGGING_SECONDS": 0.05,
        "REOPEN_SECONDS": 0.2,
        "BACKOFF_SECONDS": 0.01,
    }.items():
        monkeypatch.setattr(topic_follower, name, seconds)


@pytest.fixture
async def tail(topic, health):
    tail = Tail(topic.open, 2, health)
    task = asyncio.create_task(tail.run())
    yield tail
    task.cancel()
    await asyncio.wait({task})


async def test_listeners_receive_the_events_after_the_start(topic, tail, eventually):
    received = []
    tail.add_listener(received.append)
    await eventually(lambda: tail.is_caught_up)
    topic.put(0)
    topic.put(1)
    await eventually(lambda: len(received) == 2)
    assert {(event.partition, event.offset) for event in received} == {(0, 1), (1, 0)}
    assert received[-1].vector == "2.1"
    assert tail.vector() == [2, 1]


async def test_readiness_requires_that_the_tail_is_caught_up(topic, tail, health, eventually):
    assert not health.ready().good
    await eventually(lambda: health.ready().good)
    topic.stuck = True
    topic.put(0)
    await eventually(lambda: not health.ready().good)
    topic.stuck = False
    await eventually(lambda: health.ready().good)


async def test_a_reopened_reader_continues_at_the_last_position(topic, tail, eventually):
    received = []
    tail.add_listener(received.append)
    await eventually(lambda: tail.is_caught_up)
    topic.fails = True
    await eventually(lambda: not tail.is_caught_up)
    topic.put(0)
    topic.fails = False
    await eventually(lambda: [event.offset for event in received] == [1])


async def test_a_reader_that_stays_behind_is_reopened(topic, tail, eventually):
    await eventually(lambda: tail.is_caught_up)
    topic.stuck = True
    topic.put(0)
    await eventually(lambda: topic.opened >= 2)


async def test_a_record_that_is_no_event_is_skipped(topic, tail, eventually):
    received = []
    tail.add_listener(received.append)
    await eventually(lambda: tail.is_caught_up)
    topic.put(0, value=b"junk", headers=())
    topic.put(0)
    await eventually(lambda: [event.offset for event in received] == [2])


async def test_a_removed_listener_receives_nothing(topic, tail, eventually):
    received, others = [], []
    tail.add_listener(received.append)
    tail.add_listener(others.append)
    await eventually(lambda: tail.is_caught_up)
    tail.remove_listener(received.append)
    topic.put(0)
    await eventually(lambda: len(others) == 1)
    assert received == []

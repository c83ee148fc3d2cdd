import asyncio

import pytest

from gateway.ingress.event_stream.tail import Tail
from runtime.health import Health
from tests.unit.kafka.memory_topic import MemoryTopic

from .test_waiters import finished

pytestmark = pytest.mark.usefixtures("quick_followers")


def append_event(topic, partition):
    event = finished()
    topic.append(partition, event.value, event.headers)


@pytest.fixture
def topic():
    topic = MemoryTopic()
    append_event(topic, 0)
    return topic


@pytest.fixture
def health():
    return Health()


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
    append_event(topic, 0)
    append_event(topic, 1)
    await eventually(lambda: len(received) == 2)
    assert {(event.partition, event.offset) for event in received} == {(0, 1), (1, 0)}
    assert received[-1].vector == "2.1"
    assert tail.vector() == [2, 1]


@pytest.fixture
def unknown_ends(topic):
    topic.hides_ends = True


async def test_readiness_requires_that_the_tail_was_caught_up_once(topic, unknown_ends, tail, health, eventually):
    await eventually(lambda: topic.opened)
    assert not health.ready().good
    topic.hides_ends = False
    await eventually(lambda: health.ready().good)
    topic.is_stuck = True
    append_event(topic, 0)
    await eventually(lambda: health.is_degraded("events"))
    assert health.ready().good
    topic.is_stuck = False
    await eventually(health.all_ok)


async def test_a_record_that_is_no_event_is_skipped(topic, tail, eventually):
    received = []
    tail.add_listener(received.append)
    await eventually(lambda: tail.is_caught_up)
    topic.append(0, b"junk")
    append_event(topic, 0)
    await eventually(lambda: [event.offset for event in received] == [2])


async def test_the_listener_of_records_receives_every_record_unparsed(topic, health, eventually):
    received = []
    tail = Tail(topic.open, 2, health, on_record=received.append)
    task = asyncio.create_task(tail.run())
    await eventually(lambda: tail.is_caught_up)
    topic.append(0, b"junk")
    append_event(topic, 1)
    await eventually(lambda: len(received) == 2)
    assert sorted(record.value for record in received) == sorted([b"junk", finished().value])
    task.cancel()
    await asyncio.wait({task})

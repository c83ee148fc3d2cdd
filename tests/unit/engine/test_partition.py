"""A partition's timer and its phases, without Kafka. What needs Kafka to be seen is in tests/system/engine."""

import asyncio
import time

import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from consumers.engine.engine import Engine
from consumers.engine.interface import Again, Done, Output, Record, Wait
from consumers.engine.memories import Memories
from consumers.engine.offsets import Committed
from consumers.engine.partition import Partition, Surroundings
from consumers.engine.settings import EngineSettings
from consumers.engine.slots import Slots
from consumers.engine.standing import Membership
from consumers.engine.takeover import Takeover
from gateway.runtime.metrics import Maker, create_engine_metrics


class Consumer:
    def pause(self, *sources):
        pass

    def resume(self, *sources):
        pass

    def seek(self, source, offset):
        pass

    def highwater(self, source):
        return 1


class Standing:
    is_trusted = True


@pytest.fixture
async def partition(bench):
    settings = EngineSettings("commands", "state", 1, "group", dict, slots=1, batch_bytes=10)
    surroundings = Surroundings(settings, bench.handler, Slots(1), create_engine_metrics(Maker(CollectorRegistry())))
    source, state = TopicPartition("commands", 0), TopicPartition("state", 0)
    partition = Partition(source, state, Consumer(), Standing(), surroundings)
    partition.assigned(Membership(1, "member"), uninterrupted=False)
    partition._begin(Takeover(None, Committed(0, ""), Memories(), {}))
    yield partition
    partition.close()
    partition._cancel_timer()
    await partition.turns.closed()


def add(partition, key, offset):
    partition.turns.lanes.add(Record(0, offset, key, b"", (), time.time()), time.time())
    partition.lanes_changed()


async def test_a_lane_that_waits_is_looked_at_though_the_queue_was_full_meanwhile(partition, bench):
    async def record(turn, record):
        if turn.key == b"waits" and not turn.tries:
            return Again(time.time() + 30, Wait.BACKOFF)
        return Done((Output("events", turn.key, bytes(30)),))

    bench.handler.record = record
    add(partition, b"waits", 0)
    await bench.rest()
    assert partition._timer is not None
    add(partition, b"fills the queue", 1)
    await bench.rest()
    assert not partition.accepts_turns
    partition._queue.next_batch()
    partition._queue.committed()
    partition._after_commit()
    assert partition._timer is not None


async def test_a_lane_that_is_due_and_finds_no_slot_does_not_spin(partition, bench):
    gate = asyncio.Event()

    async def record(turn, record):
        if turn.key == b"waits" and not turn.tries:
            return Again(turn.now - 1, Wait.BACKOFF)
        await gate.wait()
        return Done()

    bench.handler.record = record
    add(partition, b"holds the only slot", 1)
    add(partition, b"waits", 0)
    partition.turns.lanes.again(partition.turns.lanes.next_ready(time.time()), time.time() - 1, Wait.BACKOFF)
    await bench.rest()
    partition.lanes_changed()
    assert partition._timer is None or partition._timer.when() - asyncio.get_running_loop().time() > 0.05
    gate.set()
    await bench.rest()
    assert bench.handler.seen == [1, 0]


async def test_the_gauge_of_waiting_lanes_goes_down_again(partition, bench):
    answers = [Again(time.time() + 30, Wait.RATE_LIMITED), Done()]

    async def record(turn, record):
        return answers.pop(0)

    bench.handler.record = record
    registry = CollectorRegistry()
    engine = Engine(partition._settings, bench.handler, create_engine_metrics(Maker(registry)))
    engine.partitions[0] = partition

    def waiting():
        engine.observe()
        labels = {"partition": "0", "reason": "rate_limited"}
        return registry.get_sample_value("collate_gateway_lanes_waiting", labels)

    add(partition, b"k", 0)
    await bench.rest()
    assert waiting() == 1
    partition.turns.lanes.hurry()
    partition.lanes_changed()
    await bench.rest()
    assert waiting() == 0

import asyncio
from dataclasses import dataclass, field

import pytest

from gateway.ingress.commands import publisher as module
from gateway.ingress.commands.publisher import Appended, NotAppended, Publisher, Reason
from gateway.ingress.http.deadlines import Deadlines


@dataclass
class Written:
    offset: int


@dataclass
class Producer:
    """Answers at once, never, or with an error, as its Kafka says for the partition."""

    kafka: "Kafka"
    dropped: bool = False

    async def send(self, topic, value, *, key, partition, headers):
        behaviour = self.kafka.behaviour.get(partition, "writes")
        if isinstance(behaviour, BaseException) and self.kafka.raises_at_once:
            raise behaviour
        future = asyncio.get_running_loop().create_future()
        self.kafka.sent.append((partition, value))
        if isinstance(behaviour, BaseException):
            future.set_exception(behaviour)
        elif behaviour == "writes":
            future.set_result(Written(len(self.kafka.sent)))
        return future


@dataclass
class Kafka:
    behaviour: dict = field(default_factory=dict)
    raises_at_once: bool = False
    is_there: bool = True
    probes_fail: bool = False
    sent: list = field(default_factory=list)
    made: list = field(default_factory=list)

    async def connect(self):
        if not self.is_there:
            raise ConnectionRefusedError
        self.made.append(Producer(self))
        return self.made[-1]

    async def probe(self, producer):
        if not self.is_there or self.probes_fail:
            raise ConnectionError

    async def drop(self, producer):
        producer.dropped = True


@pytest.fixture
def kafka():
    return Kafka()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "PROBE_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(module, "FIRST_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(module, "LONGEST_BACKOFF_SECONDS", 0.05)


@pytest.fixture
async def publisher(kafka, metrics):
    deadlines = Deadlines()
    publisher = Publisher("commands", kafka, metrics, deadlines, deadline_seconds=0.2, max_in_flight=3)
    tasks = [asyncio.create_task(publisher.run()), asyncio.create_task(deadlines.run())]
    yield publisher
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await publisher.close()


async def append(publisher, partition=0):
    return await publisher.append(partition, b"key", b"value", ())


async def test_a_written_record_says_where(publisher, kafka, eventually):
    await eventually(lambda: publisher.is_up)
    assert await append(publisher, 7) == Appended(7, 1)


async def test_kafka_that_went_away_is_noticed_without_a_request_and_so_is_its_return(publisher, kafka, eventually):
    await eventually(lambda: publisher.is_up)
    kafka.is_there = False
    await eventually(lambda: not publisher.is_up)
    async with asyncio.timeout(0.05):
        assert await append(publisher) == NotAppended(Reason.AWAY, 2.0, is_certain=True)
    assert kafka.sent == []
    kafka.is_there = True
    await eventually(lambda: publisher.is_up)
    assert isinstance(await append(publisher), Appended)


async def test_no_confirmation_within_the_deadline_means_unknown(publisher, kafka, eventually):
    await eventually(lambda: publisher.is_up)
    kafka.behaviour[0] = "silent"
    answer = await append(publisher)
    assert (answer.reason, answer.is_certain) == (Reason.SLOW, False)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("error", [AssertionError("fatal state"), ConnectionError(), OSError()])
async def test_any_failed_send_gets_a_new_producer(publisher, kafka, eventually, error, at_once):
    await eventually(lambda: publisher.is_up)
    kafka.behaviour[0], kafka.raises_at_once = error, at_once
    answer = await append(publisher)
    assert (answer.reason, answer.is_certain) == (Reason.FAILED, False)
    await eventually(lambda: len(kafka.made) == 2 and kafka.made[0].dropped)
    kafka.behaviour.clear()
    await eventually(lambda: publisher.is_up)
    assert isinstance(await append(publisher), Appended)


async def test_a_broken_partition_costs_one_waiting_caller_and_no_other_partition(publisher, kafka, eventually):
    await eventually(lambda: publisher.is_up)
    kafka.behaviour[0] = "silent"
    await append(publisher)
    await eventually(lambda: len(kafka.made) == 2)
    trial = asyncio.create_task(append(publisher))
    await asyncio.sleep(0)
    assert (await append(publisher)).reason is Reason.IN_DOUBT
    assert isinstance(await append(publisher, 1), Appended)
    assert (await trial).reason is Reason.SLOW
    kafka.behaviour.clear()
    assert isinstance(await append(publisher), Appended)
    both = await asyncio.gather(append(publisher), append(publisher))
    assert all(isinstance(answer, Appended) for answer in both)


async def test_what_is_under_way_with_an_old_producer_may_still_end_well(publisher, kafka, eventually):
    await eventually(lambda: publisher.is_up)
    kafka.behaviour = {0: "silent", 1: ConnectionError()}
    under_way = asyncio.create_task(append(publisher, 0))
    await asyncio.sleep(0)
    await append(publisher, 1)
    await eventually(lambda: len(kafka.made) == 2)
    assert not kafka.made[0].dropped
    await under_way
    await eventually(lambda: kafka.made[0].dropped)


async def test_no_more_are_under_way_than_allowed(publisher, kafka, eventually):
    await eventually(lambda: publisher.is_up)
    kafka.behaviour = dict.fromkeys(range(4), "silent")
    under_way = [asyncio.create_task(append(publisher, partition)) for partition in range(3)]
    await asyncio.sleep(0)
    answer = await append(publisher, 3)
    assert (answer.reason, answer.is_certain) == (Reason.FULL, True)
    await asyncio.gather(*under_way)


async def test_closing_refuses_and_lets_what_is_under_way_end(publisher, kafka, eventually):
    await eventually(lambda: publisher.is_up)
    kafka.behaviour[0] = "silent"
    under_way = asyncio.create_task(append(publisher))
    await asyncio.sleep(0)
    closing = asyncio.create_task(publisher.close())
    await asyncio.sleep(0)
    assert (await append(publisher, 1)).reason is Reason.STOPPING
    assert (await under_way).reason is Reason.SLOW
    await closing
    assert all(producer.dropped for producer in kafka.made)


async def test_a_cancelled_request_is_no_failed_send(publisher, kafka, eventually):
    await eventually(lambda: publisher.is_up)
    kafka.behaviour[0] = "silent"
    under_way = asyncio.create_task(append(publisher))
    await asyncio.sleep(0)
    under_way.cancel()
    with pytest.raises(asyncio.CancelledError):
        await under_way
    assert len(kafka.made) == 1
    kafka.behaviour.clear()
    assert isinstance(await append(publisher), Appended)

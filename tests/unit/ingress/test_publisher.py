import asyncio
from dataclasses import dataclass, field

import pytest

from gateway.ingress.api_http.deadlines import Deadlines
from gateway.ingress.commands import publisher as module
from gateway.ingress.commands.appending import Appended, AppendFailure, NotAppended
from gateway.ingress.commands.publisher import Publisher


@dataclass
class Written:
    offset: int


@dataclass
class Producer:
    """Writes, stays silent or raises, as `kafka.behaviour` says for the partition."""

    kafka: "Kafka"
    dropped: bool = False

    async def send(self, topic, value, *, key, partition, headers):
        behaviour = self.kafka.behaviour.get(partition, "writes")
        if isinstance(behaviour, BaseException) and self.kafka.raises_immediately:
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
    raises_immediately: bool = False
    is_reachable: bool = True
    probes_fail: bool = False
    id: str = "old"
    asked: int = 0
    sent: list = field(default_factory=list)
    producers: list = field(default_factory=list)

    async def connect(self):
        if not self.is_reachable:
            raise ConnectionRefusedError
        self.producers.append(Producer(self))
        return self.producers[-1]

    async def probe(self, producer):
        if not self.is_reachable or self.probes_fail:
            raise ConnectionError

    async def topic_id(self, producer):
        self.asked += 1
        return self.id

    async def is_asked_again(self, eventually):
        """Wait until what the next answer changes has been seen."""
        asked = self.asked
        await eventually(lambda: self.asked >= asked + 2)

    async def drop(self, producer):
        producer.dropped = True


@pytest.fixture
def kafka():
    return Kafka()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "PROBE_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(module, "TOPIC_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(module, "MIN_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(module, "MAX_BACKOFF_SECONDS", 0.05)


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


async def test_probes_notice_that_kafka_goes_away_and_comes_back(publisher, kafka, eventually):
    await eventually(lambda: publisher.is_up)
    kafka.is_reachable = False
    await eventually(lambda: not publisher.is_up)
    async with asyncio.timeout(0.05):
        assert await append(publisher) == NotAppended(AppendFailure.AWAY, 2.0, is_certain=True)
    assert kafka.sent == []
    kafka.is_reachable = True
    await eventually(lambda: publisher.is_up)
    assert isinstance(await append(publisher), Appended)


async def test_a_topic_that_is_created_again_and_an_outage_put_appended_records_in_doubt(publisher, kafka, eventually):
    forgotten = []
    watching = asyncio.create_task(publisher.watch_topic())
    await eventually(lambda: publisher.is_up)
    publisher._on_doubt = lambda: forgotten.append(kafka.id)
    await kafka.is_asked_again(eventually)
    assert not forgotten
    kafka.id = "new"
    await eventually(lambda: forgotten)
    await kafka.is_asked_again(eventually)
    assert forgotten == ["new"]
    watching.cancel()
    kafka.is_reachable = False
    await eventually(lambda: not publisher.is_up)
    kafka.is_reachable = True
    await eventually(lambda: len(forgotten) == 2)


async def test_no_confirmation_within_the_deadline_means_unknown(publisher, kafka, eventually):
    await eventually(lambda: publisher.is_up)
    kafka.behaviour[0] = "silent"
    result = await append(publisher)
    assert (result.reason, result.is_certain) == (AppendFailure.SLOW, False)


@pytest.mark.parametrize("immediately", [True, False])
@pytest.mark.parametrize("error", [AssertionError("fatal state"), ConnectionError(), OSError()])
async def test_every_failed_send_replaces_the_producer(publisher, kafka, eventually, error, immediately):
    await eventually(lambda: publisher.is_up)
    kafka.behaviour[0], kafka.raises_immediately = error, immediately
    result = await append(publisher)
    assert (result.reason, result.is_certain) == (AppendFailure.FAILED, False)
    await eventually(lambda: len(kafka.producers) == 2 and kafka.producers[0].dropped)
    kafka.behaviour.clear()
    await eventually(lambda: publisher.is_up)
    assert isinstance(await append(publisher), Appended)


async def test_a_partition_in_doubt_delays_one_caller_and_no_other_partition(publisher, kafka, eventually):
    await eventually(lambda: publisher.is_up)
    kafka.behaviour[0] = "silent"
    await append(publisher)
    await eventually(lambda: len(kafka.producers) == 2)
    trial = asyncio.create_task(append(publisher))
    await asyncio.sleep(0)
    assert (await append(publisher)).reason is AppendFailure.IN_DOUBT
    assert isinstance(await append(publisher, 1), Appended)
    assert (await trial).reason is AppendFailure.SLOW
    kafka.behaviour.clear()
    assert isinstance(await append(publisher), Appended)
    both = await asyncio.gather(append(publisher), append(publisher))
    assert all(isinstance(result, Appended) for result in both)


async def test_sends_in_flight_may_finish_on_a_replaced_producer(publisher, kafka, eventually):
    await eventually(lambda: publisher.is_up)
    kafka.behaviour = {0: "silent", 1: ConnectionError()}
    in_flight = asyncio.create_task(append(publisher, 0))
    await asyncio.sleep(0)
    await append(publisher, 1)
    await eventually(lambda: len(kafka.producers) == 2)
    assert not kafka.producers[0].dropped
    await in_flight
    await eventually(lambda: kafka.producers[0].dropped)


async def test_sends_in_flight_are_bounded(publisher, kafka, eventually):
    await eventually(lambda: publisher.is_up)
    kafka.behaviour = dict.fromkeys(range(4), "silent")
    in_flight = [asyncio.create_task(append(publisher, partition)) for partition in range(3)]
    await asyncio.sleep(0)
    result = await append(publisher, 3)
    assert (result.reason, result.is_certain) == (AppendFailure.FULL, True)
    await asyncio.gather(*in_flight)


async def test_close_rejects_new_records_and_waits_for_sends_in_flight(publisher, kafka, eventually):
    await eventually(lambda: publisher.is_up)
    kafka.behaviour[0] = "silent"
    in_flight = asyncio.create_task(append(publisher))
    await asyncio.sleep(0)
    closing = asyncio.create_task(publisher.close())
    await asyncio.sleep(0)
    assert (await append(publisher, 1)).reason is AppendFailure.STOPPING
    assert (await in_flight).reason is AppendFailure.SLOW
    await closing
    assert all(producer.dropped for producer in kafka.producers)


async def test_a_cancelled_request_does_not_replace_the_producer(publisher, kafka, eventually):
    await eventually(lambda: publisher.is_up)
    kafka.behaviour[0] = "silent"
    in_flight = asyncio.create_task(append(publisher))
    await asyncio.sleep(0)
    in_flight.cancel()
    with pytest.raises(asyncio.CancelledError):
        await in_flight
    assert len(kafka.producers) == 1
    kafka.behaviour.clear()
    assert isinstance(await append(publisher), Appended)

"""A producer that one refused record has broken for one partition (kafka.md), on a real broker: cured, and in time."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from prometheus_client import CollectorRegistry

from gateway.ingress.deadlines import Deadlines
from gateway.ingress.kafka import Producers
from gateway.ingress.publisher import Appended, Publisher, Reason
from gateway.runtime.metrics import create_metrics
from gateway.runtime.settings import KafkaSettings

TOO_LARGE, SMALL = b"x" * 20_000, b"x"
# Long enough for the broken producer to say so by itself, and short enough to see that nobody waits for it.
PATIENCE_SECONDS = 15


@pytest.fixture
async def producers(kafka, prefix):
    """Producers for a topic of two partitions whose broker takes small records alone."""
    topic = NewTopic(f"{prefix}small", 2, 1, topic_configs={"max.message.bytes": "2000"})
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([topic])
    await admin.close()
    return Producers(KafkaSettings(bootstrap=(kafka,)), topic.name, linger_seconds=0.0)


async def send(producers, producer, value, partition):
    async with asyncio.timeout(PATIENCE_SECONDS):
        written = await producer.send(producers._topic, value, key=b"k", partition=partition, headers=[])
        return await written


async def test_one_refused_record_breaks_a_producer_for_its_partition_for_good(producers):
    producer = await producers.connect()
    try:
        await send(producers, producer, SMALL, 0)
        for value in (TOO_LARGE, SMALL, SMALL):
            with pytest.raises(Exception) as refused:  # noqa: PT011 - which error it is changes with the broker's version
                await send(producers, producer, value, 0)
            assert refused.type is not AssertionError
    finally:
        await producers.drop(producer)


async def test_the_publisher_gets_a_new_producer_and_the_partition_takes_records_again(producers, eventually):
    metrics = create_metrics(CollectorRegistry()).ingress
    deadlines = Deadlines()
    publisher = Publisher(producers._topic, producers, metrics, deadlines, deadline_seconds=5.0, max_in_flight=10)
    running = [asyncio.create_task(deadlines.run()), asyncio.create_task(publisher.run())]
    try:
        await eventually(lambda: publisher.is_up, within=30)
        assert isinstance(await publisher.append(0, b"k", SMALL, ()), Appended)
        refused = await publisher.append(0, b"k", TOO_LARGE, ())
        assert (refused.reason, refused.is_certain) == (Reason.FAILED, False)

        async def takes_records(partition):
            return isinstance(await publisher.append(partition, b"k", SMALL, ()), Appended)

        assert await takes_records(1), "the other partition never notices"
        assert await eventually(lambda: takes_records(0), within=30)
        assert metrics.producer_rebuilds._value.get() >= 1
        assert [await takes_records(0) for _ in range(3)] == [True] * 3
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await publisher.close()

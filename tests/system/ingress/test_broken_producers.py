"""Producers that a real broker no longer accepts (docs/kafka-notes.md): after a rejected record, or after idle time."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import NewTopic
from prometheus_client import CollectorRegistry

from gateway.ingress.api_http.deadlines import Deadlines
from gateway.ingress.commands.appending import Appended, AppendFailure
from gateway.ingress.commands.producers import Producers
from gateway.ingress.commands.publisher import Publisher
from local.kafka.admin import admin_of
from local.kafka.nodes import Cluster
from runtime.metrics import Metrics
from runtime.settings import KafkaSettings
from tests.measured import value_of

TOO_LARGE, SMALL = b"x" * 20_000, b"x"
# Longer than the broken producer needs to fail, shorter than a retry without end.
PATIENCE_SECONDS = 15
FORGETS_SECONDS = 1.0


async def producers_of(bootstrap, topic):
    async with admin_of(bootstrap) as admin:
        await admin.create_topics([topic])
    return Producers(KafkaSettings(bootstrap=(bootstrap,)), topic.name, linger_seconds=0.0)


@pytest.fixture
async def producers(kafka, prefix):
    """Producers for a topic of two partitions that accepts small records only."""
    return await producers_of(kafka, NewTopic(f"{prefix}small", 2, 1, topic_configs={"max.message.bytes": "2000"}))


@pytest.fixture
async def forgetful(prefix, off_loop):
    """Producers of a broker that forgets idle producers after two seconds. The default is a day."""
    properties = {
        "producer.id.expiration.ms": f"{FORGETS_SECONDS * 1000:.0f}",
        "producer.id.expiration.check.interval.ms": "100",
    }
    cluster = Cluster(brokers=1, properties=properties)
    await off_loop(cluster.open)
    try:
        yield await producers_of(cluster.bootstrap, NewTopic(f"{prefix}forgotten", 1, 1))
    finally:
        await off_loop(cluster.close)


@asynccontextmanager
async def publishing(producers, deadline_seconds=5.0):
    """Run a publisher within the block; yield it and its metrics."""
    metrics, deadlines = Metrics(CollectorRegistry()).ingress, Deadlines()
    publisher = Publisher(
        producers._topic, producers, metrics, deadlines, deadline_seconds=deadline_seconds, max_in_flight=10
    )
    running = [asyncio.create_task(deadlines.run()), asyncio.create_task(publisher.run())]
    try:
        yield publisher, metrics
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await publisher.close()


async def test_the_publisher_replaces_the_producer_and_the_partition_recovers(producers, eventually):
    async with publishing(producers) as (publisher, metrics):
        await eventually(lambda: publisher.is_up, within=30)
        assert isinstance(await publisher.append(0, b"k", SMALL, ()), Appended)
        refused = await publisher.append(0, b"k", TOO_LARGE, ())
        assert (refused.reason, refused.is_certain) == (AppendFailure.FAILED, False)

        async def takes_records(partition):
            return isinstance(await publisher.append(partition, b"k", SMALL, ()), Appended)

        assert await takes_records(1), "the other partition never notices"
        assert await eventually(lambda: takes_records(0), within=30)
        assert value_of(metrics.producer_rebuilds) >= 1
        assert [await takes_records(0) for _ in range(3)] == [True] * 3


async def test_a_producer_that_the_broker_has_forgotten_appends_or_is_replaced(forgetful, eventually):
    async with publishing(forgetful) as (publisher, _):

        async def writes(number):
            return isinstance(await publisher.append(0, b"k", b"%d" % number, ()), Appended)

        await eventually(lambda: publisher.is_up, within=30)
        # Start a sequence, so that the forgotten producer continues with a number that the broker does not know.
        assert [await writes(number) for number in range(3)] == [True] * 3
        await asyncio.sleep(3 * FORGETS_SECONDS)
        assert await eventually(lambda: writes(3), within=30)
        assert [await writes(number) for number in range(4, 7)] == [True] * 3

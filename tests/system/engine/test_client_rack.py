"""Consumers with a zone read from the replica in it, on three real brokers with racks."""

from collections import Counter

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from adapters.kafka.clients import bounded_stop, groupless_consumer
from consumers.engine.kafka.clients import group_consumer
from consumers.engine.settings import EngineSettings
from local.kafka.frame_rules import FrameRules
from local.kafka.frames import Api
from local.kafka.proxied import rack_of
from local.processes.patience import within
from runtime.settings import KafkaSettings
from tests.chaos.engine_worker import Orders

pytestmark = pytest.mark.three_brokers
READER = "reader"
ROUNDS = 10


class Fetches(FrameRules):
    """Lets everything pass, and notes which broker is asked for records."""

    def __init__(self):
        super().__init__()
        self.brokers = []

    def choose(self, broker, frame):
        if frame.api == Api.FETCH and frame.client == READER:
            self.brokers.append(broker)


@pytest.fixture
def orders(proxied, prefix, tmp_path):
    return Orders(proxied.bootstrap, prefix, str(tmp_path / "journal"), READER)


def reader_of_a_topic(orders, rack):
    kafka = KafkaSettings(bootstrap=tuple(orders.bootstrap.split(",")), client_id=READER, client_rack=rack)
    return groupless_consumer(kafka, reset="none")


def consumer_of_an_engine(orders, rack):
    client = {"bootstrap_servers": orders.bootstrap, "client_id": READER}
    return group_consumer(
        EngineSettings(orders.commands, orders.state, orders.partitions, "g", lambda: client, client_rack=rack)
    )


async def brokers_asked(proxies, orders, consumer):
    """Read until each partition has answered; return how often each broker was asked after that."""
    partitions = [TopicPartition(orders.commands, number) for number in range(orders.partitions)]
    async with AIOKafkaProducer(bootstrap_servers=orders.bootstrap, acks="all") as producer, within(60):
        proxies.rules = fetches = Fetches()
        try:
            await consumer.start()
            consumer.assign(partitions)
            for partition, end in (await consumer.end_offsets(partitions)).items():
                consumer.seek(partition, end)
            asked = 0
            for _ in range(ROUNDS):
                for partition in partitions:
                    await producer.send_and_wait(partition.topic, b"v", partition=partition.partition)
                left = len(partitions)
                while left:
                    left -= sum(len(records) for records in (await consumer.getmany(timeout_ms=200)).values())
                asked = asked or len(fetches.brokers)
        finally:
            await bounded_stop(consumer)
    return Counter(fetches.brokers[asked:])


@pytest.mark.usefixtures("laboratory")
@pytest.mark.parametrize("make", [reader_of_a_topic, consumer_of_an_engine])
async def test_a_consumer_with_a_zone_reads_from_the_replica_in_it(proxied, orders, make):
    without = await brokers_asked(proxied.proxies, orders, make(orders, None))
    assert max(without.values()) < 0.6 * without.total(), without
    within = await brokers_asked(proxied.proxies, orders, make(orders, rack_of(2)))
    # The engine's consumer asks each leader again every 3 s: on a busy machine these were 10 of 47 requests.
    assert within[2] > 0.7 * within.total(), within

"""The producer behind a 202: it is idempotent and waits for all replicas."""

import pytest
from aiokafka import AIOKafkaProducer

from adapters.kafka import clients
from gateway.ingress.commands.producers import Producers
from runtime.settings import KafkaSettings


class Producer(AIOKafkaProducer):
    """aiokafka's producer without a broker; notes the options of each."""

    made = ()

    def __init__(self, **options):
        super().__init__(**options)
        type(self).made = (*self.made, options)
        self.topics = []

    async def start(self):
        pass

    async def partitions_for(self, topic):
        self.topics.append(topic)
        if topic == "missing":
            raise ConnectionError


@pytest.fixture
def producers(monkeypatch):
    monkeypatch.setattr(Producer, "made", ())
    monkeypatch.setattr(clients, "AIOKafkaProducer", Producer)
    kafka = KafkaSettings(bootstrap="127.0.0.1:1")
    return lambda topic: Producers(kafka, topic, linger_seconds=0.002)


async def test_a_producer_without_its_topic_is_stopped(producers):
    with pytest.raises(ConnectionError):
        await producers("missing").connect()


async def test_the_sender_of_a_producer_can_fail_before_any_transaction(producers):
    producer = await producers("commands").connect()
    assert producer._txn_manager.wait_for_transaction_end() is not None
    await producer.stop()

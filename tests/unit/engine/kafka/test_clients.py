"""The clients of an engine."""

from aiokafka import AIOKafkaConsumer

from consumers.engine.kafka.clients import transactional_producer
from consumers.engine.settings import EngineSettings

SETTINGS = EngineSettings("commands", "state", 1, "group", dict)


async def test_the_sender_of_a_producer_can_fail_before_its_first_transaction():
    consumer = AIOKafkaConsumer("commands", group_id="group")
    producer = transactional_producer(SETTINGS, 0, consumer)
    assert producer._txn_manager.wait_for_transaction_end() is not None
    await producer.stop()
    await consumer.stop()

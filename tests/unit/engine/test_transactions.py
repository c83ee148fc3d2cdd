"""What a transaction that fails half-way says. What Kafka makes of it is in tests/system/engine."""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import IllegalOperation, ProducerFenced

from adapters.kafka.clients import KafkaFailure
from consumers.engine.interface import Output
from consumers.engine.kafka.transactions import PendingCommit, Transactions


class Builder:
    def append(self, **_):
        return object()


class FencedAfterTheFirstSend:
    """aiokafka's producer, whose background task hears that it is fenced between two sends."""

    async def begin_transaction(self):
        pass

    def create_batch(self):
        return Builder()

    async def send_batch(self, _builder, topic, *, partition):
        del partition
        if topic == "events":
            sent = asyncio.get_running_loop().create_future()
            sent.set_exception(ProducerFenced())
            return sent
        raise IllegalOperation("Can't send messages while not in transaction")


async def test_a_transaction_that_ends_between_two_sends_says_why_it_ended():
    transactions = Transactions(FencedAfterTheFirstSend(), TopicPartition("c", 0), "group", timeout_seconds=5.0)
    outputs = (Output("events", b"k", b"v"), Output("authorizations", b"k", b"v"))
    with pytest.raises(ProducerFenced):
        await transactions.commit([PendingCommit(outputs, None, None, 2, None, 0.0)], None)


def test_a_step_of_a_transaction_that_is_over_is_a_failure_of_kafka_and_not_of_ours():
    assert issubclass(IllegalOperation, KafkaFailure)

"""The error of a transaction that fails half-way. tests/system/engine has the tests with Kafka."""

import asyncio
from functools import partial

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import IllegalOperation, ProducerFenced

from adapters.kafka.clients import KafkaFailure
from consumers.engine.core.commit_queue import PendingCommit
from consumers.engine.core.offset_tracker import Committed
from consumers.engine.interface import Output
from consumers.engine.kafka.transactions import Transactions
from consumers.engine.settings import EngineSettings

SETTINGS = EngineSettings("c", "state", 1, "group", dict)


class Builder:
    def append(self, **_):
        return object()


class FencedAfterTheFirstSend:
    """aiokafka's producer, whose background task is fenced between two sends."""

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


async def test_a_transaction_that_ends_between_two_sends_raises_the_cause():
    transactions = Transactions(FencedAfterTheFirstSend(), TopicPartition("c", 0), SETTINGS)
    outputs = (Output("events", b"k", b"v"), Output("authorizations", b"k", b"v"))
    with pytest.raises(ProducerFenced):
        await transactions.commit([PendingCommit(outputs, None, None, 2, None)], Committed(1, ""), copies=True)


class SilentProducer:
    """aiokafka's producer while Kafka does not answer."""

    async def begin_transaction(self):
        await asyncio.Event().wait()

    def create_batch(self):
        return Builder()


class SilentTransaction:
    """A direct transaction while Kafka does not answer."""

    async def write(self, builders, partition):
        del builders, partition
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    "begin",
    [
        Transactions.write_marker,
        partial(Transactions.commit, batch=(), progress=None),
        partial(Transactions.commit, batch=(), progress=Committed(1, ""), copies=True),
    ],
)
async def test_a_stop_ends_a_transaction_that_kafka_does_not_answer(begin):
    transactions = Transactions(SilentProducer(), TopicPartition("c", 0), SETTINGS)
    transactions._direct = SilentTransaction()
    transactions.expire()
    transaction = asyncio.create_task(begin(transactions))
    await asyncio.sleep(0)
    transactions.expire()
    await asyncio.wait({transaction}, timeout=1.0)
    assert isinstance(transaction.exception(), TimeoutError)
    transactions.expire()


def test_a_step_after_the_end_of_a_transaction_is_a_kafka_failure():
    assert issubclass(IllegalOperation, KafkaFailure)

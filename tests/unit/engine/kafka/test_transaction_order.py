"""The order of a transaction: outputs and states first, each confirmed, then the progress, then the commit."""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from consumers.engine.core.commit_queue import PendingCommit
from consumers.engine.core.offset_tracker import Committed
from consumers.engine.interface import Output
from consumers.engine.kafka.transactions import Transactions

OUTPUTS = (Output("events", b"k", b"v"), Output("authorizations", b"k", b"v"))
STATE = Output("state", b"k", b"s")


class Builder:
    def append(self, **_):
        return object()


class Producer:
    """Notes the steps of a transaction. Its sends are confirmed, or fail, a moment later."""

    def __init__(self, failure=None):
        self.steps = []
        self._failure = failure

    async def begin_transaction(self):
        self.steps.append("begin")

    def create_batch(self):
        return Builder()

    async def send_batch(self, _builder, topic, *, partition):
        del partition
        self.steps.append(f"send {topic}")
        sent = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.001, self._confirm, sent, topic)
        return sent

    def _confirm(self, sent, topic):
        if self._failure is not None:
            sent.set_exception(self._failure)
            return
        self.steps.append(f"confirm {topic}")
        sent.set_result(None)

    async def send_offsets_to_transaction(self, offsets, group):
        del offsets, group
        self.steps.append("progress")

    async def commit_transaction(self):
        self.steps.append("commit")


async def commit(producer):
    transactions = Transactions(producer, TopicPartition("c", 0), "group", timeout_seconds=5.0)
    await transactions.commit([PendingCommit(OUTPUTS, STATE, 7, 3, None)], Committed(8, ""))


async def test_progress_follows_every_output_and_the_commit_follows_all():
    producer = Producer()
    await commit(producer)
    confirmed = [step for step in producer.steps if step.startswith("confirm")]
    assert sorted(confirmed) == ["confirm authorizations", "confirm events", "confirm state"]
    assert producer.steps[0] == "begin"
    assert producer.steps[-1] == "commit"
    if "progress" in producer.steps:
        later = producer.steps[producer.steps.index("progress") :]
        assert later == ["progress", "commit"]


async def test_without_every_output_there_is_neither_progress_nor_a_commit():
    producer = Producer(KafkaTimeoutError())
    with pytest.raises(KafkaTimeoutError):
        await commit(producer)
    assert not {"progress", "commit"} & set(producer.steps)

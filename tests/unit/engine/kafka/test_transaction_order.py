"""The order of a transaction: outputs, states and progress, each confirmed, then a copy in it, then the commit."""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from consumers.engine.core.commit_queue import PendingCommit
from consumers.engine.core.offset_tracker import Committed
from consumers.engine.core.progress import PROGRESS_KEY, CopyForm, encode
from consumers.engine.interface import Output
from consumers.engine.kafka.transactions import Transactions
from consumers.engine.settings import EngineSettings

OUTPUTS = (Output("events", b"k", b"v"), Output("authorizations", b"k", b"v"))
STATE = Output("state", b"k", b"s")
PROGRESS = Committed(8, "")


class Builder:
    def __init__(self, written):
        self._written = written

    def append(self, *, key, value, **_):
        self._written.append((key, value))
        return object()


class Producer:
    """Notes the steps of a transaction. Its sends are confirmed, or fail, a moment later."""

    def __init__(self, failure=None):
        self.steps = []
        self.written = []
        self.failure = failure

    async def begin_transaction(self):
        self.steps.append("begin")

    def create_batch(self):
        return Builder(self.written)

    async def send_batch(self, _builder, topic, *, partition):
        del partition
        self.steps.append(f"send {topic}")
        sent = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.001, self._confirm, sent, topic)
        return sent

    def _confirm(self, sent, topic):
        if self.failure is not None:
            sent.set_exception(self.failure)
            return
        self.steps.append(f"confirm {topic}")
        sent.set_result(None)

    async def send_offsets_to_transaction(self, offsets, group):
        del group
        ((offset, metadata),) = offsets.values()
        self.steps.append(f"copy {offset} {metadata}".strip())

    async def commit_transaction(self):
        self.steps.append("commit")


class Direct:
    """Instead of a direct transaction."""

    def __init__(self, producer):
        self._producer = producer

    async def write(self, builders, partition):
        del partition
        self._producer.steps.append(f"write {' '.join(builders)}")
        if self._producer.failure is not None:
            raise self._producer.failure

    async def commit(self):
        self._producer.steps.append("commit directly")


async def commit(producer, form=CopyForm.NEW, progress=PROGRESS, **options):
    settings = EngineSettings("c", "state", 1, "group", dict, progress_copy=form)
    transactions = Transactions(producer, TopicPartition("c", 0), settings)
    transactions._direct = Direct(producer)
    await transactions.commit([PendingCommit(OUTPUTS, STATE, 7, 3, None)], progress, **options)


@pytest.mark.parametrize(
    ("form", "options", "copy"),
    [(CopyForm.NEW, {"copies": True}, "copy 8 in state:1"), (CopyForm.OLD, {}, "copy 8")],
)
async def test_a_copy_follows_every_output_and_the_commit_follows_all(form, options, copy):
    producer = Producer()
    await commit(producer, form, **options)
    assert producer.written[-2:] == [(b"k", b"s"), (PROGRESS_KEY, encode(PROGRESS))]
    confirmed = [step for step in producer.steps if step.startswith("confirm")]
    assert sorted(confirmed) == ["confirm authorizations", "confirm events", "confirm state"]
    assert producer.steps[0] == "begin"
    assert producer.steps[7:] == [copy, "commit"]


async def test_a_transaction_without_a_copy_is_sent_directly():
    producer = Producer()
    await commit(producer)
    assert producer.written == [(b"k", b"v"), (b"k", b"v"), (b"k", b"s"), (PROGRESS_KEY, encode(PROGRESS))]
    assert producer.steps == ["write events authorizations state", "commit directly"]


@pytest.mark.parametrize("form", CopyForm)
async def test_a_transaction_that_finishes_no_input_carries_no_progress(form):
    producer = Producer()
    await commit(producer, form, progress=None)
    assert [key for key, _ in producer.written] == [b"k", b"k", b"k"]
    assert producer.steps == ["write events authorizations state", "commit directly"]


@pytest.mark.parametrize(
    ("form", "steps"),
    [
        (CopyForm.OLD, ["begin", "send events", "send authorizations", "send state"]),
        (CopyForm.NEW, ["write events authorizations state"]),
    ],
)
async def test_without_every_output_there_is_neither_a_copy_nor_a_commit(form, steps):
    producer = Producer(KafkaTimeoutError())
    with pytest.raises(KafkaTimeoutError):
        await commit(producer, form)
    assert producer.steps == steps

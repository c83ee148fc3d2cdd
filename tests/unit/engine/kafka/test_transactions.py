"""The records, order, failures and deadline of a transaction. tests/system/engine has the tests with Kafka."""

import asyncio
from dataclasses import replace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatch

from consumers.engine.core.commit_queue import PendingCommit
from consumers.engine.core.offset_tracker import Committed
from consumers.engine.core.progress import MARKER_KEY, PROGRESS_KEY, decode, encode
from consumers.engine.interface import Output
from consumers.engine.kafka.transactions import Transactions
from consumers.engine.settings import EngineSettings
from tests.unit.engine.kafka.leaders import LOST, producer_of

SETTINGS = EngineSettings("c", "state", 1, "group", dict)
OUTPUTS = (Output("events", b"k", b"v"), Output("authorizations", b"k", b"v"))
EARLIER, LATER, OTHER = (Output("state", key, value) for key, value in ((b"k", b"1"), (b"k", b"2"), (b"o", b"1")))
BATCH = [PendingCommit(OUTPUTS, EARLIER, 7, 3, None), PendingCommit((), OTHER, 8, 3, None)]
PROGRESS = Committed(9, "")
COUNTS = {"events": 1, "authorizations": 1, "state": 3}
ADD, PRODUCE, END = "AddPartitionsToTxn", "Produce", "EndTxn"


@pytest.fixture
async def system(monkeypatch):
    producer, brokers = producer_of(monkeypatch, events=1, state=1, authorizations=3)
    yield Transactions(producer, TopicPartition("c", 0), SETTINGS, "topic id"), brokers
    await producer.stop()


def records(brokers):
    return {
        topic: [(record.key, record.value) for data in batches for record in DefaultRecordBatch(data)]
        for topic, batches in brokers.committed.items()
    }


def headers(brokers):
    return {
        topic: [record.headers for data in batches for record in DefaultRecordBatch(data)]
        for topic, batches in brokers.committed.items()
    }


async def test_outputs_states_and_progress_are_one_transaction(system):
    transactions, brokers = system
    await transactions.commit([*BATCH, PendingCommit((), LATER, None, 3, None)], PROGRESS)
    assert records(brokers) == {
        "events": [(b"k", b"v")],
        "authorizations": [(b"k", b"v")],
        "state": [(b"k", b"2"), (b"o", b"1"), (PROGRESS_KEY, encode(PROGRESS, "topic id", number=1, parts={}))],
    }
    assert headers(brokers) == {topic: [[("transaction", b"1")]] * count for topic, count in COUNTS.items()}
    assert brokers.names == [ADD, PRODUCE, PRODUCE, END]


async def test_the_progress_has_the_number_the_counts_and_where_the_transaction_before_begins(system):
    transactions, brokers = system
    transactions.count_from(6, {"events": 40, "authorizations": 50, "state": 60, "dead-letters": 70})
    await transactions.commit(BATCH, PROGRESS)
    await transactions.commit(BATCH[1:], PROGRESS)
    found = [decode(value) for key, value in records(brokers)["state"] if key == PROGRESS_KEY]
    assert [(one.number, one.parts) for one in found] == [
        (7, {"events": [40, 1, 1], "authorizations": [50, 1, 1], "state": [60, 3, 3], "dead-letters": [70, 0, 0]}),
        (8, {"events": [0, 0, 0], "authorizations": [0, 0, 0], "state": [0, 2, 2], "dead-letters": [70, 0, 0]}),
    ]
    assert transactions.progress == records(brokers)["state"][-1][1]


async def test_a_marker_everywhere_adds_no_record_to_the_outputs(monkeypatch):
    producer, brokers = producer_of(monkeypatch, events=1, state=1)
    settings = replace(SETTINGS, outputs=("events",))
    transactions = Transactions(producer, TopicPartition("c", 0), settings, "topic id")
    added = []
    brokers.faults[END].append(lambda: added.extend(brokers.added))
    await transactions.write_marker(everywhere=True)
    assert sorted(added) == ["events", "state"]
    assert records(brokers) == {"state": [(MARKER_KEY, b"")], "events": []}
    await producer.stop()


@pytest.mark.parametrize("fault", [None, LOST], ids=["confirmed", "confirmed in a repeat"])
async def test_a_marker_is_written_as_results_are_and_returns_its_offset(system, fault):
    transactions, brokers = system
    await transactions.commit(BATCH, PROGRESS)
    brokers.faults[PRODUCE].append(fault)
    assert await transactions.write_marker() == (3, ("owner", 7, 3))
    assert records(brokers)["state"][3:] == [(MARKER_KEY, b"")]
    assert (await transactions.write_marker())[0] == 4


async def test_a_marker_without_a_known_offset_proves_nothing(system):
    transactions, brokers = system
    brokers.faults[PRODUCE].extend([LOST, 46])
    with pytest.raises(KafkaError):
        await transactions.write_marker()


@pytest.mark.parametrize("write", [lambda it: it.commit(BATCH, PROGRESS), Transactions.write_marker])
async def test_without_every_record_there_is_no_commit(system, write):
    transactions, brokers = system
    brokers.faults[PRODUCE].extend([29, 29])
    with pytest.raises(KafkaError):
        await write(transactions)
    assert END not in brokers.names


@pytest.mark.parametrize("write", [lambda it: it.commit(BATCH, PROGRESS), Transactions.write_marker])
async def test_a_stop_ends_a_transaction_that_kafka_does_not_answer(monkeypatch, write):
    producer, brokers = producer_of(monkeypatch, events=1, state=1, authorizations=3)
    asked = asyncio.Event()

    async def silent(*_, **__):
        asked.set()
        await asyncio.Event().wait()

    producer.client.send = silent
    transactions = Transactions(producer, TopicPartition("c", 0), SETTINGS, "topic id")
    transactions.expire()
    writing = asyncio.create_task(write(transactions))
    await asked.wait()
    transactions.expire()
    with pytest.raises(TimeoutError):
        await writing
    transactions.expire()
    assert brokers.sent == []
    await producer.stop()

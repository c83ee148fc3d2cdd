"""Transactions whose requests are sent directly: their order, their repeats, and every fault."""

import asyncio

import pytest
from aiokafka.client import ConnectionGroup
from aiokafka.errors import (
    DuplicateSequenceNumber,
    InvalidTxnState,
    KafkaConnectionError,
    NodeNotReadyError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
)
from aiokafka.producer.transaction_manager import TransactionState
from hypothesis import given
from hypothesis import strategies as st

from consumers.engine.kafka import direct_transaction
from consumers.engine.kafka.direct_transaction import DirectTransaction
from tests.unit.engine.kafka.leaders import LOST, producer_of, sequence_of

ADD, PRODUCE, END, NEW_EPOCH = "AddPartitionsToTxn", "Produce", "EndTxn", "NewEpoch"


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """The pauses that a transaction makes, which take no time."""
    pauses = []
    sleep = asyncio.sleep

    async def note(seconds):
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(direct_transaction.asyncio, "sleep", note)
    return pauses


@pytest.fixture
async def system(monkeypatch):
    producer, brokers = producer_of(monkeypatch, events=1, state=1, authorizations=3)
    yield producer, brokers
    await producer.stop()


def builders_of(producer, *topics, batches=1, records=1):
    builders = {topic: [producer.create_batch() for _ in range(batches)] for topic in topics}
    for topic, of_topic in builders.items():
        for number, builder in enumerate(of_topic):
            for record in range(records):
                builder.append(timestamp=0, key=b"k", value=b"%s %d %d" % (topic.encode(), number, record))
    return builders


async def write_and_commit(producer, *topics, **size):
    transaction = DirectTransaction(producer)
    await transaction.write(builders_of(producer, *topics, **size), 0)
    await transaction.commit()


async def test_the_requests_of_a_transaction(system):
    producer, brokers = system
    await write_and_commit(producer, "events", "state", "authorizations")
    assert brokers.sent[0] == (ADD, 2, ConnectionGroup.COORDINATION)
    assert sorted(brokers.sent[1:3]) == [(PRODUCE, 1, ConnectionGroup.DEFAULT), (PRODUCE, 3, ConnectionGroup.DEFAULT)]
    assert brokers.sent[3:] == [(END, 2, ConnectionGroup.COORDINATION)]
    assert {topic: len(log) for topic, log in brokers.committed.items()} == {
        "events": 1,
        "state": 1,
        "authorizations": 1,
    }
    assert producer._txn_manager.state is TransactionState.READY


async def test_the_producers_own_sender_sends_nothing_in_a_direct_transaction(system):
    producer, brokers = system
    await producer._sender.start()
    transaction = DirectTransaction(producer)
    await transaction.write(builders_of(producer, "state"), 0)
    producer._txn_manager.notify_task_waiter()
    producer._message_accumulator._waiter_future.set_result(None)
    await asyncio.wait({producer._sender.sender_task}, timeout=0.01)
    assert brokers.names == [ADD, PRODUCE]
    await transaction.commit()
    await asyncio.wait({producer._sender.sender_task}, timeout=0.01)
    assert brokers.names == [ADD, PRODUCE, END]


async def test_a_second_transaction_cannot_begin_in_the_first(system):
    producer, _ = system
    transaction = DirectTransaction(producer)
    await transaction.write(builders_of(producer, "state"), 0)
    with pytest.raises(AssertionError):
        await producer.begin_transaction()
    with pytest.raises(AssertionError):
        await transaction.write(builders_of(producer, "state"), 0)


async def test_a_producer_whose_sender_has_failed_begins_and_ends_nothing(system):
    producer, brokers = system
    transaction = DirectTransaction(producer)
    await transaction.write(builders_of(producer, "state"), 0)
    producer._txn_manager.fatal_error(OutOfOrderSequenceNumber())
    producer._txn_manager.wait_for_transaction_end().exception()
    with pytest.raises(AssertionError):
        await transaction.commit()
    with pytest.raises(AssertionError):
        await transaction.write(builders_of(producer, "state"), 0)
    assert brokers.names.count(ADD) == 1


@pytest.mark.parametrize("failure", [LOST, KafkaConnectionError(), RequestTimedOutError(), RuntimeError(), 6, 7, 20])
async def test_a_repeated_batch_has_the_same_bytes_and_is_written_once(system, failure):
    producer, brokers = system
    brokers.faults[PRODUCE].append(failure)
    await write_and_commit(producer, "events", "state")
    assert brokers.names == [ADD, PRODUCE, PRODUCE, END, *([] if isinstance(failure, int) else [NEW_EPOCH])]
    assert {topic: len(log) for topic, log in brokers.committed.items()} == {"events": 1, "state": 1}
    # Sequence numbers begin again with an epoch.
    assert sequence_of(producer, "events") == (1 if isinstance(failure, int) else 0)


async def test_a_duplicate_counts_as_written_in_a_repeat_only(system):
    producer, brokers = system
    brokers.faults[PRODUCE].extend([LOST, 46])
    await write_and_commit(producer, "events")
    assert brokers.names == [ADD, PRODUCE, PRODUCE, END, NEW_EPOCH]
    brokers.faults[PRODUCE].append(46)
    with pytest.raises(DuplicateSequenceNumber):
        await write_and_commit(producer, "events")
    assert brokers.names[-1] == PRODUCE


async def test_a_batch_that_never_left_is_not_repeated(system):
    producer, brokers = system
    brokers.faults[PRODUCE].extend([NodeNotReadyError(), 46])
    with pytest.raises(DuplicateSequenceNumber):
        await write_and_commit(producer, "events")


async def test_a_batch_follows_its_leader(system):
    producer, brokers = system
    brokers.faults[PRODUCE].append(lambda: brokers.leaders.update(state=3))
    await write_and_commit(producer, "events", "state")
    assert brokers.sent[1:3] == [(PRODUCE, 1, ConnectionGroup.DEFAULT), (PRODUCE, 3, ConnectionGroup.DEFAULT)]
    assert brokers.refreshes == 1
    assert {topic: len(log) for topic, log in brokers.committed.items()} == {"events": 1, "state": 1}


@pytest.mark.parametrize("leader", [None, -1])
async def test_a_batch_waits_for_a_leader(monkeypatch, leader, pauses):
    producer, brokers = producer_of(monkeypatch, state=1, **({} if leader is None else {"events": leader}))

    def appear():
        if brokers.refreshes == 3:
            brokers.leaders["events"] = 3

    tell = brokers.tell
    brokers.tell = lambda: (appear(), tell())
    await write_and_commit(producer, "events", "state")
    assert sorted(brokers.sent[1:3]) == [(PRODUCE, 1, ConnectionGroup.DEFAULT), (PRODUCE, 3, ConnectionGroup.DEFAULT)]
    assert "events" in producer.client._topics
    assert pauses
    await producer.stop()


async def test_a_slow_leader_delays_no_repeat_at_another_one(system, eventually):
    producer, brokers = system
    answers, send = asyncio.Event(), brokers.send

    async def slow(node, request, **options):
        if node == 3:
            await answers.wait()
        return await send(node, request, **options)

    producer.client.send = slow
    brokers.faults[PRODUCE].append(6)
    writing = asyncio.create_task(
        DirectTransaction(producer).write(builders_of(producer, "events", "authorizations"), 0)
    )
    await eventually(lambda: brokers.names == [ADD, PRODUCE, PRODUCE])
    assert not writing.done(), "the slow leader has not answered"
    answers.set()
    await writing


async def test_a_leaders_failure_ends_the_requests_to_the_others(system):
    producer, brokers = system
    send, ended = brokers.send, []

    async def slow(node, request, **options):
        if node == 3:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(node)
        return await send(node, request, **options)

    producer.client.send = slow
    brokers.faults[PRODUCE].append(47)
    with pytest.raises(ProducerFenced):
        await write_and_commit(producer, "events", "authorizations")
    assert ended == [3]
    assert END not in brokers.names
    # A request to cancel that is left behind makes the next deadline of this task, on an old Python, its end.
    assert asyncio.current_task().cancelling() == 0


@pytest.mark.parametrize("request_name", [ADD, END])
@pytest.mark.parametrize("fault", [15, 16, KafkaConnectionError(), RequestTimedOutError(), NodeNotReadyError(), LOST])
async def test_a_lost_coordinator_is_found_again(system, request_name, fault):
    producer, brokers = system
    brokers.faults[request_name].append(fault)
    await write_and_commit(producer, "events")
    assert brokers.names.count(request_name) == 2
    assert brokers.searches == 2
    assert len(brokers.committed["events"]) == 1
    # A fault without an answer ends the epoch.
    assert brokers.names.count(NEW_EPOCH) == (not isinstance(fault, int | NodeNotReadyError))


@pytest.mark.parametrize("request_name", [ADD, PRODUCE, END])
async def test_a_loading_coordinator_is_kept_and_asked_again_after_growing_pauses(system, request_name, pauses):
    producer, brokers = system
    brokers.faults[request_name].extend([14] * 5)
    await write_and_commit(producer, "events")
    assert (brokers.names.count(request_name), brokers.searches) == (6, 1)
    assert pauses == [0.02, 0.04, 0.08, 0.1, 0.1]


async def test_the_markers_of_the_transaction_before_are_awaited_with_short_pauses(system, pauses):
    producer, brokers = system
    brokers.faults[ADD].extend([51] * 6)
    brokers.faults[END].append(51)
    await write_and_commit(producer, "events")
    assert pauses == [0.002, 0.004, 0.008, 0.016, 0.02, 0.02, 0.002]


FINAL = {47: ProducerFenced, 90: ProducerFenced, 48: InvalidTxnState, 29: TopicAuthorizationFailedError}


@pytest.mark.parametrize(
    ("request_name", "sent"), [(ADD, [ADD]), (PRODUCE, [ADD, PRODUCE]), (END, [ADD, PRODUCE, END])]
)
@pytest.mark.parametrize("code", FINAL)
async def test_a_final_error_is_raised_and_ends_the_transaction(system, request_name, sent, code):
    producer, brokers = system
    brokers.faults[request_name].append(code)
    with pytest.raises(FINAL[code]):
        await write_and_commit(producer, "events", "state")
    assert brokers.names == sent
    with pytest.raises(AssertionError):
        await producer.begin_transaction()


async def test_a_deadline_ends_the_repeats(system):
    producer, brokers = system
    brokers.faults[ADD].extend([3] * 100_000)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await write_and_commit(producer, "events")


FAULTS = [None, None, None, LOST, KafkaConnectionError(), NodeNotReadyError(), RequestTimedOutError(), 6, 7, 14, 19, 20]


@given(
    st.lists(
        st.tuples(
            st.sets(st.sampled_from(["events", "state", "authorizations"]), min_size=1),
            st.integers(1, 2),
            st.lists(st.sampled_from([*FAULTS, "moves"]), max_size=6),
            st.lists(st.sampled_from([None, LOST, KafkaConnectionError(), 14, 15, 16, 51]), max_size=3),
            st.lists(st.sampled_from([None, LOST, KafkaConnectionError(), 14, 15, 16, 51]), max_size=3),
        ),
        max_size=4,
    )
)
async def test_whatever_is_lost_every_batch_is_written_once(scripts):
    """Leaders that check sequence numbers get every batch of four transactions once, and nothing is left to commit."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        producer, brokers = producer_of(monkeypatch, events=1, state=1, authorizations=3)
        expected = dict.fromkeys(["events", "state", "authorizations"], 0)

        def move():
            brokers.leaders["state"] = brokers.leaders["state"] % 3 + 1

        for topics, batches, *faults in scripts:
            for name, of_request in zip((PRODUCE, ADD, END), faults, strict=True):
                brokers.faults[name].clear()
                brokers.faults[name].extend(move if fault == "moves" else fault for fault in of_request)
            await write_and_commit(producer, *topics, batches=batches)
            for topic in topics:
                expected[topic] += batches
            assert {topic: len(brokers.committed[topic]) for topic in expected} == expected
        await producer.stop()

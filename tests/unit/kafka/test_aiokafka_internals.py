"""Runs the functions on aiokafka's own objects, without a broker: fails if an upgrade changes a private member."""

import asyncio
import contextlib
import struct
import subprocess
import sys
from importlib.metadata import version
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import ScramAuthenticator
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    KafkaTimeoutError,
    OutOfOrderSequenceNumber,
)
from aiokafka.producer.message_accumulator import MessageBatch

from adapters.kafka import aiokafka_internals as internals


@pytest.fixture
async def producer():
    producer = AIOKafkaProducer(transactional_id="test")
    yield producer
    await producer.stop()


@pytest.fixture
async def consumer(monkeypatch):
    """A consumer as after `start()`: with a coordinator and a fetcher whose tasks wait."""
    consumer = AIOKafkaConsumer("topic", group_id="group")
    before_start = consumer._fetcher, consumer._coordinator
    assert before_start == (None, None)

    async def wait(_):
        await asyncio.Event().wait()

    monkeypatch.setattr(Fetcher, "_fetch_requests_routine", wait)
    monkeypatch.setattr(GroupCoordinator, "_coordination_routine", wait)
    consumer._fetcher = Fetcher(consumer._client, consumer._subscription)
    consumer._coordinator = GroupCoordinator(consumer._client, consumer._subscription, group_id="group")
    yield consumer
    consumer._coordinator._coordination_task.cancel()
    consumer._coordinator = None
    await consumer.stop()


def a_batch(producer):
    return MessageBatch(TopicPartition("topic", 0), producer.create_batch(), 1, 0)


def test_the_installed_minor_version_is_the_checked_one():
    assert version("aiokafka").startswith(f"{internals.CHECKED_MINOR_VERSION}.")


async def test_the_membership_is_the_coordinators(consumer):
    consumer._coordinator.generation, consumer._coordinator.member_id = 7, "member"
    assert internals.group_membership(consumer) == (7, "member")


def test_aiokafka_is_as_shipped_until_a_client_needs_more():
    script = """
import aiokafka.client as shipped
own = shipped.create_conn
from adapters.kafka.clients import connection
from runtime.settings import KafkaSettings
assert shipped.create_conn is own
connection(KafkaSettings(bootstrap=["127.0.0.1:1"]))
assert shipped.create_conn is not own
"""
    subprocess.run([sys.executable, "-c", script], check=True)


async def test_a_request_goes_to_the_coordinators_own_connection(consumer, monkeypatch):
    sent = []

    async def send(client, node, request, *, group):
        sent.append((node, request, group.name))
        return "response"

    monkeypatch.setattr(AIOKafkaClient, "send", send)
    consumer._coordinator.coordinator_id = 3
    assert await internals.send_to_coordinator(consumer, "request") == "response"
    assert sent == [(3, "request", "COORDINATION")]


async def test_a_request_to_an_unknown_coordinator_fails_immediately(consumer):
    with pytest.raises(GroupCoordinatorNotAvailableError):
        await internals.send_to_coordinator(consumer, "request")


async def test_a_forgotten_coordinator_is_looked_up_again(consumer, monkeypatch):
    async def lookup(*_):
        return 4

    async def ready(*_, **__):
        return True

    monkeypatch.setattr(AIOKafkaClient, "coordinator_lookup", lookup)
    monkeypatch.setattr(AIOKafkaClient, "ready", ready)
    consumer._coordinator.coordinator_id = 3
    internals.forget_coordinator(consumer)
    assert consumer._coordinator.coordinator_id is None
    await internals.find_coordinator(consumer)
    assert consumer._coordinator.coordinator_id == 4


async def test_fetching_has_ended_when_the_fetch_task_has(consumer):
    assert not internals.has_fetching_ended(consumer)
    consumer._fetcher._fetch_task.cancel()
    await asyncio.wait([consumer._fetcher._fetch_task])
    assert internals.has_fetching_ended(consumer)


async def test_undelivered_records_fail_and_asyncio_logs_no_exception_of_theirs(producer):
    logged = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    waiting, in_flight = a_batch(producer), a_batch(producer)
    producer._message_accumulator._batches[TopicPartition("topic", 0)].append(waiting)
    producer._message_accumulator._pending_batches.add(in_flight)
    producer._txn_manager._transaction_waiter = transaction = asyncio.get_running_loop().create_future()
    internals.retrieve_exceptions(producer)
    internals.fail_undelivered(producer)
    transaction.set_exception(KafkaTimeoutError())
    await asyncio.sleep(0)
    for batch in (waiting, in_flight):
        assert isinstance(batch.future.exception(), KafkaTimeoutError)
    producer._message_accumulator._batches.clear()
    producer._message_accumulator._pending_batches.clear()
    producer._txn_manager._transaction_waiter = None
    del waiting, in_flight, transaction, batch
    assert logged == []


@pytest.mark.parametrize("transactional_id", [None, "test"])
async def test_a_sender_that_fails_before_any_transaction_fails_the_records_and_logs_no_error(transactional_id):
    """aiokafka's own callback for a failed sender: it raised AttributeError for a producer without a transaction."""
    logged = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    producer = AIOKafkaProducer(transactional_id=transactional_id, enable_idempotence=True)
    assert internals.accept_fatal_error(producer) is producer
    batch = a_batch(producer)
    producer._message_accumulator._batches[TopicPartition("topic", 0)].append(batch)

    async def fail():
        raise OutOfOrderSequenceNumber

    task = asyncio.create_task(fail())
    task.add_done_callback(producer._sender._fail_all)
    await asyncio.wait([task])
    assert isinstance(batch.future.exception(), OutOfOrderSequenceNumber)
    batch._drain_waiter.exception()
    assert producer._txn_manager.is_fatal_error()
    producer._message_accumulator._batches.clear()
    await producer.stop()
    assert logged == []


async def test_a_transaction_of_the_caller_leaves_nothing_to_the_sender(producer):
    manager = producer._txn_manager
    manager.set_pid_and_epoch(7, 3)
    internals.begin_transaction(producer)
    assert producer._sender._maybe_do_transactional_request() is None
    waiter = manager.make_task_waiter()
    internals.end_transaction(producer)
    assert producer._sender._maybe_do_transactional_request() is None
    assert not waiter.done()
    assert manager.wait_for_transaction_end().done()
    assert internals.begin_transaction(producer) == ("test", 7, 3)


async def test_a_transaction_that_was_not_begun_or_has_failed_does_not_end(producer):
    manager = producer._txn_manager
    manager.set_pid_and_epoch(7, 3)
    with pytest.raises(AssertionError):
        internals.end_transaction(producer)
    internals.begin_transaction(producer)
    manager.fatal_error(OutOfOrderSequenceNumber())
    manager.wait_for_transaction_end().exception()
    with pytest.raises(AssertionError):
        internals.end_transaction(producer)


async def test_batches_take_the_sequence_numbers_that_the_sender_continues(producer):
    target = TopicPartition("topic", 0)
    producer._txn_manager.set_pid_and_epoch(7, 3)
    for first in (0, 2):
        builder = producer.create_batch()
        for _ in range(2):
            builder.append(timestamp=0, key=b"k", value=b"v")
        data = internals.build_batch(producer, builder, target)
        assert struct.unpack(">qhii", data[43:61]) == (7, 3, first, 2)
        assert data[22] & 0x10  # transactional
    producer._message_accumulator._batches[target].append(a_batch(producer))
    batch = producer._message_accumulator._pop_batch(target)
    assert struct.unpack(">i", batch.get_data_buffer()[53:57]) == (4,)
    batch.done_noack()


async def test_the_coordinator_of_transactions_is_kept_until_it_is_forgotten(producer, monkeypatch):
    searches = []

    async def lookup(_, kind, key):
        searches.append((kind.name, key))
        return 4

    async def ready(_, node, *, group):
        return (node, group.name) == (4, "COORDINATION")

    monkeypatch.setattr(AIOKafkaClient, "coordinator_lookup", lookup)
    monkeypatch.setattr(AIOKafkaClient, "ready", ready)
    for _ in range(2):
        assert await internals.transaction_coordinator(producer) == 4
    assert searches == [("TRANSACTION", "test")]
    internals.forget_transaction_coordinator(producer)
    internals.forget_transaction_coordinator(producer)
    assert await internals.transaction_coordinator(producer) == 4
    assert searches == [("TRANSACTION", "test")] * 2


async def test_scram_needs_nothing_of_a_password_but_its_bytes():
    """`credentials.PasswordFile` is not a string: it reads its file when aiokafka encodes it."""

    class Password:
        def encode(self, encoding):
            return b"secret"

    scram = ScramAuthenticator(
        loop=asyncio.get_running_loop(),
        sasl_plain_password=Password(),
        sasl_plain_username="user",
        sasl_mechanism="SCRAM-SHA-512",
    )
    scram.create_salted_password(b"salt", 4_096)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_stopped_consumer_leaves_its_group_then_aborts_its_connections(consumer, fails):
    aborted, closed = [], []
    coordinator = consumer._coordinator

    async def close():
        closed.append(list(aborted))
        if fails:
            raise KafkaTimeoutError

    async def no_connections():
        pass

    coordinator.close = close
    writer = SimpleNamespace(transport=SimpleNamespace(abort=lambda: aborted.append(1)))
    connections = consumer._client._conns
    connections["open"] = SimpleNamespace(_writer=writer, close=lambda reason: asyncio.ensure_future(no_connections()))
    connections["never opened"] = SimpleNamespace(
        _writer=None, close=lambda reason: asyncio.ensure_future(no_connections())
    )
    with pytest.raises(KafkaTimeoutError) if fails else contextlib.nullcontext():
        await internals.stop_consumer(consumer)
    assert (closed, aborted) == ([[]], [1])
    connections.clear()
    consumer._coordinator = coordinator

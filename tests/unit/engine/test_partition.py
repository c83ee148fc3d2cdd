"""A partition and its session without Kafka. tests/system/engine has the tests with Kafka."""

import asyncio
import time
from dataclasses import replace

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, ProducerFenced
from prometheus_client import CollectorRegistry

from consumers.engine.core.commit_queue import PendingCommit
from consumers.engine.core.failure_ratio import FailureRatioLimit, FinishedRecord
from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.core.progress import encode
from consumers.engine.engine import Engine
from consumers.engine.gauges import set_gauges
from consumers.engine.interface import Done, Failure, Output, Record, RetryAt
from consumers.engine.kafka import clients
from consumers.engine.kafka.membership import Generation
from consumers.engine.startup import NotAMember
from consumers.engine.state_store import StateStore
from runtime.clocks import steady
from runtime.metrics import EngineMetrics
from schemas.events.wait_reasons import WaitReason
from tests.unit.engine.partitions import begin_session, fetched, partition_of, started, suspended, until

pytestmark = pytest.mark.virtual_time


@pytest.fixture
async def assigned(harness):
    """A partition that is assigned and has not started."""
    partition = partition_of(harness.handler, concurrency=1, batch_bytes=10)
    partition.assigned(Generation(1, "member"))
    yield partition
    if partition.session is not None:
        await partition.session.close()


@pytest.fixture
def transactions():
    return Transactions()


@pytest.fixture
def partition(assigned, transactions):
    """A running partition."""
    begin_session(assigned, started(transactions))
    return assigned


@pytest.fixture
def session(partition):
    return partition.session


def add(session, key, offset):
    session.dispatcher.key_queues.add(Record(0, offset, key, b"", (), time.time()), steady())
    session.dispatcher.start()


@pytest.mark.virtual_time(False)  # the handler's wait is a Unix time
async def test_a_waiting_key_queue_keeps_its_timer_after_the_commit_queue_was_full(session, harness):
    async def record(invocation, record):
        if invocation.key == b"waits" and not invocation.tries:
            return RetryAt(time.time() + 0.5, WaitReason.BACKOFF)
        return Done((Output("events", invocation.key, bytes(30)),))

    harness.handler.record = record
    for offset, key in enumerate((b"waits", b"fills the queue")):
        session.feed([fetched(offset, key)])
        await harness.rest()
    assert not session.dispatcher.accepts_invocations
    assert await session.commit()
    assert harness.handler.seen == [0, 1]
    await until(lambda: harness.handler.seen == [0, 1, 0])


async def test_a_key_queue_that_is_due_without_a_free_slot_does_not_spin(session, harness, monkeypatch):
    gate = asyncio.Event()

    async def record(invocation, record):
        if invocation.key == b"waits" and not invocation.tries:
            return RetryAt(invocation.now - 1, WaitReason.BACKOFF)
        await gate.wait()
        return Done()

    harness.handler.record = record
    add(session, b"holds the only slot", 1)
    add(session, b"waits", 0)
    key_queues = session.dispatcher.key_queues
    key_queues.retry(key_queues.next_ready(steady()), steady() - 1, WaitReason.BACKOFF, steady())
    await harness.rest()
    searches, next_due = [], key_queues.next_due
    monkeypatch.setattr(key_queues, "next_due", lambda: searches.append(1) or next_due())
    session.dispatcher.start()
    await asyncio.sleep(0.25)
    assert 1 <= len(searches) <= 5
    gate.set()
    await harness.rest()
    assert harness.handler.seen == [1, 0]


class Transactions:
    """Notes the sizes of the results in each transaction."""

    def __init__(self):
        self.carried = []

    async def commit(self, batch, progress, second_source_at):
        self.carried.append([pending.size for pending in batch])
        self.second_source_at = second_source_at
        return 0.0


class FailingTransactions:
    progress = b""

    async def commit(self, batch, progress, second_source_at):
        raise KafkaError("the test fails this transaction")


@pytest.fixture
async def committing(partition, transactions):
    task = asyncio.create_task(partition._commit_while_valid())
    yield transactions
    task.cancel()


def timer_result(size):
    return PendingCommit((), None, None, size, None)


def checkpoint(size):
    return PendingCommit((), None, None, size, asyncio.get_running_loop().create_future())


async def test_the_result_of_a_timer_lingers_to_share_a_transaction(session, committing, harness):
    session.dispatcher.results.put(timer_result(1))
    await harness.rest()
    assert committing.carried == []
    session.dispatcher.results.put(checkpoint(2))
    await harness.rest()
    assert committing.carried == [[1, 2]]
    session.dispatcher.results.put(timer_result(3))
    await until(lambda: len(committing.carried) >= 2)


async def test_in_a_late_process_results_wait_for_each_other(partition, session, committing):
    for _ in range(20):
        partition._engine.loop_lag.sample(0.05)
    for size in (1, 2, 3):
        session.dispatcher.results.put(checkpoint(size))
        await asyncio.sleep(0.01)
    await until(lambda: len(committing.carried) >= 2)
    assert committing.carried == [[1], [2, 3]]


async def test_the_gauge_of_waiting_key_queues_goes_down_again(partition, harness, monkeypatch):
    answers = [RetryAt(time.time() + 190.0, WaitReason.RATE_LIMITED), Done()]

    async def record(invocation, record):
        return answers.pop(0)

    harness.handler.record = record
    registry = CollectorRegistry()
    settings = replace(partition._settings, wait_reasons=tuple(WaitReason))
    engine = Engine(settings, harness.handler, EngineMetrics(registry))
    engine.partitions[0] = partition

    def waiting():
        set_gauges(engine.partitions, engine.settings.wait_reasons, engine._metrics)
        labels = {"partition": "0", "reason": "rate_limited"}
        return registry.get_sample_value("collate_gateway_key_queues_waiting", labels)

    add(partition.session, b"k", 0)
    await harness.rest()
    assert waiting() == 1
    suspended(monkeypatch, 200.0)
    partition.session.dispatcher.start()
    await harness.rest()
    assert waiting() == 0


async def test_records_that_arrive_after_the_session_is_invalid_reach_no_key_queue(partition, session, harness):
    partition.restart("a test says so")
    partition.feed([fetched(0)])
    await harness.rest()
    assert (len(session.dispatcher.key_queues), session.buffer.position, harness.handler.seen) == (0, 0, [])


async def test_during_a_rebalance_no_invocation_starts_and_no_record_is_accepted(partition, session, harness):
    partition.revoked()
    partition.feed([fetched(0)])
    session.dispatcher.start()
    await harness.rest()
    assert (session.buffer.position, harness.handler.seen) == (0, [])


async def dead_letter(session, harness, number, source="a"):
    async def record(invocation, record):
        return Done(dead_lettered=Failure("refused", counts=True), source=source)

    harness.handler.record = record
    for offset in range(number):
        session.feed([fetched(offset, b"%d" % offset)])
    await harness.rest(80)


async def test_a_partition_with_too_many_dead_letters_shows_the_reason_until_an_operator_resumes_it(
    partition, session, harness
):
    await dead_letter(session, harness, 26)
    assert await session.commit()
    assert partition.is_stopped
    assert partition.detail.startswith("more than 50% of 50 records")
    session.adjust_reading()  # as after each commit
    assert (session.dispatcher.accepts_invocations, session.is_paused) == (False, True)
    assert partition.resume()
    assert (session.dispatcher.accepts_invocations, session.is_paused) == (True, False)
    assert (partition.detail, partition.is_stopped) == ("", False)


async def test_dead_letters_of_one_source_do_not_stop_a_partition_that_another_uses(partition, session, harness):
    partition._failure_ratio.count(FinishedRecord(b"other", "b"), time.time())
    await dead_letter(session, harness, 40)
    assert await session.commit()
    await harness.rest(80)
    assert await session.commit()
    assert len(harness.handler.seen) == 40
    assert not partition.is_stopped


async def test_after_an_assignment_one_source_alone_does_not_stop_a_partition_that_two_used(assigned, harness):
    before = Transactions()
    session = begin_session(assigned, started(before))
    for source in ("b", "a"):
        assigned._failure_ratio.count(FinishedRecord(b"other", source), time.time())
    await dead_letter(session, harness, 1)
    assert await session.commit()
    states = StateStore()
    states.progress = encode(session.committed, "topic id", before.second_source_at)
    assigned._failure_ratio = FailureRatioLimit(0.5, 50)
    assigned._context = replace(assigned._context, failure_ratio=assigned._failure_ratio)
    session = begin_session(assigned, started(Transactions(), states=states))
    await dead_letter(session, harness, 60)
    assert await session.commit()
    assert not assigned.is_stopped


async def test_a_dead_letter_counts_once_after_failed_transactions(partition, harness):
    for _ in range(3):
        session = begin_session(partition, started(FailingTransactions()))
        await dead_letter(session, harness, 13)
        with pytest.raises(KafkaError):
            await session.commit()
        await session.close()
    session = begin_session(partition, started(Transactions()))
    await dead_letter(session, harness, 13)
    assert await session.commit()
    assert not partition.is_stopped


async def test_uncommitted_dead_letters_count_towards_the_share(partition, session, harness):
    await dead_letter(session, harness, 40)
    assert len(harness.handler.seen) == 26
    assert not partition.is_stopped
    assert await session.commit()
    assert partition.is_stopped


@pytest.mark.parametrize("within", [0.0, 30.0])
async def test_a_stop_ends_a_start_immediately(assigned, monkeypatch, within):
    began, ended = asyncio.Event(), []

    async def start(context, producer, *, accept_lost_offset):
        try:
            async with asyncio.timeout(within or None):
                began.set()
                await asyncio.Event().wait()
        finally:
            ended.append(producer)

    async def discard(producer):
        ended.append("discarded")

    monkeypatch.setattr("consumers.engine.partition.start_partition", start)
    monkeypatch.setattr(clients, "transactional_producer", lambda settings, number, consumer: number)
    monkeypatch.setattr("consumers.engine.partition.bounded_stop", discard)
    partition = assigned
    running = asyncio.create_task(partition.run())
    await began.wait()
    assert partition.status is PartitionStatus.STARTING
    await partition.drain()
    partition.close()
    await asyncio.wait_for(running, 2)
    assert ended == [0, "discarded"]
    assert partition.status is PartitionStatus.CLOSED


@pytest.mark.parametrize("failure", [ProducerFenced(), NotAMember(), KafkaConnectionError()])
async def test_a_stop_ends_the_pause_after_a_failed_start_immediately(assigned, monkeypatch, no_producer, failure):
    async def start(context, producer, *, accept_lost_offset):
        raise failure

    monkeypatch.setattr("consumers.engine.partition.start_partition", start)
    monkeypatch.setattr("consumers.engine.partition._FIRST_RETRY_SECONDS", 100.0)
    monkeypatch.setattr("consumers.engine.partition._LAST_RETRY_SECONDS", 100.0)
    partition = assigned
    monkeypatch.setattr(partition, "_settings", replace(partition._settings, heartbeat_seconds=100.0))
    running = asyncio.create_task(partition.run())
    for _ in range(10):
        await asyncio.sleep(0)
    assert partition.status is PartitionStatus.RETRYING
    partition.restart("nothing ends the pause but a close")
    partition.close()
    await asyncio.wait_for(running, 1.0)
    assert partition.status is PartitionStatus.CLOSED

"""A partition's work, without Kafka: its timer, and what is seen of it. The rest is in tests/system/engine."""

import asyncio
import time
from dataclasses import replace

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from consumers.authorization.wait_reasons import WaitReason
from consumers.engine.core.concurrency import ConcurrencyLimiter
from consumers.engine.engine import Engine
from consumers.engine.interface import Done, Output, Record, RetryAt
from consumers.engine.kafka import clients
from consumers.engine.kafka.membership import Membership
from consumers.engine.kafka.offsets import Committed
from consumers.engine.kafka.transactions import PendingCommit
from consumers.engine.loop_lag import LoopLag
from consumers.engine.partition import Partition
from consumers.engine.partition_status import PartitionStatus
from consumers.engine.session import EngineContext
from consumers.engine.settings import EngineSettings
from consumers.engine.startup import StartedPartition
from consumers.engine.state_store import StateStore
from runtime.metrics import MetricFactory, create_engine_metrics


class Consumer:
    def pause(self, *sources):
        pass

    def resume(self, *sources):
        pass

    def seek(self, source, offset):
        pass

    def highwater(self, source):
        return 1


class Standing:
    is_trusted = True


@pytest.fixture
async def partition(bench):
    settings = EngineSettings("commands", "state", 1, "group", dict, slots=1, batch_bytes=10)
    surroundings = EngineContext(
        settings,
        bench.handler,
        ConcurrencyLimiter(1),
        create_engine_metrics(MetricFactory(CollectorRegistry())),
        LoopLag(),
    )
    source, state = TopicPartition("commands", 0), TopicPartition("state", 0)
    partition = Partition(source, state, Consumer(), Standing(), surroundings)
    partition.assigned(Membership(1, "member"), uninterrupted=False)
    partition._begin(StartedPartition(None, Committed(0, ""), StateStore(), {}))
    yield partition
    if partition.work is not None:
        await partition.work.end()


@pytest.fixture
def work(partition):
    return partition.work


def add(work, key, offset):
    work.turns.lanes.add(Record(0, offset, key, b"", (), time.time()), time.time())
    work.lanes_changed()


async def test_a_lane_that_waits_is_looked_at_though_the_queue_was_full_meanwhile(work, bench):
    async def record(turn, record):
        if turn.key == b"waits" and not turn.tries:
            return RetryAt(time.time() + 30, WaitReason.BACKOFF)
        return Done((Output("events", turn.key, bytes(30)),))

    bench.handler.record = record
    add(work, b"waits", 0)
    await bench.rest()
    assert work._timer is not None
    add(work, b"fills the queue", 1)
    await bench.rest()
    assert not work.accepts_turns
    work.queue.next_batch()
    work.queue.committed()
    work._after_commit()
    assert work._timer is not None


async def test_a_lane_that_is_due_and_finds_no_slot_does_not_spin(work, bench):
    gate = asyncio.Event()

    async def record(turn, record):
        if turn.key == b"waits" and not turn.tries:
            return RetryAt(turn.now - 1, WaitReason.BACKOFF)
        await gate.wait()
        return Done()

    bench.handler.record = record
    add(work, b"holds the only slot", 1)
    add(work, b"waits", 0)
    work.turns.lanes.again(work.turns.lanes.next_ready(time.time()), time.time() - 1, WaitReason.BACKOFF)
    await bench.rest()
    work.lanes_changed()
    assert work._timer is None or work._timer.when() - asyncio.get_running_loop().time() > 0.05
    gate.set()
    await bench.rest()
    assert bench.handler.seen == [1, 0]


class Transactions:
    """Notes which results each transaction carries, by their sizes."""

    def __init__(self):
        self.carried = []

    async def commit(self, batch, progress):
        self.carried.append([pending.size for pending in batch])
        return 0.0


class FailingTransactions:
    async def commit(self, batch, progress):
        raise KafkaError("this transaction was told to fail")


@pytest.fixture
async def committing(partition):
    transactions = partition.work._transactions = Transactions()
    task = asyncio.create_task(partition._commit_until_closed())
    yield transactions
    task.cancel()


def of_an_alarm(size):
    return PendingCommit((), None, None, size, None, time.time())


def checkpoint(size):
    return PendingCommit((), None, None, size, asyncio.get_running_loop().create_future(), time.time())


async def test_what_an_alarm_found_waits_a_moment_for_what_somebody_waits_for(work, committing, bench):
    work.hand_over(of_an_alarm(1))
    await bench.rest()
    assert committing.carried == []
    work.hand_over(checkpoint(2))
    await bench.rest()
    assert committing.carried == [[1, 2]]
    work.hand_over(of_an_alarm(3))
    async with asyncio.timeout(10):
        while len(committing.carried) < 2:  # noqa: ASYNC110 - what is waited for is no event
            await asyncio.sleep(0.01)


async def test_in_a_late_process_results_wait_for_each_other(partition, work, committing):
    for _ in range(20):
        partition._surroundings.lateness.sample(0.05)
    for size in (1, 2, 3):
        work.hand_over(checkpoint(size))
        await asyncio.sleep(0.01)
    async with asyncio.timeout(10):
        while len(committing.carried) < 2:  # noqa: ASYNC110 - what is waited for is no event
            await asyncio.sleep(0.01)
    assert committing.carried == [[1], [2, 3]]


async def test_the_gauge_of_waiting_lanes_goes_down_again(partition, bench):
    answers = [RetryAt(time.time() + 30, WaitReason.RATE_LIMITED), Done()]

    async def record(turn, record):
        return answers.pop(0)

    bench.handler.record = record
    registry = CollectorRegistry()
    settings = replace(partition._settings, wait_reasons=tuple(WaitReason))
    engine = Engine(settings, bench.handler, create_engine_metrics(MetricFactory(registry)))
    engine.partitions[0] = partition

    def waiting():
        engine.observe()
        labels = {"partition": "0", "reason": "rate_limited"}
        return registry.get_sample_value("collate_gateway_lanes_waiting", labels)

    add(partition.work, b"k", 0)
    await bench.rest()
    assert waiting() == 1
    partition.work.turns.lanes.hurry()
    partition.work.lanes_changed()
    await bench.rest()
    assert waiting() == 0


async def test_records_that_come_after_the_work_was_thrown_away_reach_no_lane(partition, work, bench):
    fetched = ConsumerRecord("commands", 0, 0, 0, 0, b"k", b"", None, 1, 1, ())
    partition.start_again("a test says so")
    partition.feed([fetched])
    await bench.rest()
    assert (len(work.turns.lanes), work.intake.position, bench.handler.seen) == (0, 0, [])


async def test_while_a_rebalance_goes_on_no_turn_starts_and_no_record_is_taken(partition, work, bench):
    partition.released()
    partition.feed([ConsumerRecord("commands", 0, 0, 0, 0, b"k", b"", None, 1, 1, ())])
    work.lanes_changed()
    await bench.rest()
    assert (work.intake.position, bench.handler.seen) == (0, [])


async def give_up(work, bench, number):
    async def record(turn, record):
        return Done(dead_lettered=True)

    bench.handler.record = record
    for offset in range(number):
        work.feed([ConsumerRecord("commands", 0, offset, 0, 0, b"%d" % offset, b"", None, 1, 1, ())])
    await bench.rest(80)


async def test_a_partition_that_has_tripped_says_why_until_an_operator_resumes_it(partition, work, bench):
    work._transactions = Transactions()
    await give_up(work, bench, 26)
    assert await work.commit()
    assert partition.is_stopped
    assert partition.detail.startswith("more than 50% of 50 records")
    assert (work.accepts_turns, work.is_paused) == (False, True)
    assert partition.resume()
    assert (work.accepts_turns, work.is_paused) == (True, False)
    assert (partition.detail, partition.is_stopped) == ("", False)


async def test_what_was_given_up_counts_once_however_often_its_transaction_failed(partition, bench):
    for _ in range(3):
        work = partition._begin(StartedPartition(FailingTransactions(), Committed(0, ""), StateStore(), {}))
        await give_up(work, bench, 13)
        with pytest.raises(KafkaError):
            await work.commit()
        await work.end()
    work = partition._begin(StartedPartition(Transactions(), Committed(0, ""), StateStore(), {}))
    await give_up(work, bench, 13)
    assert await work.commit()
    assert not partition.is_stopped


async def test_no_more_is_given_up_than_the_share_allows_while_a_transaction_takes_long(partition, work, bench):
    work._transactions = Transactions()
    await give_up(work, bench, 40)
    assert len(bench.handler.seen) == 26
    assert not partition.is_stopped
    assert await work.commit()
    assert partition.is_stopped


@pytest.mark.parametrize("within", [0.0, 30.0])
async def test_a_stop_ends_a_takeover_at_once(partition, monkeypatch, within):
    began, ended = asyncio.Event(), []

    async def take_over(parts, producer, *, resumed):
        try:
            async with asyncio.timeout(within or None):
                began.set()
                await asyncio.Event().wait()
        finally:
            ended.append(producer)

    async def discard(producer):
        ended.append("discarded")

    monkeypatch.setattr("consumers.engine.partition.start_partition", take_over)
    monkeypatch.setattr(clients, "transactional_producer", lambda settings, number: number)
    monkeypatch.setattr("consumers.engine.partition.bounded_stop", discard)
    await partition.work.end()
    partition.work = None
    running = asyncio.create_task(partition.run())
    await began.wait()
    assert partition.phase is PartitionStatus.STARTING
    await partition.drain()
    partition.close()
    await asyncio.wait_for(running, 2)
    assert ended == [0, "discarded"]
    assert partition.phase is PartitionStatus.CLOSED

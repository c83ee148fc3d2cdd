"""A running partition without Kafka: its reading ahead, its transactions and its metrics."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaError

from consumers.engine import lag
from consumers.engine.core.offset_tracker import Committed
from consumers.engine.engine import _RebalanceListener
from consumers.engine.interface import Done, Output
from consumers.engine.partition import Partition
from consumers.engine.status import key_queues_report
from tests.unit.engine.partitions import SOURCE, Membership, started, until


@pytest.fixture
def gate(harness):
    """While it is closed, every invocation waits."""
    gate = asyncio.Event()

    async def record(invocation, record):
        await gate.wait()
        return Done((Output("events", invocation.key, b"v"),))

    harness.handler.record = record
    return gate


@pytest.mark.parametrize("limits", [{"read_ahead_records": 10}, {"read_ahead_bytes": 1_000}], ids=["records", "bytes"])
async def test_reading_pauses_at_the_limit_and_resumes_at_half_of_it(make_running, harness, gate, limits):
    running = make_running(concurrency=20, **limits)
    running.feed(9, size=100)
    assert not running.consumer.paused
    running.feed(1, size=100)
    assert running.consumer.paused is running.session.is_paused is True
    assert running.metric("paused", partition="0") == 1
    gate.set()
    await harness.rest(40)
    assert running.consumer.paused is running.session.is_paused is False
    assert running.metric("paused", partition="0") == 0


async def test_reading_does_not_resume_above_half_of_the_limit(make_running, harness):
    gates = [asyncio.Event() for _ in range(10)]

    async def record(invocation, record):
        await gates[record.offset].wait()
        return Done()

    harness.handler.record = record
    running = make_running(read_ahead_records=10)
    running.feed(10)
    for offset, gate in enumerate(gates):
        assert running.consumer.paused is (offset < 5)
        gate.set()
        await asyncio.sleep(0.01)  # the pause after each commit is real
    assert not running.consumer.paused


async def test_results_that_are_ready_together_share_a_transaction(make_running, harness, gate):
    running = make_running()
    running.feed(30)
    await harness.rest()
    assert running.transactions.carried == []
    gate.set()
    await harness.rest(40)
    assert sorted(offset for batch in running.transactions.carried for offset in batch) == list(range(30))
    assert len(running.transactions.carried) <= 2


async def test_no_transaction_carries_more_than_the_limit(make_running, harness, gate):
    running = make_running(batch_results=8)
    running.transactions.may_end.clear()
    running.feed(30)
    gate.set()
    await harness.rest(40)
    running.transactions.may_end.set()
    await until(lambda: sum(map(len, running.transactions.carried)) >= 30)
    assert max(map(len, running.transactions.carried)) == 8


async def test_invocations_continue_during_a_transaction(make_running, harness):
    running = make_running()
    running.transactions.may_end.clear()
    running.feed(1)
    await harness.rest()
    running.feed(5)
    await harness.rest()
    assert (running.transactions.carried, harness.handler.seen) == ([[0]], [0, 1, 2, 3, 4, 5])
    running.transactions.may_end.set()
    await until(lambda: len(running.transactions.carried) >= 2)
    assert running.transactions.carried == [[0], [1, 2, 3, 4, 5]]


async def test_unfinished_records_are_measured(make_running, harness):
    first = asyncio.Event()

    async def record(invocation, record):
        if record.offset == 2:
            await first.wait()
        return Done((Output("events", invocation.key, b"v"),))

    harness.handler.record = record
    running = make_running()
    running.consumer.end = 10
    running.feed(2, timestamp=time.time() - 500)
    running.feed(3, timestamp=time.time() - 60)
    await asyncio.sleep(0.05)
    assert running.metric("lag", partition="0") == 8, "the watermark is 2"
    assert running.metric("gap", partition="0") == 3
    assert 60 <= running.metric("oldest_unfinished_seconds", partition="0") < 90
    assert running.metric("second_key_unfinished_seconds", partition="0") == 0, "no other key waits"
    assert (running.metric("unfinished", partition="0"), running.metric("key_queues", partition="0")) == (1, 1)
    first.set()
    await asyncio.sleep(0.05)
    assert running.metric("lag", partition="0") == 5
    assert running.metric("gap", partition="0") == running.metric("oldest_unfinished_seconds", partition="0") == 0
    batches = len(running.transactions.carried)
    assert running.metric("records_total", partition="0") == running.metric("outputs_total") == 5
    assert (running.metric("transaction_records_sum"), running.metric("transaction_records_count")) == (5, batches)
    assert (running.metric("transaction_seconds_sum"), running.metric("transaction_seconds_count")) == (
        batches / 2,
        batches,
    )


async def test_starts_and_assignments_are_counted(make_running, no_producer, monkeypatch):
    running = make_running()
    begun = asyncio.Event()

    async def start(context, producer, *, accept_lost_offset):
        begun.set()
        return started(running.transactions)

    monkeypatch.setattr("consumers.engine.partition.start_partition", start)
    running.engine.partitions.clear()
    async with asyncio.TaskGroup() as tasks:
        listener = _RebalanceListener(running.engine, running.consumer, Membership(), None, tasks)
        listener.on_partitions_assigned([SOURCE])
        await begun.wait()
        await asyncio.sleep(0.01)
        (partition,) = running.engine.partitions.values()
        assert isinstance(partition, Partition)
        assert (running.metric("rebalances_total"), running.metric("restores_total")) == (1, 1)
        assert (running.metric("restore_seconds_count"), running.metric("partitions", state="running")) == (1, 1)
        await partition.drain()
    assert running.metric("partitions", state="running") == 0


async def test_a_stop_does_not_wait_for_a_transaction_longer_than_its_deadline(make_running, harness):
    running = make_running(drain_seconds=0.05)
    running.transactions.may_end.clear()
    running.feed(1)
    await harness.rest()
    await running.partition.drain()
    await asyncio.wait({running.committing}, timeout=1.0)
    assert isinstance(running.committing.exception(), TimeoutError)


async def test_a_partition_of_another_process_has_no_metrics(make_running):
    running = make_running()
    running.feed(1)
    assert running.metric("lag", partition="0") is not None
    listener = _RebalanceListener(running.engine, running.consumer, Membership(), None, SimpleNamespace())
    listener.on_partitions_assigned([])
    assert running.metric("lag", partition="0") is None


class Coordinator:
    """Returns the committed offset of each partition."""

    def __init__(self, **committed):
        self.committed = committed

    async def ensure_coordinator_known(self):
        pass

    async def _send_req(self, request):
        ((topic, numbers),) = request._partitions
        rows = [(number, self.committed.get(f"p{number}", -1), "", 0) for number in numbers]
        return SimpleNamespace(topics=[(topic, rows)])


@pytest.fixture
def read_offsets(monkeypatch):
    """Read the offsets for the partitions of a running's engine without waiting."""

    async def read(running, end, **committed):
        consumer = running.consumer
        consumer.requests = []

        async def end_offsets(sources):
            consumer.requests.append(sources)
            return dict.fromkeys(sources, end)

        consumer.end_offsets = end_offsets
        consumer._coordinator = Coordinator(**committed)
        monkeypatch.setattr(lag, "_EVERY_SECONDS", 0.0)
        watching = asyncio.create_task(lag.watch(consumer, "group", running.engine.partitions.values))
        for _ in range(50):  # a round takes a few steps of the loop
            await asyncio.sleep(0)
        watching.cancel()
        return consumer.requests

    return read


async def test_the_lag_of_a_partition_without_a_session_is_measured(
    make_running, harness, gate, read_offsets, no_producer
):
    running = make_running()
    began = time.time() - 500
    running.feed(2, timestamp=began)
    await harness.rest()
    await running.fail()
    requests = await read_offsets(running, 70, p0=0)
    assert requests[0] == [SOURCE]
    assert running.metric("lag", partition="0") == 70
    assert 500 <= running.metric("oldest_unfinished_seconds", partition="0") < 530
    report = key_queues_report(running.engine)["partitions"][0]
    assert (report["lag"], 500 <= report["oldestUnfinishedSeconds"] < 530) == (70, True)


async def test_without_a_known_timestamp_the_oldest_record_counts_from_its_discovery(
    make_running, read_offsets, no_producer
):
    running = make_running()
    await running.fail()
    await read_offsets(running, 70, p0=20)
    assert running.metric("lag", partition="0") == 50
    began = lag.oldest_unfinished(running.partition)
    assert time.time() - 10 < began <= time.time()
    await read_offsets(running, 80, p0=20)
    assert (running.metric("lag", partition="0"), lag.oldest_unfinished(running.partition)) == (60, began)
    await read_offsets(running, 80, p0=80)
    assert (running.metric("lag", partition="0"), lag.oldest_unfinished(running.partition)) == (0, None)
    await read_offsets(running, 80)
    assert running.metric("lag", partition="0") == 0, "the last known offset remains"


async def test_the_lag_of_a_paused_partition_grows(make_running, gate, read_offsets, no_producer):
    running = make_running(read_ahead_records=10)
    running.feed(10, timestamp=time.time() - 60)
    assert running.consumer.paused
    await read_offsets(running, 1_000, p0=0)
    assert running.metric("lag", partition="0") == 1_000
    assert 60 <= running.metric("oldest_unfinished_seconds", partition="0") < 90


async def test_no_offsets_are_read_for_a_partition_that_fetches(make_running, read_offsets, no_producer):
    running = make_running()
    running.partition.lag_monitor.session_ended(Committed(0, ""), 5.0)
    assert await read_offsets(running, 70) == []
    assert running.partition.lag_monitor.oldest is None


async def test_a_marker_behind_the_last_record_is_no_lag_but_an_unfinished_record_is(
    make_running, harness, gate, read_offsets, no_producer
):
    running = make_running()
    running.feed(2, timestamp=time.time())
    running.consumer.end = running.consumer.next = 3  # two records, and the marker of their transaction
    await read_offsets(running, 3)
    assert running.metric("lag", partition="0") == 3, "the records are not finished"
    gate.set()
    await harness.rest()
    assert running.metric("lag", partition="0") == 0
    running.consumer.end = 5
    assert running.metric("lag", partition="0") == 2
    await running.fail()
    assert running.partition.lag_monitor.position == 0, "a session may begin again before the position"


async def test_an_invocation_sees_until_when_every_record_of_its_partition_has_been_read(
    make_running, gate, read_offsets, no_producer
):
    running = make_running(read_ahead_records=10)
    read_until, old = running.partition.session.dispatcher.view.read_until, time.time() - 60
    running.feed(2, timestamp=old)
    assert read_until() == pytest.approx(time.time(), abs=30), "the end of the log has been read"
    running.consumer.polled_at -= 300_000
    assert read_until() == pytest.approx(time.time() - 300, abs=30), "what was appended since the last fetch is unread"
    running.consumer.polled_at += 300_000
    running.consumer.end = 3
    assert read_until() == pytest.approx(old), "a third record was appended"
    running.consumer.next = 3  # it is a marker, which no fetch returns
    await read_offsets(running, 3)
    assert read_until() > old + 30
    running.feed(8, timestamp=old)
    assert running.consumer.paused
    assert read_until() == pytest.approx(old), "more may have been appended since the last fetch"
    running.partition.session.buffer._held.append(None)
    assert read_until() == 0.0, "a fetched record is in no key queue yet"
    running.partition.session.buffer._held.clear()


@pytest.mark.parametrize("trouble", [KafkaError("away"), TimeoutError(), RuntimeError("closed under aiokafka")])
async def test_a_failed_read_of_offsets_is_repeated(make_running, read_offsets, trouble, monkeypatch, no_producer):
    running = make_running()
    await running.fail()
    troubles = [trouble]
    fetch = lag.fetch_committed

    async def fetch_or_fail(*arguments):
        if troubles:
            raise troubles.pop()
        return await fetch(*arguments)

    monkeypatch.setattr(lag, "fetch_committed", fetch_or_fail)
    await read_offsets(running, 70, p0=20)
    assert running.metric("lag", partition="0") == 50

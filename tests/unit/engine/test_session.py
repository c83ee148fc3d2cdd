"""A running partition without Kafka: its reading ahead, its transactions and its metrics."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from consumers.engine import lag
from consumers.engine.core.offset_tracker import Committed
from consumers.engine.core.partition_lifecycle import PartitionEvent
from consumers.engine.core.progress import encode
from consumers.engine.engine import Engine, _RebalanceListener
from consumers.engine.interface import Done, Output
from consumers.engine.kafka import clients
from consumers.engine.kafka.membership import Generation
from consumers.engine.partition import Partition
from consumers.engine.settings import EngineSettings
from consumers.engine.startup import StartedPartition
from consumers.engine.state_store import StateStore
from consumers.engine.status import key_queues_report, set_gauges
from runtime.metrics import EngineMetrics
from tests.unit.engine.sessions import begin_session

SOURCE = TopicPartition("commands", 0)


class Consumer:
    """Knows whether it is paused, and the end of the log."""

    def __init__(self):
        self.paused = False
        self.sought = []
        self.end = self.next = 0
        self.polled_at = time.time() * 1_000

    def pause(self, *sources):
        self.paused = True

    def resume(self, *sources):
        self.paused = False

    def seek(self, source, offset):
        self.sought.append(offset)

    def highwater(self, source):
        return self.end

    def last_poll_timestamp(self, source):
        return self.polled_at

    async def position(self, source):
        return self.next

    def partitions_for_topic(self, topic):
        return {0}


class Membership:
    is_trusted = True

    def assigned(self):
        return Generation(1, "member")


class Transactions:
    """Notes the offsets in each transaction; a test may delay one."""

    def __init__(self):
        self.carried = []
        self.progress = b""
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.is_expired = False

    async def commit(self, batch, progress, second_source_at):
        self.progress = encode(progress, "topic id")
        self.carried.append([pending.offset for pending in batch])
        await self.may_end.wait()
        if self.is_expired:
            raise TimeoutError
        return 0.5

    def expire(self):
        self.is_expired = True
        self.may_end.set()


class RunningPartition:
    """One running partition of an engine, and its metrics."""

    def __init__(self, handler, **settings):
        self.registry = CollectorRegistry()
        self.consumer, self.transactions, self.handler = Consumer(), Transactions(), handler
        self.engine = Engine(
            EngineSettings("commands", "state", 1, "group", dict, **settings),
            handler,
            EngineMetrics(self.registry),
        )
        self.partition = self.engine.add(SOURCE, self.consumer, Membership())
        self.partition.assigned(Generation(1, "member"))
        self.session = begin_session(self.partition, self.started())
        self.offset = 0
        self.committing = asyncio.create_task(self.partition._commit_while_valid())

    def started(self):
        return StartedPartition(self.transactions, Committed(0, ""), StateStore(), {}, "topic id")

    def feed(self, count, *, timestamp=0.0, size=0):
        records = [
            ConsumerRecord("commands", 0, offset, int(timestamp * 1000), 0, b"%d" % offset, bytes(size), None, 1, 1, ())
            for offset in range(self.offset, self.offset + count)
        ]
        self.offset += count
        self.consumer.end = max(self.consumer.end, self.offset)
        self.partition.feed(records)

    async def fail(self):
        """Discard the session as after a failure."""
        self.partition._apply(PartitionEvent.FAILED)
        await self.partition._discard(None)

    def metric(self, name, **labels):
        set_gauges(self.engine, self.engine._metrics)
        return self.registry.get_sample_value(f"collate_gateway_{name}", labels)


@pytest.fixture
async def running(harness):
    made = []

    def make(**settings):
        made.append(RunningPartition(harness.handler, **settings))
        return made[-1]

    yield make
    for one in made:
        one.committing.cancel()
        if one.partition.session is not None:
            await one.partition.session.close()


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
async def test_reading_pauses_at_the_limit_and_resumes_at_half_of_it(running, harness, gate, limits):
    running = running(concurrency=20, **limits)
    running.feed(9, size=100)
    assert not running.consumer.paused
    running.feed(1, size=100)
    assert (running.consumer.paused, running.session.is_paused, running.metric("paused", partition="0")) == (
        True,
        True,
        1,
    )
    gate.set()
    await harness.rest(40)
    assert (running.consumer.paused, running.session.is_paused, running.metric("paused", partition="0")) == (
        False,
        False,
        0,
    )


async def test_reading_does_not_resume_above_half_of_the_limit(running, harness):
    gates = [asyncio.Event() for _ in range(10)]

    async def record(invocation, record):
        await gates[record.offset].wait()
        return Done()

    harness.handler.record = record
    running = running(read_ahead_records=10)
    running.feed(10)
    for offset, gate in enumerate(gates):
        assert running.consumer.paused is (offset < 5)
        gate.set()
        await asyncio.sleep(0.01)  # the pause after each commit is real
    assert not running.consumer.paused


async def test_one_record_is_committed_immediately(running, harness):
    running = running()
    running.feed(1)
    await harness.rest()
    assert running.transactions.carried == [[0]]


async def test_results_that_are_ready_together_share_a_transaction(running, harness, gate):
    running = running()
    running.feed(30)
    await harness.rest()
    assert running.transactions.carried == []
    gate.set()
    await harness.rest(40)
    assert sorted(offset for batch in running.transactions.carried for offset in batch) == list(range(30))
    assert len(running.transactions.carried) <= 2


async def test_no_transaction_carries_more_than_the_limit(running, harness, gate):
    running = running(batch_results=8)
    running.transactions.may_end.clear()
    running.feed(30)
    gate.set()
    await harness.rest(40)
    running.transactions.may_end.set()
    async with asyncio.timeout(5):
        while sum(map(len, running.transactions.carried)) < 30:  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(0.01)
    assert max(map(len, running.transactions.carried)) == 8


async def test_invocations_continue_during_a_transaction(running, harness):
    running = running()
    running.transactions.may_end.clear()
    running.feed(1)
    await harness.rest()
    running.feed(5)
    await harness.rest()
    assert (running.transactions.carried, harness.handler.seen) == ([[0]], [0, 1, 2, 3, 4, 5])
    running.transactions.may_end.set()
    async with asyncio.timeout(5):
        while len(running.transactions.carried) < 2:  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(0.01)
    assert running.transactions.carried == [[0], [1, 2, 3, 4, 5]]


async def test_unfinished_records_are_measured(running, harness):
    first = asyncio.Event()

    async def record(invocation, record):
        if record.offset == 2:
            await first.wait()
        return Done((Output("events", invocation.key, b"v"),))

    harness.handler.record = record
    running = running()
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


@pytest.fixture
def no_producer(monkeypatch):
    async def discard(producer):
        pass

    monkeypatch.setattr(clients, "transactional_producer", lambda settings, number, consumer: None)
    monkeypatch.setattr("consumers.engine.partition.bounded_stop", discard)


async def test_starts_and_assignments_are_counted(running, no_producer, monkeypatch):
    running = running()
    started = asyncio.Event()

    async def start(context, producer, *, accept_lost_offset):
        started.set()
        return running.started()

    monkeypatch.setattr("consumers.engine.partition.start_partition", start)
    running.engine.partitions.clear()
    async with asyncio.TaskGroup() as tasks:
        listener = _RebalanceListener(running.engine, running.consumer, Membership(), None, tasks)
        listener.on_partitions_assigned([SOURCE])
        await started.wait()
        await asyncio.sleep(0.01)
        (partition,) = running.engine.partitions.values()
        assert isinstance(partition, Partition)
        assert (running.metric("rebalances_total"), running.metric("restores_total")) == (1, 1)
        assert (running.metric("restore_seconds_count"), running.metric("partitions", state="running")) == (1, 1)
        await partition.drain()
    assert running.metric("partitions", state="running") == 0


async def test_a_stop_does_not_wait_for_a_transaction_longer_than_its_deadline(running, harness):
    running = running(drain_seconds=0.05)
    running.transactions.may_end.clear()
    running.feed(1)
    await harness.rest()
    await running.partition.drain()
    await asyncio.wait({running.committing}, timeout=1.0)
    assert isinstance(running.committing.exception(), TimeoutError)


async def test_a_partition_of_another_process_has_no_metrics(running):
    running = running()
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
def read_offsets(running, monkeypatch):
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


async def test_the_lag_of_a_partition_without_a_session_is_measured(running, harness, gate, read_offsets, no_producer):
    running = running()
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
    running, read_offsets, no_producer
):
    running = running()
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


async def test_the_lag_of_a_paused_partition_grows(running, gate, read_offsets, no_producer):
    running = running(read_ahead_records=10)
    running.feed(10, timestamp=time.time() - 60)
    assert running.consumer.paused
    await read_offsets(running, 1_000, p0=0)
    assert running.metric("lag", partition="0") == 1_000
    assert 60 <= running.metric("oldest_unfinished_seconds", partition="0") < 90


async def test_no_offsets_are_read_for_a_partition_that_fetches(running, read_offsets, no_producer):
    running = running()
    running.partition.lag_monitor.session_ended(Committed(0, ""), 5.0)
    assert await read_offsets(running, 70) == []
    assert running.partition.lag_monitor.oldest is None


async def test_a_marker_behind_the_last_record_is_no_lag_but_an_unfinished_record_is(
    running, harness, gate, read_offsets, no_producer
):
    running = running()
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
    running, gate, read_offsets, no_producer
):
    running = running(read_ahead_records=10)
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
async def test_a_failed_read_of_offsets_is_repeated(running, read_offsets, trouble, monkeypatch, no_producer):
    running = running()
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

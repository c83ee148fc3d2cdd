"""What a running partition reads ahead, which results share a transaction, and what is measured; without Kafka."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from consumers.engine.engine import Engine, _Rebalances
from consumers.engine.interface import Done, Output
from consumers.engine.kafka import clients, lag
from consumers.engine.kafka.membership import Membership
from consumers.engine.kafka.offsets import Committed
from consumers.engine.partition import Partition
from consumers.engine.partition_status import PartitionStatus
from consumers.engine.settings import EngineSettings
from consumers.engine.startup import StartedPartition
from consumers.engine.state_store import StateStore
from consumers.engine.status import key_queues_report
from runtime.metrics import MetricFactory, create_engine_metrics

SOURCE = TopicPartition("commands", 0)


class Consumer:
    """Knows whether it is paused, and how far the log goes."""

    def __init__(self):
        self.paused = False
        self.sought = []
        self.end = 0

    def pause(self, *sources):
        self.paused = True

    def resume(self, *sources):
        self.paused = False

    def seek(self, source, offset):
        self.sought.append(offset)

    def highwater(self, source):
        return self.end

    def partitions_for_topic(self, topic):
        return {0}


class Standing:
    is_trusted = True

    def joined(self):
        return Membership(1, "member")


class Transactions:
    """Takes what each transaction carries; a test may hold one up."""

    def __init__(self):
        self.carried = []
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def commit(self, batch, progress):
        self.carried.append([pending.offset for pending in batch])
        await self.may_end.wait()
        return 0.5


class Room:
    """One running partition of an engine, and what was measured of it."""

    def __init__(self, handler, **settings):
        self.registry = CollectorRegistry()
        self.consumer, self.transactions, self.handler = Consumer(), Transactions(), handler
        self.engine = Engine(
            EngineSettings("commands", "state", 1, "group", dict, **settings),
            handler,
            create_engine_metrics(MetricFactory(self.registry)),
        )
        self.partition = self.engine.add(SOURCE, self.consumer, Standing())
        self.partition.assigned(Membership(1, "member"), uninterrupted=False)
        self.work = self.partition._begin(self.takeover())
        self.offset = 0
        self.committing = asyncio.create_task(self.partition._commit_until_closed())

    def takeover(self):
        return StartedPartition(self.transactions, Committed(0, ""), StateStore(), {})

    def feed(self, count, *, timestamp=0.0, size=0):
        records = [
            ConsumerRecord("commands", 0, offset, int(timestamp * 1000), 0, b"%d" % offset, bytes(size), None, 1, 1, ())
            for offset in range(self.offset, self.offset + count)
        ]
        self.offset += count
        self.consumer.end = max(self.consumer.end, self.offset)
        self.partition.feed(records)

    def metric(self, name, **labels):
        self.engine.observe()
        return self.registry.get_sample_value(f"collate_gateway_{name}", labels)


@pytest.fixture
async def room(bench):
    rooms = []

    def make(**settings):
        rooms.append(Room(bench.handler, **settings))
        return rooms[-1]

    yield make
    for made in rooms:
        made.committing.cancel()
        if made.partition.work is not None:
            await made.partition.work.end()


@pytest.fixture
def gate(bench):
    """While it is closed, every turn waits."""
    gate = asyncio.Event()

    async def record(turn, record):
        await gate.wait()
        return Done((Output("events", turn.key, b"v"),))

    bench.handler.record = record
    return gate


@pytest.mark.parametrize("limits", [{"read_ahead_records": 10}, {"read_ahead_bytes": 1_000}], ids=["records", "bytes"])
async def test_it_reads_ahead_so_far_and_on_when_half_is_done(room, bench, gate, limits):
    room = room(slots=20, **limits)
    room.feed(9, size=100)
    assert not room.consumer.paused
    room.feed(1, size=100)
    assert (room.consumer.paused, room.work.is_paused, room.metric("paused", partition="0")) == (True, True, 1)
    gate.set()
    await bench.rest(40)
    assert (room.consumer.paused, room.work.is_paused, room.metric("paused", partition="0")) == (False, False, 0)


async def test_it_does_not_read_on_before_half_is_done(room, bench):
    gates = [asyncio.Event() for _ in range(10)]

    async def record(turn, record):
        await gates[record.offset].wait()
        return Done()

    bench.handler.record = record
    room = room(read_ahead_records=10)
    room.feed(10)
    for offset, gate in enumerate(gates):
        assert room.consumer.paused is (offset < 5)
        gate.set()
        await asyncio.sleep(0.01)  # the pause after each commit is real
    assert not room.consumer.paused


async def test_one_record_is_committed_at_once(room, bench):
    room = room()
    room.feed(1)
    await bench.rest()
    assert room.transactions.carried == [[0]]


async def test_what_is_ready_together_shares_a_transaction(room, bench, gate):
    room = room()
    room.feed(30)
    await bench.rest()
    assert room.transactions.carried == []
    gate.set()
    await bench.rest(40)
    assert sorted(offset for batch in room.transactions.carried for offset in batch) == list(range(30))
    assert len(room.transactions.carried) <= 2


async def test_no_transaction_carries_more_than_its_bound(room, bench, gate):
    room = room(batch_results=8)
    room.transactions.may_end.clear()
    room.feed(30)
    gate.set()
    await bench.rest(40)
    room.transactions.may_end.set()
    async with asyncio.timeout(5):
        while sum(map(len, room.transactions.carried)) < 30:  # noqa: ASYNC110 - what is waited for is no event
            await asyncio.sleep(0.01)
    assert max(map(len, room.transactions.carried)) == 8


async def test_lanes_run_on_while_a_transaction_is_under_way(room, bench):
    room = room()
    room.transactions.may_end.clear()
    room.feed(1)
    await bench.rest()
    room.feed(5)
    await bench.rest()
    assert (room.transactions.carried, bench.handler.seen) == ([[0]], [0, 1, 2, 3, 4, 5])
    room.transactions.may_end.set()
    async with asyncio.timeout(5):
        while len(room.transactions.carried) < 2:  # noqa: ASYNC110 - what is waited for is no event
            await asyncio.sleep(0.01)
    assert room.transactions.carried == [[0], [1, 2, 3, 4, 5]]


async def test_what_is_unfinished_is_measured(room, bench):
    first = asyncio.Event()

    async def record(turn, record):
        if record.offset == 2:
            await first.wait()
        return Done((Output("events", turn.key, b"v"),))

    bench.handler.record = record
    room = room()
    room.consumer.end = 10
    room.feed(2, timestamp=time.time() - 500)
    room.feed(3, timestamp=time.time() - 60)
    await asyncio.sleep(0.05)
    assert room.metric("lag", partition="0") == 8, "the watermark stands at 2"
    assert room.metric("gap", partition="0") == 3
    assert 60 <= room.metric("oldest_unfinished_seconds", partition="0") < 90
    assert (room.metric("unfinished", partition="0"), room.metric("lanes", partition="0")) == (1, 1)
    first.set()
    await asyncio.sleep(0.05)
    assert room.metric("lag", partition="0") == 5
    assert room.metric("gap", partition="0") == room.metric("oldest_unfinished_seconds", partition="0") == 0
    batches = len(room.transactions.carried)
    assert room.metric("records_total", partition="0") == room.metric("outputs_total") == 5
    assert (room.metric("transaction_records_sum"), room.metric("transaction_records_count")) == (5, batches)
    assert (room.metric("transaction_seconds_sum"), room.metric("transaction_seconds_count")) == (batches / 2, batches)


@pytest.fixture
def no_producer(monkeypatch):
    async def discard(producer):
        pass

    monkeypatch.setattr(clients, "transactional_producer", lambda settings, number: None)
    monkeypatch.setattr("consumers.engine.partition.bounded_stop", discard)


async def test_starts_and_assignments_are_counted(room, no_producer, monkeypatch):
    room = room()
    started = asyncio.Event()

    async def take_over(parts, producer, *, resumed):
        started.set()
        return room.takeover()

    monkeypatch.setattr("consumers.engine.partition.start_partition", take_over)
    room.engine.partitions.clear()
    async with asyncio.TaskGroup() as tasks:
        listener = _Rebalances(room.engine, room.consumer, Standing(), tasks)
        listener.on_partitions_assigned([SOURCE])
        await started.wait()
        await asyncio.sleep(0.01)
        (partition,) = room.engine.partitions.values()
        assert isinstance(partition, Partition)
        assert (room.metric("rebalances_total"), room.metric("restores_total")) == (1, 1)
        assert (room.metric("restore_seconds_count"), room.metric("partitions", state="running")) == (1, 1)
        await partition.drain()
    assert room.metric("partitions", state="running") == 0


async def test_nothing_is_shown_of_a_partition_that_is_no_longer_ours(room):
    room = room()
    room.feed(1)
    assert room.metric("lag", partition="0") is not None
    listener = _Rebalances(room.engine, room.consumer, Standing(), SimpleNamespace())
    listener.on_partitions_assigned([])
    assert room.metric("lag", partition="0") is None


class Coordinator:
    """Says what is committed of each partition."""

    def __init__(self, **committed):
        self.committed = committed

    async def ensure_coordinator_known(self):
        pass

    async def _send_req(self, request):
        ((topic, numbers),) = request._partitions
        rows = [(number, self.committed.get(f"p{number}", -1), "", 0) for number in numbers]
        return SimpleNamespace(topics=[(topic, rows)])


@pytest.fixture
def asked(room, monkeypatch):
    """Ask about the backlogs of a room's engine without waiting."""

    async def ask(room, end, **committed):
        consumer = room.consumer
        consumer.questions = []

        async def end_offsets(sources):
            consumer.questions.append(sources)
            return dict.fromkeys(sources, end)

        consumer.end_offsets = end_offsets
        consumer._coordinator = Coordinator(**committed)
        monkeypatch.setattr(lag, "_EVERY_SECONDS", 0.0)
        watching = asyncio.create_task(lag.watch(consumer, "group", room.engine.partitions.values))
        await asyncio.sleep(0.02)
        watching.cancel()
        return consumer.questions

    return ask


async def test_what_a_stopped_partition_does_not_do_is_measured(room, bench, gate, asked, no_producer):
    room = room()
    began = time.time() - 500
    room.feed(2, timestamp=began)
    await bench.rest()
    room.partition.stop("a test says so")
    await room.partition._throw_away(None)
    questions = await asked(room, 70, p0=0)
    assert questions[0] == [SOURCE]
    assert room.metric("lag", partition="0") == 70
    assert 500 <= room.metric("oldest_unfinished_seconds", partition="0") < 530
    report = key_queues_report(room.engine)["partitions"][0]
    assert (report["lag"], 500 <= report["oldestUnfinishedSeconds"] < 530) == (70, True)


async def test_what_a_partition_that_can_not_start_does_not_do_is_measured_since_it_is_known(room, asked):
    room = room()
    await room.work.end()
    room.partition.work = None
    room.partition._enter(PartitionStatus.STARTING)
    await asked(room, 70, p0=20)
    assert room.metric("lag", partition="0") == 50
    began = room.partition.oldest
    assert time.time() - 10 < began <= time.time()
    await asked(room, 80, p0=20)
    assert (room.metric("lag", partition="0"), room.partition.oldest) == (60, began)
    await asked(room, 80, p0=80)
    assert (room.metric("lag", partition="0"), room.partition.oldest) == (0, None)
    await asked(room, 80)
    assert room.metric("lag", partition="0") == 0, "what was known to be committed stands"


async def test_while_it_reads_nothing_more_because_too_much_is_unfinished_the_lag_goes_on_growing(room, gate, asked):
    room = room(read_ahead_records=10)
    room.feed(10, timestamp=time.time() - 60)
    assert room.consumer.paused
    await asked(room, 1_000, p0=0)
    assert room.metric("lag", partition="0") == 1_000
    assert 60 <= room.metric("oldest_unfinished_seconds", partition="0") < 90


async def test_nobody_asks_about_a_partition_that_fetches_and_its_old_troubles_are_forgotten(room, asked):
    room = room()
    room.partition.backlog.left(Committed(0, ""), 5.0)
    assert await asked(room, 70) == []
    assert room.partition.backlog.oldest is None


@pytest.mark.parametrize("trouble", [KafkaError("away"), TimeoutError(), RuntimeError("closed under aiokafka")])
async def test_a_question_that_fails_is_asked_again(room, asked, trouble, monkeypatch):
    room = room()
    await room.work.end()
    room.partition.work = None
    troubles = [trouble]
    fetch = lag.fetch_committed_of

    async def fetch_or_fail(*what):
        if troubles:
            raise troubles.pop()
        return await fetch(*what)

    monkeypatch.setattr(lag, "fetch_committed_of", fetch_or_fail)
    await asked(room, 70, p0=20)
    assert room.metric("lag", partition="0") == 50

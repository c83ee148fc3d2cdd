"""A partition during rebalances, without Kafka: when its session continues, and when it starts again."""

import asyncio

import pytest
from aiokafka.errors import KafkaError, ProducerFenced

from consumers.engine.core.offset_tracker import Committed
from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.kafka.membership import Generation
from tests.unit.engine.partitions import partition_of, started, until

pytestmark = pytest.mark.virtual_time


class Transactions:
    """Commits markers, or fails them as a test says; a marker may wait until the test lets it end."""

    def __init__(self):
        self.markers = 0
        self.failure = None
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def write_marker(self):
        self.markers += 1
        await self.may_end.wait()
        if self.failure is not None:
            raise self.failure
        return 7


class Life:
    """One partition with its task; a test controls every start."""

    def __init__(self, harness):
        self.partition = partition_of(harness.handler, heartbeat_seconds=0.01)
        self.transactions = Transactions()
        self.starts = 0
        self.may_start = asyncio.Event()
        self.generation = 0
        self.assign()
        self.task = asyncio.create_task(self.partition.run())

    async def start(self, context, producer, *, accept_lost_offset):
        self.starts += 1
        await self.may_start.wait()
        return started(self.transactions, Committed(7, ""))

    def assign(self, *, missed=0):
        self.generation += 1 + missed
        self.partition.assigned(Generation(self.generation, "member"))

    async def rest(self):
        await asyncio.sleep(0.005)


@pytest.fixture
async def life(harness, monkeypatch, no_producer):
    life = Life(harness)
    monkeypatch.setattr("consumers.engine.partition.start_partition", life.start)
    yield life
    life.may_start.set()
    life.partition.close()
    await asyncio.wait_for(life.task, 5)


@pytest.fixture
async def running(life):
    life.may_start.set()
    await life.rest()
    assert life.partition.status is PartitionStatus.RUNNING
    return life


def is_kept(life, session):
    return life.partition.session is session and life.partition.status is PartitionStatus.RUNNING and life.starts == 1


async def return_unproven(running):
    """Let the partition come back from a rebalance; its marker is not committed yet."""
    running.partition.revoked()
    running.transactions.may_end.clear()
    running.assign()
    await running.rest()
    assert running.transactions.markers == 1
    assert not running.partition.session.dispatcher.accepts_invocations


@pytest.mark.parametrize("missed", [0, 3])
async def test_a_session_continues_when_its_partition_comes_back(running, missed):
    session = running.partition.session
    running.partition.revoked()
    running.assign(missed=missed)
    await running.rest()
    assert is_kept(running, session)
    assert running.transactions.markers == 1


async def test_a_marker_that_began_before_the_assignment_proves_nothing(running):
    session = running.partition.session
    await return_unproven(running)
    running.partition.revoked()
    running.assign()
    running.transactions.may_end.set()
    await running.rest()
    assert running.transactions.markers == 2
    assert is_kept(running, session)


async def test_a_marker_that_ends_during_the_next_rebalance_resumes_nothing(running):
    session = running.partition.session
    await return_unproven(running)
    running.partition.revoked()
    running.transactions.may_end.set()
    await running.rest()
    assert (running.partition.status, session.dispatcher.accepts_invocations) == (PartitionStatus.RELEASED, False)
    running.assign()
    await running.rest()
    assert running.transactions.markers == 2
    assert is_kept(running, session)


async def test_a_partition_starts_again_at_once_if_another_process_has_started_it(running):
    session = running.partition.session
    running.transactions.failure = ProducerFenced()
    running.partition.revoked()
    running.assign()
    await running.rest()
    assert session.dispatcher.is_closed
    assert running.starts == 2


async def test_a_partition_starts_again_if_its_marker_fails(running):
    session = running.partition.session
    running.transactions.failure = KafkaError("the test fails this marker")
    running.partition.revoked()
    running.assign()
    await until(lambda: running.starts >= 2)
    assert session.dispatcher.is_closed


async def test_a_start_during_a_rebalance_is_kept_after_a_marker(life):
    await life.rest()
    assert life.partition.status is PartitionStatus.STARTING
    life.partition.revoked()
    life.assign(missed=1)
    life.may_start.set()
    await life.rest()
    assert (life.partition.status, life.starts, life.transactions.markers) == (PartitionStatus.RUNNING, 1, 1)


async def test_a_start_that_ends_during_a_rebalance_waits_for_the_assignment(life):
    await life.rest()
    assert life.partition.status is PartitionStatus.STARTING
    life.partition.revoked()
    life.may_start.set()
    await life.rest()
    assert life.partition.status is PartitionStatus.RELEASED
    assert not life.partition.session.dispatcher.accepts_invocations
    life.assign()
    await life.rest()
    assert (life.partition.status, life.starts, life.transactions.markers) == (PartitionStatus.RUNNING, 1, 1)


async def test_a_start_is_repeated_if_another_process_has_started_the_partition(life):
    await life.rest()
    life.partition.revoked()
    life.assign()
    life.transactions.failure = ProducerFenced()
    life.may_start.set()
    await life.rest()
    assert life.starts == 2


async def test_the_start_of_a_partition_that_is_closed_is_discarded(life):
    await life.rest()
    assert life.partition.status is PartitionStatus.STARTING
    life.partition.revoked()
    life.partition.close()
    await asyncio.wait_for(life.task, 2)
    assert (life.partition.status, life.partition.session) == (PartitionStatus.CLOSED, None)

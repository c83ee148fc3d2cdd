"""A partition during rebalances, without Kafka: when its session continues, and when it starts again."""

import asyncio

import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from consumers.engine.core.concurrency import ConcurrencyLimiter
from consumers.engine.core.offset_tracker import Committed
from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.kafka import clients
from consumers.engine.kafka.membership import Generation
from consumers.engine.loop_lag import LoopLag
from consumers.engine.partition import Partition
from consumers.engine.session import EngineContext
from consumers.engine.settings import EngineSettings
from consumers.engine.startup import StartedPartition
from consumers.engine.state_store import StateStore
from runtime.metrics import MetricFactory, create_engine_metrics


class Consumer:
    def pause(self, *sources):
        pass

    resume = pause

    def seek(self, source, offset):
        pass


class Membership:
    """Confirms as a test says; a confirmation may wait until the test lets it end."""

    is_trusted = True
    is_rebalancing = False
    is_member = True

    def __init__(self):
        self.requests = 0
        self.may_respond = asyncio.Event()
        self.may_respond.set()

    async def confirm(self):
        self.requests += 1
        await self.may_respond.wait()
        return self.is_member


class Life:
    """One partition with its task; a test controls every start."""

    def __init__(self, harness):
        settings = EngineSettings("commands", "state", 1, "group", dict, heartbeat_seconds=0.01)
        metrics = create_engine_metrics(MetricFactory(CollectorRegistry()))
        context = EngineContext(settings, harness.handler, ConcurrencyLimiter(1), metrics, LoopLag())
        source, state = TopicPartition("commands", 0), TopicPartition("state", 0)
        self.membership = Membership()
        self.partition = Partition(source, state, Consumer(), self.membership, context)
        self.committed = Committed(7, "")
        self.starts = 0
        self.may_start = asyncio.Event()
        self.generation = 0
        self.assign()
        self.task = asyncio.create_task(self.partition.run())

    async def start(self, context, producer, *, accept_lost_offset):
        self.starts += 1
        await self.may_start.wait()
        return StartedPartition(None, Committed(7, ""), StateStore(), {})

    async def fetch_committed(self, consumer, group, sources):
        return {sources[0]: self.committed}

    def assign(self, *, uninterrupted=True):
        self.generation += 1
        self.partition.assigned(Generation(self.generation, "member"), uninterrupted=uninterrupted)

    async def rest(self):
        await asyncio.sleep(0.005)


@pytest.fixture
async def life(harness, monkeypatch):
    async def discard(producer):
        pass

    monkeypatch.setattr(clients, "transactional_producer", lambda settings, number: None)
    monkeypatch.setattr("consumers.engine.partition.bounded_stop", discard)
    life = Life(harness)
    monkeypatch.setattr("consumers.engine.partition.start_partition", life.start)
    monkeypatch.setattr("consumers.engine.partition.fetch_committed", life.fetch_committed)
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


async def return_unconfirmed(running):
    """Let the partition come back from a rebalance, without a response of the group yet."""
    running.partition.revoked()
    running.membership.may_respond.clear()
    running.assign()
    await running.rest()


async def test_a_session_continues_when_its_partition_comes_back(running):
    session = running.partition.session
    running.partition.revoked()
    running.assign()
    await running.rest()
    assert is_kept(running, session)


@pytest.mark.parametrize("revoked_first", [True, False])
async def test_a_session_continues_after_a_rebalance_that_begins_during_the_verification(running, revoked_first):
    session, membership = running.partition.session, running.membership
    await return_unconfirmed(running)
    assert membership.requests == 1
    if revoked_first:
        running.partition.revoked()
        running.assign()
    membership.is_member, membership.is_rebalancing = False, True
    membership.may_respond.set()
    if not revoked_first:
        await running.rest()
        assert (running.partition.status, running.partition.session.accepts_invocations) == (
            PartitionStatus.RELEASED,
            False,
        )
        running.partition.revoked()
        running.assign()
    membership.is_member, membership.is_rebalancing = True, False
    await running.rest()
    assert membership.requests == 2
    assert is_kept(running, session)


@pytest.mark.parametrize("change", ["interrupted", "committed by another", "no member"])
async def test_a_partition_starts_again_if_the_second_rebalance_left_a_gap(running, change):
    session, membership = running.partition.session, running.membership
    await return_unconfirmed(running)
    running.partition.revoked()
    running.assign(uninterrupted=change != "interrupted")
    if change == "committed by another":
        running.committed = Committed(8, "")
    if change == "no member":
        membership.is_member = False
    membership.may_respond.set()
    await running.rest()
    assert session.is_invalid
    assert running.starts == 2


async def test_a_start_during_a_rebalance_without_a_gap_is_kept(life):
    await life.rest()
    assert life.partition.status is PartitionStatus.STARTING
    life.partition.revoked()
    life.assign()
    life.may_start.set()
    await life.rest()
    assert (life.partition.status, life.starts, life.membership.requests) == (PartitionStatus.RUNNING, 1, 1)


async def test_a_start_that_ends_during_a_rebalance_waits_for_the_assignment(life):
    await life.rest()
    assert life.partition.status is PartitionStatus.STARTING
    life.partition.revoked()
    life.may_start.set()
    await life.rest()
    assert (life.partition.status, life.partition.session.accepts_invocations) == (PartitionStatus.RELEASED, False)
    life.assign()
    await life.rest()
    assert (life.partition.status, life.starts, life.membership.requests) == (PartitionStatus.RUNNING, 1, 1)


@pytest.mark.parametrize("change", ["interrupted", "interrupted before", "committed by another", "no member"])
async def test_a_start_is_repeated_if_another_process_may_have_owned_the_partition(life, change):
    await life.rest()
    assert life.partition.status is PartitionStatus.STARTING
    life.partition.revoked()
    life.assign(uninterrupted=change != "interrupted before")
    life.partition.revoked()
    life.assign(uninterrupted=change != "interrupted")
    if change == "committed by another":
        life.committed = Committed(8, "")
    if change == "no member":
        life.membership.is_member = False
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

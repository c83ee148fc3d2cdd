"""A partition through one rebalance after another, without Kafka: what is kept, and what starts again."""

import asyncio

import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from consumers.engine.core.concurrency import ConcurrencyLimiter
from consumers.engine.kafka import clients
from consumers.engine.kafka.membership import Membership
from consumers.engine.kafka.offsets import Committed
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

    resume = pause

    def seek(self, source, offset):
        pass


class Standing:
    """Answers as a test says; a question may take until the test lets it be answered."""

    is_trusted = True
    is_rebalancing = False
    is_member = True

    def __init__(self):
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def confirm(self):
        self.asked += 1
        await self.may_answer.wait()
        return self.is_member


class Life:
    """One partition that lives, with every takeover in a test's hands."""

    def __init__(self, bench):
        settings = EngineSettings("commands", "state", 1, "group", dict, heartbeat_seconds=0.01)
        metrics = create_engine_metrics(MetricFactory(CollectorRegistry()))
        surroundings = EngineContext(settings, bench.handler, ConcurrencyLimiter(1), metrics, LoopLag())
        source, state = TopicPartition("commands", 0), TopicPartition("state", 0)
        self.standing = Standing()
        self.partition = Partition(source, state, Consumer(), self.standing, surroundings)
        self.committed = Committed(7, "")
        self.takeovers = 0
        self.may_take_over = asyncio.Event()
        self.generation = 0
        self.assign()
        self.task = asyncio.create_task(self.partition.run())

    async def take_over(self, parts, producer, *, resumed):
        self.takeovers += 1
        await self.may_take_over.wait()
        return StartedPartition(None, Committed(7, ""), StateStore(), {})

    async def fetch_committed(self, consumer, group, source):
        return self.committed

    def assign(self, *, uninterrupted=True):
        self.generation += 1
        self.partition.assigned(Membership(self.generation, "member"), uninterrupted=uninterrupted)

    async def rest(self):
        await asyncio.sleep(0.005)


@pytest.fixture
async def life(bench, monkeypatch):
    async def discard(producer):
        pass

    monkeypatch.setattr(clients, "transactional_producer", lambda settings, number: None)
    monkeypatch.setattr("consumers.engine.partition.bounded_stop", discard)
    life = Life(bench)
    monkeypatch.setattr("consumers.engine.partition.start_partition", life.take_over)
    monkeypatch.setattr("consumers.engine.partition.fetch_committed", life.fetch_committed)
    yield life
    life.may_take_over.set()
    life.partition.close()
    await asyncio.wait_for(life.task, 5)


@pytest.fixture
async def running(life):
    life.may_take_over.set()
    await life.rest()
    assert life.partition.phase is PartitionStatus.RUNNING
    return life


def is_kept(life, work):
    return life.partition.work is work and life.partition.phase is PartitionStatus.RUNNING and life.takeovers == 1


async def is_asked_about(running):
    """It comes back from a rebalance, and the group has not answered yet."""
    running.partition.released()
    running.standing.may_answer.clear()
    running.assign()
    await running.rest()


async def test_what_comes_back_is_kept(running):
    work = running.partition.work
    running.partition.released()
    running.assign()
    await running.rest()
    assert is_kept(running, work)


@pytest.mark.parametrize("released_first", [True, False])
async def test_it_is_kept_through_a_rebalance_that_begins_while_it_is_asked_about(running, released_first):
    work, standing = running.partition.work, running.standing
    await is_asked_about(running)
    assert standing.asked == 1
    if released_first:
        running.partition.released()
        running.assign()
    standing.is_member, standing.is_rebalancing = False, True
    standing.may_answer.set()
    if not released_first:
        await running.rest()
        assert (running.partition.phase, running.partition.work.accepts_turns) == (PartitionStatus.RELEASED, False)
        running.partition.released()
        running.assign()
    standing.is_member, standing.is_rebalancing = True, False
    await running.rest()
    assert standing.asked == 2
    assert is_kept(running, work)


@pytest.mark.parametrize("change", ["interrupted", "committed by another", "no member"])
async def test_it_starts_again_if_the_second_rebalance_left_a_gap(running, change):
    work, standing = running.partition.work, running.standing
    await is_asked_about(running)
    running.partition.released()
    running.assign(uninterrupted=change != "interrupted")
    if change == "committed by another":
        running.committed = Committed(8, "")
    if change == "no member":
        standing.is_member = False
    standing.may_answer.set()
    await running.rest()
    assert work.is_void
    assert running.takeovers == 2


async def test_a_takeover_that_a_rebalance_came_into_is_kept_if_there_was_no_gap(life):
    await life.rest()
    assert life.partition.phase is PartitionStatus.STARTING
    life.partition.released()
    life.assign()
    life.may_take_over.set()
    await life.rest()
    assert (life.partition.phase, life.takeovers, life.standing.asked) == (PartitionStatus.RUNNING, 1, 1)


async def test_a_takeover_that_ends_within_a_rebalance_waits_for_the_assignment(life):
    await life.rest()
    assert life.partition.phase is PartitionStatus.STARTING
    life.partition.released()
    life.may_take_over.set()
    await life.rest()
    assert (life.partition.phase, life.partition.work.accepts_turns) == (PartitionStatus.RELEASED, False)
    life.assign()
    await life.rest()
    assert (life.partition.phase, life.takeovers, life.standing.asked) == (PartitionStatus.RUNNING, 1, 1)


@pytest.mark.parametrize("change", ["interrupted", "interrupted before", "committed by another", "no member"])
async def test_a_takeover_is_begun_anew_if_somebody_else_may_have_had_the_partition(life, change):
    await life.rest()
    assert life.partition.phase is PartitionStatus.STARTING
    life.partition.released()
    life.assign(uninterrupted=change != "interrupted before")
    life.partition.released()
    life.assign(uninterrupted=change != "interrupted")
    if change == "committed by another":
        life.committed = Committed(8, "")
    if change == "no member":
        life.standing.is_member = False
    life.may_take_over.set()
    await life.rest()
    assert life.takeovers == 2


async def test_a_takeover_of_a_partition_that_goes_is_thrown_away(life):
    await life.rest()
    assert life.partition.phase is PartitionStatus.STARTING
    life.partition.released()
    life.partition.close()
    await asyncio.wait_for(life.task, 2)
    assert (life.partition.phase, life.partition.work) == (PartitionStatus.CLOSED, None)

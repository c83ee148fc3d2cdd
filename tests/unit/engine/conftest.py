import asyncio

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from consumers.engine.core.concurrency import ConcurrencyLimiter
from consumers.engine.core.key_queues import KeyQueues
from consumers.engine.core.limits import InvocationLimits
from consumers.engine.dispatcher import Dispatcher
from consumers.engine.interface import Done, PartitionLost, Record
from consumers.engine.state_store import StateStore
from runtime.metrics import MetricFactory, create_engine_metrics

LIMITS = InvocationLimits(
    hang_seconds=10.0, memory_bytes=100, outputs_bytes=1_000, first_retry_seconds=1.0, last_retry_seconds=8.0
)


class Clock:
    now = 1_000.0

    def __call__(self):
        return self.now


class Owner:
    """A partition without Kafka: it commits when a test says so."""

    def __init__(self):
        self.turns = None
        self.accepts_turns = self.has_time_to_spare = True
        self.pending = []
        self.casualties = 0
        self.is_lost = False

    def hand_over(self, pending):
        self.pending.append(pending)
        self.casualties += pending.dead_lettered

    def lanes_changed(self):
        self.turns.start()

    async def ours(self):
        if self.is_lost:
            raise PartitionLost

    def commit(self):
        for pending in self.pending:
            if pending.waiter is not None and not pending.waiter.done():
                pending.waiter.set_result(None)

    def fail(self):
        for pending in self.pending:
            if pending.waiter is not None and not pending.waiter.done():
                pending.waiter.set_exception(PartitionLost())
                pending.waiter.exception()

    @property
    def offsets(self):
        return [pending.offset for pending in self.pending if pending.offset is not None]


class Scripted:
    """A handler whose turns run what a test puts in; it notes each turn as it begins."""

    def __init__(self):
        self.seen = []
        self.record = None
        self.alarm = None

    async def on_record(self, turn, record):
        self.seen.append(record.offset)
        return await self.record(turn, record) if self.record is not None else Done()

    async def on_timer(self, turn):
        self.seen.append(turn.key)
        return await self.alarm(turn) if self.alarm is not None else Done()


class Bench:
    """Turns on a fake partition, a fake clock and a scripted handler."""

    def __init__(self, slots=100):
        self.clock = Clock()
        self.owner = Owner()
        self.handler = Scripted()
        self.registry = CollectorRegistry()
        self.slots = ConcurrencyLimiter(slots)
        self.lanes = KeyQueues()
        self.memories = StateStore()
        self.turns = self.owner.turns = Dispatcher(
            owner=self.owner,
            handler=self.handler,
            slots=self.slots,
            lanes=self.lanes,
            memories=self.memories,
            state_topic="state",
            limits=LIMITS,
            clock=self.clock,
            metrics=create_engine_metrics(MetricFactory(self.registry)),
        )
        self._offset = 0

    def add(self, *keys):
        for key in keys:
            self.lanes.add(Record(0, self._offset, key, b"", (), self.clock.now), self.clock.now)
            self._offset += 1
        self.turns.start()

    def metric(self, name, **labels):
        return self.registry.get_sample_value(f"collate_gateway_{name}", labels)

    def pass_time(self, seconds):
        self.clock.now += seconds
        self.turns.start()

    async def rest(self, rounds=12):
        """Let everything run until it waits for something that a test holds."""
        for _ in range(rounds):
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def logged():
    """What was logged; nothing is rendered, which costs more than all else here."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
async def bench():
    bench = Bench()
    yield bench
    bench.turns.close()
    await bench.turns.closed()

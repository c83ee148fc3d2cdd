import asyncio

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from consumers.engine.core.concurrency import ConcurrencyLimiter
from consumers.engine.core.key_queues import KeyQueues
from consumers.engine.core.limits import InvocationLimits
from consumers.engine.dispatcher import Dispatcher
from consumers.engine.interface import Done, PartitionLost, Record
from consumers.engine.kafka import clients
from consumers.engine.state_store import StateStore
from runtime.clocks import Clocks
from runtime.metrics import EngineMetrics
from tests.unit.engine.partitions import Membership, RunningPartition

LIMITS = InvocationLimits(
    timeout_seconds=10.0, state_bytes=100, outputs_bytes=1_000, first_retry_seconds=1.0, last_retry_seconds=8.0
)


class Clock:
    now = 1_000.0

    def __call__(self):
        return self.now


class Session:
    """A session without Kafka: it commits when a test calls `commit`."""

    def __init__(self):
        self.dispatcher = None
        self.accepts_invocations = self.has_time_to_spare = True
        self.read_until = float
        self.pending = []
        self.is_lost = False

    def enqueue(self, pending):
        self.pending.append(pending)

    def key_queues_changed(self):
        self.dispatcher.start()

    async def ensure_owned(self):
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

    @property
    def dead_letters(self):
        return sum(pending.record.dead_lettered for pending in self.pending if pending.record is not None)


def returning(result):
    """Return a function of a handler that always returns this result."""

    async def function(*_):
        return result

    return function


class ScriptedHandler:
    """A handler that runs the functions of a test; it notes each invocation as it begins."""

    def __init__(self):
        self.seen = []
        self.record = None
        self.timer = None

    async def on_record(self, invocation, record):
        self.seen.append(record.offset)
        return await self.record(invocation, record) if self.record is not None else Done()

    async def on_timer(self, invocation):
        self.seen.append(invocation.key)
        return await self.timer(invocation) if self.timer is not None else Done()


class Harness:
    """A dispatcher with a fake session, a fake clock and a scripted handler."""

    def __init__(self, slots=100):
        self.clock = Clock()
        self.set_back = 0.0
        self.session = Session()
        self.handler = ScriptedHandler()
        self.registry = CollectorRegistry()
        self.limiter = ConcurrencyLimiter(slots)
        self.key_queues = KeyQueues()
        self.states = StateStore()
        self.dispatcher = self.session.dispatcher = Dispatcher(
            session=self.session,
            handler=self.handler,
            limiter=self.limiter,
            key_queues=self.key_queues,
            states=self.states,
            state_topic="state",
            limits=LIMITS,
            clocks=Clocks(self.unix, self.clock, self.clock),
            metrics=EngineMetrics(self.registry),
        )
        self._offset = 0

    def unix(self):
        return self.clock.now - self.set_back

    def add(self, *keys):
        for key in keys:
            self.key_queues.add(Record(0, self._offset, key, b"", (), self.clock.now), self.clock.now)
            self._offset += 1
        self.dispatcher.start()

    def metric(self, name, **labels):
        return self.registry.get_sample_value(f"collate_gateway_{name}", labels)

    def pass_time(self, seconds):
        self.clock.now += seconds
        self.dispatcher.start()

    async def run(self, *keys, after=0):
        """Let time pass, append a record of each key, and let every task run until it waits."""
        self.clock.now += after
        self.add(*keys)
        await self.rest()

    async def rest(self, rounds=12):
        """Let every task run until it waits for something that the test controls."""
        for _ in range(rounds):
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def logged():
    """The log entries, not rendered: rendering takes longer than the test."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
async def harness():
    harness = Harness()
    yield harness
    harness.dispatcher.close()
    await harness.dispatcher.closed()


@pytest.fixture
def membership():
    return Membership()


@pytest.fixture
async def make_running(harness, membership):
    """Make running partitions with these settings."""
    made = []

    def make(**settings):
        made.append(RunningPartition(harness.handler, membership, **settings))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.fixture
def no_producer(monkeypatch):
    async def discard(producer):
        pass

    monkeypatch.setattr(clients, "transactional_producer", lambda settings, number, consumer: None)
    monkeypatch.setattr("consumers.engine.partition.bounded_stop", discard)

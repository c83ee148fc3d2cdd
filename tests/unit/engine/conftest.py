import asyncio

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from consumers.engine.core.concurrency import ConcurrencyLimiter
from consumers.engine.core.limits import InvocationLimits
from consumers.engine.interface import Done, Record
from consumers.engine.kafka import clients
from runtime.clocks import Clocks
from tests.unit.engine.partitions import Membership, RunningPartition, make_dispatcher

LIMITS = InvocationLimits(
    timeout_seconds=10.0, state_bytes=100, outputs_bytes=1_000, first_retry_seconds=1.0, last_retry_seconds=8.0
)


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
    """A dispatcher without a session, with a fake clock and a scripted handler."""

    def __init__(self, clock):
        self.clock = clock
        self.set_back = 0.0
        self.handler = ScriptedHandler()
        self.registry = CollectorRegistry()
        self.limiter = ConcurrencyLimiter(100)
        clocks = Clocks(self.unix, self.clock, self.clock)
        self.dispatcher = make_dispatcher(self.handler, LIMITS, clocks, limiter=self.limiter, registry=self.registry)
        self.key_queues, self.states = self.dispatcher.key_queues, self.dispatcher.states
        self.results = self.dispatcher.queued
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
async def harness(clock):
    harness = Harness(clock)
    yield harness
    harness.dispatcher.close()
    await harness.dispatcher.wait_closed()


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

"""The engine's reader, without Kafka: errors that aiokafka raises."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from consumers.engine.engine import ConsumerFailed, Engine
from consumers.engine.kafka import clients
from consumers.engine.settings import EngineSettings
from runtime.metrics import EngineMetrics


class Consumer:
    async def start(self):
        pass

    async def getmany(self, **_):
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


async def test_a_connection_that_is_closed_under_aiokafka_ends_the_consumer_and_not_the_process(harness):
    settings = EngineSettings("commands", "state", 1, "group", dict)
    engine = Engine(settings, harness.handler, EngineMetrics(CollectorRegistry()))
    with pytest.raises(ConsumerFailed, match="the handler is closed"):
        await engine._read(Consumer(), SimpleNamespace(failure=None))


class AwayConsumer:
    """A consumer of a Kafka that is away: it fails as uvloop and aiokafka do then."""

    def __init__(self, failure, begun):
        self._failure, self._begun = failure, begun
        self.client = SimpleNamespace(close=self.stop, _conns={})
        self._coordinator = None

    def subscribe(self, topics, listener):
        pass

    async def start(self):
        self._begun()
        if self._failure is None:
            await asyncio.Event().wait()
        raise self._failure

    async def stop(self):
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


CLOSED = RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


@pytest.mark.parametrize("failure", [CLOSED, AssertionError(), KafkaConnectionError(), OSError(), None])
async def test_a_consumers_restart_during_an_outage_does_not_end_the_worker(harness, monkeypatch, failure):
    stop, begun = asyncio.Event(), []

    def begin():
        begun.append(1)
        if failure is None or len(begun) == 3:
            stop.set()

    monkeypatch.setattr("consumers.engine.engine._FIRST_RETRY_SECONDS", 0.001)
    monkeypatch.setattr(clients, "group_consumer", lambda settings: AwayConsumer(failure, begin))
    settings = EngineSettings("commands", "state", 1, "group", dict)
    engine = Engine(settings, harness.handler, EngineMetrics(CollectorRegistry()))
    await asyncio.wait_for(engine.run(stop), 5.0)
    assert len(begun) == (1 if failure is None else 3)

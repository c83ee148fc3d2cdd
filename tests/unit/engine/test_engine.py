"""The engine's reader, without Kafka: errors that aiokafka raises."""

from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from consumers.engine.engine import ConsumerDied, Engine
from consumers.engine.settings import EngineSettings
from runtime.metrics import MetricFactory, create_engine_metrics


class Consumer:
    async def start(self):
        pass

    async def getmany(self, **_):
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


async def test_a_connection_that_is_closed_under_aiokafka_ends_the_consumer_and_not_the_process(harness):
    settings = EngineSettings("commands", "state", 1, "group", dict)
    engine = Engine(settings, harness.handler, create_engine_metrics(MetricFactory(CollectorRegistry())))
    with pytest.raises(ConsumerDied, match="the handler is closed"):
        await engine._read(Consumer(), SimpleNamespace(failure=None))

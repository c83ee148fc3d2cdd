"""A transaction of a few records costs almost as much as one of many, so a small batch waits for more."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from consumers.projector import loop as module
from consumers.projector.loop import ProjectorLoop
from runtime.health import Health
from runtime.logs import get_log
from runtime.metrics import Metrics
from runtime.process import Process

KEY = ("events", 0)
WRITES = 5


class Topic:
    """A source and a store: `at_once` records are always ready."""

    silent_seconds = 0.0

    def __init__(self, at_once):
        self.at_once, self.position, self.written = at_once, 0, 0
        self.done = asyncio.Event()

    async def topic_ids(self):
        return {KEY: "id"}

    async def positions(self, _ids=None):
        return {KEY: self.position} if _ids is None else {KEY: (0, "id")}

    async def beginnings(self):
        return {KEY: 0}

    async def ends(self):
        return {KEY: 1 << 40}

    def seek(self, positions):
        pass

    async def read(self, _most):
        await asyncio.sleep(0)
        first, self.position = self.position, self.position + self.at_once
        return {KEY: [SimpleNamespace(offset=at, value=b"?", headers=()) for at in range(first, self.position)]}

    async def write(self, _moved, _keys, _fold):
        self.written += 1
        if self.written == WRITES:
            self.done.set()

    async def heartbeat(self, _lag):
        pass


async def seconds_of(topic):
    """Return the seconds until the topic's first writes."""
    registry = CollectorRegistry()
    process = Process("projector", Health(), Metrics(registry), registry, get_log())
    settings = SimpleNamespace(readmodel=SimpleNamespace(batch=1_000))
    began = time.monotonic()
    projecting = asyncio.create_task(ProjectorLoop(settings, process, schema="model")._project(topic, topic))
    try:
        async with asyncio.timeout(20):
            await topic.done.wait()
    finally:
        projecting.cancel()
        await asyncio.wait([projecting])
    return time.monotonic() - began


async def test_a_small_batch_waits_for_more():
    assert await seconds_of(Topic(1)) >= (WRITES - 1) * module._GATHER_SECONDS


async def test_a_large_batch_waits_for_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_GATHER_SECONDS", 60.0)
    await seconds_of(Topic(module._SMALL_BATCH))

"""The connections of one caller: the others always have some."""

import asyncio
import gc
import weakref

import pytest
from prometheus_client import CollectorRegistry

from adapters.postgres.reader import ReadModelBusy, ReadModelReader
from runtime.logs import get_log
from runtime.metrics import Metrics
from runtime.settings import ReadModelSettings


class Connection:
    async def close(self):
        pass


class Caller(str):
    """A caller's name that shows whether it is still in memory."""

    __slots__ = ("__weakref__",)


class Reader(ReadModelReader):
    """A reader whose database is there, with connections to nothing."""

    def __init__(self, connections, **limit):
        settings = ReadModelSettings(connections=connections)
        super().__init__(settings, Metrics(CollectorRegistry()).readmodel, get_log(), **limit)
        self._problem = None
        self.running = []
        self.may_end = asyncio.Event()

    async def _connect(self):
        return Connection()

    async def read(self, caller):
        async def query(_):
            self.running.append(caller)
            await self.may_end.wait()
            return caller

        return await self.fetch("test", query, caller)

    async def begun(self, *callers):
        tasks = [asyncio.create_task(self.read(caller)) for caller in callers]
        await asyncio.sleep(0.01)
        return tasks


@pytest.mark.parametrize(("connections", "share"), [(1, 1), (3, 2), (4, 2)])
async def test_one_caller_has_at_most_half_of_the_connections(connections, share):
    reader = Reader(connections=connections)
    reads = await reader.begun(*["greedy"] * 6)
    assert reader.running == ["greedy"] * share
    reads += await reader.begun("other")
    assert reader.running.count("other") == (connections > share)
    reader.may_end.set()
    assert sorted(await asyncio.gather(*reads)) == ["greedy"] * 6 + ["other"]


async def test_the_wait_for_the_own_share_has_the_limit_of_a_read():
    reader = Reader(connections=4, seconds=0.05)
    reads = await reader.begun(*["greedy"] * 3)
    results = await asyncio.gather(*reads, return_exceptions=True)
    assert [type(result) for result in results] == [ReadModelBusy] * 3


@pytest.mark.parametrize("has_result", [True, False])
async def test_nothing_is_kept_of_a_caller_whose_reads_have_ended(has_result):
    reader = Reader(connections=4, seconds=60.0 if has_result else 0.05)
    caller = Caller("greedy")
    kept = weakref.ref(caller)
    reads = await reader.begun(*[caller] * 3)
    if has_result:
        reader.may_end.set()
    await asyncio.wait(reads)
    assert all((read.exception() is None) is has_result for read in reads)
    reader.running.clear()
    del caller, reads
    gc.collect()
    assert kept() is None

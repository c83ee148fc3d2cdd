"""The measured process: the engine or one of its floors, over topics that the benchmark fills.

Prints a JSON line when all its partitions run, and another when it has committed the expected number of records or its
stdin closes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil
import structlog
import uvloop
from prometheus_client import CollectorRegistry

from bench.floors.bare_loop import BareLoop
from bench.floors.bare_reading import BareReading
from consumers.engine import Done, Invocation, Output, Record, RetryAt
from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.engine import Engine
from consumers.engine.settings import EngineSettings
from runtime.gc import tune_gc
from runtime.metrics import MetricFactory, create_engine_metrics

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord


@dataclass(slots=True)
class Task:
    """The subject to run. `spares`: a floor with the garbage collector settings of the engine's process."""

    kind: str
    bootstrap: str
    prefix: str
    partitions: int
    expect: int = 0
    warm_up: int = 0
    handler_seconds: float = 0.005
    http: str = ""
    checkpoints: int = 0
    hanging_key: str = ""
    timers: bool = False
    spares: bool = False


def resident() -> int:
    """Return the bytes of this process that are in memory now."""
    return psutil.Process().memory_info().rss


@dataclass(slots=True)
class Count:
    """The records that are finished so far."""

    expect: int
    warm_up: int
    finished: int = 0
    warm_resident: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def began(self) -> None:
        """Note the first call of the handler."""
        if not self.first_at:
            self.first_at = time.perf_counter()

    def committed(self, records: int) -> None:
        """Note records whose outcome is committed."""
        self.finished += records
        self.last_at = time.perf_counter()
        if self.warm_up and not self.warm_resident and self.finished >= self.warm_up:
            self.warm_resident = resident()
        if self.expect and self.finished >= self.expect:
            self.done.set()


class Work:
    """The work of every handler here: wait, or make one HTTP call."""

    def __init__(self, task: Task, count: Count) -> None:
        self._task = task
        self._count = count
        self._hanging = task.hanging_key.encode()
        self._get: Callable[[], Awaitable[None]] | None = None

    async def open(self) -> None:
        """Prepare for HTTP calls."""
        if self._task.http:
            from bench.http_calls import caller  # noqa: PLC0415 - only this measurement needs it

            self._get = await caller(self._task.http)

    async def __call__(self, key: bytes) -> None:
        """Do the work of one record."""
        self._count.began()
        if key == self._hanging:
            await asyncio.Event().wait()
        if self._get is not None:
            await self._get()
        elif self._task.handler_seconds:
            await asyncio.sleep(self._task.handler_seconds)


class Handler:
    """The engine's handler: work, an outcome and a state, with optional checkpoints."""

    def __init__(self, task: Task, work: Work) -> None:
        self._events = f"{task.prefix}events"
        self._checkpoints = task.checkpoints
        self._timers = task.timers
        self._work = work

    async def on_record(self, invocation: Invocation, record: Record) -> Done | RetryAt:
        """Do the work and return its outcome."""
        for number in range(self._checkpoints):
            await invocation.checkpoint(b"intent %d %d" % (record.offset, number))
        await self._work(record.key)
        outcome = Output(self._events, record.key, record.value, (("offset", b"%d" % record.offset),))
        timer_at = invocation.now + 3_600 if self._timers else None
        return Done((outcome,), b"state %d" % record.offset, timer_at)

    async def on_timer(self, invocation: Invocation) -> Done | RetryAt:
        """Do nothing."""
        del invocation
        return Done()


def _engine(task: Task, work: Work, count: Count) -> Engine:
    settings = EngineSettings(
        topic=f"{task.prefix}commands",
        state_topic=f"{task.prefix}state",
        partitions=task.partitions,
        group=f"{task.prefix}engine",
        client=lambda: {"bootstrap_servers": task.bootstrap},
        concurrency=2_048,
    )
    metrics = create_engine_metrics(MetricFactory(CollectorRegistry()))
    labelled = metrics.records.labels

    class Counting:
        """Counts committed records for the measurement, beside the metric itself."""

        def __init__(self, partition: str) -> None:
            self._metric = labelled(partition)

        def inc(self, amount: float = 1) -> None:
            self._metric.inc(amount)
            count.committed(int(amount))

    children: dict[str, Counting] = {}

    def counting(partition: str) -> Counting:
        return children.get(partition) or children.setdefault(partition, Counting(partition))

    metrics.records.labels = counting  # type: ignore[method-assign, assignment] # this process is the measurement
    return Engine(settings, Handler(task, work), metrics)


Run = Callable[[asyncio.Event], Awaitable[None]]


def _subject(task: Task, work: Work, count: Count) -> tuple[Run, Callable[[], bool]]:
    """Return the function that runs the subject, and the function that returns whether all its partitions run."""

    async def floor_handler(record: ConsumerRecord) -> None:
        await work(record.key)

    match task.kind:
        case "engine":
            engine = _engine(task, work, count)
            return (
                engine.run,
                lambda: (
                    len(engine.partitions) == task.partitions
                    and all(partition.status is PartitionStatus.RUNNING for partition in engine.partitions.values())
                ),
            )
        case "bare":
            bare = BareLoop(task.bootstrap, task.prefix, floor_handler, count.committed)
            return bare.run, lambda: bare.is_ready
        case "reading":
            reading = BareReading(task.bootstrap, f"{task.prefix}state")
            return reading.run, lambda: reading.is_ready
    raise ValueError(task.kind)


def _report(name: str, **fields: Any) -> None:
    print(json.dumps({"report": name} | fields), flush=True)


async def _report_ready(is_ready: Callable[[], bool]) -> None:
    before, began = resident(), time.perf_counter()
    while not is_ready():  # noqa: ASYNC110 - sampling is what a measurement does
        await asyncio.sleep(0.005)
    _report("ready", seconds=time.perf_counter() - began, grownBytes=resident() - before)


async def _main(task: Task) -> None:
    count = Count(task.expect, task.warm_up)
    work = Work(task, count)
    await work.open()
    stop = asyncio.Event()
    run, is_ready = _subject(task, work, count)
    if task.spares or task.kind == "engine":
        tune_gc()
    reporting = asyncio.ensure_future(_report_ready(is_ready))
    running = asyncio.ensure_future(run(stop))
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    done = asyncio.ensure_future(count.done.wait())
    await asyncio.wait([running, ended, done], return_when=asyncio.FIRST_COMPLETED)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _report(
        "ended",
        finished=count.finished,
        seconds=count.last_at - count.first_at,
        cpuSeconds=usage.ru_utime + usage.ru_stime,
        residentMiB=usage.ru_maxrss / 1024,
        grownMiB=(resident() - count.warm_resident) / 1024 / 1024,
    )
    reporting.cancel()
    stop.set()
    if running.done():
        await running
    await asyncio.wait([running], timeout=10)


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    uvloop.run(_main(Task(**json.loads(sys.argv[1]))))

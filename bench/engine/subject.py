"""The measured process: the engine or one of its floors, over topics that the benchmark fills.

Prints a JSON line when all its partitions run, and another when it has committed the expected number of records or its
stdin closes. `Subject` starts the process and reads the lines.
"""

import asyncio
import json
import logging
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import psutil
import structlog
import uvloop
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from prometheus_client import CollectorRegistry

from bench.floors.bare_loop import BareLoop
from consumers.engine import Done, Invocation, Output, Record, RetryAt
from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.engine import Engine
from consumers.engine.settings import EngineSettings
from runtime.gc import tune_gc
from runtime.metrics import EngineMetrics


@dataclass(slots=True)
class Task:
    """The subject to run. `spares`: a floor with the garbage collector settings of the engine's process."""

    kind: str
    bootstrap: str
    prefix: str
    partitions: int
    expect: int = 0
    handler_seconds: float = 0.005
    hanging_key: str = ""
    spares: bool = False


class Subject:
    """One measured process."""

    def __init__(self, task: Task) -> None:
        self._task = task

    async def __aenter__(self) -> Self:
        """Start the process."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.engine.subject", json.dumps(asdict(self._task))),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 20)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def report(self, name: str, seconds: float = 180) -> dict[str, Any]:
        """Return the next report with this name."""
        assert self._process.stdout is not None
        async with asyncio.timeout(seconds):
            async for line in self._process.stdout:
                report: dict[str, Any] = json.loads(line)
                if report["report"] == name:
                    return report
        raise RuntimeError(f"the subject ended without the report {name!r}; see its output above")


@dataclass(slots=True)
class Count:
    """The records that are finished so far."""

    expect: int
    finished: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def committed(self, records: int = 1) -> None:
        """Note records whose outcome is committed."""
        self.finished += records
        self.last_at = time.perf_counter()
        if self.expect and self.finished >= self.expect:
            self.done.set()


class Handler:
    """The engine's handler: a wait, an outcome and a state."""

    def __init__(self, task: Task, count: Count) -> None:
        self._task = task
        self._count = count
        self._hanging = task.hanging_key.encode()

    async def work(self, key: bytes) -> None:
        """Do the work of one record, of a floor too."""
        self._count.first_at = self._count.first_at or time.perf_counter()
        if key == self._hanging:
            await asyncio.Event().wait()
        if self._task.handler_seconds:
            await asyncio.sleep(self._task.handler_seconds)

    async def on_record(self, invocation: Invocation, record: Record) -> Done | RetryAt:
        """Do the work and return its outcome."""
        del invocation
        await self.work(record.key)
        outcome = Output(f"{self._task.prefix}events", record.key, record.value, (("offset", b"%d" % record.offset),))
        return Done((outcome,), b"state %d" % record.offset, on_commit=(self._count.committed,))

    async def on_timer(self, invocation: Invocation) -> Done | RetryAt:
        """Do nothing."""
        del invocation
        return Done()


def _engine(task: Task, handler: Handler) -> Engine:
    settings = EngineSettings(
        topic=f"{task.prefix}commands",
        state_topic=f"{task.prefix}state",
        partitions=task.partitions,
        group=f"{task.prefix}engine",
        client=lambda: {"bootstrap_servers": task.bootstrap},
        concurrency=2_048,
    )
    return Engine(settings, handler, EngineMetrics(CollectorRegistry()))


class BareReading:
    """The floor of a restore: read a topic's only partition to its end, and keep the last value of each key."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self._source = TopicPartition(topic, 0)
        self.values: dict[bytes, bytes] = {}
        self.is_ready = False

    async def run(self, stop: asyncio.Event) -> None:
        """Read to the end, then wait."""
        async with AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
        ) as consumer:
            consumer.assign([self._source])
            end = (await consumer.end_offsets([self._source]))[self._source]
            while await consumer.position(self._source) < end:
                for records in (await consumer.getmany(timeout_ms=500, max_records=5_000)).values():
                    self.values |= {record.key: record.value for record in records}
        self.is_ready = True
        await stop.wait()


Runs = Callable[[asyncio.Event], Awaitable[None]]


def _subject(task: Task, count: Count) -> tuple[Runs, Callable[[], bool]]:
    """Return the function that runs the subject, and the function that returns whether all its partitions run."""
    handler = Handler(task, count)

    async def floor_handler(record: ConsumerRecord) -> None:
        await handler.work(record.key)

    if task.kind == "engine":
        engine = _engine(task, handler)
        return (
            engine.run,
            lambda: (
                len(engine.partitions) == task.partitions
                and all(partition.status is PartitionStatus.RUNNING for partition in engine.partitions.values())
            ),
        )
    floor = (
        BareLoop(task.bootstrap, task.prefix, floor_handler, count.committed)
        if task.kind == "bare"
        else BareReading(task.bootstrap, f"{task.prefix}state")
    )
    return floor.run, lambda: floor.is_ready


def _report(name: str, **fields: Any) -> None:
    print(json.dumps({"report": name} | fields), flush=True)


async def _report_ready(is_ready: Callable[[], bool]) -> None:
    before, began = psutil.Process().memory_info().rss, time.perf_counter()
    while not is_ready():  # noqa: ASYNC110 - sampling is what a measurement does
        await asyncio.sleep(0.005)
    grown = psutil.Process().memory_info().rss - before
    _report("ready", seconds=time.perf_counter() - began, grownBytes=grown)


async def _main(task: Task) -> None:
    count, stop = Count(task.expect), asyncio.Event()
    run, is_ready = _subject(task, count)
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
        seconds=count.last_at - count.first_at,
        cpuSeconds=usage.ru_utime + usage.ru_stime,
        residentMiB=usage.ru_maxrss / 1024,
    )
    reporting.cancel()
    stop.set()
    if running.done():
        await running
    await asyncio.wait([running], timeout=10)


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),  # the reports are on standard output
    )
    uvloop.run(_main(Task(**json.loads(sys.argv[1]))))

"""`python -m bench.engine`: the engine beside its floors, with three repetitions and medians. Names select runs.

Throughput counts from the first handler call to the last commit, over a filled topic. Latency counts from the append to
the outcome as a read_committed reader receives it. After every throughput run a checker reads all outcomes; if one is
lost, doubled or out of order, the exit code is 1. `bench.engine.at_rest` measures memory and idle costs.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from bench.engine.at_rest import growth, idle, restore
from bench.engine.subject import Task
from bench.engine.subjects import Subject
from bench.engine.topics import Verdict, check, fill, key_of, make_topics
from bench.http_calls import serve
from local.kafka.nodes import Cluster

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

console = Console()


@dataclass(frozen=True, slots=True)
class Throughput:
    """One run over a filled topic."""

    rate: float
    cpu_seconds: float
    resident_mib: float
    verdict: Verdict


async def throughput(bootstrap: str, kind: str, partitions: int, keys: int, records: int, **more: Any) -> Throughput:
    """Run over a filled topic and check the outcomes."""
    prefix = await make_topics(bootstrap, partitions)
    await fill(bootstrap, prefix, partitions=partitions, keys=keys, records=records)
    task = Task(kind=kind, bootstrap=bootstrap, prefix=prefix, partitions=partitions, expect=records, **more)
    async with Subject(task) as subject:
        report = await subject.report("ended")
    verdict = await check(bootstrap, prefix, partitions=partitions, records=records)
    return Throughput(records / report["seconds"], report["cpuSeconds"], report["residentMiB"], verdict)


async def latencies(
    bootstrap: str, kind: str, *, rate: float, seconds: float, keys: int = 100, **more: Any
) -> list[float]:
    """Append at a steady rate, and return the seconds from each append to its visible outcome, sorted."""
    partitions = 4
    prefix = await make_topics(bootstrap, partitions)
    task = Task(kind=kind, bootstrap=bootstrap, prefix=prefix, partitions=partitions, handler_seconds=0.0, **more)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, linger_ms=0)
    consumer = AIOKafkaConsumer(
        f"{prefix}events",
        bootstrap_servers=bootstrap,
        group_id=None,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    await producer.start()
    await consumer.start()
    took: list[float] = []
    warm_up = 2.0

    async def read() -> None:
        while True:
            async for record in consumer:
                sent = float(record.value)
                if sent - began > warm_up:
                    took.append(time.time() - sent)

    try:
        async with Subject(task) as subject:
            await subject.report("ready")
            began = time.time()
            reading = asyncio.create_task(read())
            for number in range(int(rate * (seconds + warm_up))):
                await asyncio.sleep(max(0.0, began + number / rate - time.time()))
                key = key_of(number, keys)
                await producer.send(
                    f"{prefix}commands", b"%f" % time.time(), key=key, partition=number % keys % partitions
                )
            await asyncio.sleep(1.0)
            reading.cancel()
    finally:
        await producer.stop()
        await consumer.stop()
    return sorted(took)


def _percentile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


async def _throughputs(bootstrap: str, repetitions: int, scale: float) -> list[Verdict]:
    verdicts: list[Verdict] = []
    table = Table(title="Handler of 5 ms, exactly once, 4 partitions (medians)")
    for column in (
        "keys",
        "subject",
        "records/s",
        "share of the bare loop",
        "µs of CPU per record",
        "resident",
        "checker",
    ):
        table.add_column(column, justify="right")
    for keys, records in ((100, int(40_000 * scale)), (1_000, int(100_000 * scale))):
        subjects: dict[str, dict[str, Any]] = {
            "bare": {"kind": "bare"},
            "engine": {"kind": "engine"},
            "bare, gc as the engine's": {"kind": "bare", "spares": True},
        }
        results: dict[str, list[Throughput]] = {name: [] for name in subjects}
        for _ in range(repetitions):
            for name, subject in subjects.items():
                results[name].append(await throughput(bootstrap, partitions=4, keys=keys, records=records, **subject))
        floor = statistics.median(run.rate for run in results["bare"])
        for kind, runs in results.items():
            verdicts += [run.verdict for run in runs]
            rate = statistics.median(run.rate for run in runs)
            bad = next((run.verdict for run in runs if not run.verdict.is_clean), runs[0].verdict)
            table.add_row(
                str(keys),
                kind,
                f"{rate:,.0f}",
                f"{rate / floor:.0%}",
                f"{statistics.median(run.cpu_seconds for run in runs) / records * 1e6:.0f}",
                f"{max(run.resident_mib for run in runs):.0f} MiB",
                str(bad),
            )
    console.print(table)
    return verdicts


async def _latency_table(bootstrap: str, repetitions: int, scale: float) -> None:
    table = Table(title="Append to visible outcome, at 100 records/s (medians, ms)")
    for column in ("subject", "p50", "p99", "of the floor's p50", "of the floor's p99"):
        table.add_column(column, justify="right")
    subjects: dict[str, dict[str, Any]] = {
        "bare": {"kind": "bare"},
        "engine": {"kind": "engine"},
        "engine, one checkpoint": {"kind": "engine", "checkpoints": 1},
    }
    p50: dict[str, list[float]] = {name: [] for name in subjects}
    p99: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(repetitions):
        for name, subject in subjects.items():
            took = await latencies(bootstrap, rate=100, seconds=15 * scale, **subject)
            p50[name].append(_percentile(took, 0.5) * 1000)
            p99[name].append(_percentile(took, 0.99) * 1000)
    floor50, floor99 = statistics.median(p50["bare"]), statistics.median(p99["bare"])
    for name in subjects:
        at50, at99 = statistics.median(p50[name]), statistics.median(p99[name])
        table.add_row(name, f"{at50:.1f}", f"{at99:.1f}", f"{at50 / floor50:.2f}x", f"{at99 / floor99:.2f}x")
    console.print(table)


async def _http(bootstrap: str, repetitions: int, scale: float) -> list[Verdict]:
    server = await serve(0.005)
    address, records = f"127.0.0.1:{server.sockets[0].getsockname()[1]}", int(40_000 * scale)
    runs = [await throughput(bootstrap, "engine", 12, 1_000, records, http=address) for _ in range(repetitions)]
    server.close()
    bad = next((run.verdict for run in runs if not run.verdict.is_clean), runs[0].verdict)
    rate, spent = statistics.median(run.rate for run in runs), statistics.median(run.cpu_seconds for run in runs)
    console.print(
        f"A minimal HTTP call of 5 ms, 12 partitions, 1,000 keys, 2,048 slots: {rate:,.0f} records/s, "
        f"{spent / records * 1e6:.0f} µs of CPU per record, {bad}"
    )
    return [run.verdict for run in runs]


async def _hanging(bootstrap: str, repetitions: int, scale: float) -> None:
    """Alternate the two; the p99 is over all repetitions, because one repetition has only a few values above it."""
    table = Table(title="The other 99 keys while one key hangs, at 100 records/s (all repetitions together, ms)")
    for column in ("run", "p50", "p99", "of the run without it", "of each repetition"):
        table.add_column(column, justify="right")
    free: list[list[float]] = []
    hung: list[list[float]] = []
    for _ in range(repetitions):
        free.append(await latencies(bootstrap, "engine", rate=100, seconds=20 * scale))
        hung.append(await latencies(bootstrap, "engine", rate=100, seconds=20 * scale, hanging_key="key-7"))
    all_free = sorted(took for run in free for took in run)
    all_hung = sorted(took for run in hung for took in run)
    ratio = _percentile(all_hung, 0.99) / _percentile(all_free, 0.99)
    each = [_percentile(one, 0.99) / _percentile(other, 0.99) for one, other in zip(hung, free, strict=True)]
    for name, took, *shown in (
        ("none hangs", all_free, "", ""),
        ("one hangs", all_hung, f"{ratio:.2f}x", " ".join(f"{one:.2f}x" for one in each)),
    ):
        table.add_row(name, *(f"{_percentile(took, share) * 1000:.1f}" for share in (0.5, 0.99)), *shown)
    console.print(table)


_RUNS: dict[str, Callable[[str, int, float], Awaitable[list[Verdict] | None]]] = {
    "throughput": _throughputs,
    "latency": _latency_table,
    "http": _http,
    "hanging": _hanging,
    "restore": restore,
    "growth": growth,
    "idle": idle,
}


async def measure(names: list[str], repetitions: int, scale: float) -> int:
    """Run these in order; return the exit code: 1 if the checker found a violation in any of them."""
    exit_code = 0
    with Cluster(brokers=1, long_lived=True) as cluster:
        for name in names:
            verdicts = await _RUNS[name](cluster.bootstrap, repetitions, scale) or []
            if not all(verdict.is_clean for verdict in verdicts):
                exit_code = 1
    return exit_code


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="run", help=f"the runs ({', '.join(_RUNS)}); default: all")
    parser.add_argument("--repetitions", type=int, default=3, help="repetitions of each run (default 3)")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="scales every run down, for a quick check (default 1.0)"
    )
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in _RUNS]:
        parser.error(f"unknown runs: {', '.join(unknown)}; the runs are {', '.join(_RUNS)}")
    sys.exit(asyncio.run(measure(arguments.names or list(_RUNS), arguments.repetitions, arguments.scale)))

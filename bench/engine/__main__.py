"""`python -m bench.engine`: the engine beside its floors, with three repetitions and medians. Names select runs.

Throughput counts from the first handler call to the last commit, over a filled topic. Latency counts from the append to
the outcome as a read_committed reader receives it. `bench.engine.at_rest` measures restores. `make chaos-engine` checks
the outcomes.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import ConsumerRecord

from bench.engine.at_rest import restore
from bench.engine.subject import Subject, Task
from bench.engine.topics import fill, make_topics, place
from bench.harness import LATENCIES, in_turn, latencies, median, paced, producing, reading, show
from local.kafka.nodes import Cluster

PARTITIONS = 4
RATE = 100.0
WARM_UP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Throughput:
    """One run over a filled topic."""

    rate: float
    cpu_seconds: float
    resident_mib: float


async def throughput(bootstrap: str, keys: int, records: int, **more: Any) -> Throughput:
    """Run over a filled topic."""
    prefix = await make_topics(bootstrap, PARTITIONS)
    await fill(bootstrap, prefix, partitions=PARTITIONS, keys=keys, records=records)
    task = Task(bootstrap=bootstrap, prefix=prefix, partitions=PARTITIONS, expect=records, **more)
    async with Subject(task) as subject:
        report = await subject.report("ended")
    return Throughput(records / report["seconds"], report["cpuSeconds"], report["residentMiB"])


async def latency(bootstrap: str, seconds: float, **more: Any) -> list[float]:
    """Append at a steady rate, and return the seconds from each append to its visible outcome, sorted."""
    prefix = await make_topics(bootstrap, PARTITIONS)
    task = Task(bootstrap=bootstrap, prefix=prefix, partitions=PARTITIONS, handler_seconds=0.0, **more)
    took: list[float] = []

    def take(record: ConsumerRecord, now: float) -> None:
        if record.value:  # those of the warm-up have none
            took.append(now - float(record.value))

    async with Subject(task) as subject, producing(bootstrap, linger_ms=0) as producer:
        await subject.report("ready")
        async with reading(bootstrap, f"{prefix}events", take):
            async for number, due in paced(RATE, WARM_UP_SECONDS + seconds):
                value = b"%f" % time.perf_counter() if due >= WARM_UP_SECONDS else b""
                key, partition = place(number, 100, PARTITIONS)
                await producer.send(f"{prefix}commands", value, key=key, partition=partition)
            await asyncio.sleep(1.0)
    return sorted(took)


async def _throughputs(bootstrap: str, repetitions: int, scale: float) -> None:
    rows = []
    for keys, whole in ((100, 40_000), (1_000, 100_000)):
        records = int(whole * scale)
        run = partial(throughput, bootstrap, keys, records)
        runs = await in_turn(
            {
                "bare": partial(run, kind="bare"),
                "engine": partial(run, kind="engine"),
                "bare, gc as the engine's": partial(run, kind="bare", spares=True),
            },
            repetitions,
        )
        rate = {name: median(found, lambda one: one.rate) for name, found in runs.items()}
        for name, found in runs.items():
            rows.append(
                (
                    str(keys),
                    name,
                    f"{rate[name]:,.0f}",
                    f"{rate[name] / rate['bare']:.0%}",
                    f"{median(found, lambda one: one.cpu_seconds) / records * 1e6:.0f}",
                    f"{max(one.resident_mib for one in found):.0f} MiB",
                )
            )
    columns = ("keys", "subject", "records/s", "of the bare loop", "µs of CPU per record", "resident")
    show("Handler of 5 ms, exactly once, 4 partitions (medians)", columns, rows)


async def _hanging(bootstrap: str, repetitions: int, scale: float) -> None:
    """Alternate the two; the p99 is over all repetitions, because one repetition has only a few values above it."""
    run = partial(latency, bootstrap, 20 * scale, kind="engine")
    runs = await in_turn({"none hangs": run, "one hangs": partial(run, hanging_key="key-7")}, repetitions)
    together = latencies({name: [sorted(took for one in found for took in one)] for name, found in runs.items()})
    title = "The other 99 keys while one key hangs, at 100 records/s (all repetitions together)"
    show(title, ("run", *LATENCIES), ((name, *of) for name, of in together.items()))


_RUNS: dict[str, Callable[[str, int, float], Awaitable[None]]] = {
    "throughput": _throughputs,
    "hanging": _hanging,
    "restore": restore,
}


async def measure(names: list[str], repetitions: int, scale: float) -> None:
    """Run these in order."""
    with Cluster(brokers=1, long_lived=True) as cluster:
        for name in names:
            await _RUNS[name](cluster.bootstrap, repetitions, scale)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="run", help=f"the runs ({', '.join(_RUNS)}); default: all")
    parser.add_argument("--repetitions", type=int, default=3, help="repetitions of each run (3)")
    parser.add_argument("--scale", type=float, default=1.0, help="scales every run down, for a quick check (1.0)")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in _RUNS]:
        parser.error(f"unknown runs: {', '.join(unknown)}; the runs are {', '.join(_RUNS)}")
    asyncio.run(measure(given.names or list(_RUNS), given.repetitions, given.scale))

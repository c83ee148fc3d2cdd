"""`python -m bench.chain`: the whole chain, from the POST of a command to its visible `command.finished`.

Subject: the processes `gateway ingress` and `gateway worker` with all features. A command needs a read, an intent, a
create and a read of its effect, at a simulated Collate with a latency of 5 ms. Floor: an HTTP handler that appends, and
the bare exactly-once loop with one read and the create. Floor with intents: the same with the gateway's three calls and
two transactions. All alternate in one run, with real brokers whose JVM has warmed up for a minute.

Latency is measured at steady rates: with one request per authorization, and with alternating requests and revocations,
which cause further work of Collate and the watcher. The first second on new topics has rows of its own, by the number
of partitions. Throughput of one worker is measured in two ways: with commands that are already in the topic, and as the
highest rate whose last second has a p50 below half a second. The benchmark also prints processor time and counts per
command.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import psutil
import uvloop

from bench.engine.topics import make_topics
from bench.harness import (
    LATENCIES,
    append,
    console,
    in_turn,
    latencies,
    listed,
    median,
    medians,
    milliseconds,
    options,
    row,
    show,
)
from bench.installed import (
    PARTITIONS,
    Bench,
    calls_at,
    command_record,
    fixed_collate,
    fresh_installation,
    make_authorizations,
    metrics,
)
from bench.processes import ProcessorTime
from bench.steady import WARM_UP_SECONDS, SteadyLoad, SteadyResult, reading_outcomes
from local.installation import COLLATE_KEY, Program
from local.kafka.nodes import Cluster
from local.processes.run import Run
from schemas.commands import HandoffRequest
from schemas.topics import catalogue

AUTHORIZATIONS = 1_000
KEPT_UP_MILLISECONDS = 500
FIRST_RATE, FIRST_SECONDS = 100.0, 1.0
WARM_UP_RATE = 200.0


async def latency_of_gateway(
    bootstrap: str,
    rate: float,
    seconds: float,
    partitions: int = PARTITIONS,
    *,
    warm_up: float = WARM_UP_SECONDS,
    with_revocations: bool = False,
    on_one_core: bool = False,
    database: str | None = None,
) -> SteadyResult:
    """Run the gateway at a steady rate; `on_one_core`: ingress and worker share it, the others have all cores.

    With `with_revocations`, each of at least 1,000 authorizations gets requests and revocations alternately. Otherwise
    each authorization gets one request. With a database it has a read model.
    """
    async with fresh_installation(bootstrap, partitions, database=database) as bench:
        ingress, worker = await bench.start("ingress", "worker")
        if on_one_core:
            for program in (ingress, worker):
                psutil.Process(program.process.pid).cpu_affinity([0])
        # Collate reconciles a revoked handoff for a second, so an authorization must not be used again earlier.
        count = max(AUTHORIZATIONS, int(5 * rate)) if with_revocations else int(rate * (warm_up + seconds))
        ids = await make_authorizations(bench.collate, count)
        async with reading_outcomes(bootstrap, bench.events) as outcomes:
            found = await SteadyLoad(ingress.url, bench.request, ids, outcomes).run(rate, seconds, warm_up)
            found.counts = _counts(worker, bench, len(outcomes.seen))
            return found


def _counts(worker: Program, bench: Bench, commands: int) -> dict[str, float]:
    samples = metrics(worker)
    counts = {
        "writes at Collate": calls_at(bench.collate, "POST"),
        "reads at Collate": calls_at(bench.collate, "GET"),
        "of these by the watcher": sum(
            value
            for name, value in samples.items()
            if name.startswith("collate_gateway_observations_total") and 'result="held"' not in name
        ),
        "transactions": samples["collate_gateway_transaction_seconds_count"],
    }
    return {name: count / commands for name, count in counts.items()}


@asynccontextmanager
async def _floor(collate: str, *arguments: str) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.floors.bare_chain", collate, COLLATE_KEY, *arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
    finally:
        process.terminate()
        await process.wait()


async def latency_of_floor(
    bootstrap: str, rate: float, seconds: float, partitions: int = PARTITIONS, *, with_intents: bool = False
) -> SteadyResult:
    """Run the floor at a steady rate. `with_intents`: with the calls and transactions of the gateway."""
    prefix = await make_topics(bootstrap, partitions)
    with Run("bench") as run:
        collate = fixed_collate(run)
        intents = ["--intents"] if with_intents else []
        async with _floor(collate, bootstrap, prefix, str(partitions), *intents) as address:
            ids = await make_authorizations(collate, AUTHORIZATIONS)

            def make_request(_number: int, authorization: str, _handoff_id: str | None) -> bytes:
                return f"POST /{authorization} HTTP/1.1\r\nHost: bench\r\nContent-Length: 2\r\n\r\n{{}}".encode()

            async with reading_outcomes(bootstrap, f"{prefix}events") as outcomes:
                return await SteadyLoad(address, make_request, ids, outcomes).run(rate, seconds)


async def _latency(bootstrap: str, rate: float, given: argparse.Namespace) -> None:
    gateway, floor = (
        partial(measure, bootstrap, rate, given.seconds, given.partitions)
        for measure in (latency_of_gateway, latency_of_floor)
    )
    subjects = {
        "floor": floor,
        "floor with intents": partial(floor, with_intents=True),
        "gateway, requests": gateway,
        "gateway, requests and revocations": partial(gateway, with_revocations=True),
    }
    runs = await in_turn(subjects, given.repetitions)
    cells = latencies({name: [one.seconds for one in found] for name, found in runs.items()})
    show(
        f"POST to visible outcome at {rate:.0f} commands/s (medians)",
        ("subject", *LATENCIES, "late", "refused", "not applied"),
        (
            (
                name,
                *cells[name],
                *(str(sum(getattr(one, key) for one in found)) for key in ("late", "refused", "not_applied")),
            )
            for name, found in runs.items()
        ),
    )
    for name, found in runs.items():
        spent = medians([one.processor for one in found])
        console.print(f"{name}: processor ms per command: {listed(spent)} · total {sum(spent.values()):.2f}")
        if found[0].counts:
            console.print(f"{name}: per command: {listed(medians([one.counts for one in found]))}")
    _row(f"a command at {rate:.0f}/s, {given.brokers} broker(s)", runs["gateway, requests"], runs["floor with intents"])


def _row(measured: str, ours: list[SteadyResult], floor: list[SteadyResult]) -> None:
    """Add a row beside the floor with the gateway's calls and transactions."""
    p50, floor_p50 = (median(found, lambda one: milliseconds(one.seconds, 0.5)) for found in (ours, floor))
    p99, floor_p99 = (median(found, lambda one: milliseconds(one.seconds, 0.99)) for found in (ours, floor))
    spent, bare = (medians([one.processor for one in found]) for found in (ours, floor))
    total = sum(spent.values())
    row(
        measured,
        f"p50 {p50:.1f}, p99 {p99:.0f} ms: {p50 / floor_p50:.2f} and {p99 / floor_p99:.2f} × the floor; {total:.2f} ms "
        f"of processor time, {total / sum(bare.values()):.2f} ×: "
        f"{listed({name: spent[name] for name in ('Kafka', 'ingress', 'worker')})}",
        spent["ingress"] + spent["worker"],
    )


async def _first_second(bootstrap: str, given: argparse.Namespace) -> None:
    measure = partial(latency_of_gateway, bootstrap, FIRST_RATE, FIRST_SECONDS, warm_up=0.0)
    runs = await in_turn({f"{count} partitions": partial(measure, count) for count in given.first}, given.repetitions)
    cells = latencies({name: [one.seconds for one in found] for name, found in runs.items()})
    show(
        f"The first second on new topics, {FIRST_RATE:.0f} commands/s (medians)",
        ("topics", *LATENCIES),
        ((name, *cells[name]) for name in runs),
    )
    p50 = {name: median(found, lambda one: milliseconds(one.seconds, 0.5)) for name, found in runs.items()}
    row(
        f"the first second of new topics, {FIRST_RATE:.0f} commands/s",
        f"p50 {' · '.join(f'{of:.1f} ms with {name}' for name, of in p50.items())}",
    )


async def _highest(bootstrap: str, rates: list[float], partitions: int) -> None:
    kept = 0.0
    for rate in rates:
        found = await latency_of_gateway(bootstrap, rate, 5.0, partitions, on_one_core=True)
        last = milliseconds(found.last, 0.5)
        console.print(f"{rate:.0f} commands/s: p50 of the last second {last:,.0f} ms; {listed(found.processor)}")
        if last >= KEPT_UP_MILLISECONDS:
            break
        kept = rate
    row(
        "the highest steady rate, ingress and worker on one core",
        f"{kept:.0f} commands/s with a p50 below {KEPT_UP_MILLISECONDS} ms; tried {rates[0]:.0f} to {rates[-1]:.0f}",
    )


@dataclass(frozen=True, slots=True)
class Drain:
    """What a drain showed: commands/s of each quarter, and per command processor ms by role, calls and transactions.

    The memory is the worker's, in MB: after the last command, and of a worker that has restored the same states.
    """

    rates: dict[str, float]
    processor: dict[str, float]
    counts: dict[str, float]
    memory: dict[str, float]


async def drained(bootstrap: str, commands: int, partitions: int) -> Drain:
    """Append all commands, then start one worker."""
    async with fresh_installation(bootstrap, partitions) as bench:
        ids, topics = await make_authorizations(bench.collate, commands), catalogue(bench.installed.prefix)
        await append(
            bootstrap, topics.commands.name, (command_record(one, HandoffRequest(), partitions) for one in ids)
        )
        async with reading_outcomes(bootstrap, bench.events) as outcomes:
            worker = bench.installed.start("worker")
            while not outcomes.seen:  # noqa: ASYNC110 - a measurement polls
                await asyncio.sleep(0.01)
            base, processor = len(outcomes.seen), ProcessorTime()
            marks = [(time.perf_counter(), base)]
            while len(outcomes.seen) < commands:
                worker.require_running()
                await asyncio.sleep(0.02)
                while len(marks) < 5 and len(outcomes.seen) - base >= (commands - base) * len(marks) / 4:
                    marks.append((time.perf_counter(), len(outcomes.seen)))
                if time.perf_counter() - marks[-1][0] > 120:
                    raise RuntimeError(f"{commands - len(outcomes.seen)} commands have no outcome after two minutes")
            spent = processor.per(commands - base)
            rates = {
                f"{number}/4": (count - before) / (at - since)
                for number, ((since, before), (at, count)) in enumerate(pairwise(marks), 1)
            }
            memory, counts = {"after the last": _memory(worker)}, _counts(worker, bench, commands)
            await asyncio.to_thread(worker.stop)
            (restarted,) = await bench.start("worker")
            return Drain(rates, spent, counts, memory | {"of a new worker with the same states": _memory(restarted)})


def _memory(worker: Program) -> float:
    memory: float = psutil.Process(worker.process.pid).memory_info().rss / 1e6
    return memory


async def _main(given: argparse.Namespace) -> None:
    with Cluster(brokers=given.brokers, long_lived=True) as cluster:
        await latency_of_floor(cluster.bootstrap, WARM_UP_RATE, given.warm_up)
        for rate in given.steady:
            await _latency(cluster.bootstrap, rate, given)
        if given.first:
            await _first_second(cluster.bootstrap, given)
        if given.rates:
            await _highest(cluster.bootstrap, given.rates, given.partitions)
        backlogs = {
            f"{count:,}": partial(drained, cluster.bootstrap, count, given.partitions) for count in given.commands
        }
        for count, drains in (await in_turn(backlogs, given.repetitions)).items():
            console.print(f"{count} commands drained by one worker process")
            for name, of in (
                ("commands/s", "rates"),
                ("processor ms per command", "processor"),
                ("per command", "counts"),
                ("MB", "memory"),
            ):
                console.print(f"{name}: {listed(medians([getattr(one, of) for one in drains]))}")
            spent, memory = (medians([getattr(one, of) for one in drains]) for of in ("processor", "memory"))
            row(
                f"a backlog of {count} commands, one worker",
                f"{median(drains, lambda one: statistics.harmonic_mean(one.rates.values())):,.0f} commands/s at "
                f"{spent['worker']:.2f} ms of the worker each; memory {memory['after the last']:.0f} MB",
            )


if __name__ == "__main__":
    uvloop.run(
        _main(
            options(
                __doc__,
                steady=([20.0, 200.0], "commands per second"),
                brokers=(1, "brokers, each with a copy of every record"),
                partitions=(PARTITIONS, "partitions of the one worker"),
                seconds=(15.0, "seconds to measure at each rate"),
                warm_up=(60.0, "seconds of load before, to warm up the broker's JVM"),
                rates=([300.0, 500.0, 600.0, 750.0, 1_000.0, 1_500.0], "rates to try"),
                first=([12, 48], "partitions of new topics whose first second is measured"),
                commands=([5_000, 40_000], "backlogs to drain"),
                repetitions=(3, "repetitions of each run"),
            )
        )
    )

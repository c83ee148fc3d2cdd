"""`python -m bench.watcher`: the cost of watching.

One worker with many watched authorizations, and one without any, alternating in one run: memory, CPU per observation,
and the effect on the latency of commands.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import uvloop
from aiokafka import AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from bench.chain.load import WARM_UP_SECONDS, reading_outcomes, steady
from bench.chain.run import milliseconds
from bench.installed import PARTITIONS, get, make_authorizations, post, unlimited
from consumers.authorization import recent_commands
from consumers.authorization.handoffs import ended as handoff_ended
from consumers.authorization.handoffs import reconciled
from consumers.authorization.recent_commands import CommandEnd
from consumers.authorization.state import AuthorizationState, Closer, CommandRef, Handoff, Known, WatchStatus
from consumers.engine.state_store import state_record
from consumers.watcher.cadence import Cadence
from local.installation import Installation, Program, start_collate
from local.kafka.nodes import Cluster
from local.processes.run import Run
from runtime.settings import WatchSettings
from schemas.enums import Agreement
from schemas.topics import catalogue, partition_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

console = Console(width=120)
HOUR, DAY = 3_600.0, 86_400.0
VERSION = 27
# A population at the payer: the share of each age.
MIX = ((0.01, 0.5 * HOUR), (0.09, 12 * HOUR), (0.90, 30 * DAY))


def watched(now: float, age: float) -> AuthorizationState:
    """Return the state of a usual authorization at the payer, without news for `age` seconds."""
    handoff = Handoff(
        id="mhand_0123456789abcdef",
        version=3,
        state="active",
        access_available=False,
        opened_at=now - age,
        seen_at=now - age,
        open_version=24,
        open_emitted=True,
        opener=CommandRef(command_id=str(uuid.uuid4()), metadata={"case": "case-0042"}),
    )
    closer = Closer(caused_by=CommandRef(command_id=str(uuid.uuid4())), operation="complete", reported="submitted")
    over = handoff_ended(handoff.replace(closer=closer), "completed_reported", now)
    packed = ""
    for _ in range(3):
        packed = recent_commands.add(packed, str(uuid.uuid4()), b"1234", CommandEnd.FINISHED, now, until=now)
    return AuthorizationState(
        sequence=9,
        floor=VERSION,
        known=Known(version=VERSION, status="waiting_on_payer", receipt=True),
        last=reconciled(over, Agreement.AGREES),
        ended=(over.id,),
        watch=WatchStatus(since=now - age, until=now + 90 * DAY, moved_at=now - age),
        recent_commands=packed,
    )


@dataclass(frozen=True, slots=True)
class Burden:
    """The load of one worker: bytes per state, idle CPU and observations, and the latencies of commands."""

    state_bytes: int
    ready_seconds: float
    resident: int
    cpu_seconds: float
    observations: float
    latencies: list[float]


async def _populate(bootstrap: str, prefix: str, collate: str, count: int) -> int:
    """Create long-watched authorizations at Collate and in `state`; return the bytes of one state."""
    if not count:
        return 0
    body = {"state": "waiting_on_payer", "count": count, "version": VERSION}
    ids: list[str] = (await asyncio.to_thread(post, f"{collate}/_sim/authorizations", body))["ids"]
    cadence, randomness, now = Cadence.of(WatchSettings()), random.Random(2), time.time()
    topic = catalogue(prefix).state.name
    ages = randomness.choices([age for _, age in MIX], [share for share, _ in MIX], k=count)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, max_batch_size=1 << 18)
    await producer.start()
    size, sends = 0, []
    try:
        for authorization, age in zip(ids, ages, strict=True):
            key, state = authorization.encode(), watched(now, age)
            # At a random moment of the step, as in steady operation.
            timer_at = now + randomness.random() * cadence.every(state, now)
            record = state_record(topic, key, state.encode(), timer_at)
            size += len(record.value or b"")
            partition = partition_for(key, PARTITIONS)
            sends.append(
                await producer.send(topic, record.value, key=key, partition=partition, headers=list(record.headers))
            )
        await asyncio.gather(*sends)
    finally:
        await producer.stop()
    return size // count


@asynccontextmanager
async def _running(bootstrap: str, count: int) -> AsyncIterator[tuple[Installation, str, Program, Program, int, float]]:
    with Run("bench") as run:
        collate = start_collate(run, "--latency-ms", "5")
        prefix = f"bench-{uuid.uuid4().hex[:8]}."
        installed = Installation(run, bootstrap=bootstrap, collate_url=collate, prefix=prefix, settings=unlimited())
        installed.apply_topics()
        # States without an offset would look like lost offsets, so a worker must have run before.
        first = installed.start("worker")
        await asyncio.to_thread(first.await_ready)
        await asyncio.to_thread(first.stop)
        size = await _populate(bootstrap, prefix, collate, count)
        ingress = installed.start("ingress")
        await asyncio.to_thread(ingress.await_ready)
        began = time.perf_counter()
        worker = installed.start("worker")
        await asyncio.to_thread(worker.await_ready)
        yield installed, collate, ingress, worker, size, time.perf_counter() - began


def _observations(worker: Program) -> float:
    lines = get(f"{worker.admin_url}/metrics").text.splitlines()
    counted = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if "observations_total{" in line
    }
    if any(count for name, count in counted.items() if 'result="nothing"' not in name):
        raise RuntimeError(f"expected observations without news, found: {counted}")
    return sum(counted.values())


async def burden(bootstrap: str, count: int, *, rate: float, seconds: float) -> Burden:
    """Run one worker with `count` watched authorizations: first idle, then with commands at a steady rate."""
    async with _running(bootstrap, count) as (installed, collate, ingress, worker, size, ready):
        process = psutil.Process(worker.process.pid)
        await asyncio.sleep(2.0)
        cpu, observations = sum(process.cpu_times()[:2]), await asyncio.to_thread(_observations, worker)
        await asyncio.sleep(seconds)
        cpu = sum(process.cpu_times()[:2]) - cpu
        observations = await asyncio.to_thread(_observations, worker) - observations
        resident = process.memory_info().rss
        address, authorizations = (
            ingress.url.removeprefix("http://"),
            make_authorizations(collate, int(rate * (WARM_UP_SECONDS + seconds))),
        )

        def request(number: int, authorization: str, _: str | None) -> bytes:
            return (
                f"POST /v1/authorizations/{authorization}/handoffs HTTP/1.1\r\nHost: {address}\r\n"
                f"Authorization: Bearer {installed.caller_key}\r\nIdempotency-Key: {number}\r\n"
                "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
            ).encode()

        async with reading_outcomes(bootstrap, catalogue(installed.prefix).events.name) as outcomes:
            found = await steady(address, request, authorizations, outcomes, rate=rate, seconds=seconds)
        return Burden(size, ready, resident, cpu, observations, found.seconds)


async def _main(count: int, rate: float, seconds: float, repetitions: int) -> None:
    none: list[Burden] = []
    many: list[Burden] = []
    with Cluster(brokers=1, long_lived=True) as cluster:
        # Not measured: the broker's JVM warms up.
        await burden(cluster.bootstrap, 0, rate=5 * rate, seconds=2 * seconds)
        for _ in range(repetitions):
            none.append(await burden(cluster.bootstrap, 0, rate=rate, seconds=seconds))
            many.append(await burden(cluster.bootstrap, count, rate=rate, seconds=seconds))
    resident = statistics.median(run.resident for run in many) - statistics.median(run.resident for run in none)
    spent = statistics.median(run.cpu_seconds for run in many) - statistics.median(run.cpu_seconds for run in none)
    observations = statistics.median(run.observations for run in many)
    console.print(
        f"{count:,} watched on one worker: {resident / count:,.0f} bytes each in the process, of which "
        f"{many[0].state_bytes} are the state itself; {observations / seconds:.1f} observations/s cost "
        f"{spent / seconds:.1%} of a core, {spent / observations * 1e6:,.0f} µs each"
    )
    table = Table(title=f"Commands at {rate:.0f}/s (all repetitions together, ms) and the worker's start (median, s)")
    for column in ("worker", "p50", "p99", "of p50 with none", "of p99 with none", "start"):
        table.add_column(column, justify="right")
    for name, runs in (("none watched", none), (f"{count:,} watched", many)):
        at, floor = _together(runs), _together(none)
        table.add_row(
            name,
            *(f"{value:.1f}" for value in at),
            *(f"{value / of:.2f}x" for value, of in zip(at, floor, strict=True)),
            f"{statistics.median(run.ready_seconds for run in runs):.1f}",
        )
    console.print(table)


def _together(runs: list[Burden]) -> tuple[float, float]:
    latencies = sorted(took for run in runs for took in run.latencies)
    return milliseconds(latencies, 0.5), milliseconds(latencies, 0.99)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--watched", type=int, default=50_000, help="watched authorizations (default 50,000)")
    parser.add_argument("--rate", type=float, default=20.0, help="commands per second (default 20)")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long to measure (default 15)")
    parser.add_argument("--repetitions", type=int, default=3, help="how often each run is repeated (default 3)")
    arguments = parser.parse_args()
    uvloop.run(_main(arguments.watched, arguments.rate, arguments.seconds, arguments.repetitions))

"""`python -m bench.watcher`: the cost of watching, and the reaction times.

1. Per class of the cadence: reaction time and calls per hour, simulated with the real table, beside the formula
   (docs/subscribing.md).
2. One worker with many watched authorizations, and one without any, alternating in one run: memory, CPU per
   observation, and the effect on the latency of commands.
3. The same worker, started with all observations overdue: time until it is ready, and until a command has its outcome.
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
from consumers.watcher.cadence import Cadence, PollClass, poll_class_of
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
OBSERVATIONS = 20_000
_STATUS = {PollClass.PROCESSING: "processing", PollClass.ACTION: "requires_action", PollClass.PAYER: "waiting_on_payer"}
# A population at the payer: the share of each age.
MIX = ((0.01, 0.5 * HOUR), (0.09, 12 * HOUR), (0.90, 30 * DAY))


def watched(poll_class: PollClass, now: float, age: float) -> AuthorizationState:
    """Return the state of a usual authorization in that class, without news for `age` seconds."""
    handoff = Handoff(
        id="mhand_0123456789abcdef",
        version=3,
        state="active",
        access_available=poll_class is PollClass.OPEN,
        opened_at=now - age,
        seen_at=now - age,
        open_version=24,
        open_emitted=True,
        opener=CommandRef(command_id=str(uuid.uuid4()), metadata={"case": "case-0042"}),
    )
    closer = Closer(caused_by=CommandRef(command_id=str(uuid.uuid4())), operation="complete", reported="submitted")
    over = handoff_ended(handoff.replace(closer=closer), "completed_reported", now)
    if poll_class is not PollClass.ENDED:
        over = reconciled(over, Agreement.AGREES)
    packed = ""
    for _ in range(3):
        packed = recent_commands.add(packed, str(uuid.uuid4()), b"1234", CommandEnd.FINISHED, now, until=now)
    status = _STATUS.get(poll_class, "processing")
    is_at_payer, is_open = poll_class is PollClass.PAYER, poll_class in {PollClass.ACCESS, PollClass.OPEN}
    return AuthorizationState(
        sequence=9,
        floor=VERSION,
        known=Known(version=VERSION, status=status, receipt=is_at_payer),
        active=handoff if is_open else None,
        last=None if is_open else over,
        ended=() if is_open else (over.id,),
        watch=WatchStatus(since=now - age, until=now + 90 * DAY, moved_at=now - age),
        recent_commands=packed,
    )


@dataclass(frozen=True, slots=True)
class Pace:
    """One step of one class: sorted reaction times in seconds, and observations per hour."""

    reactions: list[float]
    observations_per_hour: float


def play(cadence: Cadence, poll_class: PollClass, age: float) -> Pace:
    """Simulate many observations at that age, with a change at a random moment between two of them."""
    randomness, now = random.Random(1), 1_800_000_000.0
    state = watched(poll_class, now, age)
    if poll_class_of(state) is not poll_class:
        raise RuntimeError(f"expected a state of the class {poll_class}, found {poll_class_of(state)}")
    gaps = [(cadence.next_timer(state, now, randomness.random) or now) - now for _ in range(OBSERVATIONS)]
    # The probability of a gap is proportional to its length.
    reactions = sorted(gap * randomness.random() for gap in randomness.choices(gaps, gaps, k=OBSERVATIONS))
    return Pace(reactions, HOUR * len(gaps) / sum(gaps))


def paces() -> None:
    """Print every step of every class beside the formula."""
    settings = WatchSettings()
    cadence, jitter = Cadence.of(settings), settings.jitter
    table = Table(
        title="From a change at Collate to the observation that shows it, and calls per watched authorization and hour"
    )
    for column in ("class", "up to age", "step", "mean", "formula", "p99", "worst", "observations/h", "formula"):
        table.add_column(column, justify="right")
    for poll_class in PollClass:
        before = 0.0
        for step in cadence.steps[poll_class]:
            pace, every = play(cadence, poll_class, before + 1e-3), step.every_seconds
            reactions = pace.reactions
            table.add_row(
                poll_class.value,
                f"{step.until_age_seconds:,.0f} s",
                f"{every:,.0f} s",
                f"{statistics.fmean(reactions):,.2f} s",
                f"{every / 2 * (1 + jitter**2 / 3):,.2f} s",
                f"{reactions[int(OBSERVATIONS * 0.99)]:,.1f} s",
                f"{every * (1 + jitter):,.1f} s",
                f"{pace.observations_per_hour:,.1f}",
                f"{HOUR / every:,.1f}",
            )
            before = step.until_age_seconds
    console.print(table)


@dataclass(frozen=True, slots=True)
class Burden:
    """The load of one worker: bytes per state, idle CPU and observations, and the latencies of commands."""

    state_bytes: int
    ready_seconds: float
    resident: int
    cpu_seconds: float
    observations: float
    latencies: list[float]


async def _populate(bootstrap: str, prefix: str, collate: str, count: int, *, overdue: bool) -> int:
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
            key, state = authorization.encode(), watched(PollClass.PAYER, now, age)
            # At a random moment of the step, as in steady operation.
            at = randomness.random() * cadence.every(state, now)
            timer_at = now - at if overdue else now + at
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
async def _running(
    bootstrap: str, count: int, *, overdue: bool
) -> AsyncIterator[tuple[Installation, str, Program, Program, int, float]]:
    with Run("bench") as run:
        collate = start_collate(run, "--latency-ms", "5")
        prefix = f"bench-{uuid.uuid4().hex[:8]}."
        installed = Installation(run, bootstrap=bootstrap, collate_url=collate, prefix=prefix, settings=unlimited())
        installed.apply_topics()
        # States without an offset would look like lost offsets, so a worker must have run before.
        first = installed.start("worker")
        await asyncio.to_thread(first.await_ready)
        await asyncio.to_thread(first.stop)
        size = await _populate(bootstrap, prefix, collate, count, overdue=overdue)
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


async def burden(bootstrap: str, count: int, *, rate: float, seconds: float, overdue: bool = False) -> Burden:
    """Run one worker with `count` watched authorizations: first idle, then with commands at a steady rate.

    With `overdue` the commands follow immediately.
    """
    async with _running(bootstrap, count, overdue=overdue) as (installed, collate, ingress, worker, size, ready):
        process = psutil.Process(worker.process.pid)
        cpu = observations = 0.0
        if not overdue:
            await asyncio.sleep(2.0)
            cpu, observations = sum(process.cpu_times()[:2]), await asyncio.to_thread(_observations, worker)
            await asyncio.sleep(seconds)
            cpu, observations = (
                sum(process.cpu_times()[:2]) - cpu,
                await asyncio.to_thread(_observations, worker) - observations,
            )
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
    paces()
    none: list[Burden] = []
    many: list[Burden] = []
    late: list[Burden] = []
    with Cluster(brokers=1, long_lived=True) as cluster:
        # Not measured: the broker's JVM warms up.
        await burden(cluster.bootstrap, 0, rate=5 * rate, seconds=2 * seconds)
        for _ in range(repetitions):
            none.append(await burden(cluster.bootstrap, 0, rate=rate, seconds=seconds))
            many.append(await burden(cluster.bootstrap, count, rate=rate, seconds=seconds))
            late.append(await burden(cluster.bootstrap, count, rate=rate, seconds=seconds, overdue=True))
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
    for name, runs in (("none watched", none), (f"{count:,} watched", many), ("the same, all overdue", late)):
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
    parser.add_argument("--only-paces", action="store_true", help="only simulate the cadence; start no process")
    arguments = parser.parse_args()
    if arguments.only_paces:
        paces()
    else:
        uvloop.run(_main(arguments.watched, arguments.rate, arguments.seconds, arguments.repetitions))

"""`python -m bench.watcher`: the cost of watching.

One worker with many watched authorizations, and one without any, alternating in one run: memory, CPU per observation,
and the effect on the latency of commands.
"""

import argparse
import asyncio
import random
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import psutil
import uvloop

from bench.harness import LATENCIES, append, console, in_turn, latencies, median, options, show
from bench.installed import PARTITIONS, fresh_installation, make_authorizations, metrics, record_of
from bench.processes import seconds_of
from bench.steady import WARM_UP_SECONDS, SteadyLoad, reading_outcomes
from consumers.authorization import recent_commands
from consumers.authorization.handoffs import ended as handoff_ended
from consumers.authorization.handoffs import reconciled
from consumers.authorization.recent_commands import CommandEnd
from consumers.authorization.state import AuthorizationState, Closer, CommandRef, Handoff, Known, WatchStatus
from consumers.engine.state_store import state_record
from consumers.watcher.cadence import Cadence
from local.installation import Program
from local.kafka.nodes import Cluster
from runtime.settings import WatchSettings
from schemas.enums import Agreement
from schemas.topics import catalogue

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
    """The load of one worker: its memory, idle CPU and observations, and the latencies of commands."""

    ready_seconds: float
    resident: int
    cpu_seconds: float
    observations: float
    latencies: list[float]


async def _populate(bootstrap: str, prefix: str, ids: list[str]) -> None:
    """Write states of long-watched authorizations."""
    cadence, chance, now, topic = Cadence.of(WatchSettings()), random.Random(2), time.time(), catalogue(prefix).state
    ages = chance.choices([age for _, age in MIX], [share for share, _ in MIX], k=len(ids))

    def records() -> Iterator[dict[str, Any]]:
        for authorization, age in zip(ids, ages, strict=True):
            key, state = authorization.encode(), watched(now, age)
            # At a random moment of the step, as in steady operation.
            timer_at = now + chance.random() * cadence.every(state, now)
            record = state_record(topic.name, key, state.encode(), timer_at)
            yield record_of(authorization, record.value, record.headers, PARTITIONS)

    await append(bootstrap, topic.name, records())


def _observations(worker: Program) -> float:
    counted = {name: count for name, count in metrics(worker).items() if "observations_total{" in name}
    if any(count for name, count in counted.items() if 'result="nothing"' not in name):
        raise RuntimeError(f"expected observations without news, found: {counted}")
    return sum(counted.values())


async def burden(bootstrap: str, count: int, rate: float, seconds: float) -> Burden:
    """Run one worker with `count` watched authorizations: first idle, then with commands at a steady rate."""
    async with fresh_installation(bootstrap) as bench:
        # States without an offset would look like lost offsets, so a worker must have run before.
        (first,) = await bench.start("worker")
        await asyncio.to_thread(first.stop)
        if count:
            ids = await make_authorizations(bench.collate, count, state="waiting_on_payer", version=VERSION)
            await _populate(bootstrap, bench.installed.prefix, ids)
        (ingress,) = await bench.start("ingress")
        began = time.perf_counter()
        (worker,) = await bench.start("worker")
        ready = time.perf_counter() - began
        pid = worker.process.pid
        await asyncio.sleep(2.0)
        cpu, observations = seconds_of(pid), await asyncio.to_thread(_observations, worker)
        await asyncio.sleep(seconds)
        cpu = seconds_of(pid) - cpu
        observations = await asyncio.to_thread(_observations, worker) - observations
        resident = psutil.Process(pid).memory_info().rss
        asked = await make_authorizations(bench.collate, int(rate * (WARM_UP_SECONDS + seconds)))
        async with reading_outcomes(bootstrap, bench.events) as outcomes:
            found = await SteadyLoad(ingress.url, bench.request, asked, outcomes).run(rate, seconds)
        return Burden(ready, resident, cpu, observations, found.seconds)


async def _main(given: argparse.Namespace) -> None:
    with Cluster(brokers=1, long_lived=True) as cluster:
        # Not measured: the broker's JVM warms up.
        await burden(cluster.bootstrap, 0, 5 * given.rate, 2 * given.seconds)
        run = partial(burden, cluster.bootstrap, rate=given.rate, seconds=given.seconds)
        runs = await in_turn({"none": partial(run, 0), "many": partial(run, given.watched)}, given.repetitions)
    none, many = runs.values()
    resident, spent = (
        median(many, lambda one, of=of: getattr(one, of)) - median(none, lambda one, of=of: getattr(one, of))  # type: ignore[misc]
        for of in ("resident", "cpu_seconds")
    )
    observations = median(many, lambda one: one.observations)
    console.print(
        f"{given.watched:,} watched on one worker: {resident / given.watched:,.0f} bytes each in the process; "
        f"{observations / given.seconds:.1f} observations/s cost {spent / given.seconds:.1%} of a core, "
        f"{spent / max(1.0, observations) * 1e6:,.0f} µs each"
    )
    cells = latencies({name: [sorted(took for run in found for took in run.latencies)] for name, found in runs.items()})
    show(
        f"Commands at {given.rate:.0f}/s (all repetitions together) and the worker's start (median, s)",
        ("watched", *LATENCIES, "start"),
        ((name, *cells[name], f"{median(found, lambda one: one.ready_seconds):.1f}") for name, found in runs.items()),
    )


if __name__ == "__main__":
    uvloop.run(
        _main(
            options(
                __doc__,
                watched=(50_000, "watched authorizations"),
                rate=(20.0, "commands per second"),
                seconds=(15.0, "seconds to measure"),
                repetitions=(3, "repetitions of each run"),
            )
        )
    )

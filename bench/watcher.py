"""`python -m bench.watcher`: the cost of watching.

One worker with many watched authorizations, and one without any, alternating in one run: the cost of a minute without
commands, memory, CPU per observation, and the effect on the latency of commands.
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

from bench.harness import LATENCIES, append, in_turn, latencies, listed, median, medians, options, row, show
from bench.installed import PARTITIONS, Bench, calls_at, fresh_installation, make_authorizations, metrics, record_of
from bench.processes import ProcessorTime
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
    """The load of one worker: its memory, what an hour without commands costs, and the latencies of commands."""

    ready_seconds: float
    resident: int
    idle: dict[str, float]
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


def _counts(worker: Program, bench: Bench) -> dict[str, float]:
    found = metrics(worker)
    counted = {name: count for name, count in found.items() if "observations_total{" in name}
    if any(count for name, count in counted.items() if 'result="nothing"' not in name):
        raise RuntimeError(f"expected observations without news, found: {counted}")
    return {
        "observations": sum(counted.values()),
        "calls": calls_at(bench.collate),
        "transactions": found["collate_gateway_transaction_seconds_count"],
    }


async def _idle(worker: Program, bench: Bench, seconds: float) -> dict[str, float]:
    """Return counts and, by process, processor seconds of these seconds, times as many as an hour has."""
    before, processor, hours = await asyncio.to_thread(_counts, worker, bench), ProcessorTime(), seconds / HOUR
    await asyncio.sleep(seconds)
    spent, after = processor.per(hours), await asyncio.to_thread(_counts, worker, bench)
    counts = {name: (count - before[name]) / hours for name, count in after.items()}
    return counts | {f"{role} s": spent[role] / 1_000 for role in ("worker", "ingress", "Kafka")}


async def burden(bootstrap: str, count: int, rate: float, seconds: float, idle: float) -> Burden:
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
        spent = await _idle(worker, bench, idle)
        resident = psutil.Process(pid).memory_info().rss
        asked = await make_authorizations(bench.collate, int(rate * (WARM_UP_SECONDS + seconds)))
        async with reading_outcomes(bootstrap, bench.events) as outcomes:
            found = await SteadyLoad(ingress.url, bench.request, asked, outcomes).run(rate, seconds)
        return Burden(ready, resident, spent, found.seconds)


async def _main(given: argparse.Namespace) -> None:
    with Cluster(brokers=1, long_lived=True) as cluster:
        # Not measured: the broker's JVM warms up.
        await burden(cluster.bootstrap, 0, 5 * given.rate, 2 * given.seconds, idle=1.0)
        run = partial(burden, cluster.bootstrap, rate=given.rate, seconds=given.seconds, idle=given.idle)
        runs = await in_turn({"none": partial(run, 0), "many": partial(run, given.watched)}, given.repetitions)
    none, many = runs.values()
    resident = median(many, lambda one: one.resident) - median(none, lambda one: one.resident)
    without, idle = (medians([one.idle for one in found]) for found in (none, many))
    seconds, observations = idle["worker s"] - without["worker s"], max(1.0, idle["observations"])
    row(
        f"{given.watched:,} watched authorizations, one worker",
        f"{resident / given.watched:,.0f} bytes each in the process; {observations / HOUR:.1f} observations/s cost "
        f"{seconds / HOUR:.1%} of a core, {seconds / observations * 1e6:,.0f} µs each",
    )
    for name, spent in ((f"{given.watched:,}", idle), ("no", without)):
        row(f"an hour without commands, {name} watched authorizations", listed(spent))
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
                watched=(20_000, "watched authorizations"),
                rate=(20.0, "commands per second"),
                seconds=(15.0, "seconds to measure with commands"),
                idle=(60.0, "seconds to measure without commands"),
                repetitions=(3, "repetitions of each run"),
            )
        )
    )

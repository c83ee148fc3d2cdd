"""`python -m bench.chain`: the whole chain, from the POST of a command to its visible `command.finished`.

Subject: the processes `gateway ingress` and `gateway worker` with all features. A command needs a read, an intent, a
create and a read of its effect, at a simulated Collate with a latency of 5 ms. Floor: an HTTP handler that appends, and
the bare exactly-once loop with one read and the create. Floor with intents: the same with the gateway's three calls and
two transactions. All alternate in one run, with one real broker whose JVM has warmed up for a minute.

Latency is measured at steady rates: with one request per authorization, and with alternating requests and revocations,
which cause further work of Collate and the watcher. Throughput of one worker is measured in two ways: with commands
that are already in the topic, and as the highest rate with a delay of at most a second at its end, on all cores and
with ingress and worker on one. The benchmark also prints processor time and counts per command.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import uvloop
from rich.console import Console
from rich.table import Table

from bench.chain.drain import drained
from bench.chain.load import (
    WARM_UP_SECONDS,
    SteadyResult,
    per_command,
    reading_outcomes,
    steady,
)
from bench.engine.topics import make_topics
from bench.installed import COLLATE_MILLISECONDS, PARTITIONS, fresh_installation, get, make_authorizations
from bench.processes import has_two_cores, share_one_core
from local.installation import COLLATE_KEY, start_collate
from local.kafka.nodes import Cluster
from local.processes.run import Run
from schemas.topics import catalogue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Subject = Callable[[str, float, float, int], Awaitable[tuple[SteadyResult, dict[str, float]]]]

console = Console()
AUTHORIZATIONS = 1_000
KEPT_UP_MILLISECONDS = 1_000
WARM_UP_RATE = 200.0
_REVOCATION = '{"result":{"type":"revoked","reason":"bench"}}'


async def latency_of_gateway(
    bootstrap: str,
    rate: float,
    seconds: float,
    partitions: int = PARTITIONS,
    *,
    with_revocations: bool = False,
    on_one_core: bool = False,
) -> tuple[SteadyResult, dict[str, float]]:
    """Run the gateway at a steady rate; return the result, and counts per command.

    With `with_revocations`, each of at least 1,000 authorizations gets requests and revocations alternately. Otherwise
    each authorization gets one request. With `on_one_core`, ingress and worker share a core, and all else another one.
    """
    with Run("bench") as run:
        installed, collate = fresh_installation(run, bootstrap, partitions)
        ingress, worker = installed.start("ingress"), installed.start("worker")
        await asyncio.to_thread(ingress.await_ready)
        await asyncio.to_thread(worker.await_ready)
        if on_one_core:
            share_one_core()
        # Collate reconciles a revoked handoff for a second, so an authorization must not be used again earlier.
        count = max(AUTHORIZATIONS, int(5 * rate)) if with_revocations else int(rate * (WARM_UP_SECONDS + seconds))
        authorizations = make_authorizations(collate, count)
        address = ingress.url.removeprefix("http://")

        def make_request(number: int, authorization: str, handoff_id: str | None) -> bytes:
            close = "" if handoff_id is None else f"/{handoff_id}/close"
            body = "{}" if handoff_id is None else _REVOCATION
            return (
                f"POST /v1/authorizations/{authorization}/handoffs{close} HTTP/1.1\r\nHost: {address}\r\n"
                f"Authorization: Bearer {installed.caller_key}\r\nIdempotency-Key: {number}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            ).encode()

        async with reading_outcomes(bootstrap, catalogue(installed.prefix).events.name) as outcomes:
            found = await steady(address, make_request, authorizations, outcomes, rate=rate, seconds=seconds)
            return found, _counts(worker.admin_url, collate, len(outcomes.seen))


def _counts(admin: str, collate: str, commands: int) -> dict[str, float]:
    samples = dict(line.rsplit(" ", 1) for line in get(f"{admin}/metrics").text.splitlines() if line[:1] != "#")
    routes = get(f"{collate}/_sim/ledger/summary").json()["byRoute"]
    read = {name: float(value) for name, value in samples.items()}
    counts = {
        "writes at Collate": sum(calls for route, calls in routes.items() if route.startswith("POST /v1")),
        "reads at Collate": sum(calls for route, calls in routes.items() if route.startswith("GET /v1")),
        "of these by the watcher": sum(
            value
            for name, value in read.items()
            if name.startswith("collate_gateway_observations_total") and 'result="held"' not in name
        ),
        "transactions": read["collate_gateway_transaction_seconds_count"],
    }
    return {name: count / commands for name, count in counts.items()}


@asynccontextmanager
async def _floor(
    bootstrap: str, collate: str, prefix: str, partitions: int, *, with_intents: bool
) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.floors.bare_chain", bootstrap, collate, prefix, COLLATE_KEY,
        str(partitions), *(["--intents"] if with_intents else []),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        if process.stdout is None:
            raise RuntimeError("the floor has no output")
        yield (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
    finally:
        process.terminate()
        await process.wait()


async def latency_of_floor(
    bootstrap: str, rate: float, seconds: float, partitions: int = PARTITIONS, *, with_intents: bool = False
) -> tuple[SteadyResult, dict[str, float]]:
    """Run the floor at a steady rate. `with_intents`: with the calls and transactions of the gateway."""
    with Run("bench") as run:
        collate = start_collate(run, "--latency-ms", str(COLLATE_MILLISECONDS))
        prefix = await make_topics(bootstrap, partitions)
        async with _floor(bootstrap, collate, prefix, partitions, with_intents=with_intents) as address:
            authorizations = make_authorizations(collate, AUTHORIZATIONS)

            def make_request(_number: int, authorization: str, _handoff_id: str | None) -> bytes:
                return (f"POST /{authorization} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 2\r\n\r\n{{}}").encode()

            async with reading_outcomes(bootstrap, f"{prefix}events") as outcomes:
                return await steady(address, make_request, authorizations, outcomes, rate=rate, seconds=seconds), {}


def milliseconds(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))] * 1000


def _formatted(values: dict[str, float]) -> str:
    return " · ".join(f"{name} {value:.2f}" for name, value in values.items())


def _median(of: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(one[name] for one in of) for name in of[0]}


async def _latency(bootstrap: str, rate: float, options: argparse.Namespace) -> None:
    console.print(
        "Gateway: default settings, but no limits on calls and callers. Floor: one transaction and two calls per "
        "command, no logs and retries; with intents, two transactions and three calls, as the gateway."
    )
    table = Table(
        title=f"POST to visible command.finished, {rate:.0f} commands/s, {options.partitions} partitions (medians, ms)"
    )
    for column in ("subject", "p50", "p99", "x floor p50", "x floor p99", "late", "503", "not applied"):
        table.add_column(column, justify="right")
    subjects: dict[str, Subject] = {
        "floor": latency_of_floor,
        "floor with intents": partial(latency_of_floor, with_intents=True),
        "gateway": latency_of_gateway,
        "with revocations": partial(latency_of_gateway, with_revocations=True),
    }
    runs: dict[str, list[tuple[SteadyResult, dict[str, float]]]] = {name: [] for name in subjects}
    for _ in range(options.repetitions):
        for name, subject in subjects.items():
            runs[name].append(await subject(bootstrap, rate, options.seconds, options.partitions))
    base: list[float] = []
    for name, repeated in runs.items():
        at = [statistics.median(milliseconds(one.seconds, share) for one, _ in repeated) for share in (0.5, 0.99)]
        base = base or at
        ratios = [f"{mine / floor:.2f}x" for mine, floor in zip(at, base, strict=True)]
        counts = [str(sum(getattr(one, key) for one, _ in repeated)) for key in ("late", "refused", "not_applied")]
        table.add_row(name, *(f"{one:.1f}" for one in at), *ratios, *counts)
    console.print(table)
    for name, repeated in runs.items():
        spent = _median([per_command(one.processor, len(one.seconds)) for one, _ in repeated])
        console.print(f"{name}: processor ms per command: {_formatted(spent)} · total {sum(spent.values()):.2f}")
        if repeated[0][1]:
            console.print(f"{name}: per command: {_formatted(_median([counts for _, counts in repeated]))}")


async def _highest(bootstrap: str, rates: list[float], partitions: int, *, on_one_core: bool = False) -> None:
    where = ", ingress and worker on one core" if on_one_core else ""
    for rate in rates:
        found, _ = await latency_of_gateway(bootstrap, rate, 5.0, partitions, on_one_core=on_one_core)
        last = milliseconds(found.last, 0.99)
        console.print(
            f"{rate:.0f} commands/s{where}: {'kept up' if last < KEPT_UP_MILLISECONDS else 'fell behind'}"
            f" (p99 of the last second {last:,.0f} ms; {_formatted(per_command(found.processor, len(found.seconds)))})"
        )
        if last >= KEPT_UP_MILLISECONDS:
            return


async def _main(options: argparse.Namespace) -> None:
    with Cluster(brokers=1, long_lived=True) as cluster:
        await latency_of_floor(cluster.bootstrap, WARM_UP_RATE, options.warm_up)
        for rate in options.steady:
            await _latency(cluster.bootstrap, rate, options)
        await _highest(cluster.bootstrap, options.rates, options.partitions)
        drains = [
            await drained(cluster.bootstrap, options.commands, options.partitions) for _ in range(options.repetitions)
        ]
        rates = " · ".join(
            f"{statistics.median(rates):,.0f}" for rates in zip(*(one.rates for one in drains), strict=True)
        )
        memory = [
            statistics.median(getattr(one, name) for one in drains) / 1e6 for name in ("memory", "memory_of_new_worker")
        ]
        console.print(
            f"Drained by one worker process, by quarter of {options.commands:,}: {rates} commands/s; "
            f"processor ms per command: {_formatted(_median([one.processor for one in drains]))}; "
            f"memory {memory[0]:.0f} MB, of a new worker with the same states {memory[1]:.0f} MB"
        )
        if has_two_cores():  # last: the processes keep their cores
            await _highest(cluster.bootstrap, options.rates, options.partitions, on_one_core=True)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steady", type=float, nargs="*", default=[20, 200], help="commands per second (20 200)")
    parser.add_argument("--partitions", type=int, default=PARTITIONS, help="partitions of the one worker (default 12)")
    parser.add_argument("--seconds", type=float, default=15.0, help="seconds to measure at each rate (default 15)")
    parser.add_argument(
        "--warm-up", type=float, default=60.0, help="seconds of load before, to warm up the broker's JVM (60)"
    )
    parser.add_argument(
        "--rates", type=float, nargs="*", default=[300, 500, 600, 750, 1_000, 1_500], help="rates to try"
    )
    parser.add_argument("--commands", type=int, default=10_000, help="commands to drain (default 10,000)")
    parser.add_argument("--repetitions", type=int, default=3, help="repetitions of each run (default 3)")
    uvloop.run(_main(parser.parse_args()))

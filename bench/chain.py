"""`python -m bench.chain`: the whole chain, from the POST of a command to its visible `command.finished`.

Ours: `gateway ingress` and `gateway worker` as processes, everything on; each command is one GET, one intent and one
POST at a simulated Collate that answers in 5 ms. Floor: an HTTP handler that appends, and the bare exactly-once loop
that makes the same two calls; no intent, no decision, one event. Both in turns in one run, over one real broker.

Latency is taken at a steady rate; the sustained rate over commands that are all in the topic already.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
import urllib.request
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psutil
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from bench.http_calls import Connections
from local.installation import CALLER, COLLATE_KEY, Installation, start_collate
from local.kafka import Cluster
from local.run import Run
from schemas.commands import HandoffRequest
from schemas.identity import command_id_from_key
from schemas.records import Accepted, source, write_command
from schemas.topics import catalogue, partition_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

console = Console()
PARTITIONS = 12
COLLATE_MILLISECONDS = 5
WARM_UP_SECONDS = 3.0


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        result: dict[str, Any] = json.load(answer)
    return result


def _authorizations(collate: str, count: int) -> list[str]:
    ids: list[str] = _post(f"{collate}/_sim/authorizations", {"count": count})["ids"]
    return ids


class Outcomes:
    """Reads committed events from now on, and notes when each command is seen to be finished."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self.seen: dict[str, float] = {}
        self._consumer = consumer

    async def read(self) -> None:
        """Read for ever."""
        while True:
            for records in (await self._consumer.getmany(timeout_ms=200)).values():
                now = time.perf_counter()
                for record in records:
                    headers = dict(record.headers)
                    if b"command.finished" in headers.get("ce_type", b"command.finished"):
                        cause = headers.get("ce_causationid") or record.value
                        self.seen.setdefault(cause.decode(), now)


@asynccontextmanager
async def _outcomes(bootstrap: str, topic: str) -> AsyncIterator[Outcomes]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=None,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    await consumer.start()
    outcomes = Outcomes(consumer)
    reading = asyncio.create_task(outcomes.read())
    try:
        yield outcomes
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await consumer.stop()


async def _steady(
    address: str, request: Any, authorizations: list[str], outcomes: Outcomes, *, rate: float
) -> list[float]:
    """Send one request per authorization at a steady rate; return the sorted seconds to each visible outcome."""
    connections = Connections(address)
    sent: dict[str, float] = {}
    began = time.perf_counter()

    async def ask(number: int, authorization: str) -> None:
        at = time.perf_counter()
        status, body = await connections.call(request(number, authorization))
        if status != 202:
            raise RuntimeError(f"expected 202, got {status}: {body[:200]!r}")
        if at - began > WARM_UP_SECONDS:
            sent[json.loads(body)["commandId"]] = at

    tasks = []
    for number, authorization in enumerate(authorizations):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(ask(number, authorization)))
    await asyncio.gather(*tasks)
    deadline = time.perf_counter() + 60
    while not sent.keys() <= outcomes.seen.keys():
        if time.perf_counter() > deadline:
            raise RuntimeError(f"{len(sent.keys() - outcomes.seen.keys())} commands have no outcome after a minute")
        await asyncio.sleep(0.05)
    return sorted(outcomes.seen[command] - at for command, at in sent.items())


def _settings() -> dict[str, str]:
    return {
        "GATEWAY_COLLATE__CALLS_PER_SECOND": "100000",
        "GATEWAY_COLLATE__CONCURRENCY": "512",
        "GATEWAY_COLLATE__MAX_REPLICAS": "1",
        "GATEWAY_INGRESS__CALLER_RATE": "100000",
        "GATEWAY_INGRESS__CALLER_BURST": "100000",
    }


async def latency_of_ours(bootstrap: str, rate: float, seconds: float) -> list[float]:
    """Run the gateway's processes and measure at a steady rate."""
    with Run("bench") as run:
        collate = start_collate(run, "--latency-ms", str(COLLATE_MILLISECONDS))
        prefix = f"bench-{uuid.uuid4().hex[:8]}."
        installed = Installation(run, bootstrap=bootstrap, collate_url=collate, prefix=prefix, settings=_settings())
        installed.apply_topics()
        ingress, worker = installed.start("ingress"), installed.start("worker")
        await asyncio.to_thread(ingress.await_ready)
        await asyncio.to_thread(worker.await_ready)
        authorizations = _authorizations(collate, int(rate * (seconds + WARM_UP_SECONDS)))
        address = ingress.url.removeprefix("http://")

        def request(number: int, authorization: str) -> bytes:
            return (
                f"POST /v1/authorizations/{authorization}/handoffs HTTP/1.1\r\nHost: {address}\r\n"
                f"Authorization: Bearer {installed.caller_key}\r\nIdempotency-Key: {number}\r\n"
                "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
            ).encode()

        async with _outcomes(bootstrap, catalogue(prefix).events.name) as outcomes:
            return await _steady(address, request, authorizations, outcomes, rate=rate)


@asynccontextmanager
async def _floor(bootstrap: str, collate: str, prefix: str) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.floors.bare_chain", bootstrap, collate, prefix, COLLATE_KEY,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        if process.stdout is None:
            raise RuntimeError("the floor has no output")
        yield (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
    finally:
        process.terminate()
        await process.wait()


async def latency_of_floor(bootstrap: str, rate: float, seconds: float) -> list[float]:
    """Run the floor and measure at the same rate."""
    with Run("bench") as run:
        collate = start_collate(run, "--latency-ms", str(COLLATE_MILLISECONDS))
        prefix = await _make_floor_topics(bootstrap)
        async with _floor(bootstrap, collate, prefix) as address:
            authorizations = _authorizations(collate, int(rate * (seconds + WARM_UP_SECONDS)))

            def request(_: int, authorization: str) -> bytes:
                return (f"POST /{authorization} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 2\r\n\r\n{{}}").encode()

            async with _outcomes(bootstrap, f"{prefix}events") as outcomes:
                return await _steady(address, request, authorizations, outcomes, rate=rate)


async def _make_floor_topics(bootstrap: str) -> str:
    from bench.topics import make_topics  # noqa: PLC0415 - the floor's alone

    return await make_topics(bootstrap, PARTITIONS)


async def sustained(bootstrap: str, commands: int) -> tuple[float, float]:
    """Put all commands into the topic, start one worker; return commands/s and its CPU microseconds per command."""
    with Run("bench") as run:
        collate = start_collate(run, "--latency-ms", str(COLLATE_MILLISECONDS))
        prefix = f"bench-{uuid.uuid4().hex[:8]}."
        installed = Installation(run, bootstrap=bootstrap, collate_url=collate, prefix=prefix, settings=_settings())
        installed.apply_topics()
        topics = catalogue(prefix)
        await _append(bootstrap, topics.commands.name, _authorizations(collate, commands))
        async with _outcomes(bootstrap, topics.events.name) as outcomes:
            worker = installed.start("worker")
            while not outcomes.seen:  # noqa: ASYNC110 - sampling is what a measurement does
                await asyncio.sleep(0.01)
            began, base = time.perf_counter(), len(outcomes.seen)
            process = psutil.Process(worker.process.pid)
            cpu = sum(process.cpu_times()[:2])
            while len(outcomes.seen) < commands:
                worker.require_running()
                await asyncio.sleep(0.02)
                if time.perf_counter() - began > 120:
                    raise RuntimeError(f"{commands - len(outcomes.seen)} commands have no outcome after two minutes")
            rate = (commands - base) / (time.perf_counter() - began)
            return rate, (sum(process.cpu_times()[:2]) - cpu) / (commands - base) * 1e6


async def _append(bootstrap: str, topic: str, authorizations: list[str]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, linger_ms=5)
    await producer.start()
    try:
        sends = []
        for authorization in authorizations:
            command = Accepted(
                id=command_id_from_key(CALLER, authorization, "bench"),
                caller=CALLER,
                authorization_id=authorization,
                accepted_at=datetime.now(UTC),
                data=HandoffRequest(),
            )
            headers, value = write_command(command, source("local"))
            key = authorization.encode()
            partition = partition_for(key, PARTITIONS)
            sends.append(await producer.send(topic, value, key=key, partition=partition, headers=list(headers)))
        await asyncio.gather(*sends)
    finally:
        await producer.stop()


def _milliseconds(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))] * 1000


async def _main(rate: float, seconds: float, commands: int, repetitions: int) -> None:
    table = Table(title=f"Command POST to visible command.finished, at {rate:.0f} commands/s (medians, ms)")
    for column in ("subject", "p50", "p99", "of the floor's p50", "of the floor's p99"):
        table.add_column(column, justify="right")
    with Cluster(brokers=1) as cluster:
        runs: dict[str, list[list[float]]] = {"floor": [], "gateway": []}
        for _ in range(repetitions):
            runs["floor"].append(await latency_of_floor(cluster.bootstrap, rate, seconds))
            runs["gateway"].append(await latency_of_ours(cluster.bootstrap, rate, seconds))
        percentiles = {
            name: [statistics.median(_milliseconds(values, share) for values in repeated) for share in (0.5, 0.99)]
            for name, repeated in runs.items()
        }
        for name, (at50, at99) in percentiles.items():
            ratios = [f"{mine / floor:.2f}x" for mine, floor in zip((at50, at99), percentiles["floor"], strict=True)]
            table.add_row(name, f"{at50:.1f}", f"{at99:.1f}", *ratios)
        console.print(table)
        rates = [await sustained(cluster.bootstrap, commands) for _ in range(repetitions)]
        console.print(
            f"Sustained by one worker process: {statistics.median(rate for rate, _ in rates):,.0f} commands/s, "
            f"{statistics.median(cpu for _, cpu in rates):,.0f} µs of CPU each"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rate", type=float, default=200.0, help="commands per second (default 200)")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long to measure at that rate (default 15)")
    parser.add_argument("--commands", type=int, default=10_000, help="commands of the sustained run (default 10,000)")
    parser.add_argument("--repetitions", type=int, default=3, help="how often each run is repeated (default 3)")
    arguments = parser.parse_args()
    uvloop.run(_main(arguments.rate, arguments.seconds, arguments.commands, arguments.repetitions))

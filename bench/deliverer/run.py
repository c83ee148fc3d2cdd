"""`python -m bench.deliverer`: webhooks per second, and the time from append to delivery, beside a bare loop.

One real `gateway deliverer` on real Kafka, 12 partitions, 1,000 keys; the receiver is a process that answers in 5 ms.
The floor is an aiokafka consumer with httpx. Both read the same events from the same topic.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import psutil
import uvloop
from aiokafka import AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from local.installation import Installation
from local.kafka.nodes import Cluster
from local.processes.run import Run
from schemas.events import HandoffOpened
from schemas.records import publish, source, write_event
from schemas.topics import catalogue, partition_for

if TYPE_CHECKING:
    from collections.abc import Callable

console = Console(width=120)
PARTITIONS = 12
KEYS = 1_000
CONCURRENCY = 64
# The floor is slower by an order of magnitude, so it gets fewer events.
_FLOOR_EVENTS = 4_000
PREFIX = "bench."
_DELIVERED = re.compile(r'^collate_gateway_deliverer_delivered_total\{subscription="bench"\} (\S+)$', re.MULTILINE)
DATA = HandoffOpened.from_record(json.dumps(HandoffOpened.EXAMPLE).encode())


@dataclass
class TimedReceiver:
    """A receiver of this process that answers after 5 ms, and notes when each event was answered."""

    answered: dict[str, float] = field(default_factory=dict)
    port: int = 0

    async def start(self) -> None:
        """Listen on a free port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _TimedConnection(self.answered), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]


class _TimedConnection(asyncio.Protocol):
    def __init__(self, answered: dict[str, float]) -> None:
        self._answered = answered
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            found = re.search(rb"content-length: *(\d+)", self._unread[:end], re.IGNORECASE)
            size = int(found[1]) if found else 0
            if len(self._unread) < end + 4 + size:
                return
            body, self._unread = self._unread[end + 4 : end + 4 + size], self._unread[end + 4 + size :]
            asyncio.get_running_loop().call_later(0.005, self._answer, json.loads(body)["id"])

    def _answer(self, event_id: str) -> None:
        self._answered.setdefault(event_id, time.perf_counter())
        self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")  # type: ignore[attr-defined]


class Events:
    """Writes events, numbered per authorization."""

    def __init__(self, producer: AIOKafkaProducer, run: str) -> None:
        self._producer = producer
        self._run = run
        self._count = 0

    async def write(self) -> tuple[str, asyncio.Future[object]]:
        """Send the next event; return its id and the future of its confirmation."""
        authorization, sequence = f"{self._run}_{self._count % KEYS}", self._count // KEYS + 1
        self._count += 1
        event = publish(DATA, authorization_id=authorization, sequence=sequence, life=1, time=datetime.now(UTC))
        headers, value = write_event(event, source("bench"))
        key = authorization.encode()
        sent = await self._producer.send(
            catalogue(PREFIX).events.name,
            value,
            key=key,
            headers=list(headers),
            partition=partition_for(key, PARTITIONS),
        )
        return event.id, sent

    async def write_many(self, count: int) -> None:
        """Send that many events, and wait for all confirmations."""
        confirmations = [(await self.write())[1] for _ in range(count)]
        await asyncio.gather(*confirmations)


@dataclass(frozen=True)
class Speed:
    """Events per second, and processor seconds of the process per thousand events."""

    per_second: float
    cpu_per_thousand: float


async def _measure(count: int, done: Callable[[], float], process: psutil.Process) -> Speed:
    """Measure between the first and the last tenth of the events."""
    began = cpu = 0.0
    first = 0.0
    while True:
        number, now = await asyncio.to_thread(done), time.perf_counter()
        if not began and number >= count / 10:
            began, first, cpu = now, number, sum(process.cpu_times()[:2])
        if number >= count * 9 / 10:
            used = sum(process.cpu_times()[:2]) - cpu
            return Speed((number - first) / (now - began), used / (number - first) * 1_000)
        await asyncio.sleep(0.05)


def _subscribe(installation: Installation, port: int) -> None:
    (installation.directory / "whsec").write_text(f"whsec_{base64.b64encode(os.urandom(32)).decode()}")
    (installation.directory / "subscriptions.toml").write_text(
        f'[[subscription]]\nname = "bench"\nurl = "http://127.0.0.1:{port}/"\nsince = 2020-01-01T00:00:00Z\n'
        f'secret_files = ["{installation.directory / "whsec"}"]\nmax_in_flight = {CONCURRENCY}\n'
        'allow_plain_http = true\nallowed_networks = ["127.0.0.0/8"]\n'
    )


def _answering() -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.answering"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def _counted(port: int) -> Callable[[], float]:
    """Return a function that asks the answering process for its count."""
    client = httpx.Client(trust_env=False)
    return lambda: float(client.get(f"http://127.0.0.1:{port}/count").text)


async def throughput(installation: Installation, bootstrap: str, count: int) -> tuple[Speed, Speed]:
    """Return the speed of the deliverer and of the floor; the floor reads the same events later."""
    receiver, port = _answering()
    _subscribe(installation, port)
    await asyncio.to_thread(installation.apply_topics)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, max_batch_size=1 << 18)
    await producer.start()
    await Events(producer, "t").write_many(count)
    await producer.stop()
    console.print(f"{count:,} events are in the topic; measuring the deliverer")
    program = installation.start("deliverer")
    with httpx.Client(trust_env=False) as http:

        def delivered() -> float:
            try:
                found = _DELIVERED.search(http.get(f"{program.admin_url}/metrics").text)
            except httpx.TransportError:
                program.require_running()
                return 0.0
            return float(found[1]) if found else 0.0

        ours = await _measure(count, delivered, psutil.Process(program.process.pid))
    await asyncio.to_thread(program.stop)
    floor = subprocess.Popen(  # noqa: ASYNC220 - a fork of milliseconds before the measurement
        [
            *(sys.executable, "-m", "bench.floors.bare_webhooks", bootstrap, catalogue(PREFIX).events.name),
            *("floor", f"http://127.0.0.1:{port}/", str(CONCURRENCY)),
        ],
        stdin=subprocess.PIPE,
    )
    answered = _counted(port)
    before = answered()
    console.print("measuring the floor: aiokafka and httpx")
    bare = await _measure(min(count, _FLOOR_EVENTS), lambda: answered() - before, psutil.Process(floor.pid))
    floor.kill()
    floor.wait()
    receiver.kill()
    receiver.wait()
    return ours, bare


async def latency(installation: Installation, bootstrap: str, seconds: float) -> list[float]:
    """Return the sorted seconds from an event's append to the receiver's answer, at 100 events per second."""
    receiver = TimedReceiver()
    await receiver.start()
    _subscribe(installation, receiver.port)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=0)
    await producer.start()
    program = installation.start("deliverer", "latency")
    await asyncio.to_thread(program.await_ready)
    events, sent_at = Events(producer, "l"), {}
    begins = time.perf_counter() + 3.0
    for number in range(int(seconds * 100) + 300):
        await asyncio.sleep(max(0.0, begins - 3.0 + number / 100 - time.perf_counter()))
        now = time.perf_counter()
        event_id, _ = await events.write()
        if now >= begins:
            sent_at[event_id] = now
    async with asyncio.timeout(30):
        while not sent_at.keys() <= receiver.answered.keys():  # noqa: ASYNC110 - the receiver notes the times
            await asyncio.sleep(0.05)
    await asyncio.to_thread(program.stop)
    await producer.stop()
    return sorted(receiver.answered[event_id] - at for event_id, at in sent_at.items())


async def main(count: int, seconds: float) -> int:
    """Measure both, and print them."""
    with Cluster(brokers=1) as cluster, Run("bench") as run:
        settings = {
            "GATEWAY_TOPICS__PARTITIONS": str(PARTITIONS),
            "GATEWAY_DELIVERER__SUBSCRIPTIONS_FILE": str(run.directory / "subscriptions.toml"),
            "GATEWAY_LOG__LEVEL": "warning",
        }
        installation = Installation(
            run, bootstrap=cluster.bootstrap, collate_url="http://127.0.0.1:1", prefix=PREFIX, settings=settings
        )
        ours, floor = await throughput(installation, cluster.bootstrap, count)
        console.print("measuring append to answer at 100/s")
        times = await latency(installation, cluster.bootstrap, seconds)
    table = Table("", "deliverer", "aiokafka + httpx", box=None)
    table.add_row("events/s, receiver answers in 5 ms", f"{ours.per_second:,.0f}", f"{floor.per_second:,.0f}")
    table.add_row("processor seconds / 1,000 events", f"{ours.cpu_per_thousand:.3f}", f"{floor.cpu_per_thousand:.3f}")
    console.print(table)
    middle, late = statistics.median(times) * 1_000, times[int(len(times) * 0.99)] * 1_000
    console.print(f"append to answer at 100/s, {len(times)} events: p50 {middle:.1f} ms, p99 {late:.1f} ms")
    return 0


def run() -> None:
    """Read the arguments, measure, and exit."""
    parser = argparse.ArgumentParser(prog="python -m bench.deliverer", description=__doc__)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    sys.exit(uvloop.run(main(given.events, given.seconds)))

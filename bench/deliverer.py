"""`python -m bench.deliverer`: webhooks per second, and the time from append to delivery, beside a bare loop.

One real `gateway deliverer` on real Kafka, 12 partitions, 1,000 keys; the receiver answers in 5 ms. The floor is an
aiokafka consumer with aiohttp. Both read the same events from the same topic.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import uvloop

from bench.answering import answering, listen
from bench.harness import append, milliseconds, options, paced, producing, row, show
from bench.installed import PARTITIONS, get, metrics, record_of
from bench.processes import seconds_of
from local.installation import Installation
from local.kafka.nodes import Cluster
from local.processes.run import Run
from local.subscriptions import new_secret, subscription_toml
from schemas.events import HandoffOpened
from schemas.records import publish, source, write_event
from schemas.topics import catalogue

KEYS = 1_000
CONCURRENCY = 64
PREFIX = "bench."
EVENTS = catalogue(PREFIX).events.name
_DELIVERED = 'collate_gateway_deliverer_delivered_total{subscription="bench"}'
_RATE = 100.0
_WARM_UP_SECONDS = 3.0
DATA = HandoffOpened.from_record(json.dumps(HandoffOpened.EXAMPLE).encode())


def event(run: str, number: int) -> tuple[str, dict[str, Any]]:
    """Return the id of an event, numbered per authorization, and its record: the arguments of `send`."""
    authorization, sequence = f"{run}_{number % KEYS}", number // KEYS + 1
    made = publish(DATA, authorization_id=authorization, sequence=sequence, life=1, time=datetime.now(UTC))
    headers, value = write_event(made, source("bench"))
    return made.id, record_of(authorization, value, headers, PARTITIONS)


@dataclass(frozen=True)
class Speed:
    """Events per second, and processor seconds of the process per thousand events."""

    per_second: float
    cpu_per_thousand: float


async def _measure(count: int, done: Callable[[], float], pid: int) -> Speed:
    """Measure between the first and the last tenth of the events."""
    began = cpu = first = 0.0
    while True:
        number, now = await asyncio.to_thread(done), time.perf_counter()
        if not began and number >= count / 10:
            began, first, cpu = now, number, seconds_of(pid)
        if number >= count * 9 / 10:
            used = seconds_of(pid) - cpu
            return Speed((number - first) / (now - began), used / (number - first) * 1_000)
        await asyncio.sleep(0.05)


def _subscribe(installation: Installation, port: int) -> None:
    installation.write_secret("whsec", new_secret())
    entry = subscription_toml(
        "bench",
        f"http://127.0.0.1:{port}/",
        [installation.directory / "whsec"],
        since="2020-01-01T00:00:00Z",
        max_in_flight=CONCURRENCY,
    )
    (installation.directory / "subscriptions.toml").write_text(entry)


async def throughput(installation: Installation, bootstrap: str, count: int) -> tuple[Speed, Speed]:
    """Return the speed of the deliverer and of the floor; the floor reads the same events later."""
    with answering() as port:
        _subscribe(installation, port)
        await asyncio.to_thread(installation.apply_topics)
        await append(bootstrap, EVENTS, (event("t", number)[1] for number in range(count)))
        program = installation.start("deliverer")
        await asyncio.to_thread(program.await_ready)
        ours = await _measure(count, lambda: metrics(program).get(_DELIVERED, 0.0), program.process.pid)
        await asyncio.to_thread(program.stop)

        def answered() -> float:
            return float(get(f"http://127.0.0.1:{port}/count").text)

        before = answered()
        floor = subprocess.Popen(  # noqa: ASYNC220 - a fork of milliseconds before the measurement
            [
                *(sys.executable, "-m", "bench.floors.bare_webhooks", bootstrap, EVENTS),
                *("floor", f"http://127.0.0.1:{port}/", str(CONCURRENCY)),
            ]
        )
        bare = await _measure(count, lambda: answered() - before, floor.pid)
        floor.kill()
        floor.wait()
    return ours, bare


async def latency(installation: Installation, bootstrap: str, seconds: float) -> list[float]:
    """Return the sorted seconds from an event's append to the receiver's answer, at 100 events per second."""
    answered: dict[str, float] = {}
    sent: dict[str, float] = {}
    port = await listen(lambda body: answered.__setitem__(json.loads(body)["id"], time.perf_counter()))
    _subscribe(installation, port)
    program = installation.start("deliverer", "latency")
    await asyncio.to_thread(program.await_ready)
    async with producing(bootstrap, linger_ms=0) as producer:
        async for number, due in paced(_RATE, _WARM_UP_SECONDS + seconds):
            event_id, record = event("l", number)
            if due >= _WARM_UP_SECONDS:
                sent[event_id] = time.perf_counter()
            await producer.send(EVENTS, **record)
        async with asyncio.timeout(30):
            while not sent.keys() <= answered.keys():  # noqa: ASYNC110 - the receiver notes the times
                await asyncio.sleep(0.05)
    await asyncio.to_thread(program.stop)
    return sorted(answered[event_id] - at for event_id, at in sent.items())


async def _main(given: argparse.Namespace) -> None:
    with Cluster(brokers=1) as cluster, Run("bench") as run:
        settings = {
            "GATEWAY_TOPICS__PARTITIONS": str(PARTITIONS),
            "GATEWAY_DELIVERER__SUBSCRIPTIONS_FILE": str(run.directory / "subscriptions.toml"),
            "GATEWAY_LOG__LEVEL": "warning",
        }
        bootstrap = cluster.bootstrap
        installation = Installation(
            run, bootstrap=bootstrap, collate_url="http://127.0.0.1:1", prefix=PREFIX, settings=settings
        )
        ours, floor = await throughput(installation, bootstrap, given.events)
        times = await latency(installation, bootstrap, given.seconds)
    show(
        f"{given.events:,} events, the receiver answers in 5 ms",
        ("subject", "events/s", "processor seconds / 1,000 events"),
        (
            (name, f"{one.per_second:,.0f}", f"{one.cpu_per_thousand:.3f}")
            for name, one in (("deliverer", ours), ("aiokafka + aiohttp", floor))
        ),
    )
    p50, p99 = (milliseconds(times, share) for share in (0.5, 0.99))
    row(
        "a deliverer, a receiver that answers in 5 ms",
        f"{ours.per_second:,.0f} events/s at {ours.cpu_per_thousand:.3f} ms of processor time, that of a bare loop of "
        f"aiokafka and aiohttp {floor.cpu_per_thousand:.3f}; from append to answer p50 {p50:.1f}, p99 {p99:.0f} ms",
    )


if __name__ == "__main__":
    uvloop.run(
        _main(
            options(
                __doc__,
                events=(60_000, "events in the topic"),
                seconds=(20.0, "seconds to measure the time to delivery"),
            )
        )
    )

"""`python -m bench.reaction`: time from a change at Collate to its visible event, and calls per watched authorization.

Runs a real worker on real Kafka and the simulated Collate, on the first step of each class of the cadence, all classes
together. Collate's ledger counts the calls; then each authorization is canceled at a random moment of its step. The
formulas of docs/subscribing.md are shown beside them: they leave out the call and the transaction.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import statistics
import time
import urllib.parse
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from bench.installed import command_record, get, post, unlimited
from consumers.watcher.cadence import JITTER, PollClass
from docs_build.cadence_page import mean_seconds, observations_per_hour, worst_seconds
from local.installation import Installation, start_collate
from local.kafka.nodes import Cluster
from local.processes.run import Run
from runtime.settings import WatchSettings
from schemas.commands import AuthorizationWatch
from schemas.enums import EventType
from schemas.topics import catalogue

if TYPE_CHECKING:
    from collections.abc import Sequence

console = Console(width=120)
WATCH = WatchSettings()
LEAST_COUNTED_SECONDS = 20.0
# The initial state of each class. Collate's own automation is postponed for an hour, so that it changes nothing.
STATES = {
    PollClass.ENDED: "handoff_active",
    PollClass.ACCESS: "handoff_active",
    PollClass.OPEN: "handoff_active",
    PollClass.PROCESSING: "processing",
    PollClass.ACTION: "approve_submission",
    PollClass.PAYER: "waiting_on_payer",
}


@dataclass(frozen=True, slots=True)
class Reaction:
    """One class: sorted seconds from a change to its event, and calls per authorization and hour."""

    reactions: list[float]
    calls_per_hour: float


class Changes:
    """Reads committed events, and records when each authorization was first published as settled."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.settled_at: dict[str, float] = {}

    async def read(self) -> None:
        """Read until cancelled."""
        while True:
            for records in (await self._consumer.getmany(timeout_ms=100)).values():
                now = time.perf_counter()
                for record in records:
                    if EventType.AUTHORIZATION_SETTLED.value.encode() in dict(record.headers)["ce_type"]:
                        self.settled_at.setdefault(record.key.decode(), now)


class Measurement:
    """One run over all classes."""

    def __init__(self, collate: str, producer: AIOKafkaProducer, commands: str, changes: Changes, count: int) -> None:
        self._collate = collate
        self._producer = producer
        self._commands = commands
        self._changes = changes
        self._count = count
        self._randomness = random.Random(1)

    async def of(self, poll_class: PollClass) -> Reaction:
        """Measure one class."""
        step = getattr(WATCH, poll_class.value)[0].every.total_seconds()
        body = {"state": STATES[poll_class], "count": self._count, "findsAfterSeconds": 3_600.0}
        ids: list[str] = (await self._post("authorizations", body))["ids"]
        if poll_class is PollClass.ACCESS:
            for one in ids:
                await self._act(one, {"do": "set_access", "available": False})
        await self._watch(ids)
        await asyncio.sleep(2.0)
        if poll_class is PollClass.ENDED:
            for one in ids:
                await self._act(one, {"do": "complete", "reportedOutcome": "submitted"})
            # One step of the class `open`, as which it was observed before.
            await asyncio.sleep(1.1 * WATCH.open[0].every.total_seconds())
        await asyncio.sleep(step)
        counted = step * math.ceil(LEAST_COUNTED_SECONDS / step)
        before = await self._calls(ids)
        await asyncio.sleep(counted)
        calls = await self._calls(ids) - before
        reactions = await asyncio.gather(*(self._change(one, step) for one in ids))
        return Reaction(sorted(reactions), calls / len(ids) / counted * 3_600.0)

    async def _change(self, authorization: str, step: float) -> float:
        await asyncio.sleep(self._randomness.random() * step)
        await self._act(authorization, {"do": "cancel"})
        changed = time.perf_counter()
        async with asyncio.timeout(3 * step + 60.0):
            while authorization not in self._changes.settled_at:  # noqa: ASYNC110 - the reader records its time
                await asyncio.sleep(0.1)
        return self._changes.settled_at[authorization] - changed

    async def _watch(self, ids: Sequence[str]) -> None:
        for authorization in ids:
            await self._producer.send_and_wait(self._commands, **command_record(authorization, AuthorizationWatch()))

    async def _act(self, authorization: str, action: dict[str, Any]) -> None:
        await self._post(f"authorizations/{authorization}/act", action)

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(post, f"{self._collate}/_sim/{path}", body)

    async def _calls(self, ids: Sequence[str]) -> int:
        query = urllib.parse.urlencode({"path": "|".join(ids), "method": "GET"})

        def count() -> int:
            return len(get(f"{self._collate}/_sim/ledger/calls?{query}").json()["calls"])

        return await asyncio.to_thread(count)


def _change_profile(collate: str, changes: dict[str, Any]) -> None:
    httpx.patch(f"{collate}/_sim/profile", json=changes, trust_env=False).raise_for_status()


async def measure(bootstrap: str, count: int) -> dict[PollClass, Reaction]:
    """Run one worker and measure all classes together."""
    with Run("bench") as run:
        collate = start_collate(run, "--latency-ms", "5")
        prefix = f"bench-{uuid.uuid4().hex[:8]}."
        installed = Installation(run, bootstrap=bootstrap, collate_url=collate, prefix=prefix, settings=unlimited())
        installed.apply_topics()
        worker = installed.start("worker")
        await asyncio.to_thread(worker.await_ready)
        topics = catalogue(prefix)
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
        consumer = AIOKafkaConsumer(
            topics.events.name, bootstrap_servers=bootstrap, group_id=None, isolation_level="read_committed",
            auto_offset_reset="earliest",
        )  # fmt: skip
        await producer.start()
        await consumer.start()
        changes = Changes(consumer)
        reading = asyncio.create_task(changes.read())
        await asyncio.to_thread(_change_profile, collate, {"reconcile_seconds": 3_600.0})
        measurement = Measurement(collate, producer, topics.commands.name, changes, count)
        try:
            return dict(
                zip(
                    PollClass,
                    await asyncio.gather(*(measurement.of(poll_class) for poll_class in PollClass)),
                    strict=True,
                )
            )
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await producer.stop()
            await consumer.stop()


def main(count: int) -> None:
    """Measure, and print the table."""
    with Cluster(brokers=1, long_lived=True) as cluster:
        measured = uvloop.run(measure(cluster.bootstrap, count))
    table = Table(title=f"From a change at Collate to its visible event, and calls ({count} of each class, first step)")
    for column in ("class", "step", "mean", "formula", "p99", "at most", "calls/h", "observations/h by formula"):
        table.add_column(column, justify="right")
    for poll_class, reaction in measured.items():
        step = getattr(WATCH, poll_class.value)[0]
        table.add_row(
            poll_class.value,
            f"{step.every.total_seconds():.0f} s",
            f"{statistics.fmean(reaction.reactions):.2f} s",
            f"{mean_seconds(step, JITTER):.2f} s",
            f"{reaction.reactions[int(len(reaction.reactions) * 0.99)]:.2f} s",
            f"{worst_seconds(step, JITTER):.1f} s",
            f"{reaction.calls_per_hour:,.0f}",
            f"{observations_per_hour(step):,.0f}",
        )
    console.print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=100, help="authorizations of each class (default 100)")
    main(parser.parse_args().count)

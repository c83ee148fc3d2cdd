"""`python -m bench.reaction`: time from a change at Collate to its visible event, and calls per watched authorization.

Runs a real worker on real Kafka and the simulated Collate, on the first step of each class of the cadence, all classes
together. Collate's ledger counts the calls; then each authorization is canceled at a random moment of its step. The
formulas of `docs_build.cadence_page` are shown beside them: they leave out the call and the transaction.
"""

import argparse
import asyncio
import math
import random
import statistics
import time
import urllib.parse
from dataclasses import dataclass
from typing import Any

import httpx
import uvloop
from aiokafka import ConsumerRecord

from bench.harness import append, milliseconds, options, reading, show
from bench.installed import Bench, command_record, fresh_installation, get, make_authorizations, post
from consumers.watcher.cadence import JITTER, PollClass
from docs_build.cadence_page import mean_seconds, observations_per_hour, worst_seconds
from local.kafka.nodes import Cluster
from runtime.settings import WatchSettings
from schemas.commands import AuthorizationWatch
from schemas.enums import EventType
from schemas.topics import catalogue

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


class Measurement:
    """One run over all classes."""

    def __init__(self, bench: Bench, bootstrap: str, count: int) -> None:
        self._collate = bench.collate
        self._commands = catalogue(bench.installed.prefix).commands.name
        self._bootstrap = bootstrap
        self._count = count
        self._chance = random.Random(1)
        self._settled_at: dict[str, float] = {}

    def take(self, record: ConsumerRecord, now: float) -> None:
        """Note when each authorization was first published as settled."""
        if EventType.AUTHORIZATION_SETTLED.value.encode() in dict(record.headers)["ce_type"]:
            self._settled_at.setdefault(record.key.decode(), now)

    async def of(self, poll_class: PollClass) -> Reaction:
        """Measure one class."""
        step = getattr(WATCH, poll_class.value)[0].every.total_seconds()
        ids = await make_authorizations(self._collate, self._count, state=STATES[poll_class], findsAfterSeconds=3_600.0)
        if poll_class is PollClass.ACCESS:
            await self._act(ids, do="set_access", available=False)
        watches = (command_record(authorization, AuthorizationWatch()) for authorization in ids)
        await append(self._bootstrap, self._commands, watches)
        await asyncio.sleep(2.0)
        if poll_class is PollClass.ENDED:
            await self._act(ids, do="complete", reportedOutcome="submitted")
            # One step of the class `open`, as which it was observed before.
            await asyncio.sleep(1.1 * WATCH.open[0].every.total_seconds())
        await asyncio.sleep(step)
        counted = step * math.ceil(LEAST_COUNTED_SECONDS / step)
        before = await asyncio.to_thread(self._calls, ids)
        await asyncio.sleep(counted)
        calls = await asyncio.to_thread(self._calls, ids) - before
        reactions = await asyncio.gather(*(self._change(one, step) for one in ids))
        return Reaction(sorted(reactions), calls / len(ids) / counted * 3_600.0)

    async def _change(self, authorization: str, step: float) -> float:
        await asyncio.sleep(self._chance.random() * step)
        await self._act([authorization], do="cancel")
        changed = time.perf_counter()
        async with asyncio.timeout(3 * step + 60.0):
            while authorization not in self._settled_at:  # noqa: ASYNC110 - the reader records its time
                await asyncio.sleep(0.1)
        return self._settled_at[authorization] - changed

    async def _act(self, ids: list[str], **action: Any) -> None:
        for one in ids:
            await asyncio.to_thread(post, f"{self._collate}/_sim/authorizations/{one}/act", action)

    def _calls(self, ids: list[str]) -> int:
        query = urllib.parse.urlencode({"path": "|".join(ids), "method": "GET"})
        return len(get(f"{self._collate}/_sim/ledger/calls?{query}").json()["calls"])


async def _main(given: argparse.Namespace) -> None:
    with Cluster(brokers=1, long_lived=True) as cluster:
        async with fresh_installation(cluster.bootstrap) as bench:
            await bench.start("worker")
            profile = f"{bench.collate}/_sim/profile"
            httpx.patch(profile, json={"reconcile_seconds": 3_600.0}, trust_env=False).raise_for_status()  # noqa: ASYNC210 - before the run
            run = Measurement(bench, cluster.bootstrap, given.count)
            async with reading(cluster.bootstrap, bench.events, run.take):
                found = await asyncio.gather(*map(run.of, PollClass))
    steps = {poll_class: getattr(WATCH, poll_class.value)[0] for poll_class in PollClass}
    show(
        f"From a change at Collate to its visible event, and calls ({given.count} of each class, first step)",
        ("class", "step", "mean", "formula", "p99", "at most", "calls/h", "observations/h by formula"),
        (
            (
                poll_class.value,
                f"{step.every.total_seconds():.0f} s",
                f"{statistics.fmean(reaction.reactions):.2f} s",
                f"{mean_seconds(step, JITTER):.2f} s",
                f"{milliseconds(reaction.reactions, 0.99) / 1_000:.2f} s",
                f"{worst_seconds(step, JITTER):.1f} s",
                f"{reaction.calls_per_hour:,.0f}",
                f"{observations_per_hour(step):,.0f}",
            )
            for (poll_class, step), reaction in zip(steps.items(), found, strict=True)
        ),
    )


if __name__ == "__main__":
    uvloop.run(_main(options(__doc__, count=(100, "authorizations of each class"))))

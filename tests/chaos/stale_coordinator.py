"""Kafka 4.4 can tear a transaction: a coordinator that starts too soon commits a part of what its successor aborts.

    python -m tests.chaos.stale_coordinator late|twice|living|living-once

1. A worker's transaction has written `events` (led by its coordinator C) and `state` (led by another broker). Its
   EndTxn(commit) reaches C, which appends PrepareCommit to its own log and is killed before a follower has fetched it.
   The next coordinator finds the transaction open.
2. C starts again within its session. Its first metadata still calls it the coordinator, of the old epoch. It loads its
   own log to the end, not to the high watermark, finds PrepareCommit and sends commit markers. The leader of `state`
   accepts its marker.
3. The next start calls InitProducerId: the next coordinator aborts the transaction. `events` is aborted, `state` stays
   committed, until the start heals it (docs/decisions/0027-torn-transactions.md).

twice:        C is killed once more before it hears of its successor. Without this the marker of `events` is a race.
late:         C starts after its session has ended: nothing is torn.
living:       as twice, but the worker lives: it repeats its commit until a coordinator answers. living-once: one kill.

Prints what a read_committed reader sees before and after the next start. Exits 1 if a promise is broken then, or if
`twice` tears nothing (a follower had fetched the commit: run it again).
"""

import asyncio
import json
import logging
import signal
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest import mock

import structlog
from aiokafka.admin import NewTopic

from consumers.engine.kafka.direct_transaction import DirectTransaction
from local.judge.whole_topic import read_topic
from local.kafka.nodes import Cluster
from tests.chaos.engine_worker import Orders
from tests.chaos.laboratory import Laboratory, Running, until
from tests.chaos.tally import Journal, TallyHandler, Task

# The default of Kafka for a worker that lives, more than enough for one that is dead.
SESSION_SECONDS = {"late": 45.0, "twice": 45.0, "living": 9.0, "living-once": 9.0}
# Longer than a follower's fetch waits at the coordinator: none takes the commit along.
NO_FETCH_SECONDS = 4.0


class LedLaboratory(Laboratory):
    """A laboratory whose `events` are led by the transaction's coordinator, and the other topics by another broker."""

    coordinator = 0

    async def create(self, *names, partitions=None):
        self.coordinator = await self.admin.find_coordinator(self.orders.settings().transactional_id(0), 1)
        others = [node for node in (1, 2, 3) if node != self.coordinator]
        leads = {name: [self.coordinator, *others] for name in names if name.endswith("events")}
        await self.admin.create_topics(
            [NewTopic(name, -1, -1, {0: leads.get(name, [*others, self.coordinator])}) for name in names]
        )
        await asyncio.sleep(1)


@contextmanager
def held_commits():
    """Yield two events: a transaction with outputs is written; its commit may be sent."""
    is_written, may_be_sent, commit = asyncio.Event(), asyncio.Event(), DirectTransaction.commit

    async def hold_and_commit(transaction):
        if len(transaction._offsets) > 1:
            is_written.set()
            await may_be_sent.wait()
        await commit(transaction)

    with mock.patch.object(DirectTransaction, "commit", hold_and_commit):
        yield is_written, may_be_sent


async def lose_the_commit(cluster, laboratory, owner, *, is_alive):
    """Kill the coordinator after it has appended a commit, and before a follower has it; return the others."""
    others = [node - 1 for node in (1, 2, 3) if node != laboratory.coordinator]
    with held_commits() as (is_written, may_be_sent):
        await laboratory.append("key", Task("2"), partition=0)
        await asyncio.wait_for(is_written.wait(), 30)
        for index in others:
            cluster.kill(index, signal.SIGSTOP)
        await asyncio.sleep(NO_FETCH_SECONDS)
        may_be_sent.set()
        await asyncio.sleep(0.5)
    if not is_alive:
        owner.task.cancel()
        await asyncio.wait({owner.task})
    cluster.kill(laboratory.coordinator - 1)
    for index in others:
        cluster.kill(index, signal.SIGCONT)
    return ",".join(f"127.0.0.1:{cluster._nodes[index].port}" for index in others)


async def readable(laboratory, addresses, role):
    """Return what a read_committed reader sees of a topic."""
    topic = getattr(laboratory.orders, role)
    return [json.loads(one.value) for one in await read_topic(addresses, topic, 1, within=150) if one.key == b"key"]


async def main(form, directory):
    began, session = time.monotonic(), SESSION_SECONDS[form]

    def say(*words):
        print(f"{time.monotonic() - began:6.1f} s ", *words, flush=True)

    properties = {"broker.session.timeout.ms": f"{session * 1_000:.0f}", "broker.heartbeat.interval.ms": "500"}
    with Cluster(3, properties=properties, heap="384m") as cluster:
        orders = Orders(cluster.bootstrap, "stale.", str(directory / "journal"), "owner", partitions=1)
        async with LedLaboratory(orders, directory) as laboratory:
            journal = Journal(directory / "journal", "owner")
            owner = Running(laboratory.name("owner"), TallyHandler(orders.events, journal))
            await until(lambda: owner.owns(1), 60)
            await laboratory.append("key", Task("1"), partition=0)
            await laboratory.all_finished(60)
            others = await lose_the_commit(cluster, laboratory, owner, is_alive=form.startswith("living"))
            index = laboratory.coordinator - 1
            say(f"broker {index + 1} has died with a commit that no other replica has")
            if form == "late":
                await asyncio.sleep(session + 8)
            await asyncio.to_thread(cluster.start, index, wait=form == "late")
            if form in {"twice", "living"}:
                with suppress(TimeoutError):
                    async with asyncio.timeout(session - 3):
                        say("state:", (await readable(laboratory, others, "state"))[-1:])
                cluster.kill(index)
                say(f"broker {index + 1} dies again, before it hears of its successor")
                await asyncio.sleep(session + 8)
                await asyncio.to_thread(cluster.start, index, wait=False)
            await asyncio.to_thread(cluster.await_ready)
            if form.startswith("living"):
                heir = owner
            else:
                heir = Running(laboratory.name("heir"), TallyHandler(orders.events, journal))
            await laboratory.append("key", Task("3"), partition=0)
            await laboratory.all_finished(150)
            for role in ("events", "state"):
                say(role, await readable(laboratory, cluster.bootstrap, role))
            torn = {result: heir.torn(result) for result in ("healed", "lost")}
            await heir.end()
            violations = await laboratory.violations(60)
            say(f"torn transactions: {torn}; {len(violations)} violations", *violations)
            journal.close()
            return not violations and torn == {"healed": float(form == "twice"), "lost": 0.0}


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with tempfile.TemporaryDirectory() as name:
        sys.exit(0 if asyncio.run(main(sys.argv[1], Path(name))) else 1)

"""A seeded run of kills: three workers with static ids on three brokers, under constant load, checked at the end.

    make chaos-engine SECONDS=300 SEED=7

Prints each kill, then the longest stall per kind of kill: the longest time between this kill and the next in which a
partition published nothing (each gets 10 inputs a second). Exits 1 after a violation.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from local.kafka.frame_proxy import FrameProxies
from local.kafka.frame_rules import FrameAct, FrameRule, FrameRules, bad_network, report
from local.kafka.frames import Api
from local.kafka.proxied import ProxiedCluster
from tests.chaos.engine_worker import Orders
from tests.chaos.laboratory import Laboratory, Process, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

WORKERS = 3
PARTITIONS = 6
KEYS = 60
PER_SECOND = 60.0
RECOVERY_SECONDS = 90.0
# A run of this length must play so many late commits.
LONG_SECONDS, LATE_COMMITS = 120.0, 20


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: its kind, its target, its begin and its end (monotonic seconds)."""

    kind: str
    target: str
    at: float
    until: float


class Run:
    """The workers and brokers, and the kills."""

    def __init__(self, laboratory: Laboratory, cluster: ProxiedCluster, seed: int) -> None:
        self.kills: list[Kill] = []
        self._laboratory = laboratory
        self._cluster = cluster
        self._random = random.Random(seed)
        self._begun = time.monotonic()
        self._workers = {f"worker-{number}": self._start(f"worker-{number}") for number in range(WORKERS)}

    def _start(self, name: str) -> Process:
        return self._laboratory.process(name, member=name)

    async def kill_until(self, end: float, only: str) -> None:
        """Kill and wait for recovery, again and again; only kinds of kill with `only` in their names."""
        kinds: list[tuple[str, Callable[[], Awaitable[str]]]] = [
            ("no kill", self._kill_nothing),
            ("worker killed, restarted immediately", self._kill_worker),
            ("worker killed, restarted after its session timeout", self._kill_worker_for_long),
            ("worker frozen within its session timeout", self._freeze_worker),
            ("worker frozen past its session timeout", self._freeze_worker_for_long),
            ("worker stopped and restarted", self._restart_worker),
            ("broker killed and restarted after its session", self._kill_broker),
            ("broker killed and restarted within its session", self._kill_broker_within_session),
            ("broker and workers killed with unreplicated commits", self._lose_commits),
            ("broker frozen for a moment", self._freeze_broker),
            ("broker frozen until it is fenced", self._freeze_broker_for_long),
            ("broker and worker killed together", self._kill_both),
        ]
        bag: list[tuple[str, Callable[[], Awaitable[str]]]] = []
        while time.monotonic() < end:
            if not bag:
                wanted = [kind for kind in kinds if only in kind[0]]
                bag = self._random.sample(wanted, len(wanted))
            kind, kill = bag.pop()
            began = time.monotonic()
            target = await kill()
            print(f"{began - self._begun:6.1f} s  {kind}: {target}", flush=True)
            await self.recover()
            self.kills.append(Kill(kind, target, began, time.monotonic()))

    async def recover(self) -> None:
        """Wait until every earlier input is finished, then a little longer."""
        deadline = time.monotonic() + RECOVERY_SECONDS
        laboratory = self._laboratory
        left = set(laboratory.appended)
        while left := {cause for cause in left & laboratory.appended.keys() if cause not in laboratory.finished}:
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {RECOVERY_SECONDS} s {len(left)} inputs have no outcome")
            await asyncio.sleep(0.2)
        await asyncio.sleep(self._random.uniform(0.5, 2.0))

    async def _kill_nothing(self) -> str:
        """Measure the stall without a kill, for comparison."""
        await asyncio.sleep(5.0)
        return "5 s"

    def _worker(self) -> str:
        return self._random.choice(sorted(self._workers))

    async def _kill_worker(self) -> str:
        name = self._worker()
        self._workers[name].send(signal.SIGKILL)
        self._workers[name] = self._start(name)
        return name

    async def _kill_worker_for_long(self) -> str:
        name = self._worker()
        self._workers[name].send(signal.SIGKILL)
        await asyncio.sleep(self._laboratory.orders.session_seconds + 2.0)
        self._workers[name] = self._start(name)
        return name

    async def _freeze_worker(self) -> str:
        return await self._freeze(self._random.uniform(0.5, 0.6 * self._laboratory.orders.session_seconds))

    async def _freeze_worker_for_long(self) -> str:
        return await self._freeze(self._laboratory.orders.session_seconds + self._random.uniform(1.0, 4.0))

    async def _freeze(self, seconds: float) -> str:
        name = self._worker()
        self._workers[name].send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self._workers[name].send(signal.SIGCONT)
        return f"{name} for {seconds:.1f} s"

    async def _restart_worker(self) -> str:
        name = self._worker()
        await asyncio.to_thread(self._workers[name].send, signal.SIGTERM)
        self._workers[name] = self._start(name)
        return name

    def _broker(self) -> int:
        return self._random.choice(list(self._cluster.brokers))

    async def _kill_broker(self) -> str:
        index = self._broker()
        self._cluster.kill(index)
        await asyncio.sleep(self._random.uniform(0.0, 6.0))
        await asyncio.to_thread(self._cluster.revive, index)
        return f"broker {index + 1}"

    async def _kill_broker_within_session(self) -> str:
        index = self._broker()
        self._cluster.kill(index)
        await asyncio.to_thread(self._cluster.start, index)
        return f"broker {index + 1}"

    async def _lose_commits(self) -> str:
        """Kill a broker with commits that no replica has, and their workers; start it within its session.

        As a coordinator it commits a part of what its successor aborts, unless a worker is back before.
        """
        index, proxies = self._broker(), self._cluster.proxies
        others = [other for other in self._cluster.brokers if other != index]
        before, late = proxies.rules, FrameRule(FrameAct.DELAY_REQUEST, 1.0, (2.0, 2.0), {Api.END_TXN}, "worker")
        proxies.rules = FrameRules([late])
        await asyncio.sleep(1.5)
        for other in others:
            self._cluster.kill(other, signal.SIGSTOP)
        await asyncio.sleep(2.5)  # longer than a follower's fetch waits there
        for worker in self._workers.values():
            worker.send(signal.SIGKILL)
        self._cluster.kill(index)
        for other in others:
            self._cluster.kill(other, signal.SIGCONT)
        proxies.rules = before
        await asyncio.to_thread(self._cluster.start, index, wait=False)
        await asyncio.sleep(self._random.uniform(4.0, 12.0))
        self._workers = {name: self._start(name) for name in self._workers}
        await asyncio.to_thread(self._cluster.await_ready)
        return f"broker {index + 1} and all workers"

    def torn(self) -> Counter[str]:
        """Count the torn transactions that starts have found, by what became of them."""
        found = {}
        for log in {worker.log for worker in self._workers.values()}:
            for line in log.read_text().splitlines():
                if "engine.transaction_torn" in line:
                    one = json.loads(line)
                    found[one["partition"], one["number"]] = "healed" if one["healed"] == one["missing"] else "lost"
        return Counter(found.values())

    async def _freeze_broker(self) -> str:
        return await self._hold_broker(self._random.uniform(0.5, 2.0))

    async def _freeze_broker_for_long(self) -> str:
        return await self._hold_broker(self._random.uniform(11.0, 16.0))

    async def _hold_broker(self, seconds: float) -> str:
        index = self._broker()
        self._cluster.kill(index, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self._cluster.kill(index, signal.SIGCONT)
        return f"broker {index + 1} for {seconds:.1f} s"

    async def _kill_both(self) -> str:
        index, name = self._broker(), self._worker()
        self._cluster.kill(index)
        self._workers[name].send(signal.SIGKILL)
        self._workers[name] = self._start(name)
        await asyncio.to_thread(self._cluster.revive, index)
        return f"broker {index + 1} and {name}"

    async def end(self) -> None:
        """Stop the workers in order."""
        for worker in self._workers.values():
            await asyncio.to_thread(worker.send, signal.SIGTERM)


def stalls(run: Run, laboratory: Laboratory) -> dict[str, list[float]]:
    """Return for each kind of kill the longest stall, in seconds, after each."""
    published: dict[int, list[float]] = defaultdict(list)
    for seen in laboratory.seen:
        published[seen.partition].append(seen.at)
    found: dict[str, list[float]] = defaultdict(list)
    for kill in run.kills:
        longest = 0.0
        for times in published.values():
            marks = [kill.at, *(at for at in times if kill.at <= at <= kill.until), kill.until]
            longest = max(longest, *(later - earlier for earlier, later in pairwise(marks)))
        found[kill.kind].append(longest)
    return found


async def run_kills(seconds: float, seed: int, only: str, directory: Path) -> bool:
    """Run all kills; return whether the promises were kept."""
    # A killed broker is back after 3 to 8 s: within its session, which is Kafka's default.
    properties = {"broker.session.timeout.ms": "9000", "broker.heartbeat.interval.ms": "500"}
    rules, late_commits = bad_network("worker", seed)
    with ProxiedCluster(FrameProxies(rules, late_commits), properties=properties) as cluster:
        orders = Orders(cluster.bootstrap, "chaos.", str(directory / "journal"), "", partitions=PARTITIONS)
        async with Laboratory(orders, directory) as laboratory:
            run = Run(laboratory, cluster, seed)
            async with laboratory.load(PER_SECOND, keys=KEYS):
                # The workers' first start must not count as a stall of the first kill.
                await until(lambda: len({one.partition for one in laboratory.seen}) == PARTITIONS, RECOVERY_SECONDS)
                await run.kill_until(time.monotonic() + seconds, only)
            await laboratory.all_in_the_log_finished(within=RECOVERY_SECONDS)
            await run.end()
            violations = await laboratory.violations(within=RECOVERY_SECONDS)
            print(f"\n{'kind of kill':50} {'times':>5} {'median':>8} {'longest':>8}")
            for kind, values in sorted(stalls(run, laboratory).items()):
                print(f"{kind:50} {len(values):5} {median(values):6.2f} s {max(values):6.2f} s")
            print(f"\n{report(rules, late_commits)}")
            print(f"\n{len(laboratory.appended)} inputs, {len(run.kills)} kills, {len(violations)} violations")
            for violation in violations[:20]:
                print(f"  {violation.rule}: {violation.key}: {violation.detail}")
            print(f"torn transactions: {dict(torn := run.torn())}")
            if seconds >= LONG_SECONDS and late_commits.played < LATE_COMMITS:
                print(f"too few late commits for a verdict: {late_commits.played} of {LATE_COMMITS}")
                return False
            return not violations and not torn["lost"]


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="make chaos-engine")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", default="", help="kinds of kill with this in their names")
    parser.add_argument("--keep", action="store_true", help="keep the workers' logs")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it reports every killed broker
    directory = Path(tempfile.mkdtemp(prefix="engine-kills-"))
    good = False
    try:
        good = asyncio.run(run_kills(chosen.seconds, chosen.seed, chosen.only, directory))
    finally:
        if good and not chosen.keep:
            shutil.rmtree(directory)
        else:
            print(f"logs and journal: {directory}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

"""A seeded run of the whole gateway in trouble: callers over HTTP, 2 ingress, 3 workers, 3 brokers, a faulty Collate.

    make chaos SECONDS=120 SEED=7

Faults, other actors, kills, zombies and broker restarts follow from the seed. At the end they stop, everything must
come to its end, and `gateway_judge` compares what was told with what really happened. Exits 1 if a promise was broken,
and keeps the logs then. Never runs longer than its deadline.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from local.collate.calls.keys import Keys
from local.collate.http.server import SimulatedCollate
from local.collate.profile import named
from local.collate.simulation import Options
from local.event_listener import listening
from local.installation import Installation
from local.kafka.nodes import Cluster
from local.processes.run import Run as Processes
from tests.chaos.gateway_callers import MARK, Callers, write_callers
from tests.chaos.gateway_evidence import Past, gather, leaks
from tests.chaos.gateway_judge import Run, Violation, effects_of, judge
from tests.chaos.gateway_trouble import SESSION_SECONDS, Trouble

if TYPE_CHECKING:
    from collections.abc import Sequence

WORKERS, INGRESSES, PARTITIONS = 3, 2, 6
CASES_PER_SECOND: Final = 2.0
DRAIN_SECONDS: Final = 150.0
START_AND_END_SECONDS: Final = 420.0
PREFIX: Final = "chaos."
# Those under which Collate honours the key or If-Match; promise 2 is about them.
PROFILES: Final = ("v2", "v3", "stores_errors", "forgets_keys", "fingerprints_if_match", "stale_replicas")
# A handoff that is given up by itself after 15 minutes would let nothing come to rest after a long run; another actor
# lets some expire.
READINGS: Final = {"decision_seconds": None, "abandonment_seconds": None}
SETTINGS: Final = {
    "GATEWAY_TOPICS__PARTITIONS": str(PARTITIONS),
    "GATEWAY_COLLATE__MAX_REPLICAS": str(WORKERS + INGRESSES),
    # Everything that waits waits shorter than in production, so that more happens in a minute.
    "GATEWAY_COLLATE__CONNECT_TIMEOUT": "1s",
    "GATEWAY_COLLATE__WRITE_TIMEOUT": "2s",
    "GATEWAY_COLLATE__READ_TIMEOUT": "2s",
    "GATEWAY_COLLATE__TOTAL_TIMEOUT": "4s",
    "GATEWAY_COLLATE__BREAKER_OPEN": "1s",
    "GATEWAY_COLLATE__RAMP_UP": "3s",
    "GATEWAY_WORKER__SESSION_TIMEOUT": f"{SESSION_SECONDS:.0f}s",
    "GATEWAY_WORKER__HEARTBEAT": "500ms",
    "GATEWAY_WORKER__TRANSACTION_TIMEOUT": "10s",
    "GATEWAY_WORKER__WAITING_AFTER": "3s",
    # Here another actor is at work everywhere; in production so many unknown outcomes are a bad deploy.
    "GATEWAY_WORKER__DEAD_LETTER_SHARE": "1.0",
    "GATEWAY_WATCH__ENDED": "1s until 20s,5s",
    "GATEWAY_WATCH__OPEN": "2s until 30s,10s",
    "GATEWAY_WATCH__PROCESSING": "2s until 30s,10s",
    "GATEWAY_WATCH__ACTION": "3s until 30s,15s",
    "GATEWAY_WATCH__PAYER": "3s until 30s,15s",
    # A look that was put off in a bad time stays put off; here the end comes soon after the last of them.
    "GATEWAY_WATCH__LONGEST_STRETCH": "2",
}


class Chaos:
    """One run."""

    def __init__(self, seconds: float, seed: int, profiles: Sequence[str], *, keep: bool = False) -> None:
        self._seconds, self._seed, self._profiles, self._keep = seconds, seed, profiles, keep
        self._begun = time.monotonic()
        self._last_end = time.monotonic()
        self._longest_stall = 0.0
        self._stall_at = 0.0

    async def run(self) -> list[Violation]:
        """Run it and return what was violated."""
        brokers = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}
        options = Options(profile=named([self._profiles[0]], READINGS), seed=self._seed)
        cluster = Cluster(brokers=3, properties=brokers, heap="384m")
        try:
            await asyncio.to_thread(cluster.open)
            self._tell("3 brokers run")
            with Processes("chaos") as processes:
                async with SimulatedCollate(options) as sim:
                    return await self._with(cluster, processes, sim)
        finally:
            await asyncio.to_thread(cluster.close)

    async def _with(self, cluster: Cluster, processes: Processes, sim: SimulatedCollate) -> list[Violation]:
        keys = write_callers(processes.directory / "services.toml")
        settings = SETTINGS | {
            "GATEWAY_INGRESS__CALLERS_FILE": str(processes.directory / "services.toml"),
        }
        installation = Installation(
            processes, bootstrap=cluster.bootstrap, collate_url=sim.url, prefix=PREFIX, replication=3, settings=settings
        )
        await asyncio.to_thread(installation.apply_topics)
        self._tell("the topics are made")
        names = [f"worker-{n}" for n in range(WORKERS)] + [f"ingress-{n}" for n in range(INGRESSES)]
        programs = {name: installation.start(name.partition("-")[0], name) for name in names}
        await asyncio.gather(*(asyncio.to_thread(program.await_ready) for program in programs.values()))
        past = Past(sim)
        urls = [program.url for name, program in programs.items() if name.startswith("ingress")]
        callers = Callers(sim, urls, keys, self._seed)
        trouble = Trouble(
            sim,
            cluster,
            installation,
            programs,
            authorizations=callers.authorizations,
            seed=self._seed,
            tell=self._tell,
        )
        self._tell(f"{len(programs)} processes of the gateway are ready")
        async with listening(cluster.bootstrap, PREFIX, callers.hear) as listener:
            side = [asyncio.create_task(one) for one in (_listen(listener), self._show(callers, trouble))]
            try:
                await self._disturb(callers, trouble, sim)
                run, violations = await self._drain(cluster.bootstrap, sim, past, callers)
            finally:
                for task in side:
                    task.cancel()
                await asyncio.gather(*side, return_exceptions=True)
                await callers.close()
        secrets = [MARK, *callers.links]
        run = replace(run, leaks=leaks(processes.directory, run, secrets))
        violations = judge(run)
        self._tell("judged")
        violations += [Violation("a process ended by itself", ended) for ended in trouble.ended_by_themselves]
        violations += [Violation("a caller got an answer that says nothing", answer) for answer in callers.strange]
        self._report(run, violations, callers, trouble, processes.directory)
        if violations or self._keep:
            kept = Path(tempfile.mkdtemp(prefix=f"chaos-{self._seed}-"))
            shutil.copytree(processes.directory, kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*-key*"))
            (kept / "ledger").write_text(_ledger(sim))
            (kept / "events").write_text("\n".join(map(str, run.told)))
            self._tell(f"logs, ledger and events are kept in {kept}")
        return violations

    async def _disturb(self, callers: Callers, trouble: Trouble, sim: SimulatedCollate) -> None:
        end = time.monotonic() + self._seconds
        asking = asyncio.create_task(callers.ask_until(end, CASES_PER_SECOND))
        while not callers.authorizations:  # noqa: ASYNC110 - the first case makes one at once
            await asyncio.sleep(0.05)
        async with asyncio.TaskGroup() as disturbing:
            disturbing.create_task(trouble.make_until(end))
            disturbing.create_task(self._change_readings(sim))
        self._tell("calm: no more faults, everything runs")
        await trouble.calm()
        async with asyncio.timeout(DRAIN_SECONDS):
            await asking

    async def _change_readings(self, sim: SimulatedCollate) -> None:
        """Let Collate read its contract in one way after the other, each for its share of the time."""
        for profile in self._profiles:
            self._tell(f"Collate reads its contract as {profile}")
            sim.use(profile, **READINGS)
            # As after a move of Collate's: one reading could not make sense of a key that another has kept.
            sim.api.writes.keys = Keys(sim.options.keys_limit)
            await asyncio.sleep(self._seconds / len(self._profiles))

    async def _drain(
        self, bootstrap: str, sim: SimulatedCollate, past: Past, callers: Callers
    ) -> tuple[Run, list[Violation]]:
        """Wait until nothing is left to be told; what still is violated at the deadline is."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while callers.promised.keys() - callers.ended.keys() and time.monotonic() < deadline:  # noqa: ASYNC110 - polling
            await asyncio.sleep(0.2)
        self._tell(f"{len(callers.promised.keys() - callers.ended.keys())} commands have not ended; judging")
        while True:
            run = replace(
                await gather(bootstrap, PREFIX, PARTITIONS, sim, past.shown),
                promised=frozenset(callers.promised),
                granted=frozenset(callers.granted),
            )
            violations = judge(run)
            if not violations or time.monotonic() > deadline:
                return run, violations
            await asyncio.sleep(3.0)

    async def _show(self, callers: Callers, trouble: Trouble) -> None:
        """Print a line now and then, and keep the longest time in which commands waited and none ended."""
        shown = time.monotonic()
        while True:
            await asyncio.sleep(0.1)
            now = time.monotonic()
            waiting = callers.promised.keys() - callers.ended.keys()
            last = max(callers.ended.values(), default=self._begun)
            since = max(last, min((callers.promised[one] for one in waiting), default=now))
            if now - since > self._longest_stall:
                self._longest_stall, self._stall_at = now - since, since - self._begun
            if now - shown >= 5.0:
                shown = now
                self._tell(
                    f"accepted {len(callers.promised)}, ended {len(callers.ended)}, waiting {len(waiting)}, "
                    f"kills {trouble.kills.total()}, faults {trouble.faults.total()}, "
                    f"longest stall {self._longest_stall:.1f} s"
                )

    def _tell(self, line: str) -> None:
        print(f"[{time.monotonic() - self._begun:5.0f} s] {line}", flush=True)

    def _report(
        self, run: Run, violations: list[Violation], callers: Callers, trouble: Trouble, directory: Path
    ) -> None:
        ours, _ = effects_of(run)
        finished = [told.data for told in run.told if told.kind == "command.finished"]
        _table("commands", {"accepted": len(callers.promised), "in the log": len({asked.id for asked in run.asked})})
        _table("  by type", Counter(asked.type for asked in {asked.id: asked for asked in run.asked}.values()))
        _table("outcomes by effect", Counter(f"{end['outcome']}, {end['effect']}" for end in finished))
        _table("dead letters", Counter(run.letters.values()))
        _table("effects of ours in the ledger", Counter(one.kind for effects in ours.values() for one in effects))
        _table("events", Counter(told.kind for told in run.told))
        _table("kills", trouble.kills)
        _table("faults that struck", trouble.faults)
        _table("others", trouble.acts)
        suspected = sum(log.read_text().count("command.double_effect_suspected") for log in directory.glob("*.log"))
        seconds = [at - callers.promised[one] for one, at in callers.ended.items() if one in callers.promised]
        slow = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else [0.0] * 99
        print(
            f"command to outcome: p50 {slow[49]:.2f} s, p99 {slow[98]:.1f} s, longest {max(seconds, default=0):.1f} s"
        )
        print(f"longest stall: {self._longest_stall:.1f} s (from second {self._stall_at:.0f})")
        print(f"links given out {len(callers.links) // 2}, double effects suspected {suspected}")
        for violation in violations[:50]:
            print(f"VIOLATION {violation.rule}: {violation.where}")
        print(f"seed {self._seed}: {len(violations)} violations", flush=True)


async def _listen(listener) -> None:
    while True:
        await listener.take(0.5)


def _ledger(sim: SimulatedCollate) -> str:
    rows = [(call.at, f"call {call.as_json()}") for call in sim.ledger.calls]
    rows += [(effect.at, f"effect {effect}") for _, effect in sim.ledger.effects]
    return "\n".join(row for _, row in sorted(rows, key=lambda row: row[0]))


def _table(title: str, counts: dict[str, int]) -> None:
    rows = ", ".join(f"{count} {what}" for what, count in sorted(counts.items(), key=lambda row: -row[1]))
    print(f"{title}: {rows or 'none'}")


def main() -> int:
    """Run once, and say how it went."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=120.0, help="how long trouble is made")
    parser.add_argument("--seed", type=int, default=None, help="what happens; another each time by default")
    parser.add_argument("--profile", choices=PROFILES, help="how Collate reads its contract; all in turn by default")
    parser.add_argument("--keep", action="store_true", help="keep logs, ledger and events of a clean run too")
    asked = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if asked.seed is None else asked.seed
    profiles = [asked.profile] if asked.profile else random.Random(seed).sample(PROFILES, len(PROFILES))
    print(f"seed {seed}, {asked.seconds:.0f} s of trouble", flush=True)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a broker that is killed is no news here
    deadline = asked.seconds + START_AND_END_SECONDS
    # Whatever hangs, a thread included: the keeper of each run sees to its processes.
    guard = threading.Timer(deadline + 60.0, os._exit, [3])
    guard.daemon = True
    guard.start()

    async def run() -> list[Violation]:
        async with asyncio.timeout(deadline):
            return await Chaos(asked.seconds, seed, profiles, keep=asked.keep).run()

    try:
        violations = asyncio.run(run())
    except TimeoutError:
        print(f"seed {seed}: not over after {deadline:.0f} s")
        return 2
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())

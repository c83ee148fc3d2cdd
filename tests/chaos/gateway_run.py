"""A seeded run of the whole gateway with faults: callers over HTTP, 2 ingress, 3 workers, 3 brokers, a faulty Collate.

    make chaos SECONDS=120 SEED=7
    make chaos SECONDS=120 SEED=7 ARGS="--greedy 2"    # beside two callers that flood watches and closes
    make chaos SECONDS=120 SEED=7 ARGS=--shadow    # the same load and faults; no write may reach Collate

The seed determines the faults, other actors, kills, frozen processes and broker restarts. When they end, all commands
must end, and `local.judge` compares the events with the effects at Collate. If a promise was broken, the run exits 1
and keeps the logs. It never runs longer than its deadline.
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
from pathlib import Path
from typing import TYPE_CHECKING, Final

from local.chaos.callers import Callers, write_callers
from local.chaos.faults import FaultInjector
from local.chaos.settings import BROKERS, PROFILES, READINGS, SETTINGS
from local.collate.calls.keys import Keys
from local.collate.http.server import SimulatedCollate
from local.collate.profile import named
from local.collate.simulation import Options
from local.event_listener import listening
from local.installation import Installation
from local.judge.checks import BrokenPromise
from local.judge.effects import effects_of
from local.judge.evidence import PastStates
from local.judge.shadow import find_broken_by_shadow
from local.judge.suspicions import explain
from local.judge.verdict import Judge
from local.kafka import frame_rules
from local.kafka.frame_proxy import FrameProxies
from local.kafka.frame_rules import bad_network
from local.kafka.proxied import ProxiedCluster
from local.postgres import Postgres
from local.processes.memory import prefer_memory
from local.processes.run import Run as Processes
from tests.chaos import slow_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.judge.recorded import Evidence

WORKERS, INGRESSES, PARTITIONS = 3, 2, 6
CASES_PER_SECOND: Final = 2.0
DRAIN_SECONDS: Final = 150.0
# The workers have three fifths of the calls. At the end a greedy caller has 200 watches and closes at each ingress: all
# end in time. Without a bound, thousands would not.
GREEDY_SETTINGS: Final = {
    "GATEWAY_COLLATE__CALLS_PER_SECOND": "100",
    "GATEWAY_INGRESS__MAX_UNFINISHED_PER_CALLER": "200",
    "GATEWAY_INGRESS__MAX_REPLICAS": str(INGRESSES),
}
START_AND_END_SECONDS: Final = 420.0
LONGEST_IN_MEMORY_SECONDS: Final = 600.0
PREFIX: Final = "chaos."
# The profiles that need other settings than the default, one for a whole run. If-Match alone prevents a second effect.
SETTINGS_OF: Final = {"v3_refuses_keys": {"GATEWAY_COLLATE__SEND_IDEMPOTENCY_KEY": "none"}}
SHADOW_PREFIX: Final = "chaos-shadow."
SHADOW_SETTINGS: Final = {"GATEWAY_COLLATE__WRITES": "off", "GATEWAY_ENVIRONMENT": "local-shadow"}
RUN_SETTINGS: Final = SETTINGS | {
    "GATEWAY_TOPICS__PARTITIONS": str(PARTITIONS),
    "GATEWAY_COLLATE__MAX_REPLICAS": str(WORKERS + INGRESSES),
}


class Chaos:
    """A run."""

    def __init__(
        self,
        seconds: float,
        seed: int,
        profiles: Sequence[str],
        *,
        keep: bool = False,
        has_read_model: bool = False,
        greedy: int = 0,
        is_shadow: bool = False,
    ) -> None:
        """`greedy`: callers that flood watches and closes, with fewer calls to Collate than they need."""
        self._greedy = [f"greedy-{number}" for number in range(greedy)]
        self._is_shadow, self._prefix = is_shadow, SHADOW_PREFIX if is_shadow else PREFIX
        self._seconds, self._seed, self._profiles, self._keep = seconds, seed, profiles, keep
        self._database = Postgres() if has_read_model else None
        self._network = bad_network("collate-gateway", seed)
        self._begun = time.monotonic()
        self._last_end = time.monotonic()
        self._longest_stall = 0.0
        self._stall_at = 0.0

    async def run(self) -> list[BrokenPromise]:
        """Run and return the violations."""
        options = Options(profile=named([self._profiles[0]], READINGS), seed=self._seed)
        cluster = ProxiedCluster(FrameProxies(*self._network), properties=BROKERS, heap="384m")
        try:
            await asyncio.to_thread(cluster.open)
            self._log("3 brokers are ready")
            if self._database is not None:
                await asyncio.to_thread(self._database.open)
            with Processes("chaos") as processes:
                async with SimulatedCollate(options) as sim:
                    return await self._run_gateway(cluster, processes, sim)
        finally:
            if self._database is not None:
                await asyncio.to_thread(self._database.close)
            await asyncio.to_thread(cluster.close)

    async def _run_gateway(
        self, cluster: ProxiedCluster, processes: Processes, sim: SimulatedCollate
    ) -> list[BrokenPromise]:
        keys = write_callers(processes.directory / "services.toml", *self._greedy)
        settings = (
            RUN_SETTINGS
            | SETTINGS_OF.get(self._profiles[0], {})
            | (SHADOW_SETTINGS if self._is_shadow else {})
            | (GREEDY_SETTINGS if self._greedy else {})
            | {
                "GATEWAY_INGRESS__CALLERS_FILE": str(processes.directory / "services.toml"),
            }
        )
        installation = Installation(
            processes,
            bootstrap=cluster.bootstrap,
            collate_url=sim.url,
            prefix=self._prefix,
            replication=3,
            database=None if self._database is None else self._database.conninfo,
            settings=settings,
        )
        await asyncio.to_thread(installation.apply_topics)
        self._log("the topics exist")
        if self._database is not None:
            await asyncio.to_thread(installation.migrate)
            await asyncio.to_thread(installation.start("projector").await_ready)
        names = [f"worker-{n}" for n in range(WORKERS)] + [f"ingress-{n}" for n in range(INGRESSES)]
        programs = {name: installation.start(name.partition("-")[0], name) for name in names}
        await asyncio.gather(*(asyncio.to_thread(program.await_ready) for program in programs.values()))
        past = PastStates(sim)
        urls = [program.url for name, program in programs.items() if name.startswith("ingress")]
        callers = Callers(sim, urls, keys, self._seed, is_shadow=self._is_shadow)
        faults = FaultInjector(
            sim,
            cluster,
            installation,
            programs,
            authorizations=callers.authorizations,
            seed=self._seed,
            log=self._log,
        )
        self._log(f"{len(programs)} processes of the gateway are ready")
        async with listening(cluster.bootstrap, self._prefix, callers.on_event) as listener:
            background = [
                asyncio.create_task(one) for one in (_listen(listener), self._report_progress(callers, faults))
            ]
            try:
                await self._inject_faults(callers, faults, sim)
                keys = installation.phi_keys
                judge = Judge(
                    cluster.bootstrap, self._prefix, PARTITIONS, sim, past, callers, keys, processes.directory
                )
                run, violations = await judge.judge(DRAIN_SECONDS, self._log)
            finally:
                for task in background:
                    task.cancel()
                await asyncio.gather(*background, return_exceptions=True)
                await callers.close()
        self._log("checked")
        if self._is_shadow:
            violations += find_broken_by_shadow(run, [(call.method, call.path) for call in sim.ledger.calls])
        violations += [BrokenPromise("a process ended unexpectedly", ended) for ended in faults.unexpected_ends]
        violations += [
            BrokenPromise("a caller got an unexpected response", response) for response in callers.unexpected
        ]
        self._report(run, violations, callers, faults, processes.directory)
        if violations or self._keep:
            saved = Path(tempfile.mkdtemp(prefix=f"chaos-{self._seed}-"))
            shutil.copytree(processes.directory, saved, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*-key*"))
            await asyncio.to_thread(cluster.save_logs, saved / "kafka")
            (saved / "ledger").write_text(_ledger(sim))
            (saved / "events").write_text("\n".join(map(str, run.events)))
            self._log(f"logs, ledger and events are in {saved}")
        return violations

    async def _inject_faults(self, callers: Callers, faults: FaultInjector, sim: SimulatedCollate) -> None:
        end = time.monotonic() + self._seconds
        sending = asyncio.create_task(callers.run_until(end, CASES_PER_SECOND))
        while not callers.authorizations:  # noqa: ASYNC110 - the first case adds one immediately
            await asyncio.sleep(0.05)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(faults.inject_until(end))
            tasks.create_task(self._change_readings(sim))
            for caller in self._greedy:
                tasks.create_task(callers.watch_until(end, caller))
                tasks.create_task(callers.close_until(end, caller))
        self._log("all faults have ended")
        await faults.restore()
        # A caller that still waits has a command that has not ended: the judge says so, and the logs are kept.
        await asyncio.wait({sending}, timeout=DRAIN_SECONDS)
        if not sending.cancel():
            await sending

    async def _change_readings(self, sim: SimulatedCollate) -> None:
        """Use one profile of Collate after another, each for an equal time."""
        for profile in self._profiles:
            self._log(f"Collate's profile: {profile}")
            sim.use(profile, **READINGS)
            # A new key store: a profile cannot interpret the keys that another profile has stored.
            sim.api.writes.keys = Keys(sim.options.keys_limit)
            await asyncio.sleep(self._seconds / len(self._profiles))

    async def _report_progress(self, callers: Callers, faults: FaultInjector) -> None:
        """Print the progress, and measure the longest time in which commands waited and none ended."""
        shown = time.monotonic()
        while True:
            await asyncio.sleep(0.1)
            now = time.monotonic()
            waiting = callers.accepted.keys() - callers.ended.keys()
            last = max(callers.ended.values(), default=self._begun)
            since = max(last, min((callers.accepted[one] for one in waiting), default=now))
            if now - since > self._longest_stall:
                self._longest_stall, self._stall_at = now - since, since - self._begun
            if now - shown >= 5.0:
                shown = now
                self._log(
                    f"accepted {len(callers.accepted)}, ended {len(callers.ended)}, waiting {len(waiting)}, "
                    f"kills {faults.kills.total()}, faults {faults.faults.total()}, "
                    f"longest stall {self._longest_stall:.1f} s"
                )

    def _log(self, line: str) -> None:
        print(f"[{time.monotonic() - self._begun:5.0f} s] {line}", flush=True)

    def _report(
        self, run: Evidence, violations: list[BrokenPromise], callers: Callers, faults: FaultInjector, directory: Path
    ) -> None:
        ours, _ = effects_of(run)
        finished = [event.data for event in run.events if event.kind == "command.finished"]
        _table(
            "commands",
            {"accepted": len(callers.accepted), "in the topic": len({command.id for command in run.commands})},
        )
        _table(
            "  by type", Counter(command.type for command in {command.id: command for command in run.commands}.values())
        )
        _table("outcomes by effect", Counter(f"{end['outcome']}, {end['effect']}" for end in finished))
        if self._is_shadow:
            _table("would send", Counter(end["wouldSend"]["operation"] for end in finished if "wouldSend" in end))
        _table("dead letters", Counter(run.dead_letters.values()))
        _table("effects of the gateway", Counter(one.kind for effects in ours.values() for one in effects))
        _table("events", Counter(event.kind for event in run.events))
        _table("kills", faults.kills)
        _table("faults", faults.faults)
        _table("other actors", faults.acts)
        print(frame_rules.report(*self._network))
        lines = (line for log in directory.glob("*.log") for line in log.read_text().splitlines())
        suspected = explain(lines, run)
        seconds = [at - callers.accepted[one] for one, at in callers.ended.items() if one in callers.accepted]
        slow = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else [0.0] * 99
        print(
            f"command to outcome: p50 {slow[49]:.2f} s, p99 {slow[98]:.1f} s, longest {max(seconds, default=0):.1f} s"
        )
        print(f"longest stall: {self._longest_stall:.1f} s (from second {self._stall_at:.0f})")
        print(f"access grants {len(callers.links) // 2}, double effects suspected {suspected.total()}")
        for what, count in suspected.items():
            print(f"  {count}: {what}")
        report_violations(self._seed, violations)


def report_violations(seed: int, violations: list[BrokenPromise]) -> None:
    """Print the verdict."""
    for violation in violations[:50]:
        print(f"VIOLATION {violation.rule}: {violation.where}")
    print(f"seed {seed}: {len(violations)} violations", flush=True)


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
    """Run once and print the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=120.0, help="duration of the faults")
    parser.add_argument("--seed", type=int, default=None, help="seed of the run; default: a random one")
    parser.add_argument(
        "--profile", choices=(*PROFILES, *SETTINGS_OF), help="profile of Collate; default: the first six in turn"
    )
    parser.add_argument("--keep", action="store_true", help="keep logs, ledger and events also without a violation")
    parser.add_argument("--read-model", action="store_true", help="also run PostgreSQL and a projector")
    parser.add_argument("--greedy", type=int, default=0, help="callers that send watches and closes without a pause")
    parser.add_argument("--slow", action="store_true", help="a tenth of the processor time instead of faults")
    parser.add_argument("--cycles", type=int, default=1, help="with --slow: how often, each with 60 s at full speed")
    parser.add_argument("--shadow", action="store_true", help="a shadow: writes are off")
    options = parser.parse_args()
    if options.seconds * options.cycles <= LONGEST_IN_MEMORY_SECONDS:
        prefer_memory()
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    profiles = [options.profile] if options.profile else random.Random(seed).sample(PROFILES, len(PROFILES))
    print(f"seed {seed}, {options.seconds:.0f} s of faults", flush=True)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # killed brokers are expected here
    deadline = options.seconds + START_AND_END_SECONDS
    if options.slow:
        deadline += (options.cycles - 1) * options.seconds + options.cycles * slow_run.GREEN_WITHIN_SECONDS
    # Ends the process even if a thread hangs. The supervisor of each run then stops its processes.
    guard = threading.Timer(deadline + 60.0, os._exit, [3])
    guard.daemon = True
    guard.start()

    async def run() -> list[BrokenPromise]:
        async with asyncio.timeout(deadline):
            if options.slow:
                return await slow_run.run(options.seconds, seed, options.cycles)
            return await Chaos(
                options.seconds,
                seed,
                profiles,
                keep=options.keep,
                has_read_model=options.read_model,
                greedy=options.greedy,
                is_shadow=options.shadow,
            ).run()

    try:
        violations = asyncio.run(run())
    except TimeoutError:
        print(f"seed {seed}: not finished after {deadline:.0f} s")
        return 2
    if options.slow:
        report_violations(seed, violations)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())

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
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from local.collate.calls.keys import Keys
from local.judge.effects import effects_of
from local.judge.suspicions import explain
from local.kafka import frame_rules
from local.kafka.frame_rules import bad_network
from local.processes.memory import prefer_memory
from local.scene.faults import FaultInjector
from local.scene.scene import Log, Setup, open_scene, progress
from local.scene.settings import PROFILES, READINGS
from schemas.promises.violations import PromiseRule
from tests.chaos import slow_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.judge.checks import BrokenPromise
    from local.judge.recorded import Evidence
    from local.scene.callers import Callers
    from local.scene.scene import Scene

INGRESSES: Final = 2
CASES_PER_SECOND: Final = 2.0
DRAIN_SECONDS: Final = 150.0
START_AND_END_SECONDS: Final = 420.0
LONGEST_IN_MEMORY_SECONDS: Final = 600.0
# The workers have three fifths of the calls. At the end a greedy caller has 200 watches and closes at each ingress: all
# end in time. Without a bound, thousands would not.
GREEDY_SETTINGS: Final = {
    "GATEWAY_COLLATE__CALLS_PER_SECOND": "100",
    "GATEWAY_INGRESS__MAX_UNFINISHED_PER_CALLER": "200",
    "GATEWAY_INGRESS__MAX_REPLICAS": str(INGRESSES),
}
# The profiles that need other settings than the default, one for a whole run. If-Match alone prevents a second effect.
SETTINGS_OF: Final = {"v3_refuses_keys": {"GATEWAY_COLLATE__SEND_IDEMPOTENCY_KEY": "none"}}
SHADOW_SETTINGS: Final = {"GATEWAY_COLLATE__WRITES": "off", "GATEWAY_ENVIRONMENT": "local-shadow"}


class Stalls:
    """The longest time in which commands waited and none ended."""

    def __init__(self, callers: Callers) -> None:
        self.longest = self.at = 0.0
        self._callers, self._begun = callers, time.monotonic()

    async def watch(self, faults: FaultInjector, log: Log) -> None:
        """Measure, and print the progress."""
        shown, callers = self._begun, self._callers
        while True:
            await asyncio.sleep(0.1)
            now = time.monotonic()
            waiting = callers.accepted.keys() - callers.ended.keys()
            last = max(callers.ended.values(), default=self._begun)
            since = max(last, min((callers.accepted[one] for one in waiting), default=now))
            if now - since > self.longest:
                self.longest, self.at = now - since, since - self._begun
            if now - shown >= 5.0:
                shown = now
                log(
                    f"accepted {len(callers.accepted)}, ended {len(callers.ended)}, waiting {len(waiting)}, "
                    f"kills {faults.kills.total()}, faults {faults.faults.total()}, longest stall {self.longest:.1f} s"
                )


async def run(options: argparse.Namespace, seed: int, profiles: Sequence[str], log: Log) -> list[BrokenPromise]:
    """Run and return the violations."""
    network = bad_network("collate-gateway", seed)
    greedy = [f"greedy-{number}" for number in range(options.greedy)]
    setup = Setup(
        name="chaos-shadow" if options.shadow else "chaos",
        seed=seed,
        profile=profiles[0],
        brokers=3,
        network=network,
        workers=3,
        ingresses=INGRESSES,
        partitions=6,
        has_read_model=False,
        settings=SETTINGS_OF.get(profiles[0], {})
        | (SHADOW_SETTINGS if options.shadow else {})
        | (GREEDY_SETTINGS if greedy else {}),
        callers=greedy,
        is_shadow=options.shadow,
    )
    async with open_scene(setup, log) as scene:
        faults, stalls = FaultInjector(scene, log), Stalls(scene.callers)
        watching = asyncio.create_task(stalls.watch(faults, log))
        try:
            await _inject_faults(scene, faults, options.seconds, profiles, log)
            evidence, violations = await scene.verdict(DRAIN_SECONDS, log)
            # In the end of the run, repeats lack their ends.
            violations += await scene.check_promises("60s", log)
            # Kafka's own, of a broker that was killed and started within its session (docs/kafka-notes.md).
            is_excused = any("broker" in kind for kind in faults.kills)
            torn = [one for one in violations if is_excused and one.rule.endswith(PromiseRule.TORN)]
            violations = [one for one in violations if one not in torn]
            print(f"torn transactions, counted apart: {len(torn)}")
        finally:
            watching.cancel()
        log("checked")
        _report(scene, evidence, faults)
        print(frame_rules.report(*network))
        print(f"longest stall: {stalls.longest:.1f} s (from second {stalls.at:.0f})")
        if violations or options.keep:
            kept = scene.keep()
            await asyncio.to_thread(scene.cluster.save_logs, kept / "kafka")
            (kept / "ledger").write_text(_ledger(scene))
            (kept / "events").write_text("\n".join(map(str, evidence.events)))
            log(f"logs, ledger and events are in {kept}")
        return violations


async def _inject_faults(
    scene: Scene, faults: FaultInjector, seconds: float, profiles: Sequence[str], log: Log
) -> None:
    callers, end = scene.callers, time.monotonic() + seconds
    sending = asyncio.create_task(callers.run_until(end, CASES_PER_SECOND))
    while not callers.authorizations:  # noqa: ASYNC110 - the first case adds one immediately
        await asyncio.sleep(0.05)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(faults.inject_until(end))
        tasks.create_task(_change_readings(scene, seconds, profiles, log))
        for caller in scene.setup.callers:
            tasks.create_task(callers.watch_until(end, caller))
            tasks.create_task(callers.close_until(end, caller))
    log("all faults have ended")
    await faults.restore()
    # A caller that still waits has a command that has not ended: the judge says so, and the logs are kept.
    await scene.end_load(sending, DRAIN_SECONDS)


async def _change_readings(scene: Scene, seconds: float, profiles: Sequence[str], log: Log) -> None:
    """Use one profile of Collate after another, each for an equal time."""
    for profile in profiles:
        log(f"Collate's profile: {profile}")
        scene.sim.use(profile, **READINGS)
        # A new key store: a profile cannot interpret the keys that another profile has stored.
        scene.sim.api.writes.keys = Keys()
        await asyncio.sleep(seconds / len(profiles))


def _report(scene: Scene, run: Evidence, faults: FaultInjector) -> None:
    ours, _ = effects_of(run)
    finished = [event.data for event in run.events if event.kind == "command.finished"]
    for title, counts in {
        "run": scene.counts(run),
        "commands by type": Counter(
            command.type for command in {command.id: command for command in run.commands}.values()
        ),
        "outcomes by effect": Counter(f"{end['outcome']}, {end['effect']}" for end in finished),
        "would send": Counter(end["wouldSend"]["operation"] for end in finished if "wouldSend" in end),
        "dead letters": Counter(run.dead_letters.values()),
        "effects of the gateway": Counter(one.kind for effects in ours.values() for one in effects),
        "events": Counter(event.kind for event in run.events),
        "kills": faults.kills,
        "faults": faults.faults,
        "other actors": faults.acts,
    }.items():
        rows = ", ".join(f"{count} {what}" for what, count in sorted(counts.items(), key=lambda row: -row[1]))
        print(f"{title}: {rows or 'none'}")
    lines = (line for log in scene.run.directory.glob("*.log") for line in log.read_text().splitlines())
    suspected = explain(lines, run)
    print(f"command to outcome: {scene.latency()}")
    print(f"access grants {len(scene.callers.links) // 2}, double effects suspected {suspected.total()}")
    for what, count in suspected.items():
        print(f"  {count}: {what}")


def _ledger(scene: Scene) -> str:
    rows = [(call.at, f"call {call.as_json()}") for call in scene.sim.ledger.calls]
    rows += [(effect.at, f"effect {effect}") for _, effect in scene.sim.ledger.effects]
    return "\n".join(row for _, row in sorted(rows, key=lambda row: row[0]))


def main() -> int:
    """Run once and print the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=120.0, help="duration of the faults")
    parser.add_argument("--seed", type=int, default=None, help="seed of the run; default: a random one")
    parser.add_argument(
        "--profile", choices=(*PROFILES, *SETTINGS_OF), help="profile of Collate; default: the first six in turn"
    )
    parser.add_argument("--keep", action="store_true", help="keep logs, ledger and events also without a violation")
    parser.add_argument("--greedy", type=int, default=0, help="callers that send watches and closes without a pause")
    parser.add_argument("--slow", action="store_true", help="a tenth of the processor time instead of faults")
    parser.add_argument("--shadow", action="store_true", help="a shadow: writes are off")
    options = parser.parse_args()
    if options.seconds <= LONGEST_IN_MEMORY_SECONDS:
        prefer_memory()
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    profiles = [options.profile] if options.profile else random.Random(seed).sample(PROFILES, len(PROFILES))
    print(f"seed {seed}, {options.seconds:.0f} s of faults", flush=True)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # killed brokers are expected here
    deadline = options.seconds + START_AND_END_SECONDS
    if options.slow:
        deadline += slow_run.GREEN_WITHIN_SECONDS
    # Ends the process even if a thread hangs. The supervisor of each run then stops its processes.
    guard = threading.Timer(deadline + 60.0, os._exit, [3])
    guard.daemon = True
    guard.start()

    async def judged() -> list[BrokenPromise]:
        async with asyncio.timeout(deadline):
            if options.slow:
                return await slow_run.run(options.seconds, seed, progress())
            return await run(options, seed, profiles, progress())

    try:
        violations = asyncio.run(judged())
    except TimeoutError:
        print(f"seed {seed}: not finished after {deadline:.0f} s")
        return 2
    for violation in violations[:50]:
        print(f"VIOLATION {violation.rule}: {violation.where}")
    print(f"seed {seed}: {len(violations)} violations", flush=True)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())

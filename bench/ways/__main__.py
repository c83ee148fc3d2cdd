"""`python -m bench.ways [NAME …]`: lose each part beside 100,000 authorizations, come back, and judge.

Writes time, loss and what a person typed into `bench/ways/results.json`, from which `make docs` writes the rows of
docs/disaster.md. Nothing is written of a way whose promises were broken.
"""

import argparse
import asyncio
import json
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench.harness import options
from bench.table import machine
from bench.ways.catalogue import WAYS
from bench.ways.stored import fill
from bench.ways.way import BACK_WITHIN_SECONDS, Back, Way
from local.failures import LocalError
from local.judge.checks import BrokenPromise
from local.judge.recorded import Evidence
from local.scene.scene import Log, Scene, Setup, open_scene, progress
from local.scene.settings import TIMEOUTS

RESULTS = Path(__file__).with_name("results.json")
CASES_PER_SECOND = 2.0
BEFORE_SECONDS, OUTAGE_SECONDS, AFTER_SECONDS = 6.0, 3.0, 2.0
PARTITIONS = 12
# Fast for the cases of the load, which the judge compares with Collate, and slow for the stored authorizations.
CADENCE = {
    "GATEWAY_WATCH__ENDED": "1s until 10m,1m",
    "GATEWAY_WATCH__PROCESSING": "2s until 10m,1m",
    "GATEWAY_WATCH__PAYER": "3s until 10m,1h",
    # No `command.waiting` is written between the evidence and the loss.
    "GATEWAY_WORKER__WAITING_AFTER": "1h",
}


async def take(name: str, way: Way, authorizations: int, log: Log) -> list[BrokenPromise]:
    """Lose, come back and judge; write the row."""
    setup = Setup(
        "ways",
        partitions=PARTITIONS,
        common=TIMEOUTS | CADENCE,
        fill=partial(fill, authorizations),
        since="2m",
        ready_within_seconds=600.0,
        has_read_model=way.has_read_model,
    )
    async with open_scene(setup, log) as scene:
        scene.judge = replace(scene.judge, since=round(time.time() * 1_000))
        back = Back(scene)
        if way.prepare is not None:
            await way.prepare(back)
        load = asyncio.create_task(scene.callers.run_until(float("inf"), CASES_PER_SECOND))
        await asyncio.sleep(BEFORE_SECONDS)
        # Collate is away, so that commands wait, and nothing else happens between the evidence and the loss.
        scene.sim.begin_outage()
        await asyncio.sleep(OUTAGE_SECONDS)
        scene.callers.pause()
        await asyncio.sleep(OUTAGE_SECONDS)
        before = await scene.judge.gather()
        scene.judge = replace(scene.judge, restore=lambda found: of_the_load(way.restore(before, found), scene))
        back.waiting = frozenset(scene.callers.accepted.keys() - scene.callers.ended.keys())
        log(f"{name} is lost; {len(back.waiting)} commands wait")
        back.began = time.monotonic()
        await way.lose(back)
        scene.sim.end_outage()
        scene.callers.resume()
        await way.back(back)

        async def all_ended() -> bool:
            return back.has_ended()

        await scene.until(all_ended, BACK_WITHIN_SECONDS, "the end of every command that waited")
        back.took("commands ended")
        log(f"back: {back.seconds}")
        await asyncio.sleep(AFTER_SECONDS)
        await scene.end_load(load, 8.0)
        _, broken = await scene.verdict(20.0, log)
        log(f"typed: {back.typed}")
        lost = [one for one in broken if one.rule in way.allowed]
        broken = [one for one in broken if one not in lost]
        if broken:
            log(f"logs are kept in {scene.keep()}")
        else:
            _write(name, authorizations, lost, back)
        return broken


def of_the_load(found: Evidence, scene: Scene) -> Evidence:
    """Leave out the stored authorizations, whose handoffs Collate never had."""
    live = set(scene.callers.authorizations)
    events = [event for event in found.events if event.authorization_id in live]
    records = {name: record for name, record in found.records.items() if name in live}
    return replace(found, events=events, records=records)


def _write(name: str, authorizations: int, lost: list[BrokenPromise], back: Back) -> None:
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    commit = subprocess.run(["git", "rev-parse", "--short=8", "HEAD"], capture_output=True, text=True, check=True)
    found[name] = {
        "authorizations": authorizations,
        "waiting": len(back.waiting),
        "seconds": back.seconds,
        "typed": back.typed,
        "lost": sorted({one.rule for one in lost}),
        "commit": commit.stdout.strip(),
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
    }
    RESULTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def _main(given: argparse.Namespace) -> int:
    log, worst = progress(), 0
    for name in given.names.split(",") if given.names else WAYS:
        try:
            broken = asyncio.run(take(name, WAYS[name], given.authorizations, log))
        except LocalError as failed:
            broken = [BrokenPromise("there is no way back", str(failed))]
        for one in broken[:20]:
            log(f"{name}: BROKEN {one.rule}: {one.where}")
        log(f"{name}: {len(broken)} broken promises")
        worst |= bool(broken)
    return worst


if __name__ == "__main__":
    raise SystemExit(
        _main(options(__doc__, authorizations=(100_000, "closed authorizations"), names=("", "ways, by commas")))
    )

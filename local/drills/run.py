"""`make drill ARGS=NAME`: tells one drill, judges it, and returns the exit code: 0 kept, 1 broken or not started."""

import asyncio
import logging
import sys
import time
from dataclasses import replace
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from local.drills.catalogue import DRILLS, Drill
from local.drills.drill import DrillOptions
from local.drills.operator import Operator
from local.drills.scene import DrillScene
from local.judge.checks import BrokenPromise
from local.picture import draw, recording_console
from local.processes.run import interruptible
from local.scene.scene import ON_CALL, open_scene
from local.story import Story

CASES_PER_SECOND = 1.0
JUDGED_WITHIN_SECONDS = 150.0
BEFORE_SECONDS = 5.0
AFTER_SECONDS = 5.0
LAST_CASES_SECONDS = 15.0
BROKEN, UNKNOWN = 1, 2


def list_drills() -> int:
    """Print every drill with what it breaks and what must hold."""
    table = Table("drill", "breaks", "for", "must hold", box=SIMPLE_HEAD)
    for drill in DRILLS.values():
        table.add_row(drill.name, drill.breaks, f"{drill.seconds:.0f} s", drill.must_hold)
    Console().print(table)
    return 0


def run(name: str, options: DrillOptions, picture: Path | None = None) -> int:
    """Run a drill and return the exit code."""
    if (drill := DRILLS.get(name)) is None:
        print(f"drill: there is no drill {name!r}; choose one of: {', '.join(DRILLS)}", file=sys.stderr)
        return UNKNOWN
    console = Console(highlight=False, soft_wrap=True) if picture is None else recording_console()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # killed brokers are part of a drill
    code = interruptible(lambda: BROKEN if asyncio.run(_run(drill, options, console)) else 0)
    if picture is not None:
        draw(console, picture, f"make drill ARGS={name}")
    return code


async def _run(drill: Drill, options: DrillOptions, console: Console) -> list[BrokenPromise]:
    story, began = Story(console), time.monotonic()
    seconds = drill.seconds if options.seconds is None else options.seconds
    console.print(f"\n[bold]Drill {drill.name}[/]: {drill.breaks}, for {seconds:.0f} s")
    console.print(f"[dim]must hold: {drill.must_hold}[/]\n")

    def report(part: str) -> None:
        console.print(f"  [green]✓[/] {part:<40} [dim]after {time.monotonic() - began:.1f} s[/]")

    async with open_scene(replace(drill.needs, seed=options.seed), report) as parts:
        environ = parts.installation.caller_environ(parts.programs["ingress-0"], parts.keys[ON_CALL])
        operator = Operator(story, environ, parts.programs, parts.run.directory, hands_on=options.hands_on)
        scene = DrillScene(**vars(parts), story=story, options=options, seconds=seconds, operator=operator)
        story.step("Callers", f"send about {CASES_PER_SECOND:.0f} case a second: requests, closes, grants, repeats")
        load = asyncio.create_task(scene.callers.run_until(float("inf"), CASES_PER_SECOND))
        try:
            await asyncio.sleep(BEFORE_SECONDS)
            story.note(f"{scene.accepted} commands accepted, {scene.ended} ended")
            broken = await drill.run(scene)
            await asyncio.sleep(AFTER_SECONDS)
        finally:
            await scene.end_load(load, LAST_CASES_SECONDS)
        story.step("The judge", "waits for the last command and compares topics, responses and Collate's ledger")
        evidence, found = await scene.verdict(JUDGED_WITHIN_SECONDS, story.note)
        broken += found
        rows = {what: str(count) for what, count in scene.counts(evidence).items()}
        rows |= {"command to end": scene.latency()}
        rows |= {what: f"{after:.1f} s" for what, after in operator.times.items()}
        for what, value in rows.items():
            console.print(f"       {what:<32} {value}")
        for promise in broken[:20]:
            console.print(f"       [red]broken: {promise.rule}[/]: {promise.where}", markup=True)
        verdict = f"[bold red]{len(broken)} broken promises[/]" if broken else "[bold green]every promise was kept[/]"
        console.print(f"\n  Verdict: {verdict}\n")
        if broken:
            story.note(f"logs are kept in {scene.keep()}")
    return broken

"""`make drill ARGS=NAME`: tells one drill, judges it, and returns the exit code: 0 kept, 1 broken or not started."""

import asyncio
import logging
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from local.drills.catalogue import DRILLS, Drill
from local.drills.drill import DrillOptions
from local.drills.scene import CASES_PER_SECOND, Scene, open_scene
from local.failures import LocalError
from local.judge.checks import BrokenPromise
from local.judge.effects import effects_of
from local.judge.recorded import Evidence
from local.picture import draw, recording_console
from local.processes.run import until_interrupted
from local.story import Story

JUDGED_WITHIN_SECONDS = 150.0
BEFORE_SECONDS = 5.0
AFTER_SECONDS = 5.0
LAST_CASES_SECONDS = 15.0
BROKEN, UNKNOWN, INTERRUPTED = 1, 2, 130


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
    code = INTERRUPTED
    with until_interrupted():
        try:
            code = BROKEN if asyncio.run(_run(drill, options, console)) else 0
        except LocalError as error:
            print(error, file=sys.stderr)
            code = BROKEN
    if picture is not None:
        draw(console, picture, f"make drill ARGS={name}")
    return code


async def _run(drill: Drill, options: DrillOptions, console: Console) -> list[BrokenPromise]:
    story = Story(console)
    seconds = drill.seconds if options.seconds is None else options.seconds
    console.print(f"\n[bold]Drill {drill.name}[/]: {drill.breaks}, for {seconds:.0f} s")
    console.print(f"[dim]must hold: {drill.must_hold}[/]\n")
    async with open_scene(story, drill.needs, options, seconds) as scene:
        story.step("Callers", f"send about {CASES_PER_SECOND:.0f} case a second: requests, closes, grants, repeats")
        load = asyncio.create_task(scene.callers.run_until(float("inf"), CASES_PER_SECOND))
        try:
            await asyncio.sleep(BEFORE_SECONDS)
            story.note(f"{scene.accepted} commands accepted, {scene.ended} ended")
            broken = await drill.run(scene)
            await asyncio.sleep(AFTER_SECONDS)
        finally:
            await _end(load, scene)
        story.step("The judge", "waits for the last command and compares topics, responses and Collate's ledger")
        evidence, found = await scene.judge.judge(JUDGED_WITHIN_SECONDS, story.note)
        broken += found
        broken += [
            BrokenPromise("a caller got an unexpected response", response) for response in scene.callers.unexpected
        ]
        broken += [
            BrokenPromise("a process ended", name)
            for name, program in scene.programs.items()
            if program.process.poll() is not None
        ]
        _report(scene, evidence, broken)
        if broken:
            story.note(f"logs are kept in {_keep(scene)}")
    return broken


async def _end(load: asyncio.Task[None], scene: Scene) -> None:
    """Stop the callers. A case that still waits is cut off; its accepted commands are judged all the same."""
    scene.callers.stop()
    await asyncio.wait({load}, timeout=LAST_CASES_SECONDS)
    load.cancel()
    await asyncio.gather(load, return_exceptions=True)


def _report(scene: Scene, evidence: Evidence, broken: list[BrokenPromise]) -> None:
    callers, console = scene.callers, scene.story.console
    seconds = [at - callers.accepted[one] for one, at in callers.ended.items() if one in callers.accepted]
    slow = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else [0.0] * 99
    ours, _ = effects_of(evidence)
    dead = Counter(evidence.dead_letters.values())
    rows = {
        "commands accepted": str(len(callers.accepted)),
        "commands ended": str(len(callers.accepted.keys() & callers.ended.keys())),
        "effects at Collate": str(sum(map(len, ours.values()))),
        "events": str(len(evidence.events)),
        "dead letters": ", ".join(f"{count} {cause}" for cause, count in dead.items()) or "none",
        "command to end": f"median {slow[49]:.2f} s, 99 % {slow[98]:.1f} s, longest {max(seconds, default=0.0):.1f} s",
        **{what: f"{after:.1f} s" for what, after in scene.operator.times.items()},
    }
    for what, value in rows.items():
        console.print(f"       {what:<32} {value}")
    for promise in broken[:20]:
        console.print(f"       [red]broken: {promise.rule}[/]: {promise.where}", markup=True)
    verdict = "[bold green]every promise was kept[/]" if not broken else f"[bold red]{len(broken)} broken promises[/]"
    console.print(f"\n  Verdict: {verdict}\n")


def _keep(scene: Scene) -> Path:
    kept = Path(tempfile.mkdtemp(prefix="gateway-drill-"))
    shutil.copytree(
        scene.run.directory, kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*-key*", "*.toml", "dsn", "*.sh")
    )
    return kept

"""`make soak`: one session of load, samples and faults, then the judge's verdict and the page.

A soak is resumed by a further session in the same directory: a private installation ends with its session, so each
session is judged on its own, and the page adds their hours.
"""

import asyncio
import logging
import time
from pathlib import Path

from rich.console import Console

from local.processes.run import interruptible
from local.scene.scene import Scene, Setup, open_scene, progress
from local.soak.faults import SoakFaults
from local.soak.records import Sample, SessionLog, read_sessions
from local.soak.sampling import measure
from local.soak.soak_page import growth_sentence, problems_of, render
from runtime.version import VERSION

HOUR = 3_600.0
JUDGED_WITHIN_SECONDS = 180.0
LAST_CASES_SECONDS = 60.0
PAGE = "soak.html"
FAILED = 1


def run(hours: float, directory: Path, seed: int, cases_per_second: float) -> int:
    """Run until the directory has so many hours, write the page, and return the exit code."""
    directory.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, soft_wrap=True)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # restarted brokers are part of a soak
    done = sum(session.seconds for session in read_sessions(directory))
    left = hours * HOUR - done
    code = 0
    if left > 0:
        console.print(f"\n[bold]Soak[/]: {left / HOUR:.2f} h left of {hours:g} h; the page: {directory / PAGE}\n")
        soak = _Soak(console, directory, left, seed, cases_per_second, hours)
        code = interruptible(lambda: asyncio.run(soak.run()))
    sessions = read_sessions(directory)
    (directory / PAGE).write_text(render(sessions, hours))
    problems = problems_of(sessions)
    for problem in problems[:20]:
        console.print(f"  [red]{problem}[/]")
    if not problems:
        console.print(f"  {growth_sentence(sessions)}")
    console.print(f"\n  {len(problems)} problems; the page: {directory / PAGE}\n")
    return FAILED if problems else code


class _Soak:
    """One session."""

    def __init__(  # noqa: PLR0917 - one composition root
        self, console: Console, directory: Path, seconds: float, seed: int, cases_per_second: float, hours: float
    ) -> None:
        self._console, self._directory, self._seconds = console, directory, seconds
        self._seed, self._cases_per_second, self._hours = seed, cases_per_second, hours
        self._every = min(30.0, max(2.0, seconds / 60))
        self._seen: set[str] = set()

    async def run(self) -> None:
        async with open_scene(Setup(name="soak", seed=self._seed), progress()) as scene:
            log = SessionLog(self._directory, time.time(), self._seed, VERSION)
            began = time.monotonic()
            pause = min(240.0, max(15.0, self._seconds / 15))
            load = asyncio.create_task(scene.callers.run_until(float("inf"), self._cases_per_second))
            stop = asyncio.Event()
            faults = asyncio.create_task(SoakFaults(scene, log, began, pause).inject_until(stop))
            is_interrupted = False
            try:
                await self._sample(scene, log, began, {load, faults})
            except asyncio.CancelledError:  # Ctrl-C ends the session, which is judged all the same
                is_interrupted = True
            stop.set()
            await asyncio.gather(faults, return_exceptions=True)
            await scene.end_load(load, LAST_CASES_SECONDS)
            evidence, broken = await scene.verdict(JUDGED_WITHIN_SECONDS)
            log.verdict([f"{promise.rule}: {promise.where}" for promise in broken], scene.counts(evidence))
            if is_interrupted:
                raise asyncio.CancelledError
            faults.result()

    async def _sample(self, scene: Scene, log: SessionLog, began: float, others: set[asyncio.Task[None]]) -> None:
        """Measure until the end, or until the load or a fault fails."""
        shown = 0.0
        while (at := time.monotonic() - began) < self._seconds and not any(task.done() for task in others):
            callers = scene.callers
            new = [ended for ended in callers.ended if ended not in self._seen and ended in callers.accepted]
            self._seen.update(new)
            values = await asyncio.to_thread(measure, scene)
            latencies = [callers.ended[ended] - callers.accepted[ended] for ended in new]
            log.sample(
                Sample(at, values, len(callers.accepted), len(callers.ended), len(callers.authorizations), latencies)
            )
            if at - shown >= 60.0 or not shown:
                shown = at or 1e-9
                self._console.print(
                    f"  {at / 60:6.1f} min  {len(callers.accepted)} accepted, {scene.judge.waiting()} waiting"
                )
                (self._directory / PAGE).write_text(render(read_sessions(self._directory), self._hours))
            await asyncio.sleep(self._every)

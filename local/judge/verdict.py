"""The verdict on a run: waits until all accepted commands have ended, gathers the evidence, and checks it.

Callers, Collate and readers agree a moment after the last command, so the judge looks again until its deadline.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from local.collate.simulation import Simulation
from local.judge.checks import BrokenPromise, find_broken_promises, leaked_secrets
from local.judge.evidence import PastStates, find_leaks, gather
from local.judge.recorded import Evidence
from local.scene.callers import Callers
from schemas.sealing import Keys

_LOOK_AGAIN_SECONDS = 3.0
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Judge:
    """What a verdict needs to know of a run: its topics, its simulated Collate, its callers and its logs."""

    bootstrap: str
    prefix: str
    partitions: int
    sim: Simulation
    past: PastStates
    callers: Callers
    keys: Keys  # of the PHI in commands
    logs: Path | None = None  # the directory of the processes' logs, to look for secrets; None: only in the events
    since: int = 0  # only records since this timestamp (Unix milliseconds)
    restore: Callable[[Evidence], Evidence] = lambda found: found  # adds what a lost topic contained

    def waiting(self) -> int:
        """Count the accepted commands that have not ended."""
        return len(self.callers.accepted.keys() - self.callers.ended.keys())

    async def gather(self) -> Evidence:
        """Return the evidence of now."""
        found = await gather(
            self.bootstrap, self.prefix, self.partitions, self.sim, self.past.shown, keys=self.keys, since=self.since
        )
        return replace(found, accepted=frozenset(self.callers.accepted), granted=frozenset(self.callers.granted))

    async def judge(
        self, within_seconds: float, log: Callable[[str], None] = lambda _: None
    ) -> tuple[Evidence, list[BrokenPromise]]:
        """Return the evidence, and the promises that are still broken at the deadline."""
        deadline = time.monotonic() + within_seconds
        while self.waiting() and time.monotonic() < deadline:  # noqa: ASYNC110 - polling
            await asyncio.sleep(_POLL_SECONDS)
        log(f"{self.waiting()} commands have not ended; checking")
        while True:
            evidence = self.restore(await self.gather())
            # In a thread: the simulated Collate in this process answers meanwhile.
            broken = await asyncio.to_thread(find_broken_promises, evidence)
            if not broken or time.monotonic() > deadline:
                leaks = await asyncio.to_thread(find_leaks, self.logs, evidence, self.callers.secrets)
                evidence = replace(evidence, leaks=leaks)
                return evidence, [*broken, *leaked_secrets(evidence)]
            log(f"{len(broken)} promises are not kept yet, such as: {broken[0].rule}: {broken[0].where}")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

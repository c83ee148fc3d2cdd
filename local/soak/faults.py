"""A few faults, far apart. Each ends before the next one begins, so the time line shows what it caused."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable

from local.scene.faults import FAULTS
from local.scene.scene import Scene
from local.soak.records import Fault, SessionLog

STRUCK = "worker-0"


class SoakFaults:
    """Injects one fault after another."""

    def __init__(self, scene: Scene, log: SessionLog, began: float, pause_seconds: float) -> None:
        self._scene, self._log, self._began = scene, log, began
        self._chance = random.Random(f"{scene.setup.seed}/soak")
        self._pause = pause_seconds
        self._seconds = min(30.0, pause_seconds)

    async def inject_until(self, stop: asyncio.Event) -> None:
        """Inject faults until `stop`; return when the last one has ended."""
        kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "Collate away": self._outage,
            "Collate faulty": self._faulty,
            "worker killed": self._kill_worker,
            "worker restarted": self._restart_worker,
            "broker restarted": self._restart_broker,
            "database restarted": self._restart_database,
            "read model rebuilt": self._rebuild,
        }
        bag: list[str] = []
        while not await self._is_set(stop, self._pause * self._chance.uniform(0.7, 1.3)):
            if not bag:
                bag = self._chance.sample(sorted(kinds), len(kinds))
            kind = bag.pop()
            begin = time.monotonic() - self._began
            await kinds[kind]()
            self._log.fault(Fault(kind, begin, time.monotonic() - self._began))

    async def _is_set(self, stop: asyncio.Event, within_seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                await stop.wait()
        return stop.is_set()

    async def _outage(self) -> None:
        self._scene.sim.begin_outage()
        await asyncio.sleep(self._seconds)
        self._scene.sim.end_outage()

    async def _faulty(self) -> None:
        rules = [
            self._scene.sim.fault(**self._chance.choice(FAULTS), probability=0.5, seed=self._chance.randrange(1 << 30))
            for _ in range(2)
        ]
        await asyncio.sleep(self._seconds)
        for rule in rules:
            self._scene.sim.faults.remove(rule.id)

    async def _kill_worker(self) -> None:
        await self._scene.kill(STRUCK)
        await self._scene.start(STRUCK)

    async def _restart_worker(self) -> None:
        await self._scene.replace(STRUCK)

    async def _restart_broker(self) -> None:
        await self._restart(lambda: self._scene.cluster.kill(0), lambda: self._scene.cluster.start(0))

    async def _restart_database(self) -> None:
        await self._restart(self._scene.database.kill, self._scene.database.start)

    async def _rebuild(self) -> None:
        await asyncio.to_thread(self._scene.installation.run_verb, "projector", "--rebuild")

    async def _restart(self, kill: Callable[[], None], start: Callable[[], None]) -> None:
        await asyncio.to_thread(kill)
        await asyncio.sleep(self._seconds / 3)
        await asyncio.to_thread(start)

"""The faults of a run, from a seed: faults at Collate, other actors, killed and frozen processes, killed brokers.

`restore` ends all faults, so that all commands can end.
"""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

from local.collate.faults.rules import Rule
from local.scene.scene import Log, Scene
from local.scene.settings import SESSION_SECONDS

AFTER, BEFORE = {"when": "after"}, {"when": "before"}
FAULTS: Final[tuple[dict[str, Any], ...]] = (
    {"do": "answer", "status": 500, "code": "internal_error"} | AFTER,
    {"do": "answer", "status": 500, "code": "internal_error"} | BEFORE,
    {"do": "answer", "status": 503, "code": "unavailable", "retryAfter": "1", "retryable": True} | BEFORE,
    {"do": "answer", "status": 503, "code": "unavailable", "retryAfter": "date:2"} | AFTER,
    {"do": "answer", "status": 429, "code": "rate_limited", "retryAfter": "1", "retryable": True} | BEFORE,
    {"do": "answer", "status": 429, "shape": "empty"} | BEFORE,
    {"do": "answer", "status": 502, "shape": "html"} | BEFORE,
    {"do": "answer", "status": 502, "shape": "html"} | AFTER,
    {"do": "answer", "status": 200, "shape": "html"} | AFTER,
    {"do": "delay", "seconds": 0.2, "upToSeconds": 1.5} | AFTER,
    {"do": "delay", "seconds": 1.0, "upToSeconds": 6.0} | BEFORE,
    {"do": "hang"} | AFTER,
    {"do": "hang"} | BEFORE,
    {"do": "reset"} | AFTER,
    {"do": "reset"} | BEFORE,
    {"do": "truncate"},
    {"do": "drop"},
    {"do": "garbage"},
    {"do": "redirect", "location": "http://localhost:9/elsewhere"} | BEFORE,
    {"do": "trickle", "seconds": 0.5},
    {"do": "endless", "part": "body"},
    {"do": "endless", "part": "head"},
    {"do": "rewrite", "overlay": {"introducedLater": [1, {"deep": None}]}},
    {"do": "answer", "status": 409, "code": "code_of_tomorrow"} | BEFORE,
    {"do": "answer", "status": 409, "code": "code_of_tomorrow", "retryable": True} | BEFORE,
    {"do": "answer", "status": 423, "code": "locked", "retryAfter": "1", "retryable": True} | BEFORE,
)
# For `{"do": "act"}`: another actor acts between the gateway's read and its write.
ACTS: Final[tuple[dict[str, Any], ...]] = (
    *[{"do": "open_handoff"}] * 3,
    *[{"do": "complete", "reportedOutcome": "submitted"}] * 3,
    *[{"do": "edit"}] * 2,
    {"do": "edit", "freshSnapshot": True},
    {"do": "unable_to_complete", "reason": "other"},
    {"do": "revoke", "reason": "not needed"},
    {"do": "confirm"},
    {"do": "expire"},
    {"do": "lose_session"},
    {"do": "set_access", "available": False},
    {"do": "payer", "truth": "received"},
)


class FaultInjector:
    """Injects, counts and ends faults."""

    def __init__(self, scene: Scene, log: Log) -> None:
        self.kills: Counter[str] = Counter()
        self.acts: Counter[str] = Counter()
        self._scene, self._sim, self._cluster = scene, scene.sim, scene.cluster
        self._programs, self._authorizations = scene.programs, scene.callers.authorizations
        self._log = log
        self._rules = list[tuple[str, Rule]]()
        self._frozen: set[str] = set()

    @property
    def faults(self) -> Counter[str]:
        """The number of affected calls by kind of fault."""
        counts: Counter[str] = Counter()
        for kind, rule in self._rules:
            counts[kind] += rule.struck
        return +counts

    async def inject_until(self, end: float) -> None:
        """Inject faults of all kinds until a time (monotonic seconds)."""
        # The names seed the random sequences: with other names, a known seed would give another run.
        injections = {
            "_fault": self._fault_at_collate,
            "_act": self._act,
            "_strike_process": self._disturb_process,
            "_strike_broker": self._disturb_broker,
        }
        async with asyncio.TaskGroup() as tasks:
            for name, inject in injections.items():
                tasks.create_task(self._repeat(name, inject, end))

    async def restore(self) -> None:
        """End all faults, and wait until all processes and brokers are ready."""
        self._sim.faults.clear()
        self._sim.end_outage()
        down = [index for index in self._cluster.brokers if not self._cluster.is_running(index)]
        for index in down:
            await asyncio.to_thread(self._cluster.start, index, wait=False)
        await asyncio.to_thread(self._cluster.await_ready)
        for name in self._programs:
            self._ensure_running(name)
        await asyncio.gather(*(asyncio.to_thread(program.await_ready) for program in self._programs.values()))

    async def _repeat(self, name: str, inject: Callable[[random.Random], Awaitable[float]], end: float) -> None:
        chance = random.Random(f"{self._scene.setup.seed}/{name}")
        pause = chance.uniform(1.0, 4.0)
        while time.monotonic() + pause < end:
            await asyncio.sleep(pause)
            pause = await inject(chance)

    # At Collate

    async def _fault_at_collate(self, chance: random.Random) -> float:
        duration = chance.uniform(1.0, 5.0)
        common: dict[str, Any] = {"forSeconds": duration, "seed": chance.randrange(1 << 30)}
        method = chance.choice(["POST", "POST", "POST", "GET", None])
        common |= {} if method is None else {"method": method}
        match chance.choices(["fault", "act", "401", "403", "outage"], [24, 6, 1, 3, 1])[0]:
            case "fault":
                fault = chance.choice(FAULTS)
                name = " ".join(str(fault[part]) for part in ("do", "status", "when") if part in fault)
                self._add(name, fault | common | {"probability": chance.choice([0.2, 0.5, 1.0])})
            case "act":
                action = chance.choice(ACTS)
                rule = {"do": "act", "actor": action, "method": "POST", "probability": 0.5}
                self._add("another actor acts before our write", common | rule)
            case "401":
                self._add("answer 401", {"do": "answer", "status": 401, "code": "unauthorized", "forSeconds": 2.0})
            case "403":
                one = chance.choice(self._authorizations[-20:])
                rule = {"do": "answer", "status": 403, "code": "forbidden", "path": one, "forSeconds": duration}
                self._add("answer 403 for one authorization", rule)
            case "outage":
                self._sim.begin_outage(duration)
                self.acts["Collate outage"] += 1
                self._log(f"Collate outage for {duration:.1f} s")
        return chance.uniform(0.5, 3.0)

    def _add(self, kind: str, rule: dict[str, Any]) -> None:
        self._rules.append((kind, self._sim.fault(**rule)))

    async def _act(self, chance: random.Random) -> float:
        action = {"do": "cancel"} if chance.random() < 0.03 else chance.choice(ACTS)
        one = chance.choice(self._authorizations[-15:])
        if self._sim.act(one, **action) is None:
            self.acts[f"another actor: {action['do']}"] += 1
        return chance.uniform(0.2, 1.0)

    # Processes and brokers

    async def _disturb_process(self, chance: random.Random) -> float:
        workers = [name for name in self._programs if name.startswith("worker")]
        worker = chance.choice(workers)
        ingress = chance.choice([name for name in self._programs if name.startswith("ingress")])
        match chance.choices(range(7), [3, 2, 3, 1, 1, 1, 2])[0]:
            case 0:
                await self._kill("worker killed, restarted immediately", [worker], 0.0)
            case 1:
                away = SESSION_SECONDS + chance.uniform(1.0, 3.0)
                await self._kill("worker killed, restarted after its session", [worker], away)
            case 2:
                frozen = SESSION_SECONDS + chance.uniform(2.0, 6.0)
                await self._freeze("worker frozen past its session", worker, frozen)
            case 3:
                await self._freeze("worker frozen briefly", worker, chance.uniform(0.5, 4.0))
            case 4:
                self._count("worker restarted in order", worker)
                self._scene.check_running(worker)
                await asyncio.to_thread(self._programs[worker].stop)
                self._ensure_running(worker)
            case 5:
                await self._kill("two workers killed together", chance.sample(workers, 2), chance.uniform(0.0, 2.0))
            case _:
                await self._kill("ingress killed", [ingress], chance.uniform(0.0, 1.5))
        return chance.uniform(1.0, 5.0)

    async def _disturb_broker(self, chance: random.Random) -> float:
        index = chance.choice(list(self._cluster.brokers))
        self._count("broker killed and restarted", f"broker {index + 1}")
        await asyncio.to_thread(self._cluster.kill, index)
        await asyncio.sleep(chance.uniform(0.5, 8.0))
        await asyncio.to_thread(self._cluster.revive, index)
        return chance.uniform(8.0, 25.0)

    async def _kill(self, kind: str, names: list[str], away_seconds: float) -> None:
        self._count(kind, ", ".join(names), away_seconds)
        for name in names:
            self._scene.check_running(name)
        await self._scene.kill(*names)
        await asyncio.sleep(away_seconds)
        for name in names:
            self._ensure_running(name)

    async def _freeze(self, kind: str, name: str, seconds: float) -> None:
        self._count(kind, name, seconds)
        self._scene.check_running(name)
        process = self._programs[name].process
        process.send_signal(signal.SIGSTOP)
        self._frozen.add(name)
        await asyncio.sleep(seconds)
        process.send_signal(signal.SIGCONT)
        self._frozen.discard(name)

    def _count(self, kind: str, target: str, seconds: float = 0.0) -> None:
        self.kills[kind] += 1
        self._log(f"{kind}: {target}" + (f", {seconds:.1f} s" if seconds else ""))

    def _ensure_running(self, name: str) -> None:
        program = self._programs[name]
        if name in self._frozen:
            program.process.send_signal(signal.SIGCONT)
            self._frozen.discard(name)
        if program.process.poll() is not None:
            self._scene.launch(name)

"""What goes wrong in a run of the gateway, from a seed: faults at Collate, other actors, kills, zombies, brokers.

Everything is undone by `calm`, so that what was asked can come to its end.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from local.collate.faults.rules import Rule
    from local.collate.http.server import SimulatedCollate
    from local.installation import Installation, Program
    from local.kafka.nodes import Cluster

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
# `{"do": "act"}`: between our read and our write.
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
SESSION_SECONDS: Final = 6.0


class Trouble:
    """Makes it, counts it, and ends it."""

    def __init__(
        self,
        sim: SimulatedCollate,
        cluster: Cluster,
        installation: Installation,
        programs: dict[str, Program],
        *,
        authorizations: list[str],
        seed: int,
        tell: Callable[[str], None],
    ) -> None:
        self.kills: Counter[str] = Counter()
        self.acts: Counter[str] = Counter()
        self.ended_by_themselves: list[str] = []
        self._sim, self._cluster, self._installation = sim, cluster, installation
        self._programs, self._authorizations = programs, authorizations
        self._seed = seed
        self._tell = tell
        self._rules: list[tuple[str, Rule]] = []
        self._frozen: set[str] = set()

    @property
    def faults(self) -> Counter[str]:
        """Return how often each kind of fault struck."""
        counts: Counter[str] = Counter()
        for kind, rule in self._rules:
            counts[kind] += rule.struck
        return +counts

    async def make_until(self, end: float) -> None:
        """Make trouble of all kinds until then (monotonic seconds)."""
        async with asyncio.TaskGroup() as makers:
            for make in (self._fault, self._act, self._strike_process, self._strike_broker):
                makers.create_task(self._again(make, end))

    async def calm(self) -> None:
        """End all trouble: Collate is itself again, every process and every broker runs."""
        self._sim.faults.clear()
        self._sim.end_outage()
        down = [index for index in self._cluster.brokers if not self._cluster.is_running(index)]
        for index in down:
            await asyncio.to_thread(self._cluster.start, index, wait=False)
        await asyncio.to_thread(self._cluster.await_ready)
        for name in self._programs:
            self._revive(name)
        await asyncio.gather(*(asyncio.to_thread(program.await_ready) for program in self._programs.values()))

    async def _again(self, make: Callable[[random.Random], Awaitable[float]], end: float) -> None:
        chance = random.Random(f"{self._seed}/{make.__name__}")
        pause = chance.uniform(1.0, 4.0)
        while time.monotonic() + pause < end:
            await asyncio.sleep(pause)
            pause = await make(chance)

    # At Collate

    async def _fault(self, chance: random.Random) -> float:
        lasts = chance.uniform(1.0, 5.0)
        wide: dict[str, Any] = {"forSeconds": lasts, "seed": chance.randrange(1 << 30)}
        method = chance.choice(["POST", "POST", "POST", "GET", None])
        wide |= {} if method is None else {"method": method}
        match chance.choices(["fault", "act", "401", "403", "outage"], [24, 6, 1, 3, 1])[0]:
            case "fault":
                fault = chance.choice(FAULTS)
                name = " ".join(str(fault[part]) for part in ("do", "status", "when") if part in fault)
                self._add(name, fault | wide | {"probability": chance.choice([0.2, 0.5, 1.0])})
            case "act":
                doing = chance.choice(ACTS)
                rule = {"do": "act", "actor": doing, "method": "POST", "probability": 0.5}
                self._add("another acts before our write", wide | rule)
            case "401":
                self._add("answer 401", {"do": "answer", "status": 401, "code": "unauthorized", "forSeconds": 2.0})
            case "403":
                one = chance.choice(self._authorizations[-20:])
                rule = {"do": "answer", "status": 403, "code": "forbidden", "path": one, "forSeconds": lasts}
                self._add("answer 403 for one authorization", rule)
            case "outage":
                self._sim.begin_outage(lasts)
                self.acts["Collate away"] += 1
                self._tell(f"Collate away for {lasts:.1f} s")
        return chance.uniform(0.5, 3.0)

    def _add(self, kind: str, rule: dict[str, Any]) -> None:
        self._rules.append((kind, self._sim.fault(**rule)))

    async def _act(self, chance: random.Random) -> float:
        doing = {"do": "cancel"} if chance.random() < 0.03 else chance.choice(ACTS)
        one = chance.choice(self._authorizations[-15:])
        if self._sim.act(one, **doing) is None:
            self.acts[f"another: {doing['do']}"] += 1
        return chance.uniform(0.2, 1.0)

    # Processes and brokers

    async def _strike_process(self, chance: random.Random) -> float:
        workers = [name for name in self._programs if name.startswith("worker")]
        worker = chance.choice(workers)
        ingress = chance.choice([name for name in self._programs if name.startswith("ingress")])
        match chance.choices(range(7), [3, 2, 3, 1, 1, 1, 2])[0]:
            case 0:
                await self._kill("worker killed, back at once", [worker], 0.0)
            case 1:
                away = SESSION_SECONDS + chance.uniform(1.0, 3.0)
                await self._kill("worker killed, back after its session", [worker], away)
            case 2:
                frozen = SESSION_SECONDS + chance.uniform(2.0, 6.0)
                await self._freeze("worker frozen past its session", worker, frozen)
            case 3:
                await self._freeze("worker frozen for a moment", worker, chance.uniform(0.5, 4.0))
            case 4:
                self._strikes("worker restarted in order", worker)
                self._require(worker)
                await asyncio.to_thread(self._programs[worker].stop)
                self._revive(worker)
            case 5:
                await self._kill("two workers killed at once", chance.sample(workers, 2), chance.uniform(0.0, 2.0))
            case _:
                await self._kill("ingress killed", [ingress], chance.uniform(0.0, 1.5))
        return chance.uniform(1.0, 5.0)

    async def _strike_broker(self, chance: random.Random) -> float:
        index = chance.choice(list(self._cluster.brokers))
        self._strikes("broker killed and restarted", f"broker {index + 1}")
        await asyncio.to_thread(self._cluster.kill, index)
        await asyncio.sleep(chance.uniform(0.5, 8.0))
        await asyncio.to_thread(self._cluster.start, index)
        return chance.uniform(8.0, 25.0)

    async def _kill(self, kind: str, names: list[str], away_seconds: float) -> None:
        self._strikes(kind, ", ".join(names), away_seconds)
        for name in names:
            self._require(name)
            self._programs[name].process.kill()
        await asyncio.sleep(away_seconds)
        for name in names:
            await asyncio.to_thread(self._programs[name].process.wait)
            self._revive(name)

    async def _freeze(self, kind: str, name: str, seconds: float) -> None:
        self._strikes(kind, name, seconds)
        self._require(name)
        process = self._programs[name].process
        process.send_signal(signal.SIGSTOP)
        self._frozen.add(name)
        await asyncio.sleep(seconds)
        process.send_signal(signal.SIGCONT)
        self._frozen.discard(name)

    def _strikes(self, kind: str, target: str, seconds: float = 0.0) -> None:
        self.kills[kind] += 1
        self._tell(f"{kind}: {target}" + (f", {seconds:.1f} s" if seconds else ""))

    def _require(self, name: str) -> None:
        """Note it, and go on, if a process has ended that nobody ended."""
        if (code := self._programs[name].process.poll()) is not None:
            self.ended_by_themselves.append(f"{name} with exit code {code}")
            self._revive(name)

    def _revive(self, name: str) -> None:
        program = self._programs[name]
        if name in self._frozen:
            program.process.send_signal(signal.SIGCONT)
            self._frozen.discard(name)
        if program.process.poll() is not None:
            port = int(program.url.rpartition(":")[2])
            verb = name.partition("-")[0]
            self._programs[name] = self._installation.start(verb, name, port)

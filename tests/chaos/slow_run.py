"""A run of the whole gateway on a slow machine: callers and people work while it has a tenth of its processor time.

    make chaos SECONDS=60 ARGS=--slow

The installation is slow for `SECONDS`, and then has 60 s at full speed. Slow means: Kafka and the processes of the
gateway together have a tenth of all processors, PostgreSQL and the issuer a thousandth or less. Callers, people, the
simulated Collate and the judge are in this process, at full speed.

Violations are: a broken promise, a page that was wrong, an accepted command that no page confirmed, a person who was
signed out, a process that ended or that Kubernetes would have restarted, a leaked connection, and a part that is not
green 60 s after the slow time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import httpx
import psutil
import psycopg

from local.issuer import callers_file_entry
from local.judge.checks import BrokenPromise
from local.judge.pages import Moments, wrong_pages
from local.processes.ports import free_ports
from local.processes.quota import limited
from local.scene.people import People
from local.scene.scene import Setup, open_scene
from local.scene.settings import CADENCE
from local.stack import PEOPLE, STAFF

if TYPE_CHECKING:
    from local.installation import Program
    from local.scene.scene import Log, Scene

SHARE: Final = 0.1
# The kernel gives the issuer at least a millisecond in a second.
SHARE_OF_POSTGRESQL, SHARE_OF_THE_ISSUER = 0.001, 0.0005
# How many more connections than before may be open: pools of kept connections grow with the load.
MORE_CONNECTIONS: Final = {"Kafka": 3, "the issuer": 3, "PostgreSQL": 8, "Collate": 32, "the ingress": 32}
GREEN_WITHIN_SECONDS: Final = 60.0
WARM_UP_SECONDS: Final = 15.0
CASES_PER_SECOND: Final = 1.0
PEOPLE_COUNT: Final = 5
TOKEN_SECONDS: Final = 45
# The chart's liveness probe.
PROBE_EVERY_SECONDS, PROBE_SECONDS, PROBE_FAILURES = 10.0, 5.0, 3


@dataclass(slots=True)
class _SlowRun:
    """One run."""

    scene: Scene
    people: People
    issuer_port: int
    log: Log
    violations: list[BrokenPromise] = field(default_factory=list)
    probes: Counter[str] = field(default_factory=Counter)  # failed probes in a row, by process

    async def cycle(self, seconds: float, baseline: dict[str, int]) -> None:
        """Be slow for some seconds, then at full speed for 60 s; check that everything is green by then."""
        with (
            limited(_gateway_and_kafka, SHARE) as how,
            limited(_database, SHARE_OF_POSTGRESQL),
            limited(_issuer, SHARE_OF_THE_ISSUER),
        ):
            self.log(f"slow for {seconds:.0f} s (by {how})")
            used = _processor_seconds()
            await self._show(seconds)
            used = _processor_seconds() - used
            self.log(f"used {used:.1f} of {seconds * SHARE * (os.cpu_count() or 1):.1f} s of processor time")
        began, red_until = time.monotonic(), 0.0
        wrong: list[str] = []
        while (passed := time.monotonic() - began) < GREEN_WITHIN_SECONDS:
            if (seen := await self._not_green(baseline)) and seen != wrong:
                self.log(f"not green: {'; '.join(seen)}")
            wrong = seen
            red_until = passed if wrong else red_until
            await asyncio.sleep(1.0)
        if wrong:
            self._violate("not green after 60 s at full speed", "; ".join(wrong))
        self.log(f"connections: {await self.connections()}")
        self.log(f"the last part was green {red_until:.0f} s after the slow time")

    async def _show(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 10.0))
            self.log(
                f"accepted {len(self.scene.callers.accepted)}, waiting {self.scene.judge.waiting()}, "
                f"pages {self.people.pages.total()}, probes failed {sum(self.probes.values())}"
            )

    async def connections(self) -> dict[str, int]:
        """Count the connections that each process holds to Kafka, PostgreSQL, Collate, the issuer and the ingress."""
        ports = dict.fromkeys([self.issuer_port], "the issuer") | {
            _port(self.scene.sim.url): "Collate",
            _port(self.scene.programs["ingress-0"].url): "the ingress",
            **{_port(address): "Kafka" for address in self.scene.cluster.bootstrap.split(",")},
        }
        counts: Counter[str] = Counter()
        for name, program in self.scene.programs.items():
            if program.process.poll() is not None:
                continue
            # A listening socket has no remote address.
            remote = (
                getattr(one.raddr, "port", 0) for one in psutil.Process(program.process.pid).net_connections("tcp")
            )
            counts.update(f"{name} to {ports[port]}" for port in remote if port in ports)
        conninfo = self.scene.database.conninfo
        query = "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'collate-gateway%'"
        with contextlib.suppress(psycopg.OperationalError):
            async with await psycopg.AsyncConnection.connect(conninfo, connect_timeout=5) as connection:
                rows = await (await connection.execute(query)).fetchall()
                counts.update(f"{name} to PostgreSQL" for (name,) in rows)
        return dict(counts)

    async def _not_green(self, baseline: dict[str, int]) -> list[str]:
        """Return what is not green."""
        wrong = [f"{count} commands wait" for count in [self.scene.judge.waiting()] if count > CASES_PER_SECOND * 20]
        for name, program in self.scene.programs.items():
            try:
                ready = await self.scene.http.get(f"{program.admin_url}/readyz")
            except httpx.TransportError as error:
                wrong.append(f"{name}: {type(error).__name__}")
            else:
                wrong += [] if ready.is_success and "degraded" not in ready.text else [f"{name}: {ready.text[:200]}"]
        for what, count in (await self.connections()).items():
            before = baseline.get(what, 0)
            if count > before + MORE_CONNECTIONS[what.partition(" to ")[2]]:
                wrong.append(f"{count} connections of {what}, {before} before")
        return wrong

    async def probe(self) -> None:
        """Probe each process as the kubelet does."""
        while True:
            await asyncio.gather(*(self._probe(name, program) for name, program in self.scene.programs.items()))
            await asyncio.sleep(PROBE_EVERY_SECONDS)

    async def _probe(self, name: str, program: Program) -> None:
        try:
            live = await self.scene.http.get(f"{program.admin_url}/livez", timeout=PROBE_SECONDS)
        except httpx.TransportError:
            self.probes[name] += 1
        else:
            self.probes[name] = 0 if live.is_success else self.probes[name] + 1
        if self.probes[name] == PROBE_FAILURES:
            self._violate("Kubernetes would have restarted a process", name)

    def _violate(self, rule: str, where: str) -> None:
        self.log(f"{rule}: {where}")
        self.violations.append(BrokenPromise(rule, where))


async def run(seconds: float, seed: int, log: Log) -> list[BrokenPromise]:
    """Run and return the violations."""
    # The time-outs are those of production: a slow machine must not need others.
    async with open_scene(Setup(name="chaos-slow", seed=seed, common=CADENCE), log) as scene:
        moments = Moments(scene.sim)
        (port,) = free_ports(1)
        issuer = f"http://127.0.0.1:{port}"
        directory = scene.run.directory
        command = [sys.executable, "-m", "local.issuer", str(port), str(TOKEN_SECONDS), STAFF]
        scene.run.spawn(command, log=directory / "issuer.log")
        with (directory / "services.toml").open("a") as callers_file:
            callers_file.write(callers_file_entry(issuer, {STAFF: (*PEOPLE[STAFF], "authorization:watch")}))
        console = scene.programs["console"] = scene.installation.start_console(scene.programs["ingress-0"], issuer)
        await asyncio.to_thread(console.await_ready)
        people = People(scene.sim, console.url, STAFF, seed)
        slow = _SlowRun(scene, people, port, log)
        end = time.monotonic() + WARM_UP_SECONDS + seconds + GREEN_WITHIN_SECONDS
        load = asyncio.create_task(scene.callers.run_until(end, CASES_PER_SECOND))
        working = asyncio.create_task(people.run_until(end, PEOPLE_COUNT))
        probing = asyncio.create_task(slow.probe())
        await asyncio.sleep(WARM_UP_SECONDS)
        baseline = await slow.connections()
        log(f"connections: {baseline}")
        await slow.cycle(seconds, baseline)
        await asyncio.gather(load, working)
        probing.cancel()
        evidence, broken = await scene.verdict(GREEN_WITHIN_SECONDS, log)
        broken += slow.violations + wrong_pages(people.statements, moments.history)
        broken += [BrokenPromise("a person saw what no person should", one) for one in people.unexpected]
        print(
            f"{', '.join(f'{count} {what}' for what, count in scene.counts(evidence).items())}; "
            f"{len(people.authorizations)} cases of people, {len(people.accepted)} commands confirmed, "
            f"{len(people.statements)} statements; pages: "
            + ", ".join(f"{count} {what}" for what, count in people.pages.most_common())
        )
        return broken


def _installation() -> dict[int, str]:
    """Return the processes of the installation, all descendants of this process: the command line of each."""
    found = {}
    for one in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found[one.pid] = " ".join(one.cmdline()) or one.name()
    return found


def _database() -> list[int]:
    return [pid for pid, line in _installation().items() if "postgres" in line.partition(" ")[0]]


def _issuer() -> list[int]:
    return [pid for pid, line in _installation().items() if "local.issuer" in line]


def _gateway_and_kafka() -> list[int]:
    return list(_installation().keys() - {*_database(), *_issuer()})


def _processor_seconds() -> float:
    """Return the processor time of Kafka and the gateway so far."""
    total = 0.0
    for pid in _gateway_and_kafka():
        with contextlib.suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            total += times.user + times.system
    return total


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])

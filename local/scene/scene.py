"""The parts of a private installation: Kafka, a simulated Collate, the gateway's processes, callers and a judge.

Nothing of it is left when the block of `open_scene` ends.
"""

import asyncio
import contextlib
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from local.collate.profile import named
from local.collate.simulation import Options
from local.collate.web.server import SimulatedCollate
from local.event_listener import Event, Listener, listening
from local.failures import StartFailed
from local.installation import PARTITIONS, PERMISSIONS, READY_WITHIN_SECONDS, Installation, Program
from local.judge.checks import BrokenPromise
from local.judge.effects import effects_of
from local.judge.evidence import PastStates
from local.judge.recorded import Evidence
from local.judge.shadow import find_broken_by_shadow
from local.judge.verdict import Judge
from local.kafka.frame_proxy import FrameProxies
from local.kafka.frame_rules import FrameRules, LateCommits
from local.kafka.nodes import Cluster
from local.kafka.proxied import ProxiedCluster
from local.postgres import Postgres
from local.processes.run import Run
from local.scene.callers import Callers, write_callers
from local.scene.promises import check_promises
from local.scene.settings import BROKERS, READINGS, SETTINGS

ON_CALL = "on-call"
POLL_SECONDS = 0.2
_SECRETS = shutil.ignore_patterns("*-key*", "*.toml", "dsn", "*.sh")

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Setup:
    """What a scene is made of.

    Attributes:
        network: the rules of proxies before the brokers; None means no proxies.
        common, settings: of all processes; `settings` replace those of `common`.
        callers: further ones than those of the load. All callers have `permissions`.
        is_shadow: the judge expects that no write reaches Collate.
        fill: writes topics before the first process starts, of which the listener skips the events.
        since: how far `gateway check promises` looks back.
        ready_within_seconds: of the first start; a projector reads what `fill` has written.
    """

    name: str = "drill"
    seed: int = 7
    profile: str = "v2"
    brokers: int = 1
    network: tuple[FrameRules, LateCommits] | None = None
    workers: int = 2
    ingresses: int = 1
    partitions: int = PARTITIONS
    has_read_model: bool = True
    common: Mapping[str, str] = field(default_factory=lambda: SETTINGS)
    settings: Mapping[str, str] = field(default_factory=dict)
    callers: Sequence[str] = (ON_CALL,)
    permissions: Sequence[str] = PERMISSIONS
    is_shadow: bool = False
    fill: Callable[[Cluster, SimulatedCollate, Installation], None] | None = None
    since: str = "24h"
    ready_within_seconds: float = READY_WITHIN_SECONDS

    @property
    def prefix(self) -> str:
        """The prefix of the topics."""
        return f"{self.name}."


@dataclass
class Scene:
    """The parts of the installation, and the callers with their `keys`. `database` runs only with a read model."""

    setup: Setup
    run: Run
    cluster: Cluster
    database: Postgres
    sim: SimulatedCollate
    installation: Installation
    programs: dict[str, Program]
    keys: Mapping[str, str]
    callers: Callers
    judge: Judge
    listener: Listener
    http: httpx.AsyncClient = field(repr=False)
    unexpected_ends: list[str] = field(default_factory=list)

    def of_kind(self, verb: str) -> list[Program]:
        """Return the running programs of `ingress`, `worker` or `projector`."""
        return [program for name, program in self.programs.items() if name.partition("-")[0] == verb]

    def launch(self, name: str, **start: Any) -> Program:
        """Start a process that has ended under its name and on its port, without waiting."""
        port = int(self.programs[name].url.rpartition(":")[2])
        program = self.programs[name] = self.installation.start(name.partition("-")[0], name, port, **start)
        return program

    async def start(self, name: str, **start: Any) -> None:
        """Start a process that has ended, and wait until it is ready."""
        await asyncio.to_thread(self.launch(name, **start).await_ready)

    async def replace(self, name: str, **start: Any) -> int:
        """Stop a process in order, start it again, and return the exit code."""
        code = await asyncio.to_thread(self.programs[name].stop)
        await self.start(name, **start)
        return code

    def check_running(self, name: str) -> None:
        """Record and start again a process that has ended unexpectedly."""
        if (code := self.programs[name].process.poll()) is not None:
            self.unexpected_ends.append(f"{name} with exit code {code}")
            self.launch(name)

    async def kill(self, *names: str) -> None:
        """Kill processes, all at once."""
        for name in names:
            self.programs[name].process.kill()
        for name in names:
            await asyncio.to_thread(self.programs[name].process.wait)

    async def metric(self, name: str) -> float:
        """Return the sum of a metric over all processes that answer, and all of its samples."""
        total = 0.0
        for program in self.programs.values():
            with contextlib.suppress(httpx.TransportError):
                text = (await self.http.get(f"{program.admin_url}/metrics")).text
                samples = (one for family in text_string_to_metric_families(text) for one in family.samples)
                total += sum(sample.value for sample in samples if sample.name == name)
        return total

    async def until(self, check: Callable[[], Awaitable[object]], within_seconds: float, what: str) -> float:
        """Wait until a check is true; return the seconds. Raises StartFailed if it is late, or the listener's error."""
        began = time.monotonic()
        while not await check():
            self.listener.require_reading()
            if time.monotonic() - began > within_seconds:
                raise StartFailed(f"Stopped: after {within_seconds:.0f} s this is still missing: {what}.")
            await asyncio.sleep(POLL_SECONDS)
        return time.monotonic() - began

    async def event(self, kind: str, within_seconds: float, **data: object) -> Event:
        """Return the first event of a kind with these data."""
        found: list[Event] = []

        async def arrived() -> bool:
            found.extend(
                seen for seen in self.listener.events if seen.kind == kind and data.items() <= seen.data.items()
            )
            return bool(found)

        await self.until(arrived, within_seconds, f"an event {kind}")
        return found[0]

    async def end_load(self, load: "asyncio.Task[None]", within_seconds: float) -> None:
        """Stop the callers. A case that still waits is cut off; its accepted commands are judged all the same."""
        self.callers.stop()
        await asyncio.wait({load}, timeout=within_seconds)
        if load.cancel():
            await asyncio.wait({load})
        else:
            await load

    async def verdict(self, within_seconds: float, log: Log = lambda _: None) -> tuple[Evidence, list[BrokenPromise]]:
        """Wait for the last command; return the evidence and what was broken. Raises the listener's error."""
        self.listener.require_reading()
        evidence, broken = await self.judge.judge(within_seconds, log)
        if self.setup.is_shadow:
            broken += find_broken_by_shadow(evidence, ((call.method, call.path) for call in self.sim.ledger.calls))
        broken += [BrokenPromise("a caller got an unexpected response", text) for text in self.callers.unexpected]
        for name, program in self.programs.items():
            if (code := program.process.poll()) is not None:
                self.unexpected_ends.append(f"{name} with exit code {code}")
        broken += [BrokenPromise("a process ended", end) for end in self.unexpected_ends]
        return evidence, broken + await self.check_promises(self.setup.since, log)

    async def check_promises(self, since: str, log: Log) -> list[BrokenPromise]:
        """Report what `gateway check promises` says, and return its violations."""
        shown, broken = await asyncio.to_thread(check_promises, self.installation.environ, since)
        log(shown)
        return broken

    def counts(self, evidence: Evidence) -> dict[str, int]:
        """Return what the verdict is about."""
        ours, _ = effects_of(evidence)
        return {
            "commands accepted": len(self.callers.accepted),
            "commands ended": len(self.callers.accepted.keys() & self.callers.ended.keys()),
            "effects at Collate": sum(map(len, ours.values())),
            "events": len(evidence.events),
            "dead letters": len(evidence.dead_letters),
        }

    def latency(self) -> str:
        """Return how long the commands took from their acceptance to their end."""
        accepted = self.callers.accepted
        seconds = [at - accepted[one] for one, at in self.callers.ended.items() if one in accepted]
        slow = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else [0.0] * 99
        return f"median {slow[49]:.2f} s, 99 % {slow[98]:.1f} s, longest {max(seconds, default=0.0):.1f} s"

    def keep(self) -> Path:
        """Copy the logs, and nothing secret; return where they are."""
        kept = Path(tempfile.mkdtemp(prefix=f"gateway-{self.setup.name}-"))
        shutil.copytree(self.run.directory, kept, dirs_exist_ok=True, ignore=_SECRETS)
        return kept


def progress() -> Log:
    """Return a function that prints a line with the seconds since now."""
    began = time.monotonic()

    def log(line: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {line}", flush=True)

    return log


@asynccontextmanager
async def open_scene(setup: Setup, report: Log) -> AsyncIterator[Scene]:
    """Start everything; `report` gets the name of each part that is ready. Raises LocalError if one could not start."""
    async with AsyncExitStack() as exits:
        options: dict[str, Any] = {"properties": BROKERS, "heap": "384m"}
        cluster = (
            Cluster(setup.brokers, **options)
            if setup.network is None
            else ProxiedCluster(FrameProxies(*setup.network), setup.brokers, **options)
        )
        exits.callback(cluster.close)
        await asyncio.to_thread(cluster.open)
        report("Apache Kafka" + (f" on {setup.brokers} brokers" if setup.brokers > 1 else ""))
        database = Postgres()
        if setup.has_read_model:
            exits.callback(database.close)
            await asyncio.to_thread(database.open)
        run = exits.enter_context(Run(setup.name))
        collate = Options(profile=named([setup.profile], READINGS), seed=setup.seed)
        sim = await exits.enter_async_context(SimulatedCollate(collate))
        report("PostgreSQL, a simulated Collate" if setup.has_read_model else "a simulated Collate")
        callers_file = run.directory / "services.toml"
        keys = write_callers(callers_file, *setup.callers, permissions=setup.permissions)
        own = {
            "GATEWAY_TOPICS__PARTITIONS": str(setup.partitions),
            "GATEWAY_COLLATE__MAX_REPLICAS": str(setup.workers + setup.ingresses),
            "GATEWAY_INGRESS__CALLERS_FILE": str(callers_file),
        }
        installation = Installation(
            run,
            bootstrap=cluster.bootstrap,
            collate_url=sim.url,
            prefix=setup.prefix,
            replication=setup.brokers,
            database=database.conninfo if setup.has_read_model else None,
            settings={**setup.common, **own, **setup.settings},
        )
        if setup.fill is not None:
            await asyncio.to_thread(setup.fill, cluster, sim, installation)
        await asyncio.to_thread(installation.apply_topics)
        names = [f"worker-{n}" for n in range(setup.workers)] + [f"ingress-{n}" for n in range(setup.ingresses)]
        if setup.has_read_model:
            await asyncio.to_thread(installation.migrate)
            names.append("projector")
        programs = {name: installation.start(name.partition("-")[0], name) for name in names}
        within = setup.ready_within_seconds
        await asyncio.gather(*(asyncio.to_thread(program.await_ready, within) for program in programs.values()))
        report(f"{len(programs)} processes of the gateway")
        urls = [program.url for name, program in programs.items() if name.startswith("ingress")]
        callers = Callers(sim, urls, keys, setup.seed, is_shadow=setup.is_shadow)
        exits.push_async_callback(callers.close)
        past, phi_keys = PastStates(sim), installation.phi_keys
        judge = Judge(cluster.bootstrap, setup.prefix, setup.partitions, sim, past, callers, phi_keys, run.directory)
        listener = await exits.enter_async_context(listening(cluster.bootstrap, setup.prefix, callers.on_event))
        if setup.fill is not None:
            await listener.skip()
        http = await exits.enter_async_context(httpx.AsyncClient(timeout=30, trust_env=False))
        await exits.enter_async_context(listener.in_background())
        yield Scene(setup, run, cluster, database, sim, installation, programs, keys, callers, judge, listener, http)

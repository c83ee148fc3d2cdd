"""The private installation that a drill breaks: Kafka, PostgreSQL, a simulated Collate and the gateway's processes.

Callers send commands from before the fault until after the repair. Nothing of it is left when the block ends.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from local.chaos.callers import Callers, write_callers
from local.chaos.settings import BROKERS, READINGS
from local.collate.http.server import SimulatedCollate
from local.collate.profile import named
from local.collate.simulation import Options
from local.drills.drill import Alert, DrillOptions, Needs
from local.drills.operator import Operator
from local.drills.rows import Rows, missing_rows, read_rows
from local.event_listener import Event, Listener, listening
from local.failures import StartFailed
from local.installation import PARTITIONS, Installation, Program
from local.judge.evidence import PastStates
from local.judge.verdict import Judge
from local.kafka.nodes import Cluster
from local.postgres import Postgres
from local.processes.run import Run
from local.story import Story

PREFIX = "drill."
ON_CALL = "on-call"
CASES_PER_SECOND = 1.0
POLL_SECONDS = 0.2
QUIET_WITHIN_SECONDS = 120.0
ALERT_WITHIN_SECONDS = 60.0
# The lag of the read model is measured every second.
PROJECTED_SECONDS = 3.0
_SAMPLE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rows of the read model, and the number of events before them."""

    events: int
    rows: Rows

    @property
    def count(self) -> int:
        """The number of rows."""
        return sum(map(len, self.rows.values()))


@dataclass
class Scene:
    """The parts of the installation, the callers, and the operator."""

    story: Story
    options: DrillOptions
    seconds: float
    cluster: Cluster
    database: Postgres
    sim: SimulatedCollate
    installation: Installation
    programs: dict[str, Program]
    callers: Callers
    judge: Judge
    run: Run
    operator: Operator
    listener: Listener
    _http: httpx.AsyncClient = field(repr=False)
    _accepted: int = 0
    _ended: int = 0
    _breaks_until: float = 0.0

    def of_kind(self, verb: str) -> list[Program]:
        """Return the running programs of `ingress`, `worker` or `projector`."""
        return [program for name, program in self.programs.items() if name.partition("-")[0] == verb]

    async def replace(self, name: str, **start: Any) -> int:
        """Stop a process in order, start it again under its name and on its port, and return the exit code."""
        code = await asyncio.to_thread(self.programs[name].stop)
        await self.start(name, **start)
        return code

    async def await_alert(self, alert: Alert) -> None:
        """Wait until the alert's sample is true; the operator gets the alert."""

        async def is_true() -> bool:
            return await self.metric(alert.metric, alert.labels) > 0

        self.operator.gets(alert, await self.until(is_true, ALERT_WITHIN_SECONDS, f"the sample of {alert.name}"))

    async def snapshot(self) -> Snapshot:
        """Stop new cases, and return the read model's rows once every command has ended. `callers.resume` goes on."""

        async def is_quiet() -> bool:
            return not self.judge.waiting() and not self.callers.running

        async def has_all() -> bool:
            return await self.metric("collate_gateway_projector_lag") == 0

        self.callers.pause()
        await self.until(is_quiet, QUIET_WITHIN_SECONDS, "the end of every command")
        known = len(self.listener.events)
        await asyncio.sleep(PROJECTED_SECONDS)
        await self.until(has_all, QUIET_WITHIN_SECONDS, "the last record in the read model")
        return Snapshot(known, await asyncio.to_thread(read_rows, self.database.conninfo))

    async def await_rows(self, snapshot: Snapshot, within_seconds: float) -> float:
        """Wait until each row of a snapshot is there again, but for authorizations with later events."""
        missing: list[str] = []

        async def are_back() -> bool:
            after = await asyncio.to_thread(read_rows, self.database.conninfo)
            changed = {event.authorization_id for event in self.listener.events[snapshot.events :]}
            missing[:] = missing_rows(snapshot.rows, after, changed)
            return not missing

        try:
            return await self.until(are_back, within_seconds, "the rows of before in the read model")
        except StartFailed as failed:
            raise StartFailed(f"{failed} {len(missing)} are missing, such as {missing[:1]}.") from failed

    async def start(self, name: str, **start: Any) -> None:
        """Start a process that has ended, and wait until it is ready."""
        port = int(self.programs[name].url.rpartition(":")[2])
        self.programs[name] = self.installation.start(name.partition("-")[0], name, port, **start)
        await asyncio.to_thread(self.programs[name].await_ready)

    async def metric(self, name: str, labels: Mapping[str, str] | None = None) -> float:
        """Return the sum of a metric over all processes that answer and all samples with these labels."""
        total = 0.0
        for program in self.programs.values():
            with contextlib.suppress(httpx.TransportError):
                text = (await self._http.get(f"{program.admin_url}/metrics")).text
                for sample in _SAMPLE.finditer(text):
                    found = dict(_LABEL.findall(sample["labels"] or ""))
                    if sample["name"] == name and (labels or {}).items() <= found.items():
                        total += float(sample["value"])
        return total

    async def until(self, check: Callable[[], Awaitable[object]], within_seconds: float, what: str) -> float:
        """Wait until a check is true; return the seconds. Raises StartFailed after the deadline."""
        began = time.monotonic()
        while not await check():
            if time.monotonic() - began > within_seconds:
                raise StartFailed(f"The drill stopped: after {within_seconds:.0f} s this is still missing: {what}.")
            await asyncio.sleep(POLL_SECONDS)
        return time.monotonic() - began

    async def event(self, kind: str, within_seconds: float, **data: object) -> Event:
        """Return the first event of a kind with these data."""
        found: list[Event] = []

        async def arrived() -> bool:
            found.extend(one for one in self.listener.events if one.kind == kind and data.items() <= one.data.items())
            return bool(found)

        await self.until(arrived, within_seconds, f"an event {kind}")
        return found[0]

    def breaks(self, what: str) -> None:
        """Tell what breaks; from now on commands are counted, and `lasts` waits."""
        self.story.step("Breaks", what)
        self._accepted, self._ended = len(self.callers.accepted), len(self.callers.ended)
        self._breaks_until = time.monotonic() + self.seconds

    async def lasts(self) -> None:
        """Wait until the fault has lasted for its time."""
        await asyncio.sleep(max(0.0, self._breaks_until - time.monotonic()))

    @property
    def accepted(self) -> int:
        """The commands that callers know to be accepted since the fault."""
        return len(self.callers.accepted) - self._accepted

    @property
    def ended(self) -> int:
        """The commands whose end a subscriber has received since the fault."""
        return len(self.callers.ended) - self._ended

    async def late_commands_end(self, late: set[str], within_seconds: float) -> None:
        """Wait until these commands have ended, and tell the time."""

        async def caught_up() -> bool:
            return not late - set(self.callers.ended)

        seconds = await self.until(caught_up, within_seconds, "the end of every command that waited")
        self.story.note(f"{len(late)} waiting commands ended within {seconds:.1f} s")

    @property
    def late(self) -> set[str]:
        """The accepted commands without an end."""
        return set(self.callers.accepted) - set(self.callers.ended)


@asynccontextmanager
async def open_scene(story: Story, needs: Needs, options: DrillOptions, seconds: float) -> AsyncIterator[Scene]:
    """Start everything. Raises LocalError if a part could not start."""
    async with AsyncExitStack() as exits:
        began = time.monotonic()

        def report(part: str) -> None:
            story.console.print(f"  [green]✓[/] {part:<40} [dim]after {time.monotonic() - began:.1f} s[/]")

        cluster = Cluster(brokers=needs.brokers, properties=BROKERS, heap="384m")
        exits.callback(cluster.close)
        await asyncio.to_thread(cluster.open)
        report("Apache Kafka" + (f" on {needs.brokers} brokers" if needs.brokers > 1 else ""))
        database = Postgres()
        exits.callback(database.close)
        await asyncio.to_thread(database.open)
        run = exits.enter_context(Run("drill"))
        collate = Options(profile=named(["v2"], READINGS), seed=options.seed)
        sim = await exits.enter_async_context(SimulatedCollate(collate))
        report("PostgreSQL, a simulated Collate")
        callers_file = run.directory / "services.toml"
        keys = write_callers(callers_file, ON_CALL, permissions=needs.permissions)
        replicas = {"GATEWAY_COLLATE__MAX_REPLICAS": str(needs.workers + 1)}
        files = {"GATEWAY_INGRESS__CALLERS_FILE": str(callers_file)}
        installation = Installation(
            run,
            bootstrap=cluster.bootstrap,
            collate_url=sim.url,
            prefix=PREFIX,
            replication=needs.brokers,
            database=database.conninfo,
            settings={**needs.common, **replicas, **files, **needs.settings},
        )
        await asyncio.to_thread(installation.apply_topics)
        await asyncio.to_thread(installation.migrate)
        names = [*(f"worker-{number}" for number in range(needs.workers)), "ingress-0", "projector"]
        programs = {name: installation.start(name.partition("-")[0], name) for name in names}
        await asyncio.gather(*(asyncio.to_thread(program.await_ready) for program in programs.values()))
        report(f"{needs.workers} workers, ingress, projector")
        callers = Callers(sim, [programs["ingress-0"].url], keys, options.seed)
        exits.push_async_callback(callers.close)
        judge = Judge(
            cluster.bootstrap, PREFIX, PARTITIONS, sim, PastStates(sim), callers, installation.phi_keys, run.directory
        )
        listener = await exits.enter_async_context(listening(cluster.bootstrap, PREFIX, callers.on_event))
        http = await exits.enter_async_context(httpx.AsyncClient(timeout=5, trust_env=False))
        environ = installation.environ | {
            "COLLATE_GATEWAY_URL": programs["ingress-0"].url,
            "COLLATE_GATEWAY_KEY": keys[ON_CALL],
        }
        operator = Operator(story, environ, programs, run.directory, hands_on=options.hands_on)
        scene = Scene(
            story=story,
            options=options,
            seconds=seconds,
            cluster=cluster,
            database=database,
            sim=sim,
            installation=installation,
            programs=programs,
            callers=callers,
            judge=judge,
            run=run,
            operator=operator,
            listener=listener,
            _http=http,
        )
        async with _background(listener):
            yield scene


@asynccontextmanager
async def _background(listener: Listener) -> AsyncIterator[None]:
    async def listen() -> None:
        while True:
            await listener.take(0.5)

    task = asyncio.create_task(listen())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

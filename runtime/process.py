"""The life of one process: event loop, logs, signals, admin port, supervised tasks, stop deadline, exit code.

The first SIGTERM or SIGINT sets `process.stop`; the second ends the process immediately. A task that fails or returns
before the stop ends the whole process: no task is restarted silently.
"""

import asyncio
import faulthandler
import os
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import uvloop
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, disable_created_metrics

from runtime.admin.app import PartitionStatus, admin_app
from runtime.admin.closed_labels import show_zeros
from runtime.admin.port import admin_port
from runtime.admin.resume import Resume
from runtime.credentials.credential_lives import CredentialLives
from runtime.exits import Exit, StartupError
from runtime.health import Health
from runtime.http_server.server import limited_protocol
from runtime.logs import Log, configure_logs, get_log
from runtime.metrics import Metrics
from runtime.serving import serving
from runtime.settings import ConsoleProcessSettings, DelivererProcessSettings, ProcessSettings, Settings
from runtime.signals import ShutdownWatchdog, handling_signals
from runtime.version import VERSION

_BEAT_SECONDS = 0.5
# Time for cancelled work after the stop deadline, before the watchdog ends the process.
_GRACE_SECONDS = 5.0


@dataclass(slots=True)
class Process:
    """The process as its composition root sees it: the stop event, health, metrics, log and supervised tasks."""

    name: str
    health: Health
    metrics: Metrics
    registry: CollectorRegistry
    log: Log
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    partition_status: PartitionStatus | None = None
    resume: Resume | None = None
    failed: bool = False
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task that must run until `stop`; if it ends earlier, the process stops and exits with 1."""
        return self.watch(name, asyncio.create_task(work, name=name))

    def watch(self, name: str, task: asyncio.Task[None]) -> asyncio.Task[None]:
        """Supervise an existing task as `spawn` does."""
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(name, done))
        return task

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is None and self.stop.is_set():
            return
        self.failed = True
        self.health.task_failed(name, "returned before the stop" if error is None else type(error).__name__)
        self.log.error("process.task_failed", task=name, exc_info=error)
        self.stop.set()

    def request_stop(self, why: str) -> None:
        """Log the reason and begin an orderly stop."""
        self.log.info("process.stop_requested", why=why)
        self.stop.set()

    async def cancel_tasks(self) -> None:
        """Cancel all supervised tasks and wait up to 2 s for them."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=2.0)


Main = Callable[[Process], Awaitable[None]]
RunSettings = ConsoleProcessSettings | DelivererProcessSettings | ProcessSettings | Settings


def run(name: str, settings: RunSettings, main: Main, *, stop_deadline_seconds: float) -> int:
    """Run a process until it is stopped; return its exit code (see `exits`).

    `main` builds the parts and works until `process.stop` is set. It then finishes its work within the deadline and
    returns. If it raises StartupError (wrong topics, an address in use), the exit code is 78.
    """
    configure_logs(settings.log, name)
    log = get_log()
    if not __debug__:
        return _reject(log, StartupError(["python -O removes assertions that aiokafka depends on; run without -O"]))
    faulthandler.enable()
    watchdog = ShutdownWatchdog(stop_deadline_seconds + _GRACE_SECONDS)
    try:
        return uvloop.run(_run(name, settings, main, stop_deadline_seconds, watchdog))
    except StartupError as error:
        return _reject(log, error)
    except Exception:
        log.exception("process.run_failed")
        return Exit.INTERNAL
    finally:
        watchdog.disarm()


async def _run(
    name: str, settings: RunSettings, main: Main, stop_deadline_seconds: float, watchdog: ShutdownWatchdog
) -> int:
    # The `_created` series tell when a counter began: twice the series, and no query uses them.
    disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus_client has no type here
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    process = Process(
        name=name,
        health=Health(settings.admin.stalled_after.total_seconds()),
        metrics=Metrics(registry),
        registry=registry,
        log=get_log(),
    )
    process.metrics.process.build.labels(version=VERSION, process=name).set(1)
    show_zeros(process.metrics, name)
    process.metrics.process.ready.set_function(lambda: float(process.health.all_ok()))
    app = admin_app(process.health, registry, lambda: process.partition_status, lambda: process.resume)
    port = admin_port(process.metrics)
    with handling_signals(process.request_stop, watchdog):
        async with serving(
            app, settings.admin.host, settings.admin.port, stop_seconds=1.0, http=limited_protocol(port)
        ) as admin:
            process.watch("admin", admin.task)
            process.spawn("admin connections", port.connections.run())
            process.log.info(
                "process.started", version=VERSION, pid=os.getpid(), admin=admin.url, environment=settings.environment
            )
            process.spawn("loop", _measure_loop(process))
            process.spawn("credentials", CredentialLives(settings, process.metrics.process).run())
            try:
                code = await _work(process, main, stop_deadline_seconds, watchdog)
            finally:
                # From here on, a task that returns has not failed.
                process.stop.set()
        await process.cancel_tasks()
        process.log.info("process.stopped", code=int(code))
        return code


async def _work(process: Process, main: Main, deadline_seconds: float, watchdog: ShutdownWatchdog) -> Exit:
    work = asyncio.ensure_future(main(process))
    stop = asyncio.create_task(process.stop.wait())
    try:
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            watchdog.arm()
            process.health.set("process", "waiting", "stopping")
            await asyncio.wait({work}, timeout=deadline_seconds)
    finally:
        stop.cancel()
    if not work.done():
        process.log.error("process.stop_deadline_exceeded", seconds=deadline_seconds)
        work.cancel()
        await asyncio.wait({work}, timeout=_GRACE_SECONDS / 2)
        return Exit.CUT_SHORT
    error = work.exception()
    if isinstance(error, StartupError):
        raise error
    if error is not None:
        process.log.error("process.run_failed", exc_info=error)
        return Exit.FAILED
    return Exit.FAILED if process.failed else Exit.OK


async def _measure_loop(process: Process) -> None:
    beat = process.health.beat("loop")
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _BEAT_SECONDS
        await asyncio.sleep(_BEAT_SECONDS)
        process.metrics.process.loop_delay_seconds.observe(max(0.0, loop.time() - due))
        beat()


def _reject(log: Log, error: StartupError) -> int:
    log.error("process.start_rejected", subject=error.title, problems=error.problems)
    return Exit.CONFIG

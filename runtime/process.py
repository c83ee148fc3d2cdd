"""One process from start to exit: loop, logs, signals, admin port, supervised tasks, deadline, exit code.

The first SIGTERM or SIGINT sets `process.stop`; the second ends the process on the spot. A task that fails, or ends
before it is asked to, stops everything: nothing restarts itself silently.
"""

import asyncio
import faulthandler
import os
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import uvloop
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector

from runtime.admin import PartitionStatus, admin_app
from runtime.admin_resume import Resume
from runtime.exits import Exit, StartupError
from runtime.health import Health
from runtime.logs import Log, configure_logs, get_log
from runtime.metrics import Metrics, create_metrics
from runtime.serving import serving
from runtime.settings import ProcessSettings
from runtime.signals import ShutdownWatchdog, handling_signals
from runtime.version import VERSION

_BEAT_SECONDS = 0.5
# What is left for cancelled work after the stop deadline, before the process is ended from outside its loop.
_GRACE_SECONDS = 5.0


@dataclass(slots=True)
class Process:
    """What a composition root is handed: the way to stop, and the places to tell how it is."""

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
        """Run work that lasts until `stop`; if it ends before, the process does."""
        return self.watch(name, asyncio.create_task(work, name=name))

    def watch(self, name: str, task: asyncio.Task[None]) -> asyncio.Task[None]:
        """Treat a task that somebody else made like one that was spawned."""
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
        self.health.task_failed(name, "returned before it was asked to" if error is None else type(error).__name__)
        self.log.error("task died", task=name, exc_info=error)
        self.stop.set()

    def request_stop(self, why: str) -> None:
        """Begin to stop, in order."""
        self.log.info("stopping", why=why)
        self.stop.set()

    async def cancel_tasks(self) -> None:
        """Cancel what is still running and wait for it."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=2.0)


Main = Callable[[Process], Awaitable[None]]


def run(name: str, settings: ProcessSettings, main: Main, *, stop_deadline_seconds: float) -> int:
    """Run a process until it is told to stop; return its exit code (see `exits`).

    `main` builds the parts, works until `process.stop` is set, finishes what is under way within the deadline and
    returns. Raising Refused (wrong topics, a port that is taken) ends with 78 and the list of problems.
    """
    configure_logs(settings.log, name)
    log = get_log()
    if not __debug__:
        return _refuse(log, StartupError(["python -O removes assertions that aiokafka depends on; run without it"]))
    faulthandler.enable()
    watchdog = ShutdownWatchdog(stop_deadline_seconds + _GRACE_SECONDS)
    try:
        return uvloop.run(_live(name, settings, main, stop_deadline_seconds, watchdog))
    except StartupError as refused:
        return _refuse(log, refused)
    except Exception:
        log.exception("process failed")
        return Exit.INTERNAL
    finally:
        watchdog.disarm()


async def _live(
    name: str, settings: ProcessSettings, main: Main, stop_deadline_seconds: float, watchdog: ShutdownWatchdog
) -> int:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    process = Process(
        name=name,
        health=Health(settings.admin.stalled_after.total_seconds()),
        metrics=create_metrics(registry),
        registry=registry,
        log=get_log(),
    )
    process.metrics.process.build.labels(version=VERSION, process=name).set(1)
    process.metrics.process.ready.set_function(lambda: float(process.health.ready().good))
    app = admin_app(process.health, registry, lambda: process.partition_status, lambda: process.resume)
    with handling_signals(process.request_stop, watchdog):
        async with serving(app, settings.admin.host, settings.admin.port, stop_seconds=1.0) as admin:
            process.watch("admin", admin.task)
            process.log.info(
                "started", version=VERSION, pid=os.getpid(), admin=admin.url, environment=settings.environment
            )
            process.spawn("loop", _measure_loop(process))
            try:
                code = await _work(process, main, stop_deadline_seconds, watchdog)
            finally:
                # From here on tasks end because they are meant to.
                process.stop.set()
        await process.cancel_tasks()
        process.log.info("stopped", code=int(code))
        return code


async def _work(process: Process, main: Main, deadline_seconds: float, watchdog: ShutdownWatchdog) -> Exit:
    work = asyncio.ensure_future(main(process))
    told = asyncio.create_task(process.stop.wait())
    try:
        await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            watchdog.arm()
            process.health.set("process", "waiting", "stopping")
            await asyncio.wait({work}, timeout=deadline_seconds)
    finally:
        told.cancel()
    if not work.done():
        process.log.error("stop deadline passed", seconds=deadline_seconds)
        work.cancel()
        await asyncio.wait({work}, timeout=_GRACE_SECONDS / 2)
        return Exit.CUT_SHORT
    error = work.exception()
    if isinstance(error, StartupError):
        raise error
    if error is not None:
        process.log.error("process failed", exc_info=error)
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


def _refuse(log: Log, refused: StartupError) -> int:
    log.error("refused to run", subject=refused.title, problems=refused.problems)
    return Exit.CONFIG

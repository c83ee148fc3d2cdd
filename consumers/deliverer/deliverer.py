"""Composition root of `gateway deliverer`: one engine for each subscription of the file, until SIGTERM.

The file is watched: a new subscription starts, a removed one stops, a changed one uses its new version from the next
request on. The process is ready while the file is valid and every subscription's partitions run. The process
stays ready while a receiver is down or gone: a restart would not help.
"""

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from adapters.kafka.exposure import log_exposure, require_deadline
from adapters.kafka.topics import wanted_topics
from adapters.kafka.wait_for_topics import wait_for_topics
from consumers.deliverer.report import report_subscription
from consumers.deliverer.subscription_engine import SubscriptionEngine
from consumers.deliverer.subscriptions_file import SubscriptionsFile
from consumers.engine.engine import PartitionCountChanged
from consumers.engine.status import is_kafka_away, kafka_problem, key_queues_report, readiness
from runtime.clocks import steady
from runtime.exits import StartupError
from runtime.gc import tune_gc
from runtime.outages.outage import Outage
from runtime.process import Process, run
from runtime.toml_file import TomlInvalid
from schemas.topics import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumers.deliverer.subscription import Subscription
    from runtime.admin.answers import Resumed, StillStopped
    from runtime.admin.resume import ResumeRequest
    from runtime.settings import DelivererProcessSettings

_ROUND_SECONDS: Final = 0.5
_FILE_SECONDS: Final = 2.0
_SUSPENDED_SECONDS: Final = 3.0
_SILENT_SECONDS: Final = 1.0


class SubscriptionsRefused(StartupError):
    """The subscriptions file is invalid at the start."""

    title = "subscriptions file"


class EventsTopicRefused(StartupError):
    """The input topic differs from the settings."""

    title = "events topic"


def serve(settings: "DelivererProcessSettings") -> int:
    """Run the process until SIGTERM; return its exit code."""
    drain = settings.deliverer.stop_deadline.total_seconds()
    return run("deliverer", settings, partial(work, settings), stop_deadline_seconds=drain + 10.0)


async def work(settings: "DelivererProcessSettings", process: Process) -> None:
    """Deliver until `process.stop`, then finish the requests in flight."""
    path = settings.deliverer.subscriptions_file
    if path is None:
        raise SubscriptionsRefused(["GATEWAY_DELIVERER__SUBSCRIPTIONS_FILE is not set"])
    try:
        file = SubscriptionsFile(path)
    except TomlInvalid as error:
        raise SubscriptionsRefused([f"{path}: {error}"]) from None
    process.health.expect("kafka", "topics", "subscriptions")
    events = wanted_topics([catalogue(settings.topics.prefix).events], settings.topics)
    if not await wait_for_topics(
        settings.kafka, events, process.health, process.stop, process.log, metrics=process.metrics.process
    ):
        return
    await log_exposure(settings, "deliverer", process.log)
    await require_deadline(settings.kafka, process.log)
    tune_gc()
    try:
        await Deliverer(settings, process, file).run()
    except PartitionCountChanged as changed:
        raise EventsTopicRefused([str(changed)]) from changed


class Deliverer:
    """The engines of all subscriptions, the watch of the file, and the health of the process."""

    def __init__(self, settings: "DelivererProcessSettings", process: Process, file: SubscriptionsFile) -> None:
        self._settings = settings
        self._process = process
        self._file = file
        self._running: dict[str, SubscriptionEngine] = {}
        self._tasks: dict[SubscriptionEngine, asyncio.Task[None]] = {}
        self._outage = Outage("kafka", process.log)

    async def run(self) -> None:
        """Run until `process.stop`. Raises what ends an engine."""
        process = self._process
        process.partition_status = self.report
        process.resume = self.resume
        beat = process.health.beat("subscriptions")
        stopping = asyncio.create_task(process.stop.wait())
        checked_at = read_at = time.monotonic()
        try:
            while not process.stop.is_set():
                if (now := time.monotonic()) - read_at >= _FILE_SECONDS:
                    read_at = now
                    self._reread()
                self._reconcile(self._file.current)
                # A process that was suspended has received no answers meanwhile: that shows nothing about Kafka.
                if now - checked_at < _SUSPENDED_SECONDS:
                    self._report_health()
                checked_at = now
                if self._is_reading():
                    beat()
                await asyncio.wait(
                    {stopping, *self._tasks.values()}, timeout=_ROUND_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                self._raise_failures()
        finally:
            stopping.cancel()
            for running in self._tasks:
                running.stop()
            if self._tasks:
                await asyncio.wait(list(self._tasks.values()))
        self._raise_failures()

    def report(self) -> dict[str, Any]:
        """Describe every subscription, for /partitions."""
        return {
            "file": {"problem": self._file.problem},
            "subscriptions": [
                {**report_subscription(running), "engine": key_queues_report(running.engine)}
                for _, running in sorted(self._running.items())
            ],
        }

    async def resume(self, request: "ResumeRequest") -> "Resumed":
        """Resume the named subscription, for every later start too, and its named partitions that need an operator."""
        resumed: list[str] = []
        was_stopped = is_stored = False
        if (named := self._running.get(request.subscription or "")) is not None:
            was_stopped, is_stored = named.handler.gate.is_stopped, await named.resume()
            wanted = request.partitions or ()
            resumed = [named.subscription.name] + [
                f"{named.subscription.name}/{number}"
                for number, partition in sorted(named.engine.partitions.items())
                if number in wanted and partition.is_stopped and partition.resume()
            ]
        left: list[StillStopped] = [
            {"partition": f"{name}/{number}", "detail": partition.detail}
            for name, running in sorted(self._running.items())
            for number, partition in sorted(running.engine.partitions.items())
            if partition.is_stopped
        ]
        self._process.log.warning(
            "deliverer.subscription_resumed",
            subscription=request.subscription,
            resumed=resumed,
            is_stored=is_stored,
            operator=request.operator,
            why=request.why,
        )
        return {"resumed": resumed, "wasStopped": was_stopped, "isStored": is_stored, "stopped": left}

    def _reread(self) -> None:
        earlier, reloads = self._file.problem, self._process.metrics.deliverer.subscriptions_reloads
        if self._file.reread_if_changed():
            reloads.labels("ok").inc()
            self._process.log.info("deliverer.subscriptions_reloaded", subscriptions=sorted(self._file.current))
        elif self._file.problem not in {None, earlier}:
            reloads.labels("refused").inc()
            self._process.log.error("deliverer.subscriptions_refused", problem=self._file.problem)

    def _reconcile(self, wanted: "Mapping[str, Subscription]") -> None:
        """Start, change and stop engines until they match the file."""
        for name, running in list(self._running.items()):
            found = wanted.get(name)
            # max_in_flight is a setting of the engine, so this change needs a new engine.
            if found is None or found.max_in_flight != running.subscription.max_in_flight:
                running.stop()
                del self._running[name]
            elif found is not running.subscription:
                running.change(found)
        ending = {running.subscription.name for running in self._tasks} - set(self._running)
        for name, subscription in wanted.items():
            if name in self._running or name in ending:
                continue  # two engines of one group and name would fence each other
            running = SubscriptionEngine(
                subscription, self._settings, self._process.metrics.deliverer, self._process.log
            )
            self._running[name] = running
            self._tasks[running] = asyncio.create_task(running.run(), name=f"subscription {name}")

    def _raise_failures(self) -> None:
        for running, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[running]
                task.result()

    def _report_health(self) -> None:
        process, problems, away = self._process, [], []
        for name, running in sorted(self._running.items()):
            report = report_subscription(running)
            running.numbers.show(report, running.handler.gate)
            if not running.has_topics:
                problems.append(f"{name} {report['state']}" + (f" ({report['detail']})" if report["detail"] else ""))
                continue
            if problem := kafka_problem(running.engine):
                away.append(problem)
            is_ready, detail = readiness(running.engine)
            if not is_ready:
                problems.append(f"{name}: {detail}")
        if self._file.problem:
            problems.append(f"the file is invalid, the version before it is at work: {self._file.problem}")
        process.health.set("subscriptions", "waiting" if problems else "ok", "; ".join(problems))
        process.health.set("kafka", "waiting" if away else "ok", next(iter(away), ""))
        started = [running.engine for running in self._running.values() if running.has_topics]
        process.metrics.process.kafka_away.set(any(is_kafka_away(engine) for engine in started))
        if any(engine.is_joined or engine.contact.is_away(steady()) for engine in started):
            self._outage.report(next(iter(away), None))

    def _is_reading(self) -> bool:
        now = time.monotonic()
        engines = [running.engine for running in self._running.values() if running.has_topics]
        return all(
            now - engine.looped_at < _SILENT_SECONDS or engine.is_rebalancing or not engine.is_joined
            for engine in engines
        )

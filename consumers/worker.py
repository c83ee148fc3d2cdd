"""Composition root of `gateway worker`: reads the settings, builds the parts, and runs until SIGTERM.

Waits for Kafka and the topics, then joins the group. The worker is ready while all of its partitions are running. A
stop drains running work within the deadline, then leaves the group.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from adapters.collate.call_policy.slowdown import make_slowdowns
from adapters.collate.client import CollateClient
from adapters.collate.open_client import open_client
from adapters.kafka.clients import connection
from adapters.kafka.exposure import log_exposure, require_deadline
from adapters.kafka.group_owner import find_group_problem
from adapters.kafka.topics import wanted_topics
from adapters.kafka.wait_for_topics import wait_for_topics
from consumers.applier.applier import Applier
from consumers.applier.context import ApplierContext
from consumers.applier.turns import passing_of, turn_of
from consumers.authorization.event_writer import EventWriter
from consumers.authorization.handoffs import RiskRules
from consumers.authorization.numbers.handoff_numbers import HandoffNumbers
from consumers.authorization.state import unknown_caller_of
from consumers.engine.core.limits import InvocationLimits
from consumers.engine.engine import Engine, PartitionCountChanged
from consumers.engine.settings import EngineSettings
from consumers.engine.status import is_kafka_away, kafka_problem, key_queues_report, readiness
from consumers.tracing import TracedHandler
from consumers.watcher.cadence import Cadence
from consumers.watcher.watcher import Watcher
from runtime.clocks import steady
from runtime.credentials.digest_key import read_digest_key
from runtime.credentials.phi_keys import phi_keys
from runtime.exits import StartupError
from runtime.gc import tune_gc
from runtime.metrics import PayerLabels
from runtime.outages.outage import Outage
from runtime.process import Process, run
from runtime.tracing.traces import open_traces
from schemas.events.wait_reasons import WaitReason
from schemas.records import source
from schemas.topics import Topics, catalogue

if TYPE_CHECKING:
    from adapters.collate.reader import CollateReader
    from consumers.engine import Done, Invocation, Record, RetryAt
    from runtime.admin.answers import Resumed, StillStopped
    from runtime.admin.resume import ResumeRequest
    from runtime.settings import Settings
    from schemas.sealing import Keys

_HEALTH_SECONDS = 0.5
_SUSPENDED_SECONDS = 3.0
# The most bytes of a partition's unfinished records (docs/capacity.md uses it), and of an authorization's state.
READ_AHEAD_BYTES = 16 << 20
STATE_BYTES = 256 << 10


class TopicRefused(StartupError):
    """The input topic differs from the settings."""

    title = "commands topic"


class GroupRefused(StartupError):
    """The consumer group belongs to another program."""

    title = "consumer group"


def serve(settings: Settings) -> int:
    """Run the process until SIGTERM; return its exit code."""
    drain = settings.worker.stop_deadline.total_seconds()
    return run("worker", settings, partial(work, settings), stop_deadline_seconds=drain + 10.0)


async def work(settings: Settings, process: Process) -> None:
    """Build the parts, consume until `process.stop`, close the parts in order."""
    digest_key, keys = read_digest_key(settings.worker), phi_keys(settings.topics)
    topics = catalogue(settings.topics.prefix)
    process.health.expect("kafka", "topics", "partitions")
    wanted = wanted_topics(topics, settings.topics, settings.watch.forget_after)
    if not await wait_for_topics(
        settings.kafka, wanted, process.health, process.stop, process.log, metrics=process.metrics.process
    ):
        return
    await log_exposure(settings, "worker", process.log)
    if (problem := await find_group_problem(settings, process.log)) is not None:
        raise GroupRefused([problem])
    await require_deadline(settings.kafka, process.log)
    async with (
        open_traces(settings.traces, process.name, settings.environment, process.metrics.process) as traces,
        open_client(settings.collate, process.metrics.collate, traces, environment=settings.environment) as collate,
    ):
        handler = _handler(settings, topics, collate, process, digest_key=digest_key, keys=keys)
        own = replace(
            engine_settings(settings, topics),
            timer_spread=handler.watcher.spread_seconds,
            passing=passing_of,
            turn_of=turn_of,
            group_of=unknown_caller_of,
        )
        traced = handler if traces is None else TracedHandler(handler, traces, topics)
        engine = Engine(own, traced, process.metrics.engine)
        process.partition_status = partial(key_queues_report, engine)
        process.resume = partial(_resume, engine, process)
        process.metrics.engine.state_bytes_limit.set(settings.worker.state_memory)
        reporting = asyncio.create_task(_report_health(engine, process))
        tune_gc()
        try:
            await engine.run(process.stop)
        except PartitionCountChanged as changed:
            raise TopicRefused([str(changed)]) from changed
        finally:
            reporting.cancel()


@dataclass(frozen=True, slots=True)
class AuthorizationHandler:
    """The handler of the engine: records go to the applier, timers to the watcher."""

    applier: Applier
    watcher: Watcher

    async def on_record(self, invocation: Invocation, record: Record) -> Done | RetryAt:
        """Apply a command."""
        return await self.applier.on_record(invocation, record)

    async def on_timer(self, invocation: Invocation) -> Done | RetryAt:
        """Observe the authorization."""
        return await self.watcher.on_timer(invocation)


def _handler(
    settings: Settings, topics: Topics, collate: CollateReader, process: Process, *, digest_key: bytes, keys: Keys
) -> AuthorizationHandler:
    numbers = HandoffNumbers(process.metrics.people, PayerLabels(settings.admin.payer_labels))
    event_writer = EventWriter(topics, source(settings.environment), numbers)
    metrics = process.metrics.commands
    chance = random.random
    rules = _risk_rules(settings)
    watcher = Watcher(
        collate,
        event_writer,
        metrics,
        chance,
        Cadence.of(settings.watch),
        rules,
        make_slowdowns(settings.watch.max_slowdown),
        settings.worker.command_max_age.total_seconds(),
    )
    context = ApplierContext(
        collate=collate,
        writes=collate if isinstance(collate, CollateClient) else None,
        event_writer=event_writer,
        worker=settings.worker,
        contract=settings.collate,
        digest_key=digest_key,
        keys=keys,
        metrics=metrics,
        next_timer=watcher.next_timer,
        chance=chance,
        rules=rules,
    )
    return AuthorizationHandler(Applier(context), watcher)


def _risk_rules(settings: Settings) -> RiskRules:
    watch, abandonment = settings.watch, settings.collate.abandonment_after.total_seconds()
    return RiskRules(
        not_entered_seconds=watch.not_entered_after.total_seconds(),
        abandonment_seconds=abandonment or None,
        open_too_long_seconds=watch.open_too_long.total_seconds(),
    )


def engine_settings(settings: Settings, topics: Topics) -> EngineSettings:
    """Return the settings of the engine."""
    worker = settings.worker
    session = worker.session_timeout.total_seconds()
    return EngineSettings(
        topic=topics.commands.name,
        state_topic=topics.state.name,
        outputs=(topics.events.name, topics.authorizations.name, topics.dead_letters.name),
        evidence_topic=topics.events.name,
        partitions=settings.topics.partitions,
        group=worker.group,
        member=worker.instance,
        client=partial(connection, settings.kafka),
        client_rack=settings.kafka.client_rack,
        wait_reasons=tuple(WaitReason),
        concurrency=worker.max_invocations,
        read_ahead_records=worker.read_ahead,
        read_ahead_bytes=READ_AHEAD_BYTES,
        dead_letter_share=worker.dead_letter_share,
        session_seconds=session,
        heartbeat_seconds=session / 10,
        transaction_timeout_seconds=settings.kafka.transaction_timeout.total_seconds(),
        transaction_seconds=settings.kafka.transaction_deadline.total_seconds(),
        drain_seconds=worker.stop_deadline.total_seconds(),
        limits=InvocationLimits(
            timeout_seconds=settings.invocation_deadline.total_seconds(),
            state_bytes=STATE_BYTES,
        ),
    )


async def _resume(engine: Engine, process: Process, command: ResumeRequest) -> Resumed:
    """Resume stopped partitions. A partition whose progress is in doubt must be named: it may repeat work."""
    stopped = {number: partition for number, partition in sorted(engine.partitions.items()) if partition.is_stopped}
    tripped = tuple(number for number, partition in stopped.items() if partition.is_tripped)
    wanted = tripped if command.partitions is None else command.partitions
    resumed = [number for number in stopped if number in wanted and stopped[number].resume()]
    left: list[StillStopped] = [
        {"partition": number, "detail": partition.detail}
        for number, partition in stopped.items()
        if number not in resumed
    ]
    process.log.warning("engine.partitions_resumed", partitions=resumed, operator=command.operator, why=command.why)
    return {"resumed": resumed, "stopped": left}


async def _report_health(engine: Engine, process: Process) -> None:
    """Report the engine's health. The reader may wait for the group without limit, but for nothing else.

    During a stop the reader no longer runs, and the stop has its own deadline.
    """
    beat = process.health.beat("reader")
    outage = Outage("kafka", process.log)
    checked_at = time.monotonic()
    while True:
        now = time.monotonic()
        # A process that was suspended has received no answers meanwhile: that shows nothing about Kafka.
        if now - checked_at < _SUSPENDED_SECONDS:
            problem = kafka_problem(engine)
            process.health.set("kafka", "waiting" if problem else "ok", problem)
            process.metrics.process.kafka_away.set(is_kafka_away(engine))
            if engine.surplus_partitions:
                process.metrics.process.surplus_partitions.set(engine.surplus_partitions)
            # A worker that starts joins its group for some seconds: that is no outage yet.
            if not process.stop.is_set() and (engine.is_joined or engine.contact.is_away(steady())):
                outage.report(problem or None)
            is_ready, detail = readiness(engine)
            process.health.set("partitions", "ok" if is_ready else "waiting", detail)
        checked_at = now
        is_reading = now - engine.looped_at < 2 * _HEALTH_SECONDS
        if is_reading or engine.is_rebalancing or not engine.is_joined or process.stop.is_set():
            beat()
        await asyncio.sleep(_HEALTH_SECONDS)

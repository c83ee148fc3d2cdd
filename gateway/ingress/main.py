"""The composition root of `gateway ingress`: read the settings, build the components, serve until SIGTERM.

The server listens before Kafka is available, so callers get 503 instead of a refused connection. The process is ready
once the topics are right, a producer works and the tail has caught up: a rollout onto a wrong Kafka stops. From then on
it is ready while it can answer. Without Kafka it is degraded: commands get 503 at once, reads go on.
Stop order: end waits and streams, accept no new connection, answer requests in flight and those that still come on open
connections, flush.
"""

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from starlette.routing import Router

from adapters.collate.client import CollateClient
from adapters.collate.open_client import open_client
from adapters.collate.reader import CollateReader
from adapters.kafka.exposure import log_exposure
from adapters.kafka.topic_reader import OpenPartitions, OpenReader, open_partitions, open_reader, partitions_of
from adapters.kafka.topics import wanted_topics
from adapters.kafka.wait_for_topics import wait_for_topics
from adapters.oidc.jwks import fetch
from adapters.oidc.tokens import Tokens
from gateway.http.middleware import RequestRecorder
from gateway.ingress.app import create_app, handlers, middleware
from gateway.ingress.auth.callers_file import CallersFile
from gateway.ingress.auth.callers_reload import read_callers, reload_callers
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.auth.signed_commands import SignedCommands
from gateway.ingress.commands.batches import CommandBatches
from gateway.ingress.commands.command_log import CommandLog
from gateway.ingress.commands.idempotency import Replays
from gateway.ingress.commands.operator_decisions import OperatorDecisions
from gateway.ingress.commands.producers import Producers
from gateway.ingress.commands.publisher import ProducerFactory, Publisher
from gateway.ingress.commands.routes import Commands
from gateway.ingress.commands.service import CommandService
from gateway.ingress.commands.unfinished import UnfinishedBounds, UnfinishedCommands
from gateway.ingress.commands.unknown import UnknownCounts
from gateway.ingress.commands.waiters import Waiters
from gateway.ingress.dead_letters.actions import DeadLetterActions
from gateway.ingress.dead_letters.bulk import BulkDecisions
from gateway.ingress.dead_letters.reader import DeadLetterReader
from gateway.ingress.dead_letters.routes import DeadLetters
from gateway.ingress.event_stream.routes import EventStreams
from gateway.ingress.event_stream.tail import Tail
from gateway.ingress.http.body import UnfinishedBodies
from gateway.ingress.http.deadlines import Deadlines
from gateway.ingress.http.port import api_port, request_recorder
from gateway.ingress.live.audit import AccessRecord
from gateway.ingress.live.claims import ClaimReader, NoClaims
from gateway.ingress.live.grants import Grants
from gateway.ingress.live.routes import LiveCalls
from gateway.ingress.live.situations import SharedSituations, Situations
from gateway.ingress.me import WhoAmI
from gateway.ingress.no_reads import NoReads
from gateway.ingress.tracing import TracedPublisher
from runtime.credentials.phi_keys import phi_keys
from runtime.gc import tune_gc
from runtime.http.connections import ConnectionLimits, Connections
from runtime.http.server import limited_protocol
from runtime.http_client import HttpProxy
from runtime.process import Process, run
from runtime.serving import serving
from runtime.settings import Settings
from runtime.settings.ingress import MOST_REPLAYS
from runtime.settings.processes import PARTS_OF_READ_AHEAD
from runtime.tracing.traces import Traces, open_traces
from schemas.records import source
from schemas.sealing import Keys
from schemas.topics import catalogue

if TYPE_CHECKING:
    from adapters.postgres.reader import ReadModelReader
    from gateway.ingress.lists import Lists
    from gateway.ingress.reads import Reads

# The parts of /readyz without which ingress still answers.
DEGRADABLE = ("kafka", "events", "dead_letters")
KEY_RETENTION_SECONDS = 24 * 60 * 60.0
# How long the producer waits for more commands before it sends a batch. Without it the p99 of many callers is 2 s.
_LINGER_SECONDS = 0.002


def serve(settings: Settings) -> int:
    """Run the process until it is stopped. Return its exit code."""
    seconds = settings.ingress.stop_deadline.total_seconds()
    return run("ingress", settings, partial(work, settings), stop_deadline_seconds=seconds)


async def work(settings: Settings, process: Process) -> None:
    """Build the components, serve until `process.stop`, and stop them in order."""
    own = settings.ingress
    callers, keys = read_callers(settings), phi_keys(settings.topics)
    process.health.expect("kafka", "topics", "events")
    topics = catalogue(settings.topics.prefix)
    stop_seconds = own.stop_deadline.total_seconds() - own.publish_deadline.total_seconds()
    async with (
        open_traces(settings.traces, process.name, settings.environment, process.metrics.process) as traces,
        open_client(settings.collate, process.metrics.collate, traces, environment=settings.environment) as collate,
    ):
        components = assemble(settings, process, callers, collate, _kafka_sources(settings), keys=keys, traces=traces)
        process.spawn("deadlines", components.deadlines.run())
        limits = ConnectionLimits(
            keepalive_seconds=own.stop_deadline.total_seconds() / 4,
            connections=own.max_connections,
            connections_per_peer=own.max_connections_per_peer,
        )
        connections = Connections("api", limits, process.metrics, process.health)
        process.spawn("connections", connections.run())
        if components.reader is not None:
            process.spawn("database", components.reader.run())
        process.spawn("callers", reload_callers(callers, components.tokens, process))
        async with serving(
            components.app,
            own.host,
            own.port,
            stop_seconds=max(1.0, stop_seconds),
            http=limited_protocol(api_port(connections, components.recorder)),
        ) as listening:
            tune_gc()
            process.watch("http", listening.task)
            process.log.info("ingress.listening", url=listening.url, callers=len(callers.current))
            wanted = wanted_topics((topics.commands, topics.events, topics.dead_letters), settings.topics)
            if not await wait_for_topics(
                settings.kafka, wanted, process.health, process.stop, process.log, metrics=process.metrics.process
            ):
                return
            await log_exposure(settings, "ingress", process.log)
            publishing = process.spawn("publisher", components.publisher.run())
            process.spawn("tail", components.tail.run())
            process.spawn("dead letters", components.dead_letters.run())
            await process.stop.wait()
            components.waiters.release()
            components.streams.stop()
        publishing.cancel()
        await components.publisher.close()


@dataclass(frozen=True, slots=True)
class KafkaSources:
    """The connections to Kafka: a producer of commands; readers of new events, of past events and of dead letters."""

    commands: ProducerFactory
    events: OpenReader[int]
    history: OpenReader[int]
    dead_letters: OpenPartitions


@dataclass(frozen=True, slots=True)
class Components:
    """The components that `work` starts and stops."""

    app: Router
    recorder: RequestRecorder
    callers: CallersFile
    access: AccessControl
    tokens: Tokens
    publisher: Publisher
    tail: Tail
    dead_letters: DeadLetterReader
    waiters: Waiters
    streams: EventStreams
    deadlines: Deadlines
    reader: "ReadModelReader | None"


def assemble(
    settings: Settings,
    process: Process,
    callers: CallersFile,
    collate: CollateReader,
    kafka: KafkaSources,
    *,
    keys: Keys,
    traces: Traces | None = None,
) -> Components:
    """Build all components between the socket and Kafka. Starts none of them."""
    own, metrics, partitions = settings.ingress, process.metrics.ingress, settings.topics.partitions
    topics = catalogue(settings.topics.prefix)

    def set_kafka_health(is_up: bool, detail: str) -> None:  # noqa: FBT001 - a state, not a switch
        process.metrics.process.kafka_away.set(not is_up)
        if is_up:
            process.health.set("kafka", "ok", detail)
        else:
            process.health.set_away("kafka", detail)

    for part in DEGRADABLE:
        process.metrics.process.degraded.labels(part).set_function(partial(process.health.is_degraded, part))

    deadlines = Deadlines()
    publisher = Publisher(
        topics.commands.name,
        kafka.commands,
        metrics,
        deadlines,
        deadline_seconds=own.publish_deadline.total_seconds(),
        # One caller has at most half of the requests, so others can publish while Kafka confirms none of them.
        max_in_flight=max(1, own.max_requests_in_flight * 3 // 4),
        on_state=set_kafka_health,
    )
    command_log = CommandLog(
        publisher if traces is None else TracedPublisher(publisher, traces, topics.commands.name),
        keys,
        source=source(settings.environment),
        partitions=partitions,
    )
    record = AccessRecord(command_log)
    in_partition = settings.worker.read_ahead // (PARTS_OF_READ_AHEAD * own.max_replicas)
    unfinished = UnfinishedCommands(
        UnfinishedBounds(own.max_unfinished_per_caller, own.max_unfinished_per_person, in_partition)
    )
    metrics.unfinished_commands.set_function(lambda: unfinished.count(time.monotonic()))
    unknown = UnknownCounts(lambda: settings.max_unknown_in_partition(callers.current.pools))
    waiters = Waiters(
        metrics,
        unfinished,
        unknown,
        capacity=own.max_waiters,
        per_caller=own.max_waiters_per_caller,
        retention_seconds=KEY_RETENTION_SECONDS,
    )
    tail = Tail(kafka.events, partitions, process.health, on_record=waiters.on_record)
    bodies = UnfinishedBodies(deadlines, metrics, max_unverified=max(1, own.max_requests_in_flight // 20))
    access = AccessControl(
        metrics, bodies, rate=own.caller_rate, burst=own.caller_burst, max_in_flight=own.max_requests_in_flight
    )
    service = CommandService(
        command_log,
        Replays(MOST_REPLAYS, KEY_RETENTION_SECONDS),
        waiters,
        unfinished,
        metrics,
        keys=keys,
        unknown=unknown,
        has_read_model=settings.readmodel.dsn_file is not None,
    )
    signed, append_seconds = SignedCommands(callers), own.publish_deadline.total_seconds() * 2
    batches = CommandBatches(
        access, signed, service, metrics, bodies, max_event_bytes=own.max_body, seconds=append_seconds
    )
    streams = EventStreams(
        access,
        tail,
        kafka.history,
        metrics,
        partitions=partitions,
        max_streams=own.max_streams,
        max_per_caller=own.max_streams_per_caller,
        life_seconds=own.stream_life.total_seconds(),
    )
    reads, lists, claims, reader = _reads(settings, process, access)
    grants = Grants(collate, record, claims=claims) if isinstance(collate, CollateClient) else None
    proxy = None if own.jwks_proxy is None else HttpProxy(own.jwks_proxy, own.jwks_proxy_credentials_file)
    tokens = Tokens(lambda: callers.current.issuers, partial(fetch, proxy=proxy))
    dead_letters = DeadLetterReader(kafka.dead_letters, partitions, process.health, metrics)
    actions = DeadLetterActions(command_log)
    recorder, situations = request_recorder(metrics), Situations(collate)
    app = create_app(
        handlers(
            Commands(access, signed, service, batches),
            LiveCalls(
                access,
                grants,
                collate,
                situations=SharedSituations(situations),
                record=record,
            ),
            streams,
            reads,
            DeadLetters(
                access,
                dead_letters,
                actions,
                situations,
                waiters,
                keys=keys,
                record=record,
            ),
            lists=lists,
            bulk=BulkDecisions(access, dead_letters, actions, keys),
            decisions=OperatorDecisions(access, command_log),
            who_am_i=WhoAmI(access, own, is_shadow=grants is None),
        ),
        middleware(
            own,
            metrics=metrics,
            recorder=recorder,
            deadlines=deadlines,
            bodies=bodies,
            callers=callers,
            tokens=tokens,
            traces=traces,
        ),
    )
    return Components(
        app, recorder, callers, access, tokens, publisher, tail, dead_letters, waiters, streams, deadlines, reader
    )


def _reads(
    settings: Settings, process: Process, access: AccessControl
) -> "tuple[Reads | NoReads, Lists | NoReads, ClaimReader, ReadModelReader | None]":
    if settings.readmodel.dsn_file is None:
        return NoReads(access), NoReads(access), NoClaims(), None
    # An installation without a read model needs no database client.
    from adapters.postgres.reader import ReadModelReader  # noqa: PLC0415 - optional dependency
    from gateway.ingress.lists import Lists  # noqa: PLC0415 - optional dependency
    from gateway.ingress.read_model import ReadModelClaims  # noqa: PLC0415 - optional dependency
    from gateway.ingress.reads import Reads  # noqa: PLC0415 - optional dependency
    from gateway.ingress.webhooks import WebhookStates  # noqa: PLC0415 - only the read routes need it

    reader = ReadModelReader(settings.readmodel, process.metrics.readmodel, process.log)
    webhooks = WebhookStates(settings.deliverer.admin_urls)
    return Reads(access, reader, webhooks), Lists(access, reader), ReadModelClaims(reader), reader


def _kafka_sources(settings: Settings) -> KafkaSources:
    kafka, topics = settings.kafka, catalogue(settings.topics.prefix)
    events = partitions_of(topics.events.name, settings.topics.partitions)
    return KafkaSources(
        commands=Producers(kafka, topics.commands.name, linger_seconds=_LINGER_SECONDS),
        events=partial(open_reader, kafka, events, reset="latest"),
        history=partial(open_reader, kafka, events),
        dead_letters=partial(open_partitions, kafka, topics.dead_letters.name),
    )

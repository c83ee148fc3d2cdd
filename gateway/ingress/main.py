"""Composition root of `gateway ingress`: settings in, every part built and handed over, one process until SIGTERM.

It listens before Kafka is there, so that callers hear 503 and not silence; readiness turns green when the topics are
right, a producer works and the tail has caught up. Stopping: refuse, let waiters and streams go, finish what is under
way, flush.
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute

from adapters.collate.client import CollateClient, open_client
from adapters.kafka.topic_reader import OpenReader, open_reader, partitions_of
from adapters.kafka.topics import wanted_topics
from adapters.kafka.wait_for_topics import wait_for_topics
from adapters.oidc.tokens import Tokens
from gateway.ingress.app import route, router
from gateway.ingress.auth.authentication import Authentication
from gateway.ingress.auth.callers_file import CallersFile, CallersInvalid
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.commands.command_log import AccessRecord
from gateway.ingress.commands.idempotency import Replays
from gateway.ingress.commands.producers import Producers
from gateway.ingress.commands.publisher import Appends, Kafka, Publisher
from gateway.ingress.commands.routes import Bounds, Commands
from gateway.ingress.commands.service import CommandService
from gateway.ingress.commands.waiters import Waiters
from gateway.ingress.dead_letters.actions import DeadLetterActions
from gateway.ingress.dead_letters.reader import DeadLetterReader
from gateway.ingress.dead_letters.routes import DeadLetters
from gateway.ingress.documents import document
from gateway.ingress.event_stream.routes import Streams
from gateway.ingress.event_stream.tail import Tail
from gateway.ingress.http.deadlines import Deadlines
from gateway.ingress.http.edge import Edge
from gateway.ingress.http.server import ConnectionBounds, bounded_protocol
from gateway.ingress.live.grants import Grants
from gateway.ingress.live.review import Reviews
from gateway.ingress.live.routes import LiveCalls
from gateway.ingress.live.situations import Situations
from gateway.ingress.no_reads import NoReads
from gateway.ingress.tracing import TracedAppends, TracedRequests
from runtime.exits import StartupError
from runtime.gc import tune_gc
from runtime.process import Process, run
from runtime.serving import serving
from runtime.settings import Settings
from runtime.traces import Traces, open_traces
from schemas.records import source
from schemas.topics import catalogue

if TYPE_CHECKING:
    from adapters.postgres.reader import Reader
    from gateway.ingress.reads import Reads

REPLAYS_KEPT = 100_000
KEYS_SECONDS = 24 * 60 * 60.0
CALLERS_EVERY_SECONDS = 1.0
KEEP_ALIVE_SECONDS = 75


class CallersRefused(StartupError):
    """The callers' file can't be used."""

    title = "callers' file"


def serve(settings: Settings) -> int:
    """Run the process until it is told to stop; return its exit code."""
    seconds = settings.ingress.stop_deadline.total_seconds()
    return run("ingress", settings, partial(work, settings), stop_deadline_seconds=seconds)


async def work(settings: Settings, process: Process) -> None:
    """Build the parts, serve until `process.stop`, end in order."""
    own = settings.ingress
    callers = _read_callers(settings)
    process.health.expect("kafka", "topics", "events")
    topics = catalogue(settings.topics.prefix)
    stop_seconds = own.stop_deadline.total_seconds() - own.publish_deadline.total_seconds()
    async with (
        open_traces(settings.traces, process.name, settings.environment, process.metrics.process) as traces,
        open_client(settings.collate, process.metrics.collate, traces) as collate,
    ):
        parts = assemble(settings, process, callers, collate, _links(settings), traces=traces)
        process.spawn("deadlines", parts.deadlines.run())
        if parts.reader is not None:
            process.spawn("database", parts.reader.run())
        process.spawn("callers", _follow_callers(callers, parts, process))
        async with serving(
            parts.edge if traces is None else TracedRequests(parts.edge, traces),
            own.host,
            own.port,
            stop_seconds=max(1.0, stop_seconds),
            http=bounded_protocol(ConnectionBounds(), parts.edge.refused),
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ) as listening:
            tune_gc()
            process.watch("http", listening.task)
            process.log.info("listening", url=listening.url, callers=len(callers.current))
            wanted = wanted_topics((topics.commands, topics.events, topics.dead_letters), settings.topics)
            if not await wait_for_topics(settings.kafka, wanted, process.health, process.stop, process.log):
                return
            publishing = process.spawn("publisher", parts.publisher.run())
            process.spawn("tail", parts.tail.run())
            process.spawn("dead letters", parts.letters.run())
            await process.stop.wait()
            parts.waiters.release()
            parts.streams.stop()
        publishing.cancel()
        await parts.publisher.close()


@dataclass(frozen=True, slots=True)
class KafkaSources:
    """The ways to Kafka: producers of commands, the end of the events, and their past; the dead letters."""

    commands: Kafka
    events: OpenReader[int]
    history: OpenReader[int]
    letters: OpenReader[int]


@dataclass(frozen=True, slots=True)
class Components:
    """What `work` starts and stops."""

    edge: Edge
    gate: AccessControl
    tokens: Tokens
    publisher: Publisher
    tail: Tail
    letters: DeadLetterReader
    waiters: Waiters
    streams: Streams
    deadlines: Deadlines
    reader: "Reader | None"


def assemble(
    settings: Settings,
    process: Process,
    callers: CallersFile,
    collate: CollateClient,
    links: KafkaSources,
    *,
    traces: Traces | None = None,
) -> Components:
    """Build everything between the socket and Kafka; starts nothing."""
    own, metrics, partitions = settings.ingress, process.metrics.ingress, settings.topics.partitions
    topics, origin = catalogue(settings.topics.prefix), source(settings.environment)
    deadline_seconds = own.publish_deadline.total_seconds()

    def tell_kafka(is_up: bool, detail: str) -> None:  # noqa: FBT001 - a state, not a switch
        process.metrics.process.kafka_away.set(not is_up)
        process.health.set("kafka", "ok" if is_up else "waiting", detail)

    deadlines = Deadlines()
    publisher = Publisher(
        topics.commands.name,
        links.commands,
        metrics,
        deadlines,
        deadline_seconds=deadline_seconds,
        max_in_flight=own.max_publishes_in_flight,
        on_state=tell_kafka,
    )
    commands: Appends = publisher if traces is None else TracedAppends(publisher, traces, topics.commands.name)
    waiters = Waiters(own.max_waiters, metrics, retention_seconds=KEYS_SECONDS)
    tail = Tail(links.events, partitions, process.health)
    tail.add_listener(waiters.notice)
    gate = AccessControl(callers, metrics, rate=own.caller_rate, burst=own.caller_burst)
    replays = Replays(REPLAYS_KEPT, KEYS_SECONDS)
    keeper = CommandService(
        commands,
        replays,
        waiters,
        metrics,
        source=origin,
        partitions=partitions,
        has_status=settings.readmodel.dsn_file is not None,
    )
    bounds = Bounds(own.max_body, deadline_seconds * 2, int(own.max_wait.total_seconds()))
    record = AccessRecord(commands, source=origin, partitions=partitions)
    streams = Streams(
        gate,
        tail,
        links.history,
        metrics,
        partitions=partitions,
        most=own.max_streams,
        most_per_caller=own.max_streams_per_caller,
        life_seconds=own.stream_life.total_seconds(),
    )
    reads, reader = _reads(settings, process, gate)
    tokens = Tokens(lambda: callers.current.issuers)
    live = LiveCalls(gate, Grants(collate, record), Reviews(collate), max_body=own.max_body)
    letters = DeadLetterReader(links.letters, partitions, process.health, metrics)
    requests = DeadLetterActions(commands, source=origin, partitions=partitions)
    decisions = DeadLetters(
        gate, letters, requests=requests, situations=Situations(collate), waiters=waiters, bounds=bounds
    )
    edge = Edge(
        Authentication(
            router(routes(Commands(gate, keeper, bounds), live, streams, reads, decisions)),
            lambda: callers.current,
            tokens,
            max_body=own.max_body,
            deadline_seconds=bounds.deadline_seconds,
        ),
        metrics,
        deadlines,
        deadline_seconds=own.body_timeout.total_seconds(),
        max_in_flight=own.max_requests_in_flight,
    )
    return Components(edge, gate, tokens, publisher, tail, letters, waiters, streams, deadlines, reader)


def _reads(settings: Settings, process: Process, gate: AccessControl) -> "tuple[Reads | NoReads, Reader | None]":
    if settings.readmodel.dsn_file is None:
        return NoReads(gate), None
    from adapters.postgres.reader import Reader  # noqa: PLC0415 - as above
    from gateway.ingress.reads import Reads  # noqa: PLC0415 - who has no read model needs no client of PostgreSQL

    reader = Reader(settings.readmodel, process.metrics.readmodel, process.log)
    return Reads(gate, reader), reader


def _links(settings: Settings) -> KafkaSources:
    kafka, topics = settings.kafka, catalogue(settings.topics.prefix)
    events = partitions_of(topics.events.name, settings.topics.partitions)
    dead_letters = partitions_of(topics.dead_letters.name, settings.topics.partitions)
    linger_seconds = settings.ingress.linger.total_seconds()
    return KafkaSources(
        commands=Producers(kafka, topics.commands.name, linger_seconds=linger_seconds),
        events=partial(open_reader, kafka, events, reset="latest"),
        history=partial(open_reader, kafka, events),
        letters=partial(open_reader, kafka, dead_letters),
    )


def routes(
    commands: Commands, live: LiveCalls, streams: Streams, reads: "Reads | NoReads", letters: DeadLetters
) -> list[BaseRoute]:
    """Bind every handler to its address."""
    authorization, letter = "/v1/authorizations/{authorizationId}", "/v1/dead-letters/{commandId}"
    return [
        route("POST", f"{authorization}/handoffs", commands.request),
        route("POST", f"{authorization}/handoffs/{{handoffId}}/close", commands.close),
        route("POST", f"{authorization}/watch", commands.watch),
        route("POST", "/v1/commands", commands.cloudevent),
        route("POST", f"{authorization}/handoffs/{{handoffId}}/access-grants", live.grant),
        route("GET", f"{authorization}/review-snapshot", live.review),
        route("GET", "/v1/events", streams.events),
        route("GET", "/v1/commands/{commandId}", reads.command),
        route("GET", authorization, reads.authorization),
        route("GET", f"{authorization}/timeline", reads.timeline),
        route("GET", "/v1/handoffs", reads.handoffs),
        route("GET", "/v1/overview", reads.overview),
        route("GET", "/v1/dead-letters", letters.listing),
        route("GET", letter, letters.show),
        route("GET", f"{letter}/original", letters.original),
        route("GET", f"{letter}/situation", letters.situation),
        route("POST", f"{letter}/redrive", letters.redrive),
        route("POST", f"{letter}/discard", letters.discard),
        route("GET", "/openapi.json", document("openapi.json")),
        route("GET", "/asyncapi.json", document("asyncapi.json")),
    ]


def _read_callers(settings: Settings) -> CallersFile:
    path = settings.ingress.callers_file
    if path is None:
        raise CallersRefused(["GATEWAY_INGRESS__CALLERS_FILE: required for `gateway ingress` but not set"])
    try:
        return CallersFile(path)
    except CallersInvalid as error:
        raise CallersRefused([f"{path}: {error}"]) from error


async def _follow_callers(callers: CallersFile, parts: Components, process: Process) -> None:
    reloads = process.metrics.ingress.callers_reloads
    beat = process.health.beat("callers")
    while True:
        await asyncio.sleep(CALLERS_EVERY_SECONDS)
        beat()
        before = callers.problem
        if callers.reread_if_changed():
            parts.gate.forget_strangers()
            parts.tokens.forget()
            reloads.labels("ok").inc()
            process.log.info("callers reread", callers=len(callers.current))
        elif callers.problem is not None and callers.problem != before:
            reloads.labels("refused").inc()
            process.log.error("callers file refused, the old one holds", problem=callers.problem)

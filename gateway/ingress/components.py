"""The components of the ingress between the socket and Kafka: built, and named, here alone; `main` starts them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from adapters.collate.client import CollateClient
from adapters.collate.reader import CollateReader
from adapters.kafka.cluster import count_members
from adapters.kafka.topic_reader import OpenPartitions, OpenReader
from adapters.oidc.jwks import fetch
from adapters.oidc.tokens import Tokens
from gateway.ingress.api_http.body import UnfinishedBodies
from gateway.ingress.api_http.deadlines import Deadlines
from gateway.ingress.api_http.port import request_recorder
from gateway.ingress.app import create_app, handlers, middleware
from gateway.ingress.auth.callers_file import CallersFile
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.auth.signed_commands import SignedCommands
from gateway.ingress.commands.batches import CommandBatches
from gateway.ingress.commands.claims import ClaimReader, NoClaims
from gateway.ingress.commands.command_log import CommandLog
from gateway.ingress.commands.command_routes import Commands
from gateway.ingress.commands.idempotency import Replays
from gateway.ingress.commands.operator_decisions import OperatorDecisions
from gateway.ingress.commands.places import CallerPlaces
from gateway.ingress.commands.publisher import ProducerFactory, Publisher
from gateway.ingress.commands.service import CommandService
from gateway.ingress.commands.unfinished import UnfinishedBounds, UnfinishedCommands
from gateway.ingress.commands.unknown import UnknownCounts
from gateway.ingress.commands.waiters import Waiters
from gateway.ingress.dead_letters.actions import DeadLetterActions
from gateway.ingress.dead_letters.bulk import BulkDecisions
from gateway.ingress.dead_letters.dead_letter_routes import DeadLetters
from gateway.ingress.dead_letters.reader import DeadLetterReader
from gateway.ingress.event_stream.stream_route import EventStreams
from gateway.ingress.event_stream.tail import Tail
from gateway.ingress.live.audit import AccessRecord
from gateway.ingress.live.grants import Grants
from gateway.ingress.live.live_routes import LiveCalls
from gateway.ingress.live.openings import Openings
from gateway.ingress.live.situations import SharedSituations, Situations
from gateway.ingress.me import WhoAmI
from gateway.ingress.no_reads import NoReads
from gateway.ingress.own_parts import OwnParts
from gateway.ingress.tracing import TracedPublisher
from runtime.http_client import HttpProxy
from runtime.process import Process
from runtime.settings import Settings
from runtime.settings.ingress import MOST_REPLAYS
from runtime.settings.processes import PARTS_OF_READ_AHEAD
from runtime.tracing.traces import Traces
from schemas.records import TopicRecord, source
from schemas.sealing import Keys
from schemas.topics import catalogue

if TYPE_CHECKING:
    from adapters.postgres.reader import ReadModelReader
    from gateway.ingress.lists import Lists
    from gateway.ingress.reads import Reads

# The parts of /readyz without which ingress still answers.
DEGRADABLE = ("kafka", "events", "dead_letters")
# The overview waits no longer for the number of workers.
_WORKERS_SECONDS = 2.0
KEY_RETENTION_SECONDS = 24 * 60 * 60.0


@dataclass(frozen=True, slots=True)
class KafkaSources:
    """The connections to Kafka: a producer of commands; readers of new events, of past events and of dead letters."""

    commands: ProducerFactory
    events: OpenReader[int]
    history: OpenReader[int]
    dead_letters: OpenPartitions


class Components:
    """The components. A constructor starts nothing."""

    def __init__(
        self,
        settings: Settings,
        process: Process,
        callers: CallersFile,
        collate: CollateReader,
        kafka: KafkaSources,
        *,
        keys: Keys,
        traces: Traces | None = None,
    ) -> None:
        own, metrics, partitions = settings.ingress, process.metrics.ingress, settings.topics.partitions
        topics = catalogue(settings.topics.prefix)
        for part in DEGRADABLE:
            process.metrics.process.degraded.labels(part).set_function(partial(process.health.is_degraded, part))
        self.callers = callers
        self.recorder = request_recorder(metrics)
        self.deadlines = Deadlines()
        bodies = UnfinishedBodies(self.deadlines, metrics, max_unverified=max(1, own.max_requests_in_flight // 20))
        proxy = None if own.jwks_proxy is None else HttpProxy(own.jwks_proxy, own.jwks_proxy_credentials_file)
        self.tokens = Tokens(lambda: callers.current.issuers, partial(fetch, proxy=proxy))
        self.access = AccessControl(
            metrics, bodies, rate=own.caller_rate, burst=own.caller_burst, max_in_flight=own.max_requests_in_flight
        )
        replays = Replays(MOST_REPLAYS, KEY_RETENTION_SECONDS)
        self.publisher = _publisher(settings, process, kafka, self.deadlines, on_doubt=replays.forget)
        log = CommandLog(
            self.publisher if traces is None else TracedPublisher(self.publisher, traces, topics.commands.name),
            keys,
            source=source(settings.environment),
            partitions=partitions,
        )
        unfinished, unknown = _bounds(settings, process, callers)
        places = CallerPlaces(unfinished, metrics)
        self.waiters = Waiters(
            metrics,
            unfinished,
            unknown,
            capacity=own.max_waiters,
            per_caller=own.max_waiters_per_caller,
            retention_seconds=KEY_RETENTION_SECONDS,
        )
        record, situations = AccessRecord(log, places), Situations(collate)
        openings = Openings(situations.now)

        def on_record(event: TopicRecord) -> None:
            self.waiters.on_record(event)
            openings.on_record(event)

        self.tail = Tail(kafka.events, partitions, process.health, on_record=on_record)
        self.streams = EventStreams(
            self.access,
            self.tail,
            kafka.history,
            metrics,
            partitions=partitions,
            max_streams=own.max_streams,
            max_per_caller=own.max_streams_per_caller,
            life_seconds=own.stream_life.total_seconds(),
        )
        reads, lists, claims, self.reader = _reads(settings, process, self.access, collate)
        service = CommandService(
            log,
            replays,
            self.waiters,
            unfinished,
            metrics,
            places=places,
            keys=keys,
            unknown=unknown,
            claims=claims,
            has_read_model=settings.readmodel.dsn_file is not None,
        )
        signed, append_seconds = SignedCommands(callers), own.publish_deadline.total_seconds() * 2
        batches = CommandBatches(
            self.access, signed, service, metrics, bodies, max_event_bytes=own.max_body, seconds=append_seconds
        )
        grants = Grants(collate, record, claims=claims) if isinstance(collate, CollateClient) else None
        shared = SharedSituations(situations, openings)
        self.dead_letters = DeadLetterReader(kafka.dead_letters, partitions, process.health, metrics)
        actions = DeadLetterActions(log)
        self.app = create_app(
            handlers(
                Commands(self.access, signed, service, batches),
                LiveCalls(self.access, grants, collate, situations=shared, record=record, claims=claims),
                self.streams,
                reads,
                DeadLetters(
                    self.access, self.dead_letters, actions, situations, self.waiters, keys=keys, record=record
                ),
                lists=lists,
                bulk=BulkDecisions(self.access, self.dead_letters, actions, keys),
                decisions=OperatorDecisions(self.access, log, places),
                who_am_i=WhoAmI(self.access, own, is_shadow=grants is None),
            ),
            middleware(
                own,
                metrics=metrics,
                recorder=self.recorder,
                deadlines=self.deadlines,
                bodies=bodies,
                callers=callers,
                tokens=self.tokens,
                traces=traces,
            ),
        )


def _publisher(
    settings: Settings, process: Process, kafka: KafkaSources, deadlines: Deadlines, *, on_doubt: Callable[[], None]
) -> Publisher:
    own = settings.ingress

    def set_kafka_health(is_up: bool, detail: str) -> None:  # noqa: FBT001 - a state, not a switch
        process.metrics.process.kafka_away.set(not is_up)
        if is_up:
            process.health.set("kafka", "ok", detail)
        else:
            process.health.set_away("kafka", detail)

    return Publisher(
        catalogue(settings.topics.prefix).commands.name,
        kafka.commands,
        process.metrics.ingress,
        deadlines,
        deadline_seconds=own.publish_deadline.total_seconds(),
        # One caller has at most half of the requests, so others can publish while Kafka confirms none of them.
        max_in_flight=max(1, own.max_requests_in_flight * 3 // 4),
        on_state=set_kafka_health,
        on_doubt=on_doubt,
    )


def _bounds(settings: Settings, process: Process, callers: CallersFile) -> tuple[UnfinishedCommands, UnknownCounts]:
    """Return the counts of what a caller may fill in the worker."""
    own = settings.ingress
    in_partition = settings.worker.read_ahead // (PARTS_OF_READ_AHEAD * own.max_replicas)
    unfinished = UnfinishedCommands(
        UnfinishedBounds(own.max_unfinished_per_caller, own.max_unfinished_per_person, in_partition)
    )
    process.metrics.ingress.unfinished_commands.set_function(lambda: unfinished.count(time.monotonic()))
    return unfinished, UnknownCounts(lambda: settings.max_unknown_in_partition(callers.current.pools))


def _reads(
    settings: Settings, process: Process, access: AccessControl, collate: CollateReader
) -> "tuple[Reads | NoReads, Lists | NoReads, ClaimReader, ReadModelReader | None]":
    count_workers = partial(count_members, settings.kafka, settings.worker.group, _WORKERS_SECONDS)
    parts = OwnParts(process.health, collate, settings.deliverer.admin_urls, count_workers)
    if settings.readmodel.dsn_file is None:
        return NoReads(access, parts), NoReads(access, parts), NoClaims(), None
    # An installation without a read model needs no database client.
    from adapters.postgres.reader import ReadModelReader  # noqa: PLC0415 - optional dependency
    from gateway.ingress.lists import Lists  # noqa: PLC0415 - optional dependency
    from gateway.ingress.read_model import ReadModelClaims  # noqa: PLC0415 - optional dependency
    from gateway.ingress.reads import Reads  # noqa: PLC0415 - optional dependency

    reader = ReadModelReader(settings.readmodel, process.metrics.readmodel, process.log)
    return Reads(access, reader, parts), Lists(access, reader), ReadModelClaims(reader), reader

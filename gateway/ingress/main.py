"""The composition root of `gateway ingress`: read the settings, build the components, serve until SIGTERM.

The server listens before Kafka is available, so callers get 503 instead of a refused connection. The process is ready
once the topics are right, a producer works and the tail has caught up: a rollout onto a wrong Kafka stops. From then on
it is ready while it can answer. Without Kafka it is degraded: commands get 503 at once, reads go on.
Stop order: end waits and streams, accept no new connection, answer requests in flight and those that still come on open
connections, flush.
"""

from functools import partial

from adapters.collate.open_client import open_client
from adapters.kafka.exposure import log_exposure
from adapters.kafka.topic_reader import open_partitions, open_reader, partitions_of
from adapters.kafka.topics import wanted_topics
from adapters.kafka.wait_for_topics import wait_for_topics
from gateway.ingress.api_http.port import api_port
from gateway.ingress.auth.callers_reload import read_callers, reload_callers
from gateway.ingress.commands.producers import Producers
from gateway.ingress.components import Components, KafkaSources
from runtime.credentials.phi_keys import phi_keys
from runtime.gc import tune_gc
from runtime.http_server.connections import ConnectionLimits, Connections
from runtime.http_server.server import limited_protocol
from runtime.process import Process, run
from runtime.serving import serving
from runtime.settings import Settings
from runtime.tracing.traces import open_traces
from schemas.topics import catalogue

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
        components = Components(settings, process, callers, collate, _kafka_sources(settings), keys=keys, traces=traces)
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
            # The publisher sets it to ok: topics that are there say nothing of a producer.
            process.health.set("kafka", "waiting", "the producer connects")
            await log_exposure(settings, "ingress", process.log)
            publishing = process.spawn("publisher", components.publisher.run())
            process.spawn("topic", components.publisher.watch_topic())
            process.spawn("tail", components.tail.run())
            process.spawn("dead letters", components.dead_letters.run())
            await process.stop.wait()
            components.waiters.release()
            components.streams.stop()
        publishing.cancel()
        await components.publisher.close()


def _kafka_sources(settings: Settings) -> KafkaSources:
    kafka, topics = settings.kafka, catalogue(settings.topics.prefix)
    events = partitions_of(topics.events.name, settings.topics.partitions)
    return KafkaSources(
        commands=Producers(kafka, topics.commands.name, linger_seconds=_LINGER_SECONDS),
        events=partial(open_reader, kafka, events, reset="latest"),
        history=partial(open_reader, kafka, events),
        dead_letters=partial(open_partitions, kafka, topics.dead_letters.name),
    )

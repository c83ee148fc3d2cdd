"""Metrics of the process itself."""

from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from runtime.metrics.factory import MetricFactory


@dataclass(frozen=True, slots=True)
class ProcessMetrics:
    """Metrics of the process itself."""

    build: Gauge
    ready: Gauge
    degraded: Gauge
    kafka_away: Gauge
    loop_delay_seconds: Histogram
    connections: Gauge
    connections_limit: Gauge
    spans: Counter
    credential_expires: Gauge
    credential_life_seconds: Gauge


def create_process_metrics(make: MetricFactory) -> ProcessMetrics:
    """Create the metrics of the process itself."""
    return ProcessMetrics(
        build=make.gauge(
            "build_info", "Always 1; the labels name the version and the process.", ("version", "process")
        ),
        ready=make.gauge("ready", "1 while every component of the process is ok, else 0."),
        degraded=make.gauge(
            "degraded",
            "1 while a part of ingress is away and ingress is ready without it (kafka, events, dead_letters), else 0.",
            ("part",),
        ),
        kafka_away=make.gauge("kafka_away", "1 while Kafka is unreachable, else 0."),
        loop_delay_seconds=make.histogram(
            "loop_delay_seconds", "Delay of the event loop; more than a few milliseconds means overload."
        ),
        connections=make.gauge("connections", "Open connections, by port (api, console, admin).", ("port",)),
        connections_limit=make.gauge("connections_limit", "Maximum number of open connections, by port.", ("port",)),
        spans=make.counter("spans", "Trace spans by result (sent, lost).", ("result",)),
        credential_expires=make.gauge(
            "credential_expires_timestamp_seconds",
            "Unix time at which a certificate or token ends, by the setting that names its file.",
            ("credential",),
        ),
        credential_life_seconds=make.gauge(
            "credential_life_seconds",
            "The whole life of that certificate or token; another program renews a short one.",
            ("credential",),
        ),
    )

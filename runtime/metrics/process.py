"""Metrics of the process itself."""

from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from runtime.metrics.factory import MetricFactory


@dataclass(frozen=True, slots=True)
class ProcessMetrics:
    """Metrics of the process itself."""

    build: Gauge
    ready: Gauge
    kafka_away: Gauge
    loop_delay_seconds: Histogram
    spans: Counter


def create_process_metrics(make: MetricFactory) -> ProcessMetrics:
    """Create the metrics of the process itself."""
    return ProcessMetrics(
        build=make.gauge(
            "build_info", "Always 1; the labels name the version and the process.", ("version", "process")
        ),
        ready=make.gauge("ready", "1 while every component of the process is ok, else 0."),
        kafka_away=make.gauge("kafka_away", "1 while Kafka is unreachable, else 0."),
        loop_delay_seconds=make.histogram(
            "loop_delay_seconds", "Delay of the event loop; more than a few milliseconds means overload."
        ),
        spans=make.counter("spans", "Trace spans by result (sent, lost).", ("result",)),
    )

"""Metrics of the HTTP API."""

from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from runtime.metrics.factory import MetricFactory


@dataclass(frozen=True, slots=True)
class IngressMetrics:
    """Metrics of the HTTP API."""

    requests: Counter
    request_seconds: Histogram
    requests_in_flight: Gauge
    shed: Counter
    batch_events: Counter
    publish_seconds: Histogram
    publish_failures: Counter
    publishes_in_flight: Gauge
    producer_rebuilds: Counter
    unfinished_commands: Gauge
    waits: Counter
    waiters: Gauge
    streams: Gauge
    streams_dropped: Counter
    replays: Counter
    key_conflicts: Counter
    callers_reloads: Counter
    dead_letters_open: Gauge


def create_ingress_metrics(make: MetricFactory) -> IngressMetrics:
    """Create the metrics of the HTTP API."""
    return IngressMetrics(
        requests=make.counter(
            "requests", "Completed requests, by route template, method and status.", ("route", "method", "status")
        ),
        request_seconds=make.histogram(
            "request_seconds", "Time from a request's head to the end of its response.", ("route",)
        ),
        requests_in_flight=make.gauge("requests_in_flight", "Requests in flight."),
        shed=make.counter(
            "shed",
            "Requests and connections rejected because of a limit or an outage, by reason (rate, kafka_away, …).",
            ("reason",),
        ),
        batch_events=make.counter(
            "batch_events",
            "Events of command batches, by result (accepted, replayed, rejected, rate, unfinished, unavailable).",
            ("result",),
        ),
        publish_seconds=make.histogram(
            "publish_seconds", "Time from sending a command to Kafka until all in-sync replicas have it."
        ),
        publish_failures=make.counter(
            "publish_failures", "Commands that got 503 because Kafka did not confirm them, by reason.", ("reason",)
        ),
        publishes_in_flight=make.gauge("publishes_in_flight", "Commands sent to Kafka and not yet confirmed."),
        producer_rebuilds=make.counter("producer_rebuilds", "Producers replaced after a failed send."),
        unfinished_commands=make.gauge(
            "unfinished_commands", "Commands of all callers that this process accepted and whose end it has not seen."
        ),
        waits=make.counter(
            "waits",
            "Requests with `Prefer: wait`, by result (finished, dead_lettered, timeout, left, stopped, full).",
            ("result",),
        ),
        waiters=make.gauge("waiters", "Requests that wait for the outcome of their command."),
        streams=make.gauge("streams", "Open event streams."),
        streams_dropped=make.counter("streams_dropped", "Event streams closed by the gateway, by reason.", ("reason",)),
        replays=make.counter("replays", "Requests that repeat an accepted command and get its response again."),
        key_conflicts=make.counter(
            "key_conflicts", "Requests rejected because their key was used with another body before."
        ),
        callers_reloads=make.counter(
            "callers_reloads", "Reads of the callers file after a change, by result (ok, refused).", ("result",)
        ),
        dead_letters_open=make.gauge(
            "dead_letters_open",
            "Dead letters that wait for a decision, by cause; each replica counts all of them.",
            ("cause",),
        ),
    )

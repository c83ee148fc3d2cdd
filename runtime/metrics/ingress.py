"""Metrics of the HTTP API."""

from runtime.metrics.group import MetricGroup, counter, gauge, histogram


class IngressMetrics(MetricGroup):
    """Metrics of the HTTP API."""

    requests = counter("requests", "Completed requests.", ("route", "method", "status"))
    request_seconds = histogram("request_seconds", "Time from a request's head to the end of its response.", ("route",))
    requests_in_flight = gauge("requests_in_flight", "Requests in flight.")
    shed = counter(
        "shed",
        "Requests and connections rejected because of a limit or an outage, by reason (rate, kafka_away, …).",
        ("reason",),
    )
    batch_events = counter(
        "batch_events",
        "Events of command batches, by result (accepted, replayed, rejected, rate, unfinished, unknown, unavailable).",
        ("result",),
    )
    publish_seconds = histogram(
        "publish_seconds", "Time from sending a command to Kafka until all in-sync replicas have it."
    )
    publish_failures = counter(
        "publish_failures", "Commands that got 503 because Kafka did not confirm them.", ("reason",)
    )
    publishes_in_flight = gauge("publishes_in_flight", "Commands sent to Kafka and not yet confirmed.")
    producer_rebuilds = counter("producer_rebuilds", "Producers replaced after a failed send.")
    unfinished_commands = gauge(
        "unfinished_commands", "Commands of all callers that this process accepted and whose end it has not seen."
    )
    waits = counter(
        "waits",
        "Requests with `Prefer: wait`, by result (finished, dead_lettered, timeout, left, stopped, full).",
        ("result",),
    )
    waiters = gauge("waiters", "Requests that wait for the outcome of their command.")
    streams = gauge("streams", "Open event streams.")
    streams_dropped = counter("streams_dropped", "Event streams closed by the gateway.", ("reason",))
    replays = counter("replays", "Requests that repeat an accepted command and get its response again.")
    key_conflicts = counter("key_conflicts", "Requests rejected because their key was used with another body before.")
    callers_reloads = counter(
        "callers_reloads", "Reads of the callers file after a change, by result (ok, refused).", ("result",)
    )
    dead_letters_open = gauge(
        "dead_letters_open",
        "Dead letters that wait for a decision, by cause; each replica counts all of them.",
        ("cause",),
    )

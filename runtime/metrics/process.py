"""Metrics of the process itself."""

from runtime.metrics.group import MetricGroup, counter, gauge, histogram


class ProcessMetrics(MetricGroup):
    """Metrics of the process itself."""

    build = gauge("build_info", "Always 1; the labels name the version and the process.", ("version", "process"))
    ready = gauge("ready", "1 while every component of the process is ok, else 0.")
    degraded = gauge(
        "degraded",
        "1 while a part of ingress is away and ingress is ready without it (kafka, events, dead_letters), else 0.",
        ("part",),
    )
    kafka_away = gauge("kafka_away", "1 while Kafka is unreachable, else 0.")
    surplus_partitions = gauge(
        "surplus_partitions", "Partitions that somebody added to a topic, and that the gateway does not use."
    )
    loop_delay_seconds = histogram(
        "loop_delay_seconds", "Delay of the event loop; more than a few milliseconds means overload."
    )
    connections = gauge("connections", "Open connections, by port (api, console, admin).", ("port",))
    connections_limit = gauge("connections_limit", "Most open connections.", ("port",))
    spans = counter("spans", "Trace spans by result (sent, lost).", ("result",))
    credential_expires = gauge(
        "credential_expires_timestamp_seconds",
        "Unix time at which a certificate or token ends, or a PHI key must be replaced, by the setting of its file.",
        ("credential",),
    )
    credential_life_seconds = gauge(
        "credential_life_seconds",
        "The whole life of that certificate, token or key; another program renews a short one.",
        ("credential",),
    )

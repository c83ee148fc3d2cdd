"""Metrics of the projector and of reads from the read model."""

from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from runtime.metrics.factory import COUNTS, MetricFactory


@dataclass(frozen=True, slots=True)
class ReadModelMetrics:
    """Metrics of the projector and of reads from the read model."""

    records: Counter
    unreadable: Counter
    lag: Gauge
    transaction_seconds: Histogram
    transaction_records: Histogram
    stale_offsets: Counter
    rows_deleted: Counter
    away: Gauge
    connections: Gauge
    connections_allowed: Gauge
    read_seconds: Histogram


def create_read_model_metrics(make: MetricFactory) -> ReadModelMetrics:
    """Create the metrics of the projector and of reads from the read model."""
    return ReadModelMetrics(
        records=make.counter("projected", "Records written into the read model, by topic.", ("topic",)),
        unreadable=make.counter(
            "projector_unreadable", "Records that the projector could not parse and skipped, by topic.", ("topic",)
        ),
        lag=make.gauge("projector_behind", "Records in the topics that the read model does not contain yet."),
        transaction_seconds=make.histogram(
            "projector_transaction_seconds", "Time of one transaction of the projector, including its reads."
        ),
        transaction_records=make.histogram(
            "projector_transaction_records", "Records written in one transaction of the projector.", buckets=COUNTS
        ),
        stale_offsets=make.counter(
            "projector_outrun", "Transactions rolled back because another projector had written the same records."
        ),
        rows_deleted=make.counter("projector_swept", "Rows deleted after their retention, by table.", ("table",)),
        away=make.gauge("database_away", "1 while PostgreSQL is unavailable, else 0."),
        connections=make.gauge(
            "database_connections",
            "Open connections at PostgreSQL, by the part of the gateway that opened them; `other`: of other programs.",
            ("part",),
        ),
        connections_allowed=make.gauge(
            "database_connections_allowed",
            "Connections that PostgreSQL allows: its `max_connections` less 10, which are for administrators.",
        ),
        read_seconds=make.histogram(
            "read_seconds", "Time of one read from the read model, by kind of read.", ("read",)
        ),
    )

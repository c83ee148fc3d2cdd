"""Metrics of the projector and of reads from the read model."""

from runtime.metrics.group import COUNTS, MetricGroup, counter, gauge, histogram


class ReadModelMetrics(MetricGroup):
    """Metrics of the projector and of reads from the read model."""

    records = counter("projected", "Records written into the read model.", ("topic",))
    unreadable = counter(
        "projector_unreadable", "Records that the projector could not parse or write, and skipped.", ("topic",)
    )
    lag = gauge("projector_lag", "Records in the topics that the read model does not contain yet.")
    transaction_seconds = histogram(
        "projector_transaction_seconds", "Time of one transaction of the projector, including its reads."
    )
    transaction_records = histogram(
        "projector_transaction_records", "Records written in one transaction of the projector.", buckets=COUNTS
    )
    stale_offsets = counter(
        "projector_stale_offsets", "Transactions rolled back because another projector had written the same records."
    )
    rows_deleted = counter("projector_rows_deleted", "Rows deleted after their retention.", ("table",))
    away = gauge("database_away", "1 while PostgreSQL is unavailable, else 0.")
    connections = gauge(
        "database_connections",
        "Open connections at PostgreSQL, by the part of the gateway that opened them; `other`: of other programs.",
        ("part",),
    )
    connections_allowed = gauge(
        "database_connections_allowed",
        "Connections that PostgreSQL allows: its `max_connections` less 10, which are for administrators.",
    )
    read_seconds = histogram("read_seconds", "Time of one read from the read model, by kind of read.", ("read",))

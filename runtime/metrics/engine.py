"""Metrics of the engine."""

from runtime.metrics.group import COUNTS, SLOW_SECONDS, MetricGroup, counter, gauge, histogram

_PARTITION = ("partition",)


class EngineMetrics(MetricGroup):
    """Metrics of the engine, by partition where one worker owns the value."""

    lag = gauge("lag", "Records in the input topic after the watermark.", _PARTITION)
    oldest_unfinished_seconds = gauge(
        "oldest_unfinished_seconds",
        "Age of the oldest unfinished record; the most important value to alert on.",
        _PARTITION,
    )
    second_key_unfinished_seconds = gauge(
        "second_key_unfinished_seconds",
        "Age of the oldest unfinished record of any key but the oldest record's; 0 if one key alone has records.",
        _PARTITION,
    )
    gap = gauge("gap", "Finished records after the watermark.", _PARTITION)
    key_queues = gauge("key_queues", "Key queues with a record or a timer that runs or waits.", _PARTITION)
    waiting = gauge("key_queues_waiting", "Key queues that wait.", ("partition", "reason"))
    unfinished = gauge("unfinished", "Records read and not finished.", _PARTITION)
    states = gauge("states", "Authorizations whose state is in memory.", _PARTITION)
    state_bytes = gauge("state_bytes", "Memory of these states, estimated.", _PARTITION)
    state_bytes_limit = gauge("state_bytes_limit", "Memory that all states of this worker may need: half of its limit.")
    paused = gauge("paused", "1 while reading is paused because too many records are unfinished.", _PARTITION)
    records = counter("records", "Records finished and committed.", _PARTITION)
    outputs = counter("outputs", "Records written in committed transactions.")
    transaction_seconds = histogram("transaction_seconds", "Time from beginning a transaction to its commit.")
    transaction_records = histogram(
        "transaction_records", "Results and checkpoints committed in one transaction.", buckets=COUNTS
    )
    transaction_failures = counter("transaction_failures", "Failed transactions.", ("reason",))
    handler_seconds = histogram(
        "handler_seconds", "Time of one handler invocation, by kind (record, timer).", ("kind",), SLOW_SECONDS
    )
    handler_failures = counter(
        "handler_failures",
        "Handler invocations that raised, timed out or returned an oversized result.",
        ("reason",),
    )
    abandoned_invocations = gauge(
        "invocations_left_behind",
        "Invocations that ignored their cancellation and still run after their partition was closed.",
    )
    restores = counter("restores", "States read from Kafka when a partition started.")
    restore_seconds = histogram(
        "restore_seconds", "Time from a partition's assignment until it reads records.", buckets=SLOW_SECONDS
    )
    rebalances = counter("rebalances", "Assignments of partitions by the consumer group.")
    partitions = gauge("partitions", "Partitions of this worker, by state (starting, running, stopped).", ("state",))
    fenced = counter("fenced", "Restarts of a partition after its producer was fenced.", _PARTITION)
    epochs_replaced = counter(
        "epochs_replaced", "Transactions with a request without an answer, after which the producer's epoch ended."
    )
    torn_transactions = counter(
        "torn_transactions", "Transactions of which Kafka had committed a part, by result (healed, lost).", ("result",)
    )
    starts_failed = counter("starts_failed", "Failed attempts to start a partition.", ("reason",))
    timers_pending = gauge("timers_pending", "Timers that are set and not due.", _PARTITION)
    timer_late_seconds = histogram(
        "timer_late_seconds", "Delay from a timer's due time to its invocation.", buckets=SLOW_SECONDS
    )
    dead_lettered = counter("records_dead_lettered", "Records that became dead letters.", _PARTITION)
    stopped = gauge(
        "stopped",
        "1 while a partition is stopped until an operator resumes it; /partitions has causes, callers.",
        _PARTITION,
    )

    def show_zeros(self, partition: int) -> None:
        """Create the counters of a partition that this process has been assigned; see `runtime.admin.closed_labels`."""
        for counted in (self.records, self.fenced, self.dead_lettered):
            counted.labels(str(partition))

    def forget(self, partition: int) -> None:
        """Remove the gauges of a revoked partition, so that only its owner reports them."""
        self.remove_series("partition", str(partition), kinds=("gauge",))

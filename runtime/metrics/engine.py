"""Metrics of the engine."""

from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from runtime.metrics.factory import COUNTS, SLOW_SECONDS, MetricFactory


@dataclass(frozen=True, slots=True)
class EngineMetrics:
    """Metrics of the engine, by partition where one worker owns the value."""

    lag: Gauge
    oldest_unfinished_seconds: Gauge
    second_key_unfinished_seconds: Gauge
    gap: Gauge
    key_queues: Gauge
    waiting: Gauge
    unfinished: Gauge
    paused: Gauge
    records: Counter
    outputs: Counter
    transaction_seconds: Histogram
    transaction_records: Histogram
    transaction_failures: Counter
    handler_seconds: Histogram
    handler_failures: Counter
    abandoned_invocations: Gauge
    restores: Counter
    restore_seconds: Histogram
    rebalances: Counter
    partitions: Gauge
    fenced: Counter
    epochs_replaced: Counter
    starts_failed: Counter
    timers_pending: Gauge
    timer_late_seconds: Histogram
    dead_lettered: Counter
    stopped: Gauge

    def show_zeros(self, partition: int) -> None:
        """Create the counters of a partition that this process has been assigned; see `runtime.admin.closed_labels`."""
        for counter in (self.records, self.fenced, self.dead_lettered):
            counter.labels(str(partition))

    def forget(self, partition: int) -> None:
        """Remove the gauges of a revoked partition, so that only its owner reports them."""
        label = {"partition": str(partition)}
        for gauge in (
            self.lag,
            self.oldest_unfinished_seconds,
            self.second_key_unfinished_seconds,
            self.gap,
            self.key_queues,
            self.waiting,
            self.unfinished,
            self.paused,
            self.timers_pending,
            self.stopped,
        ):
            gauge.remove_by_labels(label)


def create_engine_metrics(make: MetricFactory) -> EngineMetrics:
    """Create only the engine's metrics, for a process or benchmark that runs nothing else."""
    partition = ("partition",)
    return EngineMetrics(
        lag=make.gauge("lag", "Records in the input topic after the watermark.", partition),
        oldest_unfinished_seconds=make.gauge(
            "oldest_unfinished_seconds",
            "Age of the oldest unfinished record; the most important value to alert on.",
            partition,
        ),
        second_key_unfinished_seconds=make.gauge(
            "second_key_unfinished_seconds",
            "Age of the oldest unfinished record of any key but the oldest record's; 0 if one key alone has records.",
            partition,
        ),
        gap=make.gauge("gap", "Finished records after the watermark.", partition),
        key_queues=make.gauge("lanes", "Key queues with a record or a timer that runs or waits.", partition),
        waiting=make.gauge("lanes_waiting", "Key queues that wait, by reason.", ("partition", "reason")),
        unfinished=make.gauge("unfinished", "Records read and not finished.", partition),
        paused=make.gauge("paused", "1 while reading is paused because too many records are unfinished.", partition),
        records=make.counter("records", "Records finished and committed.", partition),
        outputs=make.counter("outputs", "Records written in committed transactions."),
        transaction_seconds=make.histogram("transaction_seconds", "Time from beginning a transaction to its commit."),
        transaction_records=make.histogram(
            "transaction_records", "Results and checkpoints committed in one transaction.", buckets=COUNTS
        ),
        transaction_failures=make.counter("transaction_failures", "Failed transactions, by reason.", ("reason",)),
        handler_seconds=make.histogram(
            "handler_seconds", "Time of one handler invocation, by kind (record, alarm).", ("kind",), SLOW_SECONDS
        ),
        handler_failures=make.counter(
            "handler_failures",
            "Handler invocations that raised, timed out or returned an oversized result.",
            ("reason",),
        ),
        abandoned_invocations=make.gauge(
            "turns_left_behind",
            "Invocations that ignored their cancellation and still run after their partition was closed.",
        ),
        restores=make.counter("restores", "States read from Kafka when a partition started."),
        restore_seconds=make.histogram(
            "restore_seconds", "Time from a partition's assignment until it reads records.", buckets=SLOW_SECONDS
        ),
        rebalances=make.counter("rebalances", "Assignments of partitions by the consumer group."),
        partitions=make.gauge(
            "partitions", "Partitions of this worker, by state (starting, running, stopped).", ("state",)
        ),
        fenced=make.counter("fenced", "Restarts of a partition after its producer was fenced.", partition),
        epochs_replaced=make.counter(
            "epochs_replaced", "Transactions with a request without an answer, after which the producer's epoch ended."
        ),
        starts_failed=make.counter("starts_failed", "Failed attempts to start a partition, by reason.", ("reason",)),
        timers_pending=make.gauge("alarms_pending", "Timers that are set and not due.", partition),
        timer_late_seconds=make.histogram(
            "alarm_late_seconds", "Delay from a timer's due time to its invocation.", buckets=SLOW_SECONDS
        ),
        dead_lettered=make.counter("casualties", "Records that became dead letters.", partition),
        stopped=make.gauge(
            "stopped",
            "1 while a partition is stopped until an operator resumes it; /lanes has causes, callers.",
            partition,
        ),
    )

"""Every metric of every process, a description each. docs/metrics.md is made from this file.

No globals: a process creates its metrics with its own registry and hands them on; so does each test. Labels come from
closed sets or from counts fixed for life (partitions): never an authorization, a caller's text or an error message.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "collate_gateway_"

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 86_400.0)
_COUNTS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0)


@dataclass(frozen=True, slots=True)
class MetricDescription:
    """One metric as the documentation shows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    description: str


class MetricFactory:
    """Creates metrics in one registry and remembers what they mean."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.described: list[MetricDescription] = []

    def counter(self, name: str, description: str, labels: Sequence[str] = ()) -> Counter:
        """Create something that only grows."""
        self._note(f"{name}_total", "counter", labels, description)
        return Counter(PREFIX + name, description, labels, registry=self._registry)

    def gauge(self, name: str, description: str, labels: Sequence[str] = ()) -> Gauge:
        """Create something that goes up and down."""
        self._note(name, "gauge", labels, description)
        return Gauge(PREFIX + name, description, labels, registry=self._registry)

    def histogram(
        self, name: str, description: str, labels: Sequence[str] = (), buckets: Sequence[float] = _FAST
    ) -> Histogram:
        """Create a distribution."""
        self._note(name, "histogram", labels, description)
        return Histogram(PREFIX + name, description, labels, registry=self._registry, buckets=buckets)

    def _note(self, name: str, kind: str, labels: Sequence[str], description: str) -> None:
        self.described.append(MetricDescription(PREFIX + name, kind, tuple(labels), description))


@dataclass(frozen=True, slots=True)
class EngineMetrics:
    """Consuming: per partition, because each has one owner."""

    lag: Gauge
    oldest_unfinished_seconds: Gauge
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
    starts_failed: Counter
    timers_pending: Gauge
    timer_late_seconds: Histogram
    dead_lettered: Counter
    stopped: Gauge

    def forget(self, partition: int) -> None:
        """Drop the gauges of a partition that is no longer ours, so that only its owner reports it."""
        label = {"partition": str(partition)}
        for gauge in (
            self.lag,
            self.oldest_unfinished_seconds,
            self.gap,
            self.key_queues,
            self.waiting,
            self.unfinished,
            self.paused,
            self.timers_pending,
            self.stopped,
        ):
            gauge.remove_by_labels(label)


@dataclass(frozen=True, slots=True)
class CommandMetrics:
    """Commands: how they end, and how long that takes."""

    finished: Counter
    finish_seconds: Histogram
    dead_letters: Counter
    key_conflicts: Counter
    waiting_events: Counter
    intents_resent: Counter
    double_effects: Counter
    observations: Counter
    observation_slowdown: Gauge


@dataclass(frozen=True, slots=True)
class CollateMetrics:
    """Calls to Collate."""

    attempts: Counter
    attempt_seconds: Histogram
    budget_in_flight: Gauge
    budget_waiting: Gauge
    budget_limit: Gauge
    budget_wait_seconds: Histogram
    breaker_open: Gauge
    breaker_changes: Counter
    credentials_refused: Gauge


@dataclass(frozen=True, slots=True)
class IngressMetrics:
    """Requests of callers."""

    requests: Counter
    request_seconds: Histogram
    requests_in_flight: Gauge
    shed: Counter
    publish_seconds: Histogram
    publish_failures: Counter
    publishes_in_flight: Gauge
    producer_rebuilds: Counter
    waits: Counter
    waiters: Gauge
    streams: Gauge
    streams_dropped: Counter
    replays: Counter
    key_conflicts: Counter
    callers_reloads: Counter
    dead_letters_open: Gauge


@dataclass(frozen=True, slots=True)
class ReadModelMetrics:
    """The projector, and the reads of ingress."""

    records: Counter
    unreadable: Counter
    lag: Gauge
    transaction_seconds: Histogram
    transaction_records: Histogram
    stale_offsets: Counter
    rows_deleted: Counter
    away: Gauge
    read_seconds: Histogram


@dataclass(frozen=True, slots=True)
class ProcessMetrics:
    """The process itself."""

    build: Gauge
    ready: Gauge
    kafka_away: Gauge
    loop_delay_seconds: Histogram
    spans: Counter


@dataclass(frozen=True, slots=True)
class Metrics:
    """All of them; a process uses those that concern it, the others stay at nothing."""

    process: ProcessMetrics
    ingress: IngressMetrics
    engine: EngineMetrics
    commands: CommandMetrics
    collate: CollateMetrics
    readmodel: ReadModelMetrics
    described: tuple[MetricDescription, ...]


def create_metrics(registry: CollectorRegistry) -> Metrics:
    """Create every metric in the registry."""
    make = MetricFactory(registry)
    return Metrics(
        process=_process(make),
        ingress=_ingress(make),
        engine=create_engine_metrics(make),
        commands=_commands(make),
        collate=_collate(make),
        readmodel=_readmodel(make),
        described=tuple(make.described),
    )


def _process(make: MetricFactory) -> ProcessMetrics:
    return ProcessMetrics(
        build=make.gauge(
            "build_info", "Always 1; the labels say which version of which process runs.", ("version", "process")
        ),
        ready=make.gauge("ready", "1 while every component of the process is ok, else 0."),
        kafka_away=make.gauge("kafka_away", "1 while Kafka can't be reached, else 0."),
        loop_delay_seconds=make.histogram(
            "loop_delay_seconds", "How late the event loop runs what is due; more than a few milliseconds is overload."
        ),
        spans=make.counter(
            "spans", "Spans given to the collector, by result (sent, lost); none where traces are off.", ("result",)
        ),
    )


def _ingress(make: MetricFactory) -> IngressMetrics:
    return IngressMetrics(
        requests=make.counter(
            "requests", "Requests answered, by route template, method and status.", ("route", "method", "status")
        ),
        request_seconds=make.histogram(
            "request_seconds", "Time from a request's head to the end of its answer.", ("route",)
        ),
        requests_in_flight=make.gauge("requests_in_flight", "Requests being worked on."),
        shed=make.counter(
            "shed",
            "Requests turned away to protect the rest, by reason (rate, in_flight, publishes, kafka_away, …).",
            ("reason",),
        ),
        publish_seconds=make.histogram(
            "publish_seconds", "Time from handing a command to Kafka until it is on all in-sync copies."
        ),
        publish_failures=make.counter(
            "publish_failures", "Commands answered 503 because Kafka did not confirm them, by reason.", ("reason",)
        ),
        publishes_in_flight=make.gauge("publishes_in_flight", "Commands handed to Kafka and not yet confirmed."),
        producer_rebuilds=make.counter(
            "producer_rebuilds", "Times the producer was thrown away after a failed send and built anew."
        ),
        waits=make.counter(
            "waits", "Requests with `Prefer: wait`, by how they ended (finished, timeout, full).", ("result",)
        ),
        waiters=make.gauge("waiters", "Requests waiting for the outcome of their command."),
        streams=make.gauge("streams", "Clients reading the event stream."),
        streams_dropped=make.counter("streams_dropped", "Event streams ended by us, by reason.", ("reason",)),
        replays=make.counter("replays", "Requests recognized here as repeats of an accepted command."),
        key_conflicts=make.counter(
            "key_conflicts", "Requests refused here because their key came with another body before."
        ),
        callers_reloads=make.counter(
            "callers_reloads", "Reads of the callers file after a change, by result (ok, refused).", ("result",)
        ),
        dead_letters_open=make.gauge(
            "dead_letters_open",
            "Dead letters that wait for a person, by cause; every replica counts all of them.",
            ("cause",),
        ),
    )


def create_engine_metrics(make: MetricFactory) -> EngineMetrics:
    """Create the metrics of the engine alone, for a process or benchmark that runs nothing else."""
    partition = ("partition",)
    return EngineMetrics(
        lag=make.gauge("lag", "Records in the input topic beyond the watermark.", partition),
        oldest_unfinished_seconds=make.gauge(
            "oldest_unfinished_seconds",
            "Age of the oldest record that is not finished; the first thing to alarm on.",
            partition,
        ),
        gap=make.gauge("gap", "Records finished beyond the watermark, kept as a bitmap.", partition),
        key_queues=make.gauge("lanes", "Lanes that hold a record or an alarm being worked on or waiting.", partition),
        waiting=make.gauge("lanes_waiting", "Lanes that wait, by the reason they gave.", ("partition", "reason")),
        unfinished=make.gauge("unfinished", "Records taken up and not finished.", partition),
        paused=make.gauge("paused", "1 while reading is paused because too much is unfinished.", partition),
        records=make.counter("records", "Records finished and committed.", partition),
        outputs=make.counter("outputs", "Records written in committed transactions."),
        transaction_seconds=make.histogram("transaction_seconds", "Time from beginning a transaction to its commit."),
        transaction_records=make.histogram(
            "transaction_records", "Results and checkpoints that shared one transaction.", buckets=_COUNTS
        ),
        transaction_failures=make.counter(
            "transaction_failures", "Transactions that failed, by kind of failure.", ("reason",)
        ),
        handler_seconds=make.histogram(
            "handler_seconds", "Time of one step of the handler, by kind (record, alarm).", ("kind",), _SLOW
        ),
        handler_failures=make.counter("handler_failures", "Steps that raised, hung or returned too much.", ("reason",)),
        abandoned_invocations=make.gauge(
            "turns_left_behind", "Steps that go on, although cancelled, after their partition was thrown away."
        ),
        restores=make.counter("restores", "Memories read back from Kafka when a partition started."),
        restore_seconds=make.histogram(
            "restore_seconds", "Time from the assignment of a partition until it reads.", buckets=_SLOW
        ),
        rebalances=make.counter("rebalances", "Assignments that the group gave to this worker."),
        partitions=make.gauge(
            "partitions", "Partitions of this worker, by state (starting, running, stopped).", ("state",)
        ),
        fenced=make.counter("fenced", "Times a partition lost its right to write and started again.", partition),
        starts_failed=make.counter("starts_failed", "Tries to start a partition that failed, by reason.", ("reason",)),
        timers_pending=make.gauge("alarms_pending", "Alarms set and not due.", partition),
        timer_late_seconds=make.histogram("alarm_late_seconds", "How late alarms were taken up.", buckets=_SLOW),
        dead_lettered=make.counter("casualties", "Records given up as dead letters, by partition.", partition),
        stopped=make.gauge("stopped", "1 while a partition stands still until an operator resumes it.", partition),
    )


def _commands(make: MetricFactory) -> CommandMetrics:
    return CommandMetrics(
        finished=make.counter(
            "commands_finished", "Commands finished, by command, outcome and effect.", ("command", "outcome", "effect")
        ),
        finish_seconds=make.histogram(
            "command_finish_seconds", "Time from acceptance to outcome.", ("command",), _SLOW
        ),
        dead_letters=make.counter("dead_letters", "Commands given up for a person to decide, by cause.", ("cause",)),
        key_conflicts=make.counter("command_key_conflicts", "Commands whose key came with another body before."),
        waiting_events=make.counter("command_waiting", "`command.waiting` events, by reason.", ("reason",)),
        intents_resent=make.counter("intents_resent", "Writes sent again because a crash or timeout hid their answer."),
        double_effects=make.counter(
            "double_effects",
            "Creates that may have taken effect twice although key and precondition were sent; alarm on any, and count "
            "the authorization's handoffs at Collate: another actor's change beside a lost answer looks the same.",
        ),
        observations=make.counter(
            "observations", "Reads by the watcher, by whether they saw something new.", ("result",)
        ),
        observation_slowdown=make.gauge(
            "observation_stretch", "How many times longer than set the watcher's steps are, for want of call budget."
        ),
    )


def _collate(make: MetricFactory) -> CollateMetrics:
    return CollateMetrics(
        attempts=make.counter(
            "collate_attempts",
            "Calls to Collate, by operation and class of result (answered, refused, ambiguous, not_sent).",
            ("operation", "result"),
        ),
        attempt_seconds=make.histogram("collate_attempt_seconds", "Time of one call to Collate.", ("operation",)),
        budget_in_flight=make.gauge("collate_in_flight", "Calls to Collate in flight, by priority.", ("priority",)),
        budget_waiting=make.gauge(
            "collate_waiting", "Calls to Collate waiting for the budget, by priority.", ("priority",)
        ),
        budget_limit=make.gauge("collate_limit", "Calls in flight that the budget allows at the moment."),
        budget_wait_seconds=make.histogram(
            "collate_wait_seconds", "Time that calls waited for the budget.", ("priority",)
        ),
        breaker_open=make.gauge("collate_breaker", "State of the breaker: 0 closed, 1 probing, 2 open."),
        breaker_changes=make.counter(
            "collate_breaker_changes", "Changes of the breaker, by the state entered.", ("state",)
        ),
        credentials_refused=make.gauge(
            "collate_credentials_refused", "1 while Collate answers 401 to our key, else 0."
        ),
    )


def _readmodel(make: MetricFactory) -> ReadModelMetrics:
    return ReadModelMetrics(
        records=make.counter("projected", "Records written into the read model, by topic.", ("topic",)),
        unreadable=make.counter(
            "projector_unreadable", "Records that the projector could not read and passed over, by topic.", ("topic",)
        ),
        lag=make.gauge("projector_behind", "Records between the read model and the ends of its topics."),
        transaction_seconds=make.histogram(
            "projector_transaction_seconds", "Time of one transaction of the projector, its reading of rows included."
        ),
        transaction_records=make.histogram(
            "projector_transaction_records", "Records that one transaction of the projector wrote.", buckets=_COUNTS
        ),
        stale_offsets=make.counter(
            "projector_outrun", "Transactions rolled back because another projector had written the same records."
        ),
        rows_deleted=make.counter(
            "projector_swept", "Rows deleted because they were past retention, by table.", ("table",)
        ),
        away=make.gauge("database_away", "1 while PostgreSQL can't be used, else 0."),
        read_seconds=make.histogram("read_seconds", "Time of one read of the read model, by what was read.", ("read",)),
    )

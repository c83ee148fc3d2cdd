"""All metrics of all processes. docs/metrics.md is generated from their descriptions.

Each process and each test creates the metrics in its own registry. A label's values come from a closed set or are
partitions: never an authorization, a text from outside or an error message.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "collate_gateway_"

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 86_400.0)
_WORK = (60.0, 300.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 28_800.0, 86_400.0, 259_200.0)
_COUNTS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0)


@dataclass(frozen=True, slots=True)
class MetricDescription:
    """One metric as docs/metrics.md shows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    description: str


class MetricFactory:
    """A factory of metrics in one registry, with the list of their descriptions."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.described: list[MetricDescription] = []

    def counter(self, name: str, description: str, labels: Sequence[str] = ()) -> Counter:
        """Create a counter."""
        self._describe(f"{name}_total", "counter", labels, description)
        return Counter(PREFIX + name, description, labels, registry=self._registry)

    def gauge(self, name: str, description: str, labels: Sequence[str] = ()) -> Gauge:
        """Create a gauge."""
        self._describe(name, "gauge", labels, description)
        return Gauge(PREFIX + name, description, labels, registry=self._registry)

    def histogram(
        self, name: str, description: str, labels: Sequence[str] = (), buckets: Sequence[float] = _FAST
    ) -> Histogram:
        """Create a histogram."""
        self._describe(name, "histogram", labels, description)
        return Histogram(PREFIX + name, description, labels, registry=self._registry, buckets=buckets)

    def _describe(self, name: str, kind: str, labels: Sequence[str], description: str) -> None:
        self.described.append(MetricDescription(PREFIX + name, kind, tuple(labels), description))


@dataclass(frozen=True, slots=True)
class EngineMetrics:
    """Metrics of the engine, by partition where one worker owns the value."""

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
    """Metrics of commands and observations."""

    finished: Counter
    finish_seconds: Histogram
    dead_letters: Counter
    key_conflicts: Counter
    caller_share_exceeded: Counter
    waiting_events: Counter
    intents_resent: Counter
    double_effects: Counter
    observations: Counter
    observation_slowdown: Gauge


class HandoffStage(StrEnum):
    """The stages of a handoff whose time is measured."""

    NEED_TO_OPEN = "need_to_open"
    OPEN_TO_CLOSE = "open_to_close"
    CLOSE_TO_TRUTH = "close_to_truth"


class VerdictWhen(StrEnum):
    """When a report was compared with the payer's truth."""

    RECONCILED = "reconciled"
    SETTLED = "settled"


class PayerLabels:
    """The closed set of payers in labels: those of the settings, `other`, and `unknown` if Collate shows none."""

    OTHER: Final = "other"
    UNKNOWN: Final = "unknown"

    def __init__(self, payers: Sequence[str]) -> None:
        self._named = frozenset(payers)
        self.every = (*dict.fromkeys(payers), self.OTHER, self.UNKNOWN)

    def of(self, payer: str | None) -> str:
        """Return the label of a payer."""
        if payer is None:
            return self.UNKNOWN
        return payer if payer in self._named else self.OTHER


@dataclass(frozen=True, slots=True)
class PeopleMetrics:
    """Metrics of the work of people: the gauges are the projector's, the others the worker's."""

    waiting: Gauge
    waiting_payers: Gauge
    waiting_oldest_seconds: Gauge
    handoffs_open: Gauge
    handoffs_at_risk: Gauge
    stage_seconds: Histogram
    agreements: Counter


@dataclass(frozen=True, slots=True)
class CollateMetrics:
    """Metrics of calls to Collate."""

    attempts: Counter
    attempt_seconds: Histogram
    budget_in_flight: Gauge
    budget_waiting: Gauge
    budget_limit: Gauge
    budget_wait_seconds: Histogram
    breaker_open: Gauge
    breakers: Gauge
    breaker_changes: Counter
    credentials_refused: Gauge


@dataclass(frozen=True, slots=True)
class IngressMetrics:
    """Metrics of the HTTP API."""

    requests: Counter
    request_seconds: Histogram
    requests_in_flight: Gauge
    connections: Gauge
    connections_limit: Gauge
    shed: Counter
    batch_events: Counter
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
    """Metrics of the projector and of reads from the read model."""

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
class DelivererMetrics:
    """Metrics of the deliverer, by subscription."""

    requests: Counter
    request_seconds: Histogram
    delivered: Counter
    delivery_age_seconds: Histogram
    dead_letters: Counter
    waiting: Gauge
    unfinished: Gauge
    oldest_unfinished_seconds: Gauge
    lag: Gauge
    partitions_not_running: Gauge
    down: Gauge
    stopped: Gauge
    subscriptions_reloads: Counter

    def forget(self, subscription: str) -> None:
        """Remove the series of a subscription that is no longer in the file."""
        label = {"subscription": subscription}
        for metric in (
            self.requests,
            self.request_seconds,
            self.delivered,
            self.delivery_age_seconds,
            self.dead_letters,
            self.waiting,
            self.unfinished,
            self.oldest_unfinished_seconds,
            self.lag,
            self.partitions_not_running,
            self.down,
            self.stopped,
        ):
            metric.remove_by_labels(label)


@dataclass(frozen=True, slots=True)
class ConsoleMetrics:
    """Metrics of the console."""

    pages: Counter
    page_seconds: Histogram


@dataclass(frozen=True, slots=True)
class ProcessMetrics:
    """Metrics of the process itself."""

    build: Gauge
    ready: Gauge
    kafka_away: Gauge
    loop_delay_seconds: Histogram
    spans: Counter


@dataclass(frozen=True, slots=True)
class Metrics:
    """All metrics; each process uses its part of them."""

    process: ProcessMetrics
    ingress: IngressMetrics
    engine: EngineMetrics
    commands: CommandMetrics
    people: PeopleMetrics
    collate: CollateMetrics
    readmodel: ReadModelMetrics
    deliverer: DelivererMetrics
    console: ConsoleMetrics
    described: tuple[MetricDescription, ...]


def create_metrics(registry: CollectorRegistry) -> Metrics:
    """Create every metric in the registry."""
    make = MetricFactory(registry)
    return Metrics(
        process=_process(make),
        ingress=_ingress(make),
        engine=create_engine_metrics(make),
        commands=_commands(make),
        people=_people(make),
        collate=_collate(make),
        readmodel=_readmodel(make),
        deliverer=_deliverer(make),
        console=_console(make),
        described=tuple(make.described),
    )


def _process(make: MetricFactory) -> ProcessMetrics:
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


def _deliverer(make: MetricFactory) -> DelivererMetrics:
    of = ("subscription",)
    return DelivererMetrics(
        requests=make.counter(
            "deliverer_requests",
            "Requests to webhook receivers, by subscription and result (delivered, gone, redirect, forbidden_address, "
            "status_4xx, status_5xx, or why there was no response).",
            ("subscription", "result"),
        ),
        request_seconds=make.histogram("deliverer_request_seconds", "Time of one request to a webhook receiver.", of),
        delivered=make.counter("deliverer_delivered", "Events that the receiver has accepted.", of),
        delivery_age_seconds=make.histogram(
            "deliverer_delivery_age_seconds", "Time from the event's record in Kafka to its delivery.", of, _SLOW
        ),
        dead_letters=make.counter("deliverer_dead_letters", "Events that became dead letters of a subscription.", of),
        waiting=make.gauge(
            "deliverer_waiting",
            "Authorizations whose next event waits, by reason (failed, retry_after, down, stopped and the engine's).",
            ("subscription", "reason"),
        ),
        unfinished=make.gauge("deliverer_unfinished", "Events that were read and are not delivered yet.", of),
        oldest_unfinished_seconds=make.gauge(
            "deliverer_oldest_unfinished_seconds", "Age of the oldest event that is not delivered; 0 without one.", of
        ),
        lag=make.gauge("deliverer_lag", "Records of `events` that this process has not finished.", of),
        partitions_not_running=make.gauge(
            "deliverer_partitions_not_running", "Partitions of this process that start, fail or are stopped.", of
        ),
        down=make.gauge("deliverer_down", "1 while the receiver counts as down, else 0.", of),
        stopped=make.gauge("deliverer_stopped", "1 while the receiver's 410 has stopped the subscription, else 0.", of),
        subscriptions_reloads=make.counter(
            "deliverer_subscriptions_reloads",
            "Changes of the subscriptions file (ok, refused).",
            ("result",),
        ),
    )


def _console(make: MetricFactory) -> ConsoleMetrics:
    return ConsoleMetrics(
        pages=make.counter(
            "console_pages",
            "Completed requests of the console, by route template, method and status.",
            ("route", "method", "status"),
        ),
        page_seconds=make.histogram(
            "console_page_seconds", "Time from a request to the end of the console's response.", ("route",)
        ),
    )


def _ingress(make: MetricFactory) -> IngressMetrics:
    return IngressMetrics(
        requests=make.counter(
            "requests", "Completed requests, by route template, method and status.", ("route", "method", "status")
        ),
        request_seconds=make.histogram(
            "request_seconds", "Time from a request's head to the end of its response.", ("route",)
        ),
        requests_in_flight=make.gauge("requests_in_flight", "Requests in flight."),
        connections=make.gauge("connections", "Open connections of the API."),
        connections_limit=make.gauge("connections_limit", "Maximum number of open connections of the API."),
        shed=make.counter(
            "shed",
            "Requests rejected because of a limit or an outage, by reason (rate, in_flight, publishes, kafka_away, …).",
            ("reason",),
        ),
        batch_events=make.counter(
            "batch_events",
            "Events of command batches, by result (accepted, replayed, rejected, rate, unavailable).",
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
        gap=make.gauge("gap", "Finished records after the watermark.", partition),
        key_queues=make.gauge("lanes", "Key queues with a record or a timer that runs or waits.", partition),
        waiting=make.gauge("lanes_waiting", "Key queues that wait, by reason.", ("partition", "reason")),
        unfinished=make.gauge("unfinished", "Records read and not finished.", partition),
        paused=make.gauge("paused", "1 while reading is paused because too many records are unfinished.", partition),
        records=make.counter("records", "Records finished and committed.", partition),
        outputs=make.counter("outputs", "Records written in committed transactions."),
        transaction_seconds=make.histogram("transaction_seconds", "Time from beginning a transaction to its commit."),
        transaction_records=make.histogram(
            "transaction_records", "Results and checkpoints committed in one transaction.", buckets=_COUNTS
        ),
        transaction_failures=make.counter("transaction_failures", "Failed transactions, by reason.", ("reason",)),
        handler_seconds=make.histogram(
            "handler_seconds", "Time of one handler invocation, by kind (record, alarm).", ("kind",), _SLOW
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
            "restore_seconds", "Time from a partition's assignment until it reads records.", buckets=_SLOW
        ),
        rebalances=make.counter("rebalances", "Assignments of partitions by the consumer group."),
        partitions=make.gauge(
            "partitions", "Partitions of this worker, by state (starting, running, stopped).", ("state",)
        ),
        fenced=make.counter("fenced", "Restarts of a partition after its producer was fenced.", partition),
        starts_failed=make.counter("starts_failed", "Failed attempts to start a partition, by reason.", ("reason",)),
        timers_pending=make.gauge("alarms_pending", "Timers that are set and not due.", partition),
        timer_late_seconds=make.histogram(
            "alarm_late_seconds", "Delay from a timer's due time to its invocation.", buckets=_SLOW
        ),
        dead_lettered=make.counter("casualties", "Records that became dead letters.", partition),
        stopped=make.gauge(
            "stopped",
            "1 while a partition is stopped until an operator resumes it; /lanes has causes, callers.",
            partition,
        ),
    )


def _commands(make: MetricFactory) -> CommandMetrics:
    return CommandMetrics(
        finished=make.counter(
            "commands_finished", "Finished commands, by command, outcome and effect.", ("command", "outcome", "effect")
        ),
        finish_seconds=make.histogram(
            "command_finish_seconds", "Time from a command's acceptance to its outcome.", ("command",), _SLOW
        ),
        dead_letters=make.counter("dead_letters", "Commands that became dead letters, by cause.", ("cause",)),
        key_conflicts=make.counter("command_key_conflicts", "Commands whose key was used with another body before."),
        caller_share_exceeded=make.counter(
            "caller_share_exceeded", "Commands not applied because their caller filled its share of recent commands."
        ),
        waiting_events=make.counter("command_waiting", "`command.waiting` events, by reason.", ("reason",)),
        intents_resent=make.counter(
            "intents_resent", "Writes resent because a crash or a timeout lost their response."
        ),
        double_effects=make.counter(
            "double_effects",
            "Creates that may have taken effect twice despite key and precondition. Alert on any; then count the "
            "authorization's handoffs at Collate, because a concurrent change by another actor looks the same.",
        ),
        observations=make.counter(
            "observations",
            "Reads by the watcher, by result (news, nothing, held, not_found, unreadable, stale, no_answer).",
            ("result",),
        ),
        observation_slowdown=make.gauge(
            "observation_stretch",
            "Factor by which the watcher's intervals are longer than set, because the call budget is too small.",
        ),
    )


def _people(make: MetricFactory) -> PeopleMetrics:
    return PeopleMetrics(
        waiting=make.gauge(
            "people_waiting",
            "Authorizations that wait for a person to open a handoff, by how long (15m: less than 15 minutes, 1h, 4h, "
            "1d, longer).",
            ("age",),
        ),
        waiting_payers=make.gauge(
            "people_waiting_payers", "The same authorizations, by payer (as set, other, unknown).", ("payer",)
        ),
        waiting_oldest_seconds=make.gauge(
            "people_waiting_oldest_seconds", "How long the first of them has waited; 0 if none waits."
        ),
        handoffs_open=make.gauge("handoffs_open", "Open handoffs."),
        handoffs_at_risk=make.gauge("handoffs_at_risk", "Open handoffs at risk, by the latest reason.", ("risk",)),
        stage_seconds=make.histogram(
            "handoff_stage_seconds",
            "Times of handoffs, by stage (need_to_open, open_to_close, close_to_truth) and payer. The truth is there "
            "when Collate has reconciled the handoff.",
            ("stage", "payer"),
            _WORK,
        ),
        agreements=make.counter(
            "handoff_agreements",
            "Reports compared with the payer's truth, by verdict (agrees, contradicts, undetermined, no_report), when "
            "(reconciled, settled) and payer.",
            ("agreement", "when", "payer"),
        ),
    )


def _collate(make: MetricFactory) -> CollateMetrics:
    return CollateMetrics(
        attempts=make.counter(
            "collate_attempts",
            "Calls to Collate, by operation and result (answered, refused, ambiguous, not_sent).",
            ("operation", "result"),
        ),
        attempt_seconds=make.histogram("collate_attempt_seconds", "Time of one call to Collate.", ("operation",)),
        budget_in_flight=make.gauge("collate_in_flight", "Calls to Collate in flight, by priority.", ("priority",)),
        budget_waiting=make.gauge(
            "collate_waiting", "Calls to Collate that wait for the call budget, by priority.", ("priority",)
        ),
        budget_limit=make.gauge("collate_limit", "Current limit of calls in flight."),
        budget_wait_seconds=make.histogram(
            "collate_wait_seconds", "Time that calls waited for the call budget.", ("priority",)
        ),
        breaker_open=make.gauge(
            "collate_breaker",
            "State of the breaker for faults: 0 closed, 1 probing, 2 open; `collate_breakers` has all breakers.",
        ),
        breakers=make.gauge(
            "collate_breakers",
            "State of each breaker: 0 closed, 1 probing, 2 open; by reason (credentials, forbidden, faults, "
            "rate_limited) and the calls that it holds (all, reads, writes).",
            ("reason", "calls"),
        ),
        breaker_changes=make.counter(
            "collate_breaker_changes", "State changes of the breaker, by new state.", ("state",)
        ),
        credentials_refused=make.gauge(
            "collate_credentials_refused", "1 while Collate rejects the API key with 401, else 0."
        ),
    )


def _readmodel(make: MetricFactory) -> ReadModelMetrics:
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
            "projector_transaction_records", "Records written in one transaction of the projector.", buckets=_COUNTS
        ),
        stale_offsets=make.counter(
            "projector_outrun", "Transactions rolled back because another projector had written the same records."
        ),
        rows_deleted=make.counter("projector_swept", "Rows deleted after their retention, by table.", ("table",)),
        away=make.gauge("database_away", "1 while PostgreSQL is unavailable, else 0."),
        read_seconds=make.histogram(
            "read_seconds", "Time of one read from the read model, by kind of read.", ("read",)
        ),
    )

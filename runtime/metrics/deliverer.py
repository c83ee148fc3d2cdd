"""Metrics of the deliverer."""

from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from runtime.metrics.factory import SLOW_SECONDS, MetricFactory


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


def create_deliverer_metrics(make: MetricFactory) -> DelivererMetrics:
    """Create the metrics of the deliverer."""
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
            "deliverer_delivery_age_seconds", "Time from the event's record in Kafka to its delivery.", of, SLOW_SECONDS
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

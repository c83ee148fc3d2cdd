"""Metrics of the deliverer."""

from runtime.metrics.group import SLOW_SECONDS, MetricGroup, counter, gauge, histogram

_SUBSCRIPTION = ("subscription",)


class DelivererMetrics(MetricGroup):
    """Metrics of the deliverer, by subscription."""

    requests = counter(
        "deliverer_requests",
        "Requests to webhook receivers, by subscription and result (delivered, gone, redirect, forbidden_address, "
        "status_4xx, status_5xx, or why there was no response).",
        ("subscription", "result"),
    )
    request_seconds = histogram(
        "deliverer_request_seconds", "Time of one request to a webhook receiver.", _SUBSCRIPTION
    )
    delivered = counter("deliverer_delivered", "Events that the receiver has accepted.", _SUBSCRIPTION)
    delivery_age_seconds = histogram(
        "deliverer_delivery_age_seconds",
        "Time from the event's record in Kafka to its delivery.",
        _SUBSCRIPTION,
        SLOW_SECONDS,
    )
    dead_letters = counter(
        "deliverer_dead_letters", "Events that became dead letters of a subscription.", _SUBSCRIPTION
    )
    waiting = gauge(
        "deliverer_waiting",
        "Authorizations whose next event waits, by reason (failed, retry_after, down, stopped and the engine's).",
        ("subscription", "reason"),
    )
    unfinished = gauge("deliverer_unfinished", "Events that were read and are not delivered yet.", _SUBSCRIPTION)
    oldest_unfinished_seconds = gauge(
        "deliverer_oldest_unfinished_seconds",
        "Age of the oldest event that is not delivered; 0 without one.",
        _SUBSCRIPTION,
    )
    lag = gauge("deliverer_lag", "Records of `events` that this process has not finished.", _SUBSCRIPTION)
    partitions_not_running = gauge(
        "deliverer_partitions_not_running", "Partitions of this process that start, fail or are stopped.", _SUBSCRIPTION
    )
    down = gauge("deliverer_down", "1 while the receiver counts as down, else 0.", _SUBSCRIPTION)
    stopped = gauge(
        "deliverer_stopped", "1 while the receiver's 410 has stopped the subscription, else 0.", _SUBSCRIPTION
    )
    subscriptions_reloads = counter(
        "deliverer_subscriptions_reloads",
        "Changes of the subscriptions file (ok, refused).",
        ("result",),
    )

    def forget(self, subscription: str) -> None:
        """Remove the series of a subscription that is no longer in the file."""
        self.remove_series("subscription", subscription)

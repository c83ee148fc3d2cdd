"""The metrics of one subscription (`runtime.metrics.deliverer.DelivererMetrics`)."""

from typing import TYPE_CHECKING

from consumers.deliverer.gate import DeliveryWait
from consumers.engine import HandlerFailure

if TYPE_CHECKING:
    from consumers.deliverer.gate import Gate
    from runtime.admin.answers import SubscriptionState
    from runtime.metrics import DelivererMetrics


class SubscriptionNumbers:
    """Counts and shows the values of one subscription."""

    def __init__(self, metrics: "DelivererMetrics", subscription: str) -> None:
        self._metrics = metrics
        self._name = subscription
        self.total_delivered = 0
        self.total_dead_lettered = 0
        self._request_seconds = metrics.request_seconds.labels(subscription)
        self._delivered = metrics.delivered.labels(subscription)
        self._dead_letters = metrics.dead_letters.labels(subscription)
        self._age_seconds = metrics.delivery_age_seconds.labels(subscription)

    def answered(self, result: str, seconds: float) -> None:
        """Count a request and its time."""
        self._metrics.requests.labels(self._name, result).inc()
        self._request_seconds.observe(seconds)

    def delivered(self, age_seconds: float) -> None:
        """Count an event that the receiver has, and its age."""
        self.total_delivered += 1
        self._delivered.inc()
        self._age_seconds.observe(age_seconds)

    def dead_lettered(self) -> None:
        """Count a dead letter."""
        self.total_dead_lettered += 1
        self._dead_letters.inc()

    def show(self, state: "SubscriptionState", gate: "Gate") -> None:
        """Set the gauges."""
        metrics, name = self._metrics, self._name
        for reason in (*DeliveryWait, *HandlerFailure):
            metrics.waiting.labels(name, reason.value).set(state["waiting"].get(reason.value, 0))
        metrics.unfinished.labels(name).set(state["unfinished"])
        metrics.oldest_unfinished_seconds.labels(name).set(state["oldestSeconds"])
        metrics.lag.labels(name).set(state["lag"])
        metrics.partitions_not_running.labels(name).set(state["partitionsNotRunning"])
        metrics.down.labels(name).set(gate.is_down)
        metrics.stopped.labels(name).set(gate.is_stopped)

    def forget(self) -> None:
        """Remove the subscription's series."""
        self._metrics.forget(self._name)

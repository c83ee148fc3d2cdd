"""Creates metrics in one registry and lists their descriptions, with the buckets that histograms share."""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "collate_gateway_"

FAST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SLOW_SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 86_400.0)
WORK_SECONDS = (60.0, 300.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 28_800.0, 86_400.0, 259_200.0)
COUNTS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0)


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
        self, name: str, description: str, labels: Sequence[str] = (), buckets: Sequence[float] = FAST_SECONDS
    ) -> Histogram:
        """Create a histogram."""
        self._describe(name, "histogram", labels, description)
        return Histogram(PREFIX + name, description, labels, registry=self._registry, buckets=buckets)

    def _describe(self, name: str, kind: str, labels: Sequence[str], description: str) -> None:
        self.described.append(MetricDescription(PREFIX + name, kind, tuple(labels), description))

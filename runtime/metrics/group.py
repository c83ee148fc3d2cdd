"""The declaration of metrics: a metric is an attribute of its group, with its name, its sentence and its labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "collate_gateway_"

FAST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SLOW_SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 86_400.0)
WORK_SECONDS = (60.0, 300.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 28_800.0, 86_400.0, 259_200.0)
COUNTS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0)

AnyMetric = Counter | Gauge | Histogram
Metric_co = TypeVar("Metric_co", bound=AnyMetric, covariant=True)


@dataclass(frozen=True)
class MetricDescription(Generic[Metric_co]):
    """One metric as docs/metrics.md shows it. `create` makes it in a registry."""

    name: str
    kind: str
    labels: tuple[str, ...]
    description: str
    create: Callable[..., Metric_co]

    def __get__(self, group: object, owner: type) -> Metric_co:
        """Give the attribute its type. An instance of the group has the metric itself under this name."""
        raise AttributeError(f"{owner.__name__}: only an instance has {self.name}")


class MetricGroup:
    """The metrics of one subject in one registry. A subclass declares them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        for attribute, description in self._declared().items():
            setattr(self, attribute, description.create(registry=registry))

    @property
    def described(self) -> tuple[MetricDescription[AnyMetric], ...]:
        """The descriptions of the metrics, in the order of their declaration."""
        return tuple(self._declared().values())

    def remove_series(self, label: str, value: str, kinds: Sequence[str] = ("counter", "gauge", "histogram")) -> None:
        """Remove the series with this value from every metric of these kinds that has the label."""
        for attribute, description in self._declared().items():
            if label in description.labels and description.kind in kinds:
                metric: AnyMetric = getattr(self, attribute)
                metric.remove_by_labels({label: value})

    @classmethod
    def _declared(cls) -> dict[str, MetricDescription[AnyMetric]]:
        return {name: one for name, one in vars(cls).items() if isinstance(one, MetricDescription)}


def counter(name: str, description: str, labels: tuple[str, ...] = ()) -> MetricDescription[Counter]:
    """Declare a counter."""
    name = PREFIX + name
    return MetricDescription(
        f"{name}_total", "counter", labels, description, partial(Counter, name, description, labels)
    )


def gauge(name: str, description: str, labels: tuple[str, ...] = ()) -> MetricDescription[Gauge]:
    """Declare a gauge."""
    name = PREFIX + name
    return MetricDescription(name, "gauge", labels, description, partial(Gauge, name, description, labels))


def histogram(
    name: str, description: str, labels: tuple[str, ...] = (), buckets: Sequence[float] = FAST_SECONDS
) -> MetricDescription[Histogram]:
    """Declare a histogram."""
    name = PREFIX + name
    create = partial(Histogram, name, description, labels, buckets=buckets)
    return MetricDescription(name, "histogram", labels, description, create)

"""All metrics of all processes. docs/metrics.md is generated from their descriptions.

Each process and each test creates the metrics in its own registry. A label's values come from a closed set or are
partitions: never an authorization, a text from outside or an error message. One module per subject has its metrics.
"""

from prometheus_client import CollectorRegistry

from runtime.metrics.collate import CollateMetrics
from runtime.metrics.commands import CommandMetrics
from runtime.metrics.console import ConsoleMetrics
from runtime.metrics.deliverer import DelivererMetrics
from runtime.metrics.engine import EngineMetrics
from runtime.metrics.group import AnyMetric, MetricDescription, MetricGroup
from runtime.metrics.ingress import IngressMetrics
from runtime.metrics.people import HandoffStage, PayerLabels, PeopleMetrics, VerdictWhen
from runtime.metrics.process import ProcessMetrics
from runtime.metrics.read_model import ReadModelMetrics


class Metrics:
    """All metrics in one registry; each process uses its part of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.process = ProcessMetrics(registry)
        self.ingress = IngressMetrics(registry)
        self.engine = EngineMetrics(registry)
        self.commands = CommandMetrics(registry)
        self.people = PeopleMetrics(registry)
        self.collate = CollateMetrics(registry)
        self.readmodel = ReadModelMetrics(registry)
        self.deliverer = DelivererMetrics(registry)
        self.console = ConsoleMetrics(registry)

    @property
    def described(self) -> tuple[MetricDescription[AnyMetric], ...]:
        """The descriptions of all metrics."""
        groups: list[MetricGroup] = [*vars(self).values()]
        return tuple(metric for group in groups for metric in group.described)

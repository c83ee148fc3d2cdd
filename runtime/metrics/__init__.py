"""All metrics of all processes. docs/metrics.md is generated from their descriptions.

Each process and each test creates the metrics in its own registry. A label's values come from a closed set or are
partitions: never an authorization, a text from outside or an error message. One module per subject has its metrics.
"""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from runtime.metrics.collate import CollateMetrics, create_collate_metrics
from runtime.metrics.commands import CommandMetrics, create_command_metrics
from runtime.metrics.console import ConsoleMetrics, create_console_metrics
from runtime.metrics.deliverer import DelivererMetrics, create_deliverer_metrics
from runtime.metrics.engine import EngineMetrics, create_engine_metrics
from runtime.metrics.factory import MetricDescription, MetricFactory
from runtime.metrics.ingress import IngressMetrics, create_ingress_metrics
from runtime.metrics.people import HandoffStage, PayerLabels, PeopleMetrics, VerdictWhen, create_people_metrics
from runtime.metrics.process import ProcessMetrics, create_process_metrics
from runtime.metrics.read_model import ReadModelMetrics, create_read_model_metrics

__all__ = [
    "CollateMetrics",
    "CommandMetrics",
    "ConsoleMetrics",
    "DelivererMetrics",
    "EngineMetrics",
    "HandoffStage",
    "IngressMetrics",
    "MetricDescription",
    "MetricFactory",
    "Metrics",
    "PayerLabels",
    "PeopleMetrics",
    "ProcessMetrics",
    "ReadModelMetrics",
    "VerdictWhen",
    "create_engine_metrics",
    "create_metrics",
]


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
        process=create_process_metrics(make),
        ingress=create_ingress_metrics(make),
        engine=create_engine_metrics(make),
        commands=create_command_metrics(make),
        people=create_people_metrics(make),
        collate=create_collate_metrics(make),
        readmodel=create_read_model_metrics(make),
        deliverer=create_deliverer_metrics(make),
        console=create_console_metrics(make),
        described=tuple(make.described),
    )

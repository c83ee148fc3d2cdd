"""Metrics of the console."""

from dataclasses import dataclass

from prometheus_client import Counter, Histogram

from runtime.metrics.factory import MetricFactory


@dataclass(frozen=True, slots=True)
class ConsoleMetrics:
    """Metrics of the console."""

    pages: Counter
    page_seconds: Histogram


def create_console_metrics(make: MetricFactory) -> ConsoleMetrics:
    """Create the metrics of the console."""
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

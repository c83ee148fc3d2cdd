"""Metrics of the console."""

from runtime.metrics.group import MetricGroup, counter, histogram


class ConsoleMetrics(MetricGroup):
    """Metrics of the console."""

    pages = counter(
        "console_pages",
        "Completed requests of the console.",
        ("route", "method", "status"),
    )
    page_seconds = histogram(
        "console_page_seconds", "Time from a request to the end of the console's response.", ("route",)
    )

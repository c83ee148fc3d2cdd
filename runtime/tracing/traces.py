"""The tracing interface of the gateway. OpenTelemetry is used only in `otlp`, which is imported if an endpoint is set.

A span carries only the attributes of `attributes`. It carries no exception text, no `tracestate` and no baggage,
because they may quote a patient. Only the end of the process waits for the collector, with a deadline.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Protocol

from runtime.exits import StartupError
from runtime.metrics import ProcessMetrics
from runtime.settings import TraceSettings
from runtime.tracing.attributes import Attributes, Kind


class TracesUnavailable(StartupError):
    """An endpoint is set, but the packages for tracing are missing."""

    title = "traces"


class Span(Protocol):
    """An open span."""

    @property
    def traceparent(self) -> str:
        """The traceparent by which another process continues this span's trace (W3C Trace Context, 3.2)."""

    def annotate(self, attributes: Attributes) -> None:
        """Add attributes."""

    def rename(self, name: str) -> None:
        """Replace the span's name, for example once the route is known."""

    def link(self, traceparent: str | None) -> None:
        """Link the span of the earlier work that this span repeats or resumes."""

    def fail(self, kind: str) -> None:
        """Mark the span as failed; `kind` is a class name or a slug, never a message."""


class Traces(Protocol):
    """The tracer of one process."""

    def continue_trace(
        self, name: str, kind: Kind, traceparent: str | None, attributes: Attributes, links: Sequence[str | None] = ()
    ) -> AbstractContextManager[Span]:
        """Open a span below the traceparent, or the root of a new trace without a valid one."""

    def child(self, name: str, kind: Kind, attributes: Attributes) -> AbstractContextManager[Span]:
        """Open a child of the current task's span."""

    def finished_child(
        self, name: str, kind: Kind, seconds: float, attributes: Attributes, failed: str | None = None
    ) -> str | None:
        """Record a child of the current task's span that took `seconds` and ends now.

        Returns its traceparent, or None if the task has no span.
        """


@asynccontextmanager
async def open_traces(
    settings: TraceSettings, process: str, environment: str, metrics: ProcessMetrics
) -> AsyncIterator[Traces | None]:
    """Yield a tracer, or None if no endpoint is set. Raises TracesUnavailable if the packages are missing."""
    if settings.endpoint is None:
        yield None
        return
    try:
        from runtime.tracing.otlp import OtelTraces  # noqa: PLC0415 - a process without traces does not load OpenTelemetry
    except ImportError as error:
        raise TracesUnavailable(
            [f"GATEWAY_TRACES__ENDPOINT is set but {error.name} is missing: install collate-gateway[otel], or unset it"]
        ) from error
    traces = OtelTraces(settings, process, environment, metrics)
    try:
        yield traces
    finally:
        await traces.close()

"""Traces as the rest of the gateway sees them. OpenTelemetry itself is in `otlp`, imported where an endpoint is set.

A span carries the names below with values that are words or numbers, and nothing else: no exception's text, no
`tracestate`, no baggage, since all of these may quote a patient. Nothing here ever waits for the collector but the end
of the process, and that has a deadline.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Final, Literal, Protocol

from runtime.exits import StartupError
from runtime.metrics import ProcessMetrics
from runtime.settings import TraceSettings

Attributes = Mapping[str, str | int | None]
Kind = Literal["SERVER", "CLIENT", "PRODUCER", "CONSUMER", "INTERNAL"]

# What a span may carry. The rest is dropped where spans are made, whoever asks for it.
ALLOWED_ATTRIBUTES: Final = frozenset(
    {
        "error.type",
        "gateway.authorization_id",
        "gateway.caller",
        "gateway.cause",
        "gateway.code",
        "gateway.command",
        "gateway.command_id",
        "gateway.event",
        "gateway.handoff_id",
        "gateway.operation",
        "gateway.problem",
        "gateway.redrive",
        "gateway.replayed",
        "gateway.result",
        "gateway.sequence",
        "gateway.tries",
        "gateway.waits_for",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "messaging.destination.name",
        "messaging.destination.partition.id",
        "messaging.kafka.offset",
        "messaging.system",
    }
)

_WORD: Final = re.compile(r"[A-Za-z0-9._:/{}-]{1,200}")


class TracesUnavailable(StartupError):
    """An endpoint is set, and there is nothing to trace with."""

    title = "traces"


class Span(Protocol):
    """One span under way."""

    @property
    def traceparent(self) -> str:
        """What somebody else needs to go on from here."""

    def annotate(self, facts: Attributes) -> None:
        """Add what has become known."""

    def rename(self, name: str) -> None:
        """Give it the name that is known only now."""

    def link(self, traceparent: str | None) -> None:
        """Say which other work this takes up again."""

    def fail(self, kind: str) -> None:
        """Mark it as failed; `kind` is a class's name or a slug, never a message."""


class Traces(Protocol):
    """The tracer of one process, for every task of it."""

    def continue_trace(
        self, name: str, kind: Kind, traceparent: str | None, facts: Attributes, links: Sequence[str | None] = ()
    ) -> AbstractContextManager[Span]:
        """Go on with what somebody else began, or begin; what happens inside becomes its children."""

    def child(self, name: str, kind: Kind, facts: Attributes) -> AbstractContextManager[Span]:
        """Make a part of what is under way in this task."""

    def finished_child(
        self, name: str, kind: Kind, seconds: float, facts: Attributes, failed: str | None = None
    ) -> str | None:
        """Put down what took so long until now, if something is under way in this task; return its traceparent."""


@asynccontextmanager
async def open_traces(
    settings: TraceSettings, process: str, environment: str, metrics: ProcessMetrics
) -> AsyncIterator[Traces | None]:
    """Trace while inside; None where no endpoint is set. Raises TracesUnavailable without the packages."""
    if settings.endpoint is None:
        yield None
        return
    try:
        from runtime.otlp import OtelTraces  # noqa: PLC0415 - who traces nothing pays for none of it
    except ImportError as error:
        raise TracesUnavailable(
            [f"GATEWAY_TRACES__ENDPOINT is set but {error.name} is missing: install collate-gateway[otel], or unset it"]
        ) from error
    traces = OtelTraces(settings, process, environment, metrics)
    try:
        yield traces
    finally:
        await traces.close(settings.timeout.total_seconds())


def allowed_attributes(facts: Attributes) -> dict[str, str | int]:
    """Return what of it a span may carry."""
    return {
        name: str(value) if isinstance(value, str) else value
        for name, value in facts.items()
        if value is not None
        and name in ALLOWED_ATTRIBUTES
        and (not isinstance(value, str) or _WORD.fullmatch(value) is not None)
    }

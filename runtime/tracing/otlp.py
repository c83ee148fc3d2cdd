"""The OpenTelemetry implementation of `traces`, imported only if an endpoint is set.

Spans wait in a bounded queue; a thread sends them. A span is lost if the queue is full or the collector rejects it.
Settings take precedence over OTEL_ variables.
"""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import requests
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from runtime.http_client import is_local
from runtime.logs import get_log
from runtime.metrics import ProcessMetrics
from runtime.settings import TraceSettings
from runtime.tracing.attributes import Attributes, Kind, allowed_attributes
from runtime.tracing.messaging import SCHEMA_URL
from runtime.version import VERSION

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_EVERY_MS: Final = 1_000.0
_BATCH: Final = 512
# Spans that wait to be sent; further spans are lost.
QUEUE: Final = 4_096
# How long the collector may take for one batch, and for the last batch when the process stops.
TIMEOUT_SECONDS: Final = 3.0


class OtelSpan:
    """An open span; see `traces.Span`."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """See `traces.Span`."""
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def annotate(self, attributes: Attributes) -> None:
        """See `traces.Span`."""
        self._span.set_attributes(allowed_attributes(attributes))

    def rename(self, name: str) -> None:
        """See `traces.Span`."""
        self._span.update_name(name)

    def link(self, traceparent: str | None) -> None:
        """See `traces.Span`."""
        context = _parse_traceparent(traceparent)
        if context is not None:
            self._span.add_link(context)

    def fail(self, kind: str) -> None:
        """See `traces.Span`."""
        self._span.set_status(StatusCode.ERROR)
        self.annotate({"error.type": kind})


class Sender(SpanExporter):
    """An exporter that counts sent and lost spans; the queue's thread runs it."""

    def __init__(self, endpoint: str, timeout_seconds: float, metrics: ProcessMetrics) -> None:
        session = requests.Session()
        # Without netrc. The environment's proxy is used only for a collector outside this machine.
        session.trust_env = False
        if not is_local(endpoint):
            session.proxies.update(requests.utils.get_environ_proxies(endpoint))
        self._otlp = OTLPSpanExporter(endpoint=endpoint, timeout=timeout_seconds, session=session, headers={})
        self._sent, self._lost = metrics.spans.labels("sent"), metrics.spans.labels("lost")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch, with retries until the timeout."""
        result = self._otlp.export(spans)
        (self._sent if result is SpanExportResult.SUCCESS else self._lost).inc(len(spans))
        return result

    def shutdown(self) -> None:
        """Stop all retries."""
        self._otlp.shutdown()


class OtelTraces:
    """The tracer of one process; see `traces.Traces`."""

    def __init__(self, settings: TraceSettings, process: str, environment: str, metrics: ProcessMetrics) -> None:
        self._sender = Sender(settings.endpoint or "", TIMEOUT_SECONDS, metrics)
        self._queue = BatchSpanProcessor(
            self._sender,
            max_queue_size=QUEUE,
            schedule_delay_millis=_EVERY_MS,
            max_export_batch_size=min(_BATCH, QUEUE),
            export_timeout_millis=TIMEOUT_SECONDS * 1_000,
        )
        provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.sample)),
            resource=Resource(
                {
                    "service.name": f"collate-gateway-{process}",
                    "service.version": VERSION,
                    "deployment.environment.name": environment,
                }
            ),
            span_limits=SpanLimits(max_span_attributes=32, max_links=8, max_events=0),
            shutdown_on_exit=False,
        )
        provider.add_span_processor(self._queue)
        self._tracer = provider.get_tracer("collate-gateway", VERSION, schema_url=SCHEMA_URL)

    @contextmanager
    def continue_trace(
        self, name: str, kind: Kind, traceparent: str | None, attributes: Attributes, links: Sequence[str | None] = ()
    ) -> Iterator[OtelSpan]:
        """See `traces.Traces`."""
        remote = _parse_traceparent(traceparent)
        # An empty context, because the task's earlier spans are not parents of this span.
        context = Context() if remote is None else trace.set_span_in_context(NonRecordingSpan(remote), Context())
        with self._span(name, kind, context, attributes, links) as span:
            yield span

    @contextmanager
    def child(self, name: str, kind: Kind, attributes: Attributes) -> Iterator[OtelSpan]:
        """See `traces.Traces`."""
        with self._span(name, kind, None, attributes, ()) as span:
            yield span

    def finished_child(
        self, name: str, kind: Kind, seconds: float, attributes: Attributes, failed: str | None = None
    ) -> str | None:
        """See `traces.Traces`."""
        if not trace.get_current_span().is_recording():
            return None
        ended_at = time.time_ns()
        started = self._tracer.start_span(
            name,
            kind=SpanKind[kind],
            start_time=ended_at - int(seconds * 1e9),
            attributes=allowed_attributes(attributes),
        )
        span = OtelSpan(started)
        if failed is not None:
            span.fail(failed)
        started.end(end_time=ended_at)
        return span.traceparent

    @contextmanager
    def _span(
        self, name: str, kind: Kind, context: Context | None, attributes: Attributes, links: Sequence[str | None]
    ) -> Iterator[OtelSpan]:
        span_links = [Link(linked) for link in links if (linked := _parse_traceparent(link)) is not None]
        with self._tracer.start_as_current_span(
            name,
            context=context,
            kind=SpanKind[kind],
            attributes=allowed_attributes(attributes),
            links=span_links,
            # An exception's message may quote PHI.
            record_exception=False,
            set_status_on_exception=False,
        ) as started:
            span = OtelSpan(started)
            try:
                yield span
            except BaseException as error:
                span.fail(type(error).__name__)
                raise

    async def close(self) -> None:
        """Send the remaining spans within the timeout; spans that the collector has not accepted by then are lost."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def end() -> None:
            self._queue.shutdown()
            # After the deadline the loop may be closed.
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

        # A daemon thread, so that a collector that hangs does not delay the exit of the process.
        threading.Thread(target=end, name="traces-end", daemon=True).start()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await done.wait()
        except TimeoutError:
            self._sender.shutdown()
            get_log().warning("process.traces_dropped", seconds=TIMEOUT_SECONDS)


def _parse_traceparent(traceparent: str | None) -> SpanContext | None:
    """Parse a traceparent; return None if it is invalid."""
    carrier = {} if traceparent is None else {"traceparent": traceparent}
    context = trace.get_current_span(_PROPAGATOR.extract(carrier, Context())).get_span_context()
    return context if context.is_valid else None

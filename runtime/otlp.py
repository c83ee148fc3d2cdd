"""OpenTelemetry behind `traces`: tracer, queue and sender. Imported only where an endpoint is set.

Spans wait in a bounded queue for a thread that sends them; what finds the queue full is lost, what the collector does
not take is counted as lost. Reads no OTEL_ variable that a setting of ours decides, asks no proxy.
"""

import asyncio
import re
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
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags

from runtime.logs import get_log
from runtime.metrics import ProcessMetrics
from runtime.settings import TraceSettings
from runtime.traces import Attributes, Kind, allowed_attributes
from runtime.version import VERSION

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_EVERY_MS: Final = 1_000.0
_BATCH: Final = 512
# Sampled, and (level 2) that the id is random; the other bits are nobody's yet.
_KNOWN_FLAGS: Final = 0x03


class OtelSpan:
    """One span under way; see `traces.Span`."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """Return what somebody else needs to go on from here (W3C, section 3.2)."""
        at = self._span.get_span_context()
        return f"00-{at.trace_id:032x}-{at.span_id:016x}-{at.trace_flags:02x}"

    def annotate(self, facts: Attributes) -> None:
        """Add what has become known."""
        self._span.set_attributes(allowed_attributes(facts))

    def rename(self, name: str) -> None:
        """Give it the name that is known only now."""
        self._span.update_name(name)

    def link(self, traceparent: str | None) -> None:
        """Say which other work this takes up again."""
        at = _context_of(traceparent)
        if at is not None:
            self._span.add_link(at)

    def fail(self, kind: str) -> None:
        """Mark it as failed; `kind` is a class's name or a slug, never a message."""
        self._span.set_status(StatusCode.ERROR)
        self.annotate({"error.type": kind})


class Sender(SpanExporter):
    """Sends batches, in the queue's thread, and counts what became of them."""

    def __init__(self, endpoint: str, timeout_seconds: float, metrics: ProcessMetrics) -> None:
        session = requests.Session()
        session.trust_env = False
        self._otlp = OTLPSpanExporter(endpoint=endpoint, timeout=timeout_seconds, session=session, headers={})
        self._sent, self._lost = metrics.spans.labels("sent"), metrics.spans.labels("lost")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; it is tried again until its timeout."""
        result = self._otlp.export(spans)
        (self._sent if result is SpanExportResult.SUCCESS else self._lost).inc(len(spans))
        return result

    def shutdown(self) -> None:
        """Try nothing again from now on."""
        self._otlp.shutdown()


class OtelTraces:
    """The tracer of one process; see `traces.Traces`."""

    def __init__(self, settings: TraceSettings, process: str, environment: str, metrics: ProcessMetrics) -> None:
        timeout_seconds = settings.timeout.total_seconds()
        self._sender = Sender(settings.endpoint or "", timeout_seconds, metrics)
        self._queue = BatchSpanProcessor(
            self._sender,
            max_queue_size=settings.queue,
            schedule_delay_millis=_EVERY_MS,
            max_export_batch_size=min(_BATCH, settings.queue),
            export_timeout_millis=timeout_seconds * 1_000,
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
        self._tracer = provider.get_tracer("collate-gateway", VERSION)

    @contextmanager
    def continue_trace(
        self, name: str, kind: Kind, traceparent: str | None, facts: Attributes, links: Sequence[str | None] = ()
    ) -> Iterator[OtelSpan]:
        """Go on with what somebody else began, or begin; what happens inside becomes its children."""
        at = _context_of(traceparent)
        # From an empty context and not the task's: what the task did before is not what this is a part of.
        context = Context() if at is None else trace.set_span_in_context(NonRecordingSpan(at), Context())
        with self._span(name, kind, context, facts, links) as span:
            yield span

    @contextmanager
    def child(self, name: str, kind: Kind, facts: Attributes) -> Iterator[OtelSpan]:
        """Make a part of what is under way in this task."""
        with self._span(name, kind, None, facts, ()) as span:
            yield span

    def finished_child(
        self, name: str, kind: Kind, seconds: float, facts: Attributes, failed: str | None = None
    ) -> str | None:
        """Put down what took so long until now, if something is under way in this task; return its traceparent."""
        if not trace.get_current_span().is_recording():
            return None
        ended = time.time_ns()
        began = ended - int(seconds * 1e9)
        made = self._tracer.start_span(
            name, kind=SpanKind[kind], start_time=began, attributes=allowed_attributes(facts)
        )
        span = OtelSpan(made)
        if failed is not None:
            span.fail(failed)
        made.end(end_time=ended)
        return span.traceparent

    @contextmanager
    def _span(
        self, name: str, kind: Kind, context: Context | None, facts: Attributes, links: Sequence[str | None]
    ) -> Iterator[OtelSpan]:
        linked = [Link(at) for one in links if (at := _context_of(one)) is not None]
        with self._tracer.start_as_current_span(
            name,
            context=context,
            kind=SpanKind[kind],
            attributes=allowed_attributes(facts),
            links=linked,
            # An exception's message may quote anything.
            record_exception=False,
            set_status_on_exception=False,
        ) as started:
            span = OtelSpan(started)
            try:
                yield span
            except BaseException as error:
                span.fail(type(error).__name__)
                raise

    async def close(self, seconds: float) -> None:
        """Send what is left, within the deadline; what the collector has not taken by then is lost."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def end() -> None:
            self._queue.shutdown()
            # After the deadline nobody listens any more, and the loop may be gone.
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

        # A thread that nobody waits for at the exit: a collector that hangs must not hold the process.
        threading.Thread(target=end, name="traces-end", daemon=True).start()
        try:
            async with asyncio.timeout(seconds):
                await done.wait()
        except TimeoutError:
            self._sender.shutdown()
            get_log().warning("traces cut short", seconds=seconds)


def _context_of(traceparent: str | None) -> SpanContext | None:
    """Read a traceparent; None for one that can't be read. Whatever version: the first four fields are these."""
    found = None if traceparent is None else _TRACEPARENT.fullmatch(traceparent)
    if found is None or found[1] == "ff":
        return None
    flags = TraceFlags(int(found[4], 16) & _KNOWN_FLAGS)
    at = SpanContext(int(found[2], 16), int(found[3], 16), is_remote=True, trace_flags=flags)
    return at if at.is_valid else None

"""Traces with a local collector: no cost when off, only allowed attributes, and no waiting."""

import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from consumers.engine import Done, Output, Record
from consumers.tracing import TracedHandler
from gateway.ingress.api_http.context import RequestContext
from gateway.ingress.tracing import RequestSpans
from gateway.middleware.layers import RequestIds
from gateway.middleware.methods import METHODS
from local.processes.patience import slowness
from runtime.metrics import Metrics
from runtime.settings import TraceSettings
from runtime.tracing import otlp
from runtime.tracing.attributes import ALLOWED_ATTRIBUTES, allowed_attributes
from runtime.tracing.messaging import SCHEMA_URL
from runtime.tracing.traces import TracesUnavailable, open_traces
from schemas.topics import catalogue
from tests.system.collector import collecting

SECRET = "Jane Roe"
CALLERS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"


@pytest.fixture
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def tracing(collector, registry):
    metrics = Metrics(registry).process

    def tracing(**settings):
        return open_traces(TraceSettings(**({"endpoint": collector.url} | settings)), "worker", "test", metrics)

    return tracing


def test_without_traces_opentelemetry_is_not_imported():
    program = (
        "import sys, gateway.ingress.main, consumers.worker\n"
        "assert not [name for name in sys.modules if name.startswith(('opentelemetry', 'google.protobuf', 'requests'))]"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


async def test_an_endpoint_without_the_packages_is_a_startup_error_with_a_remedy(tracing, monkeypatch):
    monkeypatch.setitem(sys.modules, "runtime.tracing.otlp", None)
    with pytest.raises(TracesUnavailable) as refused:
        await tracing().__aenter__()
    assert "collate-gateway[otel]" in str(refused.value)


def test_a_span_carries_only_known_names_with_words_or_numbers():
    assert "gateway.caller" in ALLOWED_ATTRIBUTES
    assert allowed_attributes({"gateway.caller": "intake", "gateway.tries": 3}) == {
        "gateway.caller": "intake",
        "gateway.tries": 3,
    }
    assert (
        allowed_attributes(
            {"operator.notes": "x", "gateway.code": SECRET, "gateway.problem": None, "gateway.cause": ""}
        )
        == {}
    )


async def test_a_span_contains_only_the_class_of_an_exception(tracing, collector):
    async with tracing() as traces:

        def fail():
            with traces.continue_trace("turn", "CONSUMER", None, {"gateway.caller": SECRET}) as span:
                span.annotate({"gateway.code": SECRET})
                with traces.child("part", "INTERNAL", {}):
                    raise ValueError(SECRET)

        with pytest.raises(ValueError, match=SECRET):
            fail()
    part, turn = collector.spans
    assert [one.facts for one in (part, turn)] == [{"error.type": "ValueError"}] * 2
    assert part.has_failed
    assert part.parent == turn.id
    assert SECRET.encode() not in b"".join(collector.raw)


@pytest.mark.parametrize(
    ("traceparent", "goes_on", "is_sent"),
    [
        (f"{CALLERS}-01", True, True),
        (f"{CALLERS}-00", True, False),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", False, True),
        ("ff" + CALLERS[2:] + "-01", False, True),
        (SECRET, False, True),
        (None, False, True),
    ],
)
async def test_a_span_continues_the_callers_trace_and_its_sampling_decision(
    tracing, collector, traceparent, goes_on, is_sent
):
    async with tracing() as traces:
        with traces.continue_trace("request", "SERVER", traceparent, {}, links=(f"{CALLERS}-01", SECRET)) as span:
            handed_on = span.traceparent
            assert (traces.finished_child("call", "CLIENT", 0.5, {}) is not None) == is_sent
        assert traces.finished_child("call", "CLIENT", 0.5, {}) is None, "no span is open here"
    assert (handed_on[3:35] == CALLERS[3:35]) == goes_on
    assert (int(handed_on[-2:], 16) & 1 == 1) == is_sent
    assert len(collector.spans) == (2 if is_sent else 0)
    for request in collector.named("request"):
        assert request.links == [(CALLERS[3:35], CALLERS[36:])]
        (call,) = collector.children_of(request)
        assert call.span.end_time_unix_nano - call.span.start_time_unix_nano == 500_000_000


@pytest.mark.parametrize(
    ("method", "label"), [*((method, method) for method in METHODS), ("PROPFIND", "other"), ("get", "other")]
)
async def test_the_span_of_a_request_has_the_method_of_the_metrics(tracing, collector, method, label):
    async def respond(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})

    async def ignore(_message):
        pass

    scope = {"type": "http", "method": method, "headers": [(b"traceparent", f"{CALLERS}-01".encode())]}
    async with tracing() as traces:
        await RequestIds(RequestSpans(respond, traces), RequestContext)(scope, None, ignore)
    (span,) = collector.spans
    assert (span.name, span.facts["http.request.method"]) == (f"{label} unmatched", label)
    assert span.span.trace_id.hex() == CALLERS[3:35]


async def test_a_collector_that_hangs_delays_nothing_and_its_spans_are_lost(tracing, collector, monkeypatch):
    monkeypatch.setattr(otlp, "QUEUE", 16)
    monkeypatch.setattr(otlp, "TIMEOUT_SECONDS", 0.3)
    collector.open.clear()
    async with tracing() as traces:
        for number in range(1_000):
            with traces.continue_trace(f"request {number}", "SERVER", None, {}):
                pass
        began = time.monotonic()
    assert time.monotonic() - began < 30 * slowness(), "closing has a deadline"
    collector.open.set()
    assert len(collector.spans) < 1_000


async def test_a_span_has_the_messaging_attributes_of_one_version_of_the_conventions(tracing, collector):
    class Finishing:
        async def on_record(self, invocation, record):
            return Done(outputs=(Output("test.events", b"auth_1", b"{}", ()),))

    record = Record(partition=3, offset=128, key=b"auth_1", value=b"{}", headers=(), timestamp=0.0)
    async with tracing() as traces:
        handler = TracedHandler(Finishing(), traces, catalogue("test."))
        await handler.on_record(SimpleNamespace(key=record.key, tries=0), record)
    spans = {span.name: span for span in collector.spans}
    names = ("system", "operation.name", "operation.type", "destination.name")
    shown = {name: tuple(span.facts[f"messaging.{one}"] for one in names) for name, span in spans.items()}
    assert shown == {
        "process commands": ("kafka", "process", "process", "test.commands"),
        "create events": ("kafka", "create", "create", "test.events"),
    }
    process = spans["process commands"].facts
    assert (process["messaging.destination.partition.id"], process["messaging.kafka.offset"]) == ("3", 128)
    assert all(SCHEMA_URL.encode() in raw for raw in collector.raw)


async def test_a_traced_result_keeps_its_calls_for_the_commit(tracing):
    kept = []

    class Checkpointing:
        async def on_record(self, invocation, record):
            await invocation.checkpoint(b"state", (), (kept.clear,))
            return Done(on_commit=(kept.copy,))

    async def checkpoint(state, outputs, on_commit):
        kept.extend(on_commit)

    record = Record(partition=0, offset=1, key=b"auth_1", value=b"{}", headers=(), timestamp=0.0)
    async with tracing() as traces:
        handler = TracedHandler(Checkpointing(), traces, catalogue("test."))
        result = await handler.on_record(SimpleNamespace(key=record.key, tries=0, checkpoint=checkpoint), record)
    assert (kept, result.on_commit) == ([kept.clear], (kept.copy,))

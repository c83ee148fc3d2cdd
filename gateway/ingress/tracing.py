"""Tracing of the ingress: a span per request and a span per appended record. Used only if traces are on."""

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.ingress.api_http.context import context_of
from gateway.ingress.api_http.request import traceparent
from gateway.ingress.commands.appending import Appended, Headers, NotAppended, RecordAppender
from gateway.middleware.exchange import route_label
from gateway.middleware.methods import method_label
from runtime.tracing.messaging import messaging
from runtime.tracing.traces import Traces

_SHOWN_FIELDS = ("authorization_id", "command", "command_id", "handoff_id", "problem")


class RequestSpans:
    """Middleware with a span per request, as a child of the caller's span. Its attributes are those of the log line."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        self.app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        method, context = method_label(scope), context_of(scope)
        with self._traces.continue_trace(
            method, "SERVER", traceparent(context), {"http.request.method": method}
        ) as span:
            await self.app(scope, receive, send)
            route = route_label(scope)
            status, fields = context.status or 499, context.log_fields
            span.rename(f"{method} {route}")
            span.annotate({"http.response.status_code": status, "http.route": route, "gateway.caller": context.caller})
            span.annotate({f"gateway.{name}": fields.get(name) for name in _SHOWN_FIELDS})
            span.annotate({"gateway.replayed": "true" if fields.get("replayed") else None})
            span.link(context.trace_link)
            if status >= 500:
                span.fail(str(status))


class TracedPublisher:
    """A publisher with a span per record. The record carries the span's traceparent, which the worker continues."""

    def __init__(self, publisher: RecordAppender, traces: Traces, topic: str) -> None:
        self._publisher = publisher
        self._traces = traces
        self._topic = topic

    @property
    def is_up(self) -> bool:
        """Whether Kafka accepts records now."""
        return self._publisher.is_up

    async def append(self, partition: int, key: bytes, value: bytes, headers: Headers) -> Appended | NotAppended:
        """Write one record within a span."""
        with self._traces.child("send commands", "PRODUCER", messaging("send", self._topic, partition)) as span:
            others = tuple(header for header in headers if header[0] != "traceparent")
            traced = (*others, ("traceparent", span.traceparent.encode()))
            result = await self._publisher.append(partition, key, value, traced)
            if isinstance(result, Appended):
                span.annotate({"messaging.kafka.offset": result.offset})
            else:
                span.fail(result.reason)
            return result

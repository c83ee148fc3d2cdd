"""Ingress with traces on: the edge and the publisher, each with a span around it. Not there where traces are off."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.ingress.commands.publisher import Appended, Appends, Headers, NotAppended
from gateway.ingress.http.exchange import Exchange
from runtime.traces import Attributes, Traces

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SHOWN = ("authorization_id", "command", "command_id", "handoff_id", "problem")


class TracedRequests:
    """A span per request, under the caller's; its name and facts are those of the log line."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        self._app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        status = 499

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method = scope["method"] if scope["method"] in _METHODS else "other"
        with self._traces.continue_trace(
            method, "SERVER", _traceparent(scope), {"http.request.method": method}
        ) as span:
            await self._app(scope, receive, noting)
            exchange: Exchange | None = scope.get("exchange")
            span.annotate({"http.response.status_code": status})
            if exchange is not None:
                facts = exchange.facts
                span.rename(f"{method} {facts.route}")
                span.annotate({"http.route": facts.route, "gateway.caller": facts.caller} | _shown(exchange))
                span.link(facts.continues)
            if status >= 500:
                span.fail(str(status))


class TracedAppends:
    """A span per record; the record carries it, so that the worker goes on from there."""

    def __init__(self, publisher: Appends, traces: Traces, topic: str) -> None:
        self._publisher = publisher
        self._traces = traces
        self._topic = topic

    @property
    def is_up(self) -> bool:
        """Whether a record may be offered now."""
        return self._publisher.is_up

    async def append(self, partition: int, key: bytes, value: bytes, headers: Headers) -> Appended | NotAppended:
        """Write one record under the span of its request."""
        facts: Attributes = {
            "messaging.system": "kafka",
            "messaging.destination.name": self._topic,
            "messaging.destination.partition.id": str(partition),
        }
        with self._traces.child("publish commands", "PRODUCER", facts) as span:
            others = tuple(header for header in headers if header[0] != "traceparent")
            carried = (*others, ("traceparent", span.traceparent.encode()))
            written = await self._publisher.append(partition, key, value, carried)
            if isinstance(written, Appended):
                span.annotate({"messaging.kafka.offset": written.offset})
            else:
                span.fail(written.reason)
            return written


def _shown(exchange: Exchange) -> dict[str, str | int | None]:
    fields = exchange.facts.fields
    shown: dict[str, str | int | None] = {f"gateway.{name}": fields.get(name) for name in _SHOWN}
    shown["gateway.replayed"] = "true" if fields.get("replayed") else None
    return shown


def _traceparent(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return str(value, "latin-1")
    return None

"""Traces of the worker's handler: a span for each invocation on a record, below the request that wrote the record.

Each span links to the previous invocation on the same record, and each event carries a span of its invocation. The
wrapped handler does not know of traces. Observations belong to no request and have no span.
"""

from collections import OrderedDict
from contextlib import AbstractContextManager

from consumers.engine import Done, Handler, Invocation, OnCommit, Output, PartitionView, Record, RetryAt, Turn
from runtime.tracing.attributes import Attributes
from runtime.tracing.messaging import messaging
from runtime.tracing.traces import Span, Traces
from schemas.commands import COMMANDS
from schemas.fields.scalars import is_command_id, is_id
from schemas.topics import Topics

_MOST_WAITING = 10_000


class TracedHandler:
    """A handler that traces another handler."""

    def __init__(self, handler: Handler, traces: Traces, topics: Topics) -> None:
        self._handler = handler
        self._traces = traces
        self._commands = topics.commands.name
        self._events = topics.events.name
        self._spans: OrderedDict[tuple[int, int], str] = OrderedDict()

    async def on_record(self, invocation: Invocation, record: Record) -> Done | RetryAt:
        """Handle a record within a span."""
        headers = dict(record.headers)
        position = record.partition, record.offset
        before = self._spans.pop(position, None)
        attributes = self._attributes(invocation, record, headers)
        parent = _text(headers, "traceparent")
        with self._traces.continue_trace("process commands", "CONSUMER", parent, attributes, (before,)) as span:
            self._spans[position] = span.traceparent
            if len(self._spans) > _MOST_WAITING:
                self._spans.popitem(last=False)
            result = await self._handler.on_record(_TracedInvocation(invocation, self), record)
            if isinstance(result, RetryAt):
                span.annotate({"gateway.waits_for": result.reason.value})
                return result
            self._spans.pop(position, None)  # the bound may have dropped it
            return result._replace(outputs=self.with_spans(result.outputs))

    async def on_timer(self, invocation: Invocation) -> Done | RetryAt:
        """Observe without a span: no request caused it."""
        return await self._handler.on_timer(invocation)

    def checkpoint_span(self) -> AbstractContextManager[Span]:
        """Return the span of a checkpoint."""
        return self._traces.child("checkpoint", "INTERNAL", messaging("commit"))

    def with_spans(self, outputs: tuple[Output, ...]) -> tuple[Output, ...]:
        """Return the outputs; each event has a span and carries its traceparent."""
        return tuple(self._event(output) if output.topic == self._events else output for output in outputs)

    def _event(self, output: Output) -> Output:
        headers = dict(output.headers)
        attributes: Attributes = {
            **messaging("create", self._events),
            "gateway.event": _text(headers, "ce_type"),
            "gateway.sequence": (_text(headers, "ce_sequence") or "").lstrip("0") or None,
        }
        # The event is created here and becomes visible with the transaction that finishes the input record.
        traceparent = self._traces.finished_child("create events", "PRODUCER", 0.0, attributes)
        if traceparent is None:
            return output
        others = tuple(header for header in output.headers if header[0] != "traceparent")
        return output._replace(headers=(*others, ("traceparent", traceparent.encode())))

    def _attributes(self, invocation: Invocation, record: Record, headers: dict[str, bytes]) -> Attributes:
        command, command_id, key = _text(headers, "ce_type"), _text(headers, "ce_id"), record.key.decode("latin-1")
        redrive = _text(headers, "ce_redrive")
        return {
            **messaging("process", self._commands, record.partition, record.offset),
            # A record may contain anything: only values of our own form are shown.
            "gateway.command": command if command in COMMANDS else "unrecognised",
            "gateway.command_id": command_id if command_id is not None and is_command_id(command_id) else None,
            "gateway.authorization_id": key if is_id(key) else None,
            "gateway.redrive": redrive if redrive is not None and redrive.isdigit() else None,
            "gateway.tries": invocation.tries,
        }


class _TracedInvocation:
    """An invocation with spans for its checkpoints and their events."""

    __slots__ = ("_handler", "_invocation")

    def __init__(self, invocation: Invocation, handler: TracedHandler) -> None:
        self._invocation = invocation
        self._handler = handler

    @property
    def key(self) -> bytes:
        return self._invocation.key

    @property
    def state(self) -> bytes | None:
        return self._invocation.state

    @property
    def now(self) -> float:
        return self._invocation.now

    @property
    def steady(self) -> float:
        return self._invocation.steady

    @property
    def timer_at(self) -> float | None:
        return self._invocation.timer_at

    @property
    def since(self) -> float:
        return self._invocation.since

    @property
    def turn(self) -> Turn:
        return self._invocation.turn

    @property
    def tries(self) -> int:
        return self._invocation.tries

    @property
    def partition(self) -> PartitionView:
        return self._invocation.partition

    @property
    def failures(self) -> int:
        return self._invocation.failures

    async def checkpoint(self, state: bytes, outputs: tuple[Output, ...] = (), on_commit: OnCommit = ()) -> None:
        with self._handler.checkpoint_span():
            await self._invocation.checkpoint(state, self._handler.with_spans(outputs), on_commit)

    async def ensure_owned(self) -> None:
        await self._invocation.ensure_owned()


def _text(headers: dict[str, bytes], name: str) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")

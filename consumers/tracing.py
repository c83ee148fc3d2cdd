"""The worker's lane with traces on: a span per turn on a record, under the request that wrote it.

Each turn links to the one before it on the same record, and each event carries a span of its turn. Nothing in the lane
knows of this, and where traces are off it is not there. Observations belong to no request and have no span.
"""

from collections import OrderedDict
from contextlib import AbstractContextManager

from consumers.engine import Done, Handler, Invocation, Output, Record, RetryAt
from runtime.traces import Attributes, Span, Traces
from schemas.commands import COMMANDS
from schemas.field_types import is_command_id, is_id
from schemas.topics import Topics

_MOST_WAITING = 10_000


class TracedHandler:
    """See the module."""

    def __init__(self, lane: Handler, traces: Traces, topics: Topics) -> None:
        self._lane = lane
        self._traces = traces
        self._commands = topics.commands.name
        self._events = topics.events.name
        self._turns: OrderedDict[tuple[int, int], str] = OrderedDict()

    async def on_record(self, turn: Invocation, record: Record) -> Done | RetryAt:
        """Take a turn."""
        headers = dict(record.headers)
        place = record.partition, record.offset
        before = self._turns.pop(place, None)
        facts = self._facts(turn, record, headers)
        parent = _text(headers, "traceparent")
        with self._traces.continue_trace("process commands", "CONSUMER", parent, facts, (before,)) as span:
            self._turns[place] = span.traceparent
            if len(self._turns) > _MOST_WAITING:
                self._turns.popitem(last=False)
            answer = await self._lane.on_record(_TracedInvocation(turn, self), record)
            if isinstance(answer, RetryAt):
                span.annotate({"gateway.waits_for": answer.reason.value})
                return answer
            self._turns.pop(place, None)  # the bound may have dropped it meanwhile
            return answer._replace(outputs=self.carried(answer.outputs))

    async def on_timer(self, turn: Invocation) -> Done | RetryAt:
        """Observe: nobody's request."""
        return await self._lane.on_timer(turn)

    def checkpointing(self) -> AbstractContextManager[Span]:
        """Show how long a commit in the middle of a turn takes."""
        return self._traces.child("checkpoint", "INTERNAL", {"messaging.system": "kafka"})

    def carried(self, outputs: tuple[Output, ...]) -> tuple[Output, ...]:
        """Give every event a span, and have it carry that."""
        return tuple(self._event(output) if output.topic == self._events else output for output in outputs)

    def _event(self, output: Output) -> Output:
        headers = dict(output.headers)
        facts: Attributes = {
            "messaging.system": "kafka",
            "messaging.destination.name": self._events,
            "gateway.event": _text(headers, "ce_type"),
            "gateway.sequence": _text(headers, "ce_sequence"),
        }
        # The record is made here; it becomes visible with the transaction that also moves the input's offset.
        traceparent = self._traces.finished_child("create events", "PRODUCER", 0.0, facts)
        if traceparent is None:
            return output
        others = tuple(header for header in output.headers if header[0] != "traceparent")
        return output._replace(headers=(*others, ("traceparent", traceparent.encode())))

    def _facts(self, turn: Invocation, record: Record, headers: dict[str, bytes]) -> Attributes:
        command, command_id, key = _text(headers, "ce_type"), _text(headers, "ce_id"), record.key.decode("latin-1")
        redrive = _text(headers, "ce_redrive")
        return {
            "messaging.system": "kafka",
            "messaging.destination.name": self._commands,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            # A record may be anything: what is no word of ours is not shown.
            "gateway.command": command if command in COMMANDS else "unrecognised",
            "gateway.command_id": command_id if command_id is not None and is_command_id(command_id) else None,
            "gateway.authorization_id": key if is_id(key) else None,
            "gateway.redrive": redrive if redrive is not None and redrive.isdigit() else None,
            "gateway.tries": turn.tries,
        }


class _TracedInvocation:
    """A turn whose checkpoints and their events are shown."""

    __slots__ = ("_lane", "_turn")

    def __init__(self, turn: Invocation, lane: TracedHandler) -> None:
        self._turn = turn
        self._lane = lane

    @property
    def key(self) -> bytes:
        return self._turn.key

    @property
    def state(self) -> bytes | None:
        return self._turn.state

    @property
    def now(self) -> float:
        return self._turn.now

    @property
    def timer_at(self) -> float | None:
        return self._turn.timer_at

    @property
    def since(self) -> float:
        return self._turn.since

    @property
    def tries(self) -> int:
        return self._turn.tries

    @property
    def failures(self) -> int:
        return self._turn.failures

    async def checkpoint(self, state: bytes, outputs: tuple[Output, ...] = ()) -> None:
        with self._lane.checkpointing():
            await self._turn.checkpoint(state, self._lane.carried(outputs))

    async def ensure_owned(self) -> None:
        await self._turn.ensure_owned()


def _text(headers: dict[str, bytes], name: str) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")

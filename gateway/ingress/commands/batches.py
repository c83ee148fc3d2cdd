"""A batch of commands: `POST /v1/commands` with a JSON batch of CloudEvents.

Each event is a command of its own: its source and id are its key, as in structured mode, and it needs its own
permission. So a batch may be sent again after any failure, whole or in parts.
    order       events of one authorization are appended one after the other, others at the same time
    failure     after an event with status 503, later events of its authorization are not sent
    rate        an event counts as a request; the events above the rate get status 429
    bound       an event above the bound of the caller's unfinished commands, or unknown authorizations, gets status
                429; later events of its authorization as after a failure
    memory      few batches are served at a time, because a batch is larger than other bodies
"""

import asyncio
from collections import Counter
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.ingress.api_http.api_problems import (
    InvalidCommand,
    TooManyInFlight,
    TooManyRequests,
    TooManyUnfinished,
    TooManyUnknown,
)
from gateway.ingress.api_http.body import UnfinishedBodies
from gateway.ingress.api_http.context import RequestContext, context_of
from gateway.ingress.api_http.request import traceparent
from gateway.ingress.api_http.strict_json import read_array
from gateway.ingress.auth.callers import Caller
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.auth.signed_commands import SignedCommands, is_signed
from gateway.ingress.commands.accepted_command import AcceptedCommand
from gateway.ingress.commands.envelopes import (
    command_of,
    command_type_of,
    read_member,
    require_utf8,
)
from gateway.ingress.commands.responses import CommandReceipt, accepted, location_of
from gateway.ingress.commands.service import CommandService
from runtime.http_server.port_problems import BodyTooLarge, Overloaded, Unavailable
from runtime.http_server.problem import Fault, Problem
from runtime.metrics import IngressMetrics
from schemas.api.messages import MOST_BATCH_EVENTS, BatchedCommand, BatchedCommands, ProblemDetails
from schemas.api.operation import JSON
from schemas.callers import pool_of
from schemas.cloudevents import BATCH
from schemas.permissions import COMMAND_PERMISSIONS

MAX_BATCHES: Final = 8
MAX_BATCHES_PER_CALLER: Final = 2
RESULTS: Final = ("accepted", "replayed", "rejected", "rate", "unfinished", "unknown", "unavailable")
# So many events are parsed before other requests get the processor.
_EVENTS_PER_TURN = 10

_Result = CommandReceipt | Problem


class CommandBatches:
    """Accepts batches."""

    def __init__(
        self,
        access: AccessControl,
        signed: SignedCommands,
        service: CommandService,
        metrics: IngressMetrics,
        bodies: UnfinishedBodies,
        *,
        max_event_bytes: int,
        seconds: float,
    ) -> None:
        """`max_event_bytes`: the bound of one event's data. `seconds`: the time to append a batch."""
        self._access = access
        self._signed = signed
        self._service = service
        self._metrics = metrics
        self._max_event_bytes = max_event_bytes
        self._seconds = seconds
        self._places = BatchPlaces(metrics, bodies)
        for result in RESULTS:
            metrics.batch_events.labels(result)

    async def accept(self, request: Request) -> Response:
        """Answer 207 with a result for each event."""
        context = context_of(request.scope)
        if is_signed(context):
            request.scope["user"], signed_body, _ = await self._signed.read(request, BATCH)
            caller = self._access.identify(request)
        else:
            caller, signed_body = self._access.admit(request), None
        self._places.take(caller.name, context)
        require_utf8(context.headers.get(b"content-type", b"").decode("latin-1"))
        events = read_array(await request.body() if signed_body is None else signed_body)
        if len(events) > MOST_BATCH_EVENTS:
            raise InvalidCommand(
                f"Send at most {MOST_BATCH_EVENTS} events in one batch. No command was accepted.",
                faults=(Fault(f"at most {MOST_BATCH_EVENTS} events", pointer=""),),
            )
        context.deadline.extend(self._seconds)
        results = await self._commands(caller, events)
        await self._append(context, results)
        return self._response(context, caller, results)

    async def _commands(self, caller: Caller, events: list[Any]) -> "list[AcceptedCommand | _Result]":
        """Return the command of each event, or its problem."""
        # The request itself has taken the place of the first event in the caller's rate.
        more, wait = self._access.take_more(caller, max(0, len(events) - 1))
        results: list[AcceptedCommand | _Result] = []
        for index, event in enumerate(events):
            if index % _EVENTS_PER_TURN == _EVENTS_PER_TURN - 1:
                await asyncio.sleep(0)
            try:
                if index > more:
                    raise TooManyRequests(
                        "The command was not accepted. Please send this event again later.",
                        retry_after_seconds=wait,
                    )
                results.append(self._command(caller, event, f"/{index}"))
            except Problem as problem:
                results.append(problem)
        return results

    def _command(self, caller: Caller, event: Any, pointer: str) -> AcceptedCommand:
        envelope = read_member(event, pointer)
        command_type = command_type_of(envelope, pointer)
        self._access.require(caller, COMMAND_PERMISSIONS[command_type])
        if len(envelope.data or b"") > self._max_event_bytes:
            raise BodyTooLarge(f"Send at most {self._max_event_bytes} bytes of data in one event.")
        return command_of(caller, envelope, command_type, pointer)

    async def _append(self, context: RequestContext, results: "list[AcceptedCommand | _Result]") -> None:
        """Replace each command by its receipt or problem."""
        trace = traceparent(context)
        by_authorization: dict[str, list[tuple[int, AcceptedCommand]]] = {}
        for index, command in enumerate(results):
            if isinstance(command, AcceptedCommand):
                by_authorization.setdefault(command.authorization_id, []).append((index, command))

        async def append_in_order(commands: list[tuple[int, AcceptedCommand]]) -> None:
            is_blocked = False
            for index, command in commands:
                try:
                    if is_blocked:
                        raise Unavailable(
                            "The command was not accepted, because an earlier event of its authorization was not. "
                            "Send both again, in the same order.",
                            retry_after_seconds=1,
                            members={"kept": "no"},
                        )
                    results[index] = await self._service.append(command, trace, {})
                except Problem as problem:
                    results[index] = problem
                    is_blocked = is_blocked or isinstance(problem, Unavailable | TooManyUnfinished | TooManyUnknown)

        async with asyncio.TaskGroup() as tasks:
            for commands in by_authorization.values():
                tasks.create_task(append_in_order(commands))

    def _response(
        self, context: RequestContext, caller: Caller, results: "list[AcceptedCommand | _Result]"
    ) -> Response:
        answers, slugs, is_of_replica = list[BatchedCommand](), Counter[str](), False
        for index, result in enumerate(results):
            match result:
                case CommandReceipt():
                    self._metrics.batch_events.labels("replayed" if result.is_replay else "accepted").inc()
                    answers.append(_accepted(index, result))
                case Problem():
                    slugs[result.slug] += 1
                    is_of_replica = is_of_replica or result.is_of_replica
                    self._metrics.batch_events.labels(_kind(result)).inc()
                    wait = result.headers().get("retry-after")
                    answers.append(_rejected(index, result, int(wait) if wait else None, context.request_id))
        context.log_fields |= {"events": len(results), "accepted": len(results) - slugs.total()} | (
            {"problems": dict(slugs)} if slugs else {}
        )
        retry_after = max((answer.retry_after or 0 for answer in answers), default=0)
        extra = {"retry-after": str(retry_after)} if retry_after else {}
        if is_of_replica:
            extra["connection"] = "close"
        pace = self._service.pace(caller.name)
        body = BatchedCommands.model_construct(
            results=answers, unfinished=pace.unfinished, ended_per_second=round(pace.ended_per_second, 3)
        )
        return Response(body.to_json(), 207, extra, media_type=JSON)


class BatchPlaces:
    """The places of batches: `MAX_BATCHES` in all, `MAX_BATCHES_PER_CALLER` of one caller."""

    def __init__(self, metrics: IngressMetrics, bodies: UnfinishedBodies) -> None:
        self._metrics = metrics
        self._bodies = bodies
        self._holders: dict[int, str] = {}

    def take(self, caller: str, context: RequestContext) -> None:
        """Take a place until the response starts, before the body is read. Raises TooManyInFlight and Overloaded.

        Where a bound is full, the slowest batch whose body is unfinished ends. People of a prefix count as one caller.
        """
        pool, holders = pool_of(caller), self._holders
        if [*holders.values()].count(pool) >= MAX_BATCHES_PER_CALLER and not self._bodies.evict(
            "slow_bodies", lambda other: holders.get(id(other)) == pool
        ):
            self._metrics.shed.labels("caller_batches").inc()
            raise TooManyInFlight("Wait for the response to a batch before you send more.", retry_after_seconds=1)
        if len(holders) >= MAX_BATCHES and not self._bodies.evict("slow_bodies", lambda other: id(other) in holders):
            self._metrics.shed.labels("batches").inc()
            raise Overloaded("Please send the batch again in a few seconds.", retry_after_seconds=1)
        holders[id(context)] = pool
        context.on_release.append(partial(holders.__delitem__, id(context)))


def _kind(problem: Problem) -> str:
    if isinstance(problem, TooManyRequests):
        return "rate"
    if isinstance(problem, TooManyUnfinished):
        return "unfinished"
    if isinstance(problem, TooManyUnknown):
        return "unknown"
    return "unavailable" if problem.status >= 500 else "rejected"


def _accepted(index: int, receipt: CommandReceipt) -> BatchedCommand:
    return BatchedCommand.model_construct(
        index=index,
        status=202,
        command=accepted(receipt),
        replayed=True if receipt.is_replay else None,
        location=location_of(receipt),
    )


def _rejected(index: int, problem: Problem, retry_after: int | None, request_id: str) -> BatchedCommand:
    details = ProblemDetails.from_record(problem.body(request_id))
    return BatchedCommand.model_construct(index=index, status=problem.status, retry_after=retry_after, problem=details)

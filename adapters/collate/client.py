"""The gateway's calls to Collate. Each returns a value of `answers`; no fault of Collate is raised.

One call is at most one attempt; nothing is retried here:

    ticket from the budget ─▶ send ─▶ parse the response ─▶ release the ticket ─▶ metrics, one log line

The caller decides the write's number n, idempotency key, If-Match and body (intent before effect). A setting limits the
operations that send the key.
"""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

import httpx

from adapters.collate.answers import Ambiguous, Answered, Deferred, HoldReason, NotSent, Refused, Result
from adapters.collate.budget import Bounds, Budget, Call, CallSignal, Priority
from adapters.collate.call_queue import CallQueue
from adapters.collate.concurrency import collate_seconds
from adapters.collate.credentials import ApiKey
from adapters.collate.http.proxy import ProxyTunnel
from adapters.collate.http.transport import CollateTransport
from adapters.collate.operations import CLOSES, Operation, path_of
from adapters.collate.operations import if_match as as_entity_tag
from adapters.collate.response_parser import read
from adapters.collate.response_parser import unless as parse_unless
from adapters.http.connection import Limits, NoResponse
from runtime.logs import line_writer
from runtime.metrics import CollateMetrics
from runtime.settings import CollateSettings
from runtime.tracing.traces import Traces
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import AccessGrant, CloseAnswer, ManualHandoff
from schemas.collate.payer_evidence import AuthorizationEvidence

Model = TypeVar("Model")
Ids = dict[str, str]
Close = Literal[
    Operation.COMPLETE, Operation.UNABLE_TO_COMPLETE, Operation.REVOKE, "complete", "unable-to-complete", "revoke"
]

_NO_KEY_SECONDS: Final = 5.0
_MOST_WAITING: Final = 1_024
_CLASSES: Final = {Answered: "answered", Refused: "refused", Ambiguous: "ambiguous", NotSent: "not_sent"}
_ABANDONED: Final = "abandoned"
_KEYED: Final = {
    "all": CLOSES | {Operation.MINT_GRANT, Operation.CREATE_HANDOFF},
    "create_only": frozenset({Operation.CREATE_HANDOFF}),
    "none": frozenset[Operation](),
}
_LOGGED: Final = ("cause", "status", "proxy_status", "code", "request_id")
_PRIORITIES: Final = {priority: priority.name.lower() for priority in Priority}


class CollateClient:
    """A client with one call budget: create one per process. Use as an async context manager."""

    def __init__(
        self,
        transport: CollateTransport,
        key: ApiKey,
        queue: CallQueue,
        metrics: CollateMetrics,
        *,
        traces: Traces | None = None,
        send_idempotency_key: Literal["all", "create_only", "none"] = "all",
        unix: Callable[[], float] = time.time,
        environment: str | None = None,
    ) -> None:
        """`environment` is for the log: Collate's support asks for it."""
        self._transport = transport
        self._key = key
        self._queue = queue
        self._traces = traces
        kinds = (*_CLASSES.values(), _ABANDONED)
        self._attempts = {
            (operation, kind): metrics.attempts.labels(operation.value, kind)
            for operation in Operation
            for kind in kinds
        }
        self._seconds = {operation: metrics.attempt_seconds.labels(operation.value) for operation in Operation}
        self._keyed = _KEYED[send_idempotency_key]
        self._unix = unix
        self._has_called = False
        self._lead: dict[str, Any] = {} if environment is None else {"environment": environment}
        self._write_info = line_writer("collate.attempt")
        self._write_warning = line_writer("collate.attempt", "warning")

    async def __aenter__(self) -> Self:
        """Open nothing: connections open when they are needed."""
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        """Defer waiting calls and close every connection; a call under way ends as ambiguous."""
        self._queue.close()
        await self._transport.aclose()

    @property
    def trouble(self) -> HoldReason | None:
        """The reason that defers calls now, for health; None if there is none."""
        return HoldReason.CREDENTIALS if self._key.key is None and self._has_called else self._queue.budget.trouble

    async def get_authorization(
        self, authorization_id: str, *, priority: Priority = Priority.COMMAND, caller: str = ""
    ) -> Result[PriorAuthorization]:
        """Read an authorization. `caller`, here and below: whose live call it is."""
        return await self._call(
            Operation.GET_AUTHORIZATION,
            priority,
            authorization_id,
            parse=PriorAuthorization.from_wire,
            belongs=lambda it: it.id == authorization_id,
            caller=caller,
        )

    async def get_payer_evidence(
        self, authorization_id: str, *, priority: Priority = Priority.LIVE, caller: str = ""
    ) -> Result[AuthorizationEvidence]:
        """Read an authorization with the payer's receipt and decision: PHI."""
        return await self._call(
            Operation.GET_AUTHORIZATION,
            priority,
            authorization_id,
            parse=AuthorizationEvidence.from_wire,
            belongs=lambda it: it.id == authorization_id,
            caller=caller,
        )

    async def get_handoff(
        self, authorization_id: str, handoff_id: str, *, priority: Priority = Priority.COMMAND, caller: str = ""
    ) -> Result[ManualHandoff]:
        """Read a handoff."""
        return await self._call(
            Operation.GET_HANDOFF,
            priority,
            authorization_id,
            handoff_id,
            parse=ManualHandoff.from_wire,
            belongs=lambda it: it.id == handoff_id and it.prior_authorization_id in (None, authorization_id),
            caller=caller,
        )

    async def reread_authorization(
        self, authorization_id: str, *, unless: bytes, priority: Priority
    ) -> Result[PriorAuthorization | None]:
        """Read an authorization again. A body with the digest `unless` is not decoded: the model is None."""
        return await self._call(
            Operation.GET_AUTHORIZATION,
            priority,
            authorization_id,
            parse=parse_unless(unless, PriorAuthorization.from_wire),
            belongs=lambda it: it is None or it.id == authorization_id,
        )

    async def reread_handoff(
        self, authorization_id: str, handoff_id: str, *, unless: bytes, priority: Priority
    ) -> Result[ManualHandoff | None]:
        """Read a handoff again. A body with the digest `unless` is not decoded: the model is None."""
        return await self._call(
            Operation.GET_HANDOFF,
            priority,
            authorization_id,
            handoff_id,
            parse=parse_unless(unless, ManualHandoff.from_wire),
            belongs=lambda it: (
                it is None or (it.id == handoff_id and it.prior_authorization_id in (None, authorization_id))
            ),
        )

    async def create_handoff(
        self, authorization_id: str, *, if_match: int, key: str, body: bytes, priority: Priority = Priority.COMMAND
    ) -> Result[ManualHandoff]:
        """Create a handoff. `if_match` is the authorization's version.

        Collate may return a handoff that is already active (docs/collate-contract.md §5.1).
        """
        return await self._call(
            Operation.CREATE_HANDOFF,
            priority,
            authorization_id,
            parse=ManualHandoff.from_wire,
            belongs=lambda it: it.prior_authorization_id in (None, authorization_id),
            version=if_match,
            key=key,
            body=body,
        )

    async def close_handoff(
        self,
        authorization_id: str,
        handoff_id: str,
        operation: Close,
        *,
        if_match: int,
        key: str,
        body: bytes,
        priority: Priority = Priority.COMMAND,
    ) -> Result[CloseAnswer]:
        """Close a handoff in one of the three ways. `if_match` comes from `operations.close_version`."""
        return await self._call(
            Operation(operation),
            priority,
            authorization_id,
            handoff_id,
            parse=CloseAnswer.from_wire,
            belongs=lambda it: it.manual_handoff_id == handoff_id and it.authorization.id == authorization_id,
            version=if_match,
            key=key,
            body=body,
        )

    async def mint_grant(
        self, authorization_id: str, handoff_id: str, *, key: str, priority: Priority = Priority.LIVE, caller: str = ""
    ) -> Result[AccessGrant]:
        """Mint an access grant. Its id and url exist only in the model's secret fields."""
        return await self._call(
            Operation.MINT_GRANT,
            priority,
            authorization_id,
            handoff_id,
            parse=AccessGrant.from_wire,
            belongs=lambda _: True,
            key=key,
            body=b"",
            keep_body=False,
            caller=caller,
        )

    async def health(self) -> Result[None]:
        """Read /health, without the API key and without budget."""
        began = time.monotonic()
        response = await self._send(self._transport.build_request("GET", path_of(Operation.HEALTH)))
        result, _ = read(response, lambda _: None, lambda _: True, keep_body=False, now=self._unix())
        self._record(Operation.HEALTH, {}, result, time.monotonic() - began)
        return result

    async def _call(
        self,
        operation: Operation,
        priority: Priority,
        authorization_id: str,
        handoff_id: str = "",
        *,
        parse: Callable[[bytes], Model],
        belongs: Callable[[Model], bool],
        version: int | None = None,
        key: str | None = None,
        body: bytes | None = None,
        keep_body: bool = True,
        caller: str = "",
    ) -> Result[Model]:
        path = path_of(operation, authorization_id, handoff_id)
        # An observation reads the authorization first, then its handoff.
        continues = priority is Priority.OBSERVATION and operation is Operation.GET_HANDOFF
        call = Call(priority, operation.writes, authorization_id, caller, continues)
        ids: Ids = {"authorization_id": authorization_id, "priority": _PRIORITIES[priority]}
        if handoff_id:
            ids["handoff_id"] = handoff_id
        if self._key.refresh():
            self._queue.key_changed()
        self._has_called = True
        if self._key.key is None:
            return Deferred(_NO_KEY_SECONDS, HoldReason.CREDENTIALS)
        ticket = await self._queue.take(call)
        if isinstance(ticket, Deferred):
            return ticket
        headers = [("Authorization", f"Bearer {self._key.key.get_secret_value()}")]
        if version is not None:
            headers.append(("If-Match", as_entity_tag(version)))
        if key is not None and operation in self._keyed:
            headers.append(("Idempotency-Key", key))
        began = time.monotonic()
        try:
            request = self._transport.build_request("POST" if call.writes else "GET", path, headers, body)
            response = await self._send(request)
        except BaseException:
            self._queue.abandon(ticket)
            self._record(operation, ids, None, time.monotonic() - began)
            raise
        seconds = time.monotonic() - began
        about = (authorization_id, handoff_id) if handoff_id else (authorization_id,)
        result, signal = read(response, parse, belongs, keep_body=keep_body, now=self._unix(), about=about)
        retry_after = result.retry_after_seconds if isinstance(result, Refused | Ambiguous) else None
        self._queue.done(ticket, signal, collate_seconds(seconds, _own_delay(response)), retry_after)
        if isinstance(result, Refused) and signal in {CallSignal.KEY_REFUSED, CallSignal.FORBIDDEN}:
            result = replace(result, suspended=self._queue.suspends(call))
        self._record(operation, ids, result, seconds)
        return result

    async def _send(self, request: httpx.Request) -> httpx.Response | NoResponse:
        try:
            return await self._transport.handle_async_request(request)
        except NoResponse as failure:
            return failure

    def _record(self, operation: Operation, ids: Ids, result: Result[Model] | None, seconds: float) -> None:
        kind = _CLASSES.get(type(result), _ABANDONED)
        self._attempts[operation, kind].inc()
        self._seconds[operation].observe(seconds)
        line: dict[str, Any] = {"operation": operation.value, "result": kind, "seconds": round(seconds, 4), **ids}
        line |= self._lead
        for name in _LOGGED:
            if (value := getattr(result, name, None)) is not None:
                line[name] = value
        if isinstance(result, Answered):
            line |= _shown(result.model)
        if fields := _unread_fields(result):
            line["fields"] = fields
        if self._traces is not None:
            self._traces.finished_child(
                f"collate {operation.value}",
                "CLIENT",
                seconds,
                {
                    "gateway.operation": operation.value,
                    "gateway.result": kind,
                    "gateway.authorization_id": ids.get("authorization_id"),
                    "gateway.handoff_id": ids.get("handoff_id"),
                    "gateway.cause": line.get("cause"),
                    "gateway.code": line.get("code"),
                    "http.response.status_code": line.get("status"),
                },
                failed=None if kind == "answered" else kind,
            )
        is_expected = isinstance(result, Answered | Refused) and "fields" not in line
        write = self._write_info if is_expected else self._write_warning
        write(line)


def _shown(model: object) -> dict[str, Any]:
    """Return the words and versions of a response that Collate's support asks for (docs/collate-contract.md §10)."""
    match model:
        case PriorAuthorization():
            action = model.next_action.type if model.next_action else None
            return {"version": model.version, "authorization_status": model.status, "action": action}
        case ManualHandoff():
            return {"handoff_version": model.version, "handoff_state": model.state}
        case CloseAnswer():
            shown = model.authorization
            return {"version": shown.version, "authorization_status": shown.status, "handoff_state": model.state}
        case None:
            return {"unchanged": True}
        case _:
            return {}


def _unread_fields(result: Result[Model] | None) -> tuple[str, ...]:
    if isinstance(result, Answered) and isinstance(result.model, PriorAuthorization):
        return result.model.unread_fields
    return result.fields if isinstance(result, Ambiguous) else ()


def _own_delay(response: httpx.Response | NoResponse) -> float:
    if isinstance(response, NoResponse):
        return response.own_delay_seconds
    seconds: float = response.extensions["own_delay_seconds"]
    return seconds


def open_client(
    settings: CollateSettings,
    metrics: CollateMetrics,
    traces: Traces | None = None,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    environment: str | None = None,
) -> CollateClient:
    """Build the client of a process. Rate and concurrency are the settings' divided by max_replicas."""
    bounds = Bounds(
        per_second=settings.calls_per_second / settings.max_replicas,
        concurrency=max(1, settings.concurrency // settings.max_replicas),
        live_share=settings.live_share,
        failures=settings.breaker_failures,
        open_seconds=settings.breaker_open.total_seconds(),
        ramp_seconds=settings.ramp_up.total_seconds(),
    )
    queue = CallQueue(
        Budget(bounds, monotonic(), random.random),
        live_wait_seconds=settings.turn_timeout.total_seconds(),
        most_waiting=_MOST_WAITING,
        metrics=metrics,
        monotonic=monotonic,
    )
    return CollateClient(
        open_transport(settings),
        ApiKey(settings.api_key_file),
        queue,
        metrics,
        traces=traces,
        send_idempotency_key=settings.send_idempotency_key,
        environment=environment,
    )


def open_transport(settings: CollateSettings) -> CollateTransport:
    """Build the transport to Collate, through the proxy if there is one."""
    limits = Limits(
        connect_seconds=settings.connect_timeout.total_seconds(),
        write_seconds=settings.write_timeout.total_seconds(),
        read_seconds=settings.read_timeout.total_seconds(),
        total_seconds=settings.total_timeout.total_seconds(),
        max_body=settings.max_response,
    )
    proxy = None if settings.proxy is None else ProxyTunnel(settings.proxy, settings.proxy_credentials_file)
    return CollateTransport(settings.base_url, limits, ca_file=settings.ca_file, proxy=proxy)

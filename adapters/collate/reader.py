"""The gateway's reads of Collate. Each returns a value of `answers`; no fault of Collate is raised.

One call is at most one attempt; nothing is retried here:

    ticket from the budget ─▶ send ─▶ parse the response ─▶ release the ticket ─▶ metrics, one log line

Invariant: a `CollateReader` sends GET and no body, for every operation. A shadow has no other client (decision 0026).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Final, Self, TypeVar

import httpx

from adapters.collate.answers import Ambiguous, Deferred, Refused, Result
from adapters.collate.attempt_report import AttemptReport, Ids
from adapters.collate.call_policy.calls import Call, CallSignal, Priority
from adapters.collate.call_queue import CallQueue
from adapters.collate.credentials import ApiKey
from adapters.collate.operations import Operation, path_of
from adapters.collate.response_parser import read
from adapters.collate.response_parser import unless as parse_unless
from adapters.collate.transport import CollateTransport
from adapters.http_connection.connection import NoResponse
from runtime.metrics import CollateMetrics
from runtime.tracing.traces import Traces
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import ManualHandoff
from schemas.collate.payer_evidence import AuthorizationEvidence
from schemas.events.wait_reasons import HoldReason

Model = TypeVar("Model")

_NO_KEY_SECONDS: Final = 5.0
_PRIORITIES: Final = {priority: priority.name.lower() for priority in Priority}


class CollateReader:
    """A client that only reads, with one call budget: create one per process. Use as an async context manager."""

    def __init__(
        self,
        transport: CollateTransport,
        key: ApiKey,
        queue: CallQueue,
        metrics: CollateMetrics,
        *,
        traces: Traces | None = None,
        unix: Callable[[], float] = time.time,
        environment: str | None = None,
    ) -> None:
        """`environment` is for the log: Collate's support asks for it."""
        self._transport = transport
        self._key = key
        self._queue = queue
        self._report = AttemptReport(metrics, traces, environment)
        self._unix = unix
        self._has_called = False

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
        if self._key.key is None and self._has_called:
            return HoldReason.CREDENTIALS
        return self._queue.budget.breakers.trouble

    @property
    def is_away(self) -> bool:
        """Whether calls are deferred now because Collate does not answer."""
        now = time.monotonic()
        return any(breaker.retry_at(now) is not None for breaker in self._queue.budget.breakers.faults)

    async def get_authorization(
        self, authorization_id: str, *, priority: Priority = Priority.COMMAND, caller: str = ""
    ) -> Result[PriorAuthorization]:
        """Read an authorization. `caller`, here and below: whose live call or command it is."""
        return await self._call(
            Operation.GET_AUTHORIZATION,
            priority,
            authorization_id,
            parse=PriorAuthorization.from_wire,
            belongs=lambda it: it.id == authorization_id,
            caller=caller,
        )

    async def get_payer_evidence(self, authorization_id: str, *, caller: str = "") -> Result[AuthorizationEvidence]:
        """Read an authorization with the payer's receipt and decision, live: PHI."""
        return await self._call(
            Operation.GET_AUTHORIZATION,
            Priority.LIVE,
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

    async def health(self) -> Result[None]:
        """Read /health, without the API key and without budget."""
        began = time.monotonic()
        response = await self._send(Operation.HEALTH, path_of(Operation.HEALTH))
        result, _ = read(response, lambda _: None, lambda _: True, keep_body=False, now=self._unix())
        self._report.record(Operation.HEALTH, {}, result, time.monotonic() - began)
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
        sent: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        keep_body: bool = True,
        caller: str = "",
    ) -> Result[Model]:
        """Make one call. `sent`: its headers beside the key."""
        path = path_of(operation, authorization_id, handoff_id)
        call = Call(priority, operation.writes, authorization_id, caller)
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
        headers = [("Authorization", f"Bearer {self._key.key.get_secret_value()}"), *sent]
        began = time.monotonic()
        try:
            response = await self._send(operation, path, headers, body)
        except BaseException:
            self._queue.abandon(ticket)
            self._report.record(operation, ids, None, time.monotonic() - began)
            raise
        seconds = time.monotonic() - began
        about = (authorization_id, handoff_id) if handoff_id else (authorization_id,)
        result, signal = read(response, parse, belongs, keep_body=keep_body, now=self._unix(), about=about)
        retry_after = result.retry_after_seconds if isinstance(result, Refused | Ambiguous) else None
        self._queue.done(ticket, signal, seconds, retry_after)
        if isinstance(result, Refused) and signal in {CallSignal.KEY_REFUSED, CallSignal.FORBIDDEN}:
            result = replace(result, suspended=self._queue.suspends(call))
        self._report.record(operation, ids, result, seconds)
        return result

    async def _send(
        self, operation: Operation, path: str, headers: Sequence[tuple[str, str]] = (), body: bytes | None = None
    ) -> httpx.Response | NoResponse:
        sent_at = self._unix()
        try:
            response = await self._request(operation, path, headers, body)
        except NoResponse as failure:
            return failure
        self._report.compare_clocks(response.headers.get("date"), sent_at, self._unix())
        return response

    async def _request(
        self,
        _operation: Operation,
        path: str,
        headers: Sequence[tuple[str, str]],
        _body: bytes | None,
    ) -> httpx.Response:
        """Send a read, for every operation. Only `CollateClient` replaces it. Raises NoResponse."""
        return await self._transport.call("GET", path, headers)

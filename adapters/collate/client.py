"""The gateway's calls to Collate: the reads of `reader`, and the writes. Only this module sends a write.

The caller decides the write's number n, idempotency key, If-Match and body (intent before effect). A setting limits the
operations that send the key.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final, Literal

import httpx

from adapters.collate.answers import Result
from adapters.collate.call_policy.calls import Priority
from adapters.collate.call_queue import CallQueue
from adapters.collate.credentials import ApiKey
from adapters.collate.operations import CLOSES, Operation
from adapters.collate.operations import if_match as as_entity_tag
from adapters.collate.reader import CollateReader
from adapters.collate.transport import CollateTransport
from runtime.metrics import CollateMetrics
from runtime.tracing.traces import Traces
from schemas.collate.handoff import AccessGrant, CloseAnswer, ManualHandoff

SentKeys = Literal["all", "create_only", "none"]

_KEYED: Final = {
    "all": CLOSES | {Operation.MINT_GRANT, Operation.CREATE_HANDOFF},
    "create_only": frozenset({Operation.CREATE_HANDOFF}),
    "none": frozenset[Operation](),
}


class CollateClient(CollateReader):
    """A client that reads and writes."""

    def __init__(
        self,
        transport: CollateTransport,
        key: ApiKey,
        queue: CallQueue,
        metrics: CollateMetrics,
        *,
        traces: Traces | None = None,
        send_idempotency_key: SentKeys = "all",
        unix: Callable[[], float] = time.time,
        environment: str | None = None,
    ) -> None:
        super().__init__(transport, key, queue, metrics, traces=traces, unix=unix, environment=environment)
        self._keyed = _KEYED[send_idempotency_key]

    async def create_handoff(
        self, authorization_id: str, *, if_match: int, key: str, body: bytes, caller: str = ""
    ) -> Result[ManualHandoff]:
        """Create a handoff. `if_match` is the authorization's version.

        Collate may return a handoff that is already active (docs/collate-contract.md §5.1).
        """
        return await self._call(
            Operation.CREATE_HANDOFF,
            Priority.URGENT,
            authorization_id,
            parse=ManualHandoff.from_wire,
            belongs=lambda it: it.prior_authorization_id in (None, authorization_id),
            sent=self._write_headers(Operation.CREATE_HANDOFF, key, if_match),
            body=body,
            caller=caller,
        )

    async def close_handoff(
        self,
        authorization_id: str,
        handoff_id: str,
        operation: Operation,
        *,
        if_match: int,
        key: str,
        body: bytes,
        caller: str = "",
    ) -> Result[CloseAnswer]:
        """Close a handoff by an operation of `CLOSES`. `if_match` comes from `operations.close_version`."""
        return await self._call(
            operation,
            Priority.URGENT,
            authorization_id,
            handoff_id,
            parse=CloseAnswer.from_wire,
            belongs=lambda it: it.manual_handoff_id == handoff_id and it.authorization.id == authorization_id,
            sent=self._write_headers(operation, key, if_match),
            body=body,
            caller=caller,
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
            sent=self._write_headers(Operation.MINT_GRANT, key),
            body=b"",
            keep_body=False,
            caller=caller,
        )

    def _write_headers(self, operation: Operation, key: str, version: int | None = None) -> list[tuple[str, str]]:
        precondition = [] if version is None else [("If-Match", as_entity_tag(version))]
        return [*precondition, ("Idempotency-Key", key)] if operation in self._keyed else precondition

    async def _request(
        self, operation: Operation, path: str, headers: Sequence[tuple[str, str]], body: bytes | None
    ) -> httpx.Response:
        if operation.writes:
            return await self._transport.call("POST", path, headers, body)
        return await super()._request(operation, path, headers, None)

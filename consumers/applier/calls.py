"""The applier's calls to Collate, and the wrapper that records each call as an attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from adapters.collate.answers import Deferred
from adapters.collate.operations import Operation
from consumers.applier.attempts import Attempts, to_attempt
from consumers.authorization.observation import AuthorizationReads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapters.collate.answers import Result
    from adapters.collate.client import Close
    from schemas.collate.authorization import PriorAuthorization
    from schemas.collate.handoff import CloseAnswer, ManualHandoff

    Model = TypeVar("Model")


class CollateCalls(AuthorizationReads, Protocol):
    """The calls of the applier: no grants, no live sessions."""

    async def create_handoff(
        self, authorization_id: str, *, if_match: int, key: str, body: bytes
    ) -> Result[ManualHandoff]:
        """Create a handoff."""
        ...

    async def close_handoff(
        self, authorization_id: str, handoff_id: str, operation: Close, *, if_match: int, key: str, body: bytes
    ) -> Result[CloseAnswer]:
        """Close a handoff."""
        ...


class RecordedCalls:
    """Calls to Collate that record their attempts; `n` is the number of the current write, `now` is Unix seconds."""

    def __init__(
        self, collate: CollateCalls, attempts: Attempts, n: Callable[[], int | None], now: Callable[[], float]
    ) -> None:
        self._collate = collate
        self._attempts = attempts
        self._n = n
        self._now = now

    async def get_authorization(self, authorization_id: str) -> Result[PriorAuthorization]:
        """Read an authorization."""
        return await self._record(Operation.GET_AUTHORIZATION, self._collate.get_authorization(authorization_id))

    async def get_handoff(self, authorization_id: str, handoff_id: str) -> Result[ManualHandoff]:
        """Read a handoff."""
        return await self._record(Operation.GET_HANDOFF, self._collate.get_handoff(authorization_id, handoff_id))

    async def create_handoff(
        self, authorization_id: str, *, if_match: int, key: str, body: bytes
    ) -> Result[ManualHandoff]:
        """Create a handoff."""
        call = self._collate.create_handoff(authorization_id, if_match=if_match, key=key, body=body)
        return await self._record(Operation.CREATE_HANDOFF, call)

    async def close_handoff(
        self, authorization_id: str, handoff_id: str, operation: Close, *, if_match: int, key: str, body: bytes
    ) -> Result[CloseAnswer]:
        """Close a handoff."""
        call = self._collate.close_handoff(
            authorization_id, handoff_id, operation, if_match=if_match, key=key, body=body
        )
        return await self._record(Operation(operation), call)

    async def _record(self, operation: Operation, call: Awaitable[Result[Model]]) -> Result[Model]:
        began = self._now()
        result = await call
        if not isinstance(result, Deferred):
            n = self._n() if operation.writes else None
            self._attempts.add(to_attempt(operation, result, n, began, self._now()))
        return result

"""The methods that send commands, and the live calls of an operator's session."""

from collections.abc import Mapping
from typing import Any, Literal, cast, overload

from collate_gateway_client import models, operations
from collate_gateway_client.asynchronous.sender import AsyncSender
from collate_gateway_client.calls import Call, Times, event, time_text
from collate_gateway_client.grants import AccessGrant
from collate_gateway_client.results import CloseResult

_Stored = models.CommandAccepted | models.CommandOutcome


class AsyncCommands:
    """The methods that change something. Each has an Idempotency-Key: `key`, or a new one."""

    _sender: AsyncSender

    @overload
    async def request_handoff(
        self,
        authorization_id: str,
        *,
        accepted_review_snapshot_id: str | None = ...,
        accepted_by: str | None = ...,
        requested_by: str | None = ...,
        expires_at: Times = ...,
        due_at: Times = ...,
        metadata: Mapping[str, str] | None = ...,
        key: str | None = ...,
        wait: None = ...,
    ) -> models.CommandAccepted: ...
    @overload
    async def request_handoff(
        self,
        authorization_id: str,
        *,
        accepted_review_snapshot_id: str | None = ...,
        accepted_by: str | None = ...,
        requested_by: str | None = ...,
        expires_at: Times = ...,
        due_at: Times = ...,
        metadata: Mapping[str, str] | None = ...,
        key: str | None = ...,
        wait: float,
    ) -> models.CommandOutcome: ...
    async def request_handoff(
        self,
        authorization_id: str,
        *,
        accepted_review_snapshot_id: str | None = None,
        accepted_by: str | None = None,
        requested_by: str | None = None,
        expires_at: Times = None,
        due_at: Times = None,
        metadata: Mapping[str, str] | None = None,
        key: str | None = None,
        wait: float | None = None,
    ) -> _Stored:
        """Request a manual handoff."""
        body = {
            "acceptedReviewSnapshotId": accepted_review_snapshot_id,
            "acceptedBy": accepted_by,
            "requestedBy": requested_by,
            "expiresAt": time_text(expires_at),
            "dueAt": time_text(due_at),
            "metadata": metadata,
        }
        call = operations.request_handoff(authorization_id, cast("models.HandoffRequest", body), key)
        return await self._command(call, wait)

    @overload
    async def close_handoff(
        self,
        authorization_id: str,
        handoff_id: str,
        result: CloseResult,
        *,
        reported_by: str | None = ...,
        take_over: bool | None = ...,
        expires_at: Times = ...,
        metadata: Mapping[str, str] | None = ...,
        key: str | None = ...,
        wait: None = ...,
    ) -> models.CommandAccepted: ...
    @overload
    async def close_handoff(
        self,
        authorization_id: str,
        handoff_id: str,
        result: CloseResult,
        *,
        reported_by: str | None = ...,
        take_over: bool | None = ...,
        expires_at: Times = ...,
        metadata: Mapping[str, str] | None = ...,
        key: str | None = ...,
        wait: float,
    ) -> models.CommandOutcome: ...
    async def close_handoff(
        self,
        authorization_id: str,
        handoff_id: str,
        result: CloseResult,
        *,
        reported_by: str | None = None,
        take_over: bool | None = None,
        expires_at: Times = None,
        metadata: Mapping[str, str] | None = None,
        key: str | None = None,
        wait: float | None = None,
    ) -> _Stored:
        """Close a handoff with the operator's report, a result of `collate_gateway_client.results`."""
        body = {
            "result": result,
            "reportedBy": reported_by,
            "takeOver": take_over,
            "expiresAt": time_text(expires_at),
            "metadata": metadata,
        }
        call = operations.close_handoff(authorization_id, handoff_id, cast("models.HandoffCloseBody", body), key)
        return await self._command(call, wait)

    @overload
    async def watch(
        self,
        authorization_id: str,
        *,
        due_at: Times = ...,
        metadata: Mapping[str, str] | None = ...,
        key: str | None = ...,
        wait: None = ...,
    ) -> models.CommandAccepted: ...
    @overload
    async def watch(
        self,
        authorization_id: str,
        *,
        due_at: Times = ...,
        metadata: Mapping[str, str] | None = ...,
        key: str | None = ...,
        wait: float,
    ) -> models.CommandOutcome: ...
    async def watch(
        self,
        authorization_id: str,
        *,
        due_at: Times = None,
        metadata: Mapping[str, str] | None = None,
        key: str | None = None,
        wait: float | None = None,
    ) -> _Stored:
        """Watch an authorization until it settles."""
        body = cast("models.AuthorizationWatch", {"dueAt": time_text(due_at), "metadata": metadata})
        return await self._command(operations.watch_authorization(authorization_id, body, key), wait)

    async def send_event(
        self,
        kind: str,
        authorization_id: str,
        data: Mapping[str, Any],
        *,
        source: str,
        event_id: str | None = None,
        wait: float | None = None,
    ) -> _Stored:
        """Send a command as a CloudEvent; `source` and `event_id` are its key. A Signer can send this only."""
        return await self._command(event(kind, authorization_id, data, source=source, event_id=event_id), wait)

    async def access_grant(
        self,
        authorization_id: str,
        handoff_id: str = "active",
        *,
        operator: str | None = None,
        take_over: bool | None = None,
        claim_check: Literal["required"] | None = None,
        key: str | None = None,
    ) -> AccessGrant:
        """Return a link into the live payer session. The same `key` returns the same link for a while."""
        body = cast("models.AccessGrantBody", {"operator": operator, "takeOver": take_over, "claimCheck": claim_check})
        answer = await self._sender.send(operations.create_access_grant(authorization_id, handoff_id, body, key))
        return AccessGrant.of(answer.body)

    async def release_handoff(self, authorization_id: str, handoff_id: str) -> models.ReleaseAccepted:
        """Give back a claimed handoff. For people, with their own token."""
        return (await self._sender.send(operations.release_handoff(authorization_id, handoff_id))).body

    async def _command(self, call: Call[_Stored], wait: float | None) -> _Stored:
        if wait is None:
            return cast("models.CommandAccepted", (await self._sender.send(call)).body)
        return cast("models.CommandOutcome", await self._sender.outcome(call, wait))

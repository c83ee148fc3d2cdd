"""The methods that send commands, and the live calls of an operator's session."""

from collections.abc import Mapping
from typing import Any, Literal, cast, overload

from collate_gateway_client.asynchronous.sender import AsyncSender
from collate_gateway_client.calls import Call, Times, event, path_of, post, time_text
from collate_gateway_client.grants import AccessGrant
from collate_gateway_client.models import CommandAccepted, CommandOutcome, ReleaseAccepted
from collate_gateway_client.results import CloseResult


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
        metadata: Mapping[str, str] | None = ...,
        key: str | None = ...,
        wait: None = ...,
    ) -> CommandAccepted: ...
    @overload
    async def request_handoff(
        self,
        authorization_id: str,
        *,
        accepted_review_snapshot_id: str | None = ...,
        accepted_by: str | None = ...,
        requested_by: str | None = ...,
        expires_at: Times = ...,
        metadata: Mapping[str, str] | None = ...,
        key: str | None = ...,
        wait: float,
    ) -> CommandOutcome: ...
    async def request_handoff(
        self,
        authorization_id: str,
        *,
        accepted_review_snapshot_id: str | None = None,
        accepted_by: str | None = None,
        requested_by: str | None = None,
        expires_at: Times = None,
        metadata: Mapping[str, str] | None = None,
        key: str | None = None,
        wait: float | None = None,
    ) -> CommandAccepted | CommandOutcome:
        """Request a manual handoff."""
        body = {
            "acceptedReviewSnapshotId": accepted_review_snapshot_id,
            "acceptedBy": accepted_by,
            "requestedBy": requested_by,
            "expiresAt": time_text(expires_at),
            "metadata": metadata,
        }
        return await self._command(post(path_of("authorizations", authorization_id, "handoffs"), body, key), wait)

    @overload
    async def close_handoff(
        self,
        authorization_id: str,
        handoff_id: str,
        result: CloseResult,
        *,
        reported_by: str | None = ...,
        expires_at: Times = ...,
        metadata: Mapping[str, str] | None = ...,
        key: str | None = ...,
        wait: None = ...,
    ) -> CommandAccepted: ...
    @overload
    async def close_handoff(
        self,
        authorization_id: str,
        handoff_id: str,
        result: CloseResult,
        *,
        reported_by: str | None = ...,
        expires_at: Times = ...,
        metadata: Mapping[str, str] | None = ...,
        key: str | None = ...,
        wait: float,
    ) -> CommandOutcome: ...
    async def close_handoff(
        self,
        authorization_id: str,
        handoff_id: str,
        result: CloseResult,
        *,
        reported_by: str | None = None,
        expires_at: Times = None,
        metadata: Mapping[str, str] | None = None,
        key: str | None = None,
        wait: float | None = None,
    ) -> CommandAccepted | CommandOutcome:
        """Close a handoff with the operator's report: `completed`, `unable_to_complete` or `revoked`."""
        body = {
            "result": result,
            "reportedBy": reported_by,
            "expiresAt": time_text(expires_at),
            "metadata": metadata,
        }
        path = path_of("authorizations", authorization_id, "handoffs", handoff_id, "close")
        return await self._command(post(path, body, key), wait)

    @overload
    async def watch(
        self,
        authorization_id: str,
        *,
        metadata: Mapping[str, str] | None = ...,
        key: str | None = ...,
        wait: None = ...,
    ) -> CommandAccepted: ...
    @overload
    async def watch(
        self, authorization_id: str, *, metadata: Mapping[str, str] | None = ..., key: str | None = ..., wait: float
    ) -> CommandOutcome: ...
    async def watch(
        self,
        authorization_id: str,
        *,
        metadata: Mapping[str, str] | None = None,
        key: str | None = None,
        wait: float | None = None,
    ) -> CommandAccepted | CommandOutcome:
        """Watch an authorization until it settles."""
        path = path_of("authorizations", authorization_id, "watch")
        return await self._command(post(path, {"metadata": metadata}, key), wait)

    async def send_event(
        self,
        kind: str,
        authorization_id: str,
        data: Mapping[str, Any],
        *,
        source: str,
        event_id: str | None = None,
        wait: float | None = None,
    ) -> CommandAccepted | CommandOutcome:
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
        path = path_of("authorizations", authorization_id, "handoffs", handoff_id, "access-grants")
        body = {"operator": operator, "takeOver": take_over, "claimCheck": claim_check}
        answer = await self._sender.send(post(path, body, key))
        return AccessGrant.of(answer.body)

    async def release_handoff(self, authorization_id: str, handoff_id: str) -> ReleaseAccepted:
        """Give back a claimed handoff. For people, with their own token."""
        path = path_of("authorizations", authorization_id, "handoffs", handoff_id, "release")
        return cast("ReleaseAccepted", (await self._sender.send(post(path, {}, None))).body)

    async def _command(self, call: Call, wait: float | None) -> CommandAccepted | CommandOutcome:
        if wait is None:
            return cast("CommandAccepted", await self._sender.command(call))
        return cast("CommandOutcome", await self._sender.outcome(call, wait))

"""The methods that read: live content, and status and lists from the read model."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal, TypeVar

from collate_gateway_client import models, operations
from collate_gateway_client.asynchronous.sender import AsyncSender
from collate_gateway_client.calls import Call, Times, time_text

T = TypeVar("T")


class AsyncReads:
    """The methods that read. An iterator fetches its next page when the program needs it."""

    _sender: AsyncSender

    async def review_snapshot(self, authorization_id: str, *, operator: str | None = None) -> models.Review:
        """Return the content that a reviewer must accept: PHI. The read is on record."""
        return await self._read(operations.read_review_snapshot(authorization_id, {"operator": operator}))

    async def payer_evidence(self, authorization_id: str, *, operator: str | None = None) -> models.PayerEvidence:
        """Return the payer's receipt and decision: PHI. The read is on record."""
        return await self._read(operations.read_payer_evidence(authorization_id, {"operator": operator}))

    async def live_handoff(
        self,
        authorization_id: str,
        handoff_id: str = "active",
        *,
        operator: str | None = None,
        message: Literal["omit"] | None = None,
        since: Times = None,
    ) -> models.LiveHandoff:
        """Return the state at Collate now. Its message is PHI, and the read is on record unless `message` is omit."""
        return await self._read(
            operations.read_handoff(
                authorization_id,
                handoff_id,
                {"operator": operator, "message": message, "since": time_text(since)},
            )
        )

    async def command(self, command_id: str) -> models.CommandStatus:
        """Return the status of a command."""
        return await self._read(operations.read_command(command_id))

    async def authorization(self, authorization_id: str) -> models.AuthorizationStatus:
        """Return the latest state of an authorization."""
        return await self._read(operations.read_authorization(authorization_id))

    async def overview(self, *, history: Literal["1h"] | None = None) -> models.Overview:
        """Return the state of the whole gateway."""
        return await self._read(operations.read_overview({"history": history}))

    async def me(self) -> models.Me:
        """Return this caller, its permissions and its limits."""
        return await self._read(operations.read_me())

    def timeline(
        self, authorization_id: str, *, order: models.Order | None = None, since: Times = None, limit: int | None = None
    ) -> AsyncIterator[models.TimelineEntry]:
        """Iterate over the history of an authorization. `limit` is the size of a page."""
        return self._pages(
            operations.read_timeline(authorization_id, {"order": order, "since": time_text(since), "limit": limit}),
            "entries",
        )

    def authorizations(
        self,
        *,
        needs: models.Needs | None = None,
        order: models.WorkOrder | None = None,
        payer: str | None = None,
        claimed_by: str | None = None,
        caller: str | None = None,
        metadata: Mapping[str, str] | None = None,
        since: Times = None,
        before: Times = None,
        limit: int | None = None,
    ) -> AsyncIterator[models.WorkItem]:
        """Iterate over the authorizations that need work, the most urgent first unless `order` says another."""
        return self._pages(
            operations.list_authorizations(
                {
                    "needs": needs,
                    "order": order,
                    "payer": payer,
                    "claimedBy": claimed_by,
                    "caller": caller,
                    "metadata": metadata,
                    "since": time_text(since),
                    "before": time_text(before),
                    "limit": limit,
                }
            ),
            "authorizations",
        )

    def commands(
        self,
        *,
        authorization_id: str | None = None,
        status: Literal["accepted", "waiting", "dead_lettered", "finished"] | None = None,
        kind: models.CommandKind | None = None,
        reason: str | None = None,
        caller: str | None = None,
        metadata: Mapping[str, str] | None = None,
        order: models.Order | None = None,
        since: Times = None,
        before: Times = None,
        limit: int | None = None,
    ) -> AsyncIterator[models.CommandStatus]:
        """Iterate over commands by acceptance: your own, or all with authorization:read."""
        return self._pages(
            operations.list_commands(
                {
                    "authorizationId": authorization_id,
                    "status": status,
                    "kind": kind,
                    "reason": reason,
                    "caller": caller,
                    "metadata": metadata,
                    "order": order,
                    "since": time_text(since),
                    "before": time_text(before),
                    "limit": limit,
                }
            ),
            "commands",
        )

    def handoffs(
        self,
        *,
        state: Literal["active", "closed"] | None = None,
        order: models.Order | None = None,
        since: Times = None,
        limit: int | None = None,
    ) -> AsyncIterator[models.HandoffStatus]:
        """Iterate over the handoffs in one state, by the time of the opening or the end."""
        return self._pages(
            operations.list_handoffs(
                {
                    "state": state,
                    "order": order,
                    "since": time_text(since),
                    "limit": limit,
                }
            ),
            "handoffs",
        )

    async def _read(self, call: Call[T]) -> T:
        return (await self._sender.send(call)).body

    async def _pages(self, call: Call[Any], member: str) -> AsyncIterator[Any]:
        while True:
            page = await self._read(call)
            for item in page[member]:
                yield item
            if (cursor := page.get("next")) is None:
                return
            call = call.page_after(cursor)

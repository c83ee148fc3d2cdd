"""The methods that read: live content, and status and lists from the read model."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal, cast

from collate_gateway_client.asynchronous.sender import AsyncSender
from collate_gateway_client.calls import Times, path_of, read, time_text
from collate_gateway_client.models import (
    AuthorizationStatus,
    CommandStatus,
    HandoffStatus,
    LiveHandoff,
    Me,
    Overview,
    PayerEvidence,
    Review,
    TimelineEntry,
    WorkItem,
)

Order = Literal["oldest", "newest"]


class AsyncReads:
    """The methods that read. An iterator fetches its next page when the program needs it."""

    _sender: AsyncSender

    async def review_snapshot(self, authorization_id: str, *, operator: str | None = None) -> Review:
        """Return the content that a reviewer must accept: PHI. The read is on record."""
        path = path_of("authorizations", authorization_id, "review-snapshot")
        return cast("Review", await self._read(path, {"operator": operator}))

    async def payer_evidence(self, authorization_id: str, *, operator: str | None = None) -> PayerEvidence:
        """Return the payer's receipt and decision: PHI. The read is on record."""
        path = path_of("authorizations", authorization_id, "payer-evidence")
        return cast("PayerEvidence", await self._read(path, {"operator": operator}))

    async def live_handoff(
        self,
        authorization_id: str,
        handoff_id: str = "active",
        *,
        operator: str | None = None,
        message: Literal["omit"] | None = None,
    ) -> LiveHandoff:
        """Return the state at Collate now. Its message is PHI, and the read is on record unless `message` is omit."""
        path = path_of("authorizations", authorization_id, "handoffs", handoff_id)
        return cast("LiveHandoff", await self._read(path, {"operator": operator, "message": message}))

    async def command(self, command_id: str) -> CommandStatus:
        """Return the status of a command."""
        return cast("CommandStatus", await self._read(path_of("commands", command_id)))

    async def authorization(self, authorization_id: str) -> AuthorizationStatus:
        """Return the latest state of an authorization."""
        return cast("AuthorizationStatus", await self._read(path_of("authorizations", authorization_id)))

    async def overview(self, *, history: Literal["1h"] | None = None) -> Overview:
        """Return the state of the whole gateway."""
        return cast("Overview", await self._read(path_of("overview"), {"history": history}))

    async def me(self) -> Me:
        """Return this caller, its permissions and its limits."""
        return cast("Me", await self._read(path_of("me")))

    def timeline(
        self, authorization_id: str, *, order: Order | None = None, since: Times = None, limit: int | None = None
    ) -> AsyncIterator[TimelineEntry]:
        """Iterate over the history of an authorization. `limit` is the size of a page."""
        query = {"order": order, "since": time_text(since), "limit": limit}
        return self._pages(path_of("authorizations", authorization_id, "timeline"), query, "entries")

    def authorizations(
        self,
        *,
        needs: Literal["person", "handoff", "contradicted"] | None = None,
        payer: str | None = None,
        claimed_by: str | None = None,
        caller: str | None = None,
        metadata: Mapping[str, str] | None = None,
        since: Times = None,
        before: Times = None,
        limit: int | None = None,
    ) -> AsyncIterator[WorkItem]:
        """Iterate over the authorizations that need work, the longest wait first."""
        query = {
            "needs": needs,
            "payer": payer,
            "claimedBy": claimed_by,
            "caller": caller,
            "metadata": metadata,
            "since": time_text(since),
            "before": time_text(before),
            "limit": limit,
        }
        return self._pages(path_of("authorizations"), query, "authorizations")

    def commands(
        self,
        *,
        authorization_id: str | None = None,
        status: Literal["accepted", "waiting", "dead_lettered", "finished"] | None = None,
        reason: str | None = None,
        caller: str | None = None,
        metadata: Mapping[str, str] | None = None,
        order: Order | None = None,
        since: Times = None,
        before: Times = None,
        limit: int | None = None,
    ) -> AsyncIterator[CommandStatus]:
        """Iterate over commands by acceptance: your own, or all with authorization:read."""
        query = {
            "authorizationId": authorization_id,
            "status": status,
            "reason": reason,
            "caller": caller,
            "metadata": metadata,
            "order": order,
            "since": time_text(since),
            "before": time_text(before),
            "limit": limit,
        }
        return self._pages(path_of("commands"), query, "commands")

    def handoffs(
        self,
        *,
        state: Literal["active", "closed"] | None = None,
        order: Order | None = None,
        since: Times = None,
        limit: int | None = None,
    ) -> AsyncIterator[HandoffStatus]:
        """Iterate over the handoffs in one state, by the time of the opening or the end."""
        query = {"state": state, "order": order, "since": time_text(since), "limit": limit}
        return self._pages(path_of("handoffs"), query, "handoffs")

    async def _read(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        return (await self._sender.send(read(path, query))).body

    async def _pages(self, path: str, query: Mapping[str, Any], member: str) -> AsyncIterator[Any]:
        cursor: str | None = None
        while True:
            page = await self._read(path, {**query, "cursor": cursor})
            for item in page[member]:
                yield item
            cursor = page.get("next")
            if cursor is None:
                return

# Made by `make docs` from asynchronous/reads.py; don't edit.
"""The methods that read: live content, and status and lists from the read model."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

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
from collate_gateway_client.synchronous.sender import Sender

Order = Literal["oldest", "newest"]


class Reads:
    """The methods that read. An iterator fetches its next page when the program needs it."""

    _sender: Sender

    def review_snapshot(self, authorization_id: str, *, operator: str | None = None) -> Review:
        """Return the content that a reviewer must accept: PHI. The read is on record."""
        path = path_of("authorizations", authorization_id, "review-snapshot")
        return cast("Review", self._read(path, {"operator": operator}))

    def payer_evidence(self, authorization_id: str, *, operator: str | None = None) -> PayerEvidence:
        """Return the payer's receipt and decision: PHI. The read is on record."""
        path = path_of("authorizations", authorization_id, "payer-evidence")
        return cast("PayerEvidence", self._read(path, {"operator": operator}))

    def live_handoff(
        self,
        authorization_id: str,
        handoff_id: str = "active",
        *,
        operator: str | None = None,
        message: Literal["omit"] | None = None,
    ) -> LiveHandoff:
        """Return the state at Collate now. Its message is PHI, and the read is on record unless `message` is omit."""
        path = path_of("authorizations", authorization_id, "handoffs", handoff_id)
        return cast("LiveHandoff", self._read(path, {"operator": operator, "message": message}))

    def command(self, command_id: str) -> CommandStatus:
        """Return the status of a command."""
        return cast("CommandStatus", self._read(path_of("commands", command_id)))

    def authorization(self, authorization_id: str) -> AuthorizationStatus:
        """Return the latest state of an authorization."""
        return cast("AuthorizationStatus", self._read(path_of("authorizations", authorization_id)))

    def overview(self, *, history: Literal["1h"] | None = None) -> Overview:
        """Return the state of the whole gateway."""
        return cast("Overview", self._read(path_of("overview"), {"history": history}))

    def me(self) -> Me:
        """Return this caller, its permissions and its limits."""
        return cast("Me", self._read(path_of("me")))

    def timeline(
        self, authorization_id: str, *, order: Order | None = None, since: Times = None, limit: int | None = None
    ) -> Iterator[TimelineEntry]:
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
    ) -> Iterator[WorkItem]:
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
    ) -> Iterator[CommandStatus]:
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
    ) -> Iterator[HandoffStatus]:
        """Iterate over the handoffs in one state, by the time of the opening or the end."""
        query = {"state": state, "order": order, "since": time_text(since), "limit": limit}
        return self._pages(path_of("handoffs"), query, "handoffs")

    def _read(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        return (self._sender.send(read(path, query))).body

    def _pages(self, path: str, query: Mapping[str, Any], member: str) -> Iterator[Any]:
        cursor: str | None = None
        while True:
            page = self._read(path, {**query, "cursor": cursor})
            for item in page[member]:
                yield item
            cursor = page.get("next")
            if cursor is None:
                return

"""The review snapshot: read from Collate, returned unchanged, stored nowhere. The reviewer accepts it by its id."""

from typing import Protocol

from adapters.collate.answers import Answered, Result
from adapters.collate.call_policy import Priority
from adapters.collate.operations import Operation
from gateway.ingress.live.outcomes import NoSnapshot, Snapshot, UpstreamError
from schemas.collate.authorization import PriorAuthorization


class AuthorizationSource(Protocol):
    """The call to Collate that a review needs."""

    async def get_authorization(
        self, authorization_id: str, *, priority: Priority, caller: str
    ) -> Result[PriorAuthorization]:
        """Read an authorization."""


class Reviews:
    """Reads review snapshots."""

    def __init__(self, collate: AuthorizationSource) -> None:
        self._collate = collate

    async def read(self, authorization_id: str, caller: str) -> Snapshot | NoSnapshot | UpstreamError:
        """Return the authorization's current review snapshot."""
        found = await self._collate.get_authorization(authorization_id, priority=Priority.LIVE, caller=caller)
        if not isinstance(found, Answered):
            return UpstreamError(Operation.GET_AUTHORIZATION, found)
        authorization = found.model
        snapshot = authorization.review_snapshot
        if snapshot is None:
            return NoSnapshot(authorization.version)
        return Snapshot(authorization.id, authorization.version, snapshot, authorization.covers_review_snapshot_id)

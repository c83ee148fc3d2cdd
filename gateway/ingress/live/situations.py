"""How an authorization and a handoff are at Collate now, for an operator who must decide. Reads, changes nothing."""

from dataclasses import dataclass
from typing import Protocol

from adapters.collate.answers import Answered, Refused, Result
from adapters.collate.budget import Priority
from adapters.collate.operations import Operation
from gateway.ingress.live.outcomes import UpstreamError
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import ManualHandoff


class Collate(Protocol):
    """What is asked of Collate."""

    async def get_authorization(self, authorization_id: str, *, priority: Priority) -> Result[PriorAuthorization]:
        """Read an authorization."""

    async def get_handoff(self, authorization_id: str, handoff_id: str, *, priority: Priority) -> Result[ManualHandoff]:
        """Read a handoff."""


@dataclass(frozen=True, slots=True)
class Situation:
    """The authorization, and the handoff that was asked about or is running; None if Collate shows none."""

    authorization: PriorAuthorization
    handoff_id: str | None = None
    handoff: ManualHandoff | None = None


class Situations:
    """Reads situations; the authorization first, so that what a handoff says is never older."""

    def __init__(self, collate: Collate) -> None:
        self._collate = collate

    async def read(self, authorization_id: str, handoff_id: str | None) -> Situation | UpstreamError:
        """Return how it is, with this handoff, or else the running one."""
        found = await self._collate.get_authorization(authorization_id, priority=Priority.LIVE)
        if not isinstance(found, Answered):
            return UpstreamError(Operation.GET_AUTHORIZATION, found)
        wanted = handoff_id or found.model.active_handoff_id
        if wanted is None:
            return Situation(found.model)
        handoff = await self._collate.get_handoff(authorization_id, wanted, priority=Priority.LIVE)
        if isinstance(handoff, Answered):
            return Situation(found.model, wanted, handoff.model)
        if isinstance(handoff, Refused) and handoff.status == 404 and not handoff.suspended:
            return Situation(found.model, wanted)
        return UpstreamError(Operation.GET_HANDOFF, handoff)

"""The current state of an authorization and a handoff at Collate, for an operator's decision. Reads only."""

from dataclasses import dataclass
from typing import Protocol

from adapters.collate.answers import Answered, Refused, Result
from adapters.collate.budget import Priority
from adapters.collate.operations import Operation
from gateway.ingress.live.outcomes import UpstreamError
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import ManualHandoff


class SituationSource(Protocol):
    """The calls to Collate that a situation needs."""

    async def get_authorization(
        self, authorization_id: str, *, priority: Priority, caller: str
    ) -> Result[PriorAuthorization]:
        """Read an authorization."""

    async def get_handoff(
        self, authorization_id: str, handoff_id: str, *, priority: Priority, caller: str
    ) -> Result[ManualHandoff]:
        """Read a handoff."""


@dataclass(frozen=True, slots=True)
class Situation:
    """An authorization, and the requested or the active handoff; None if Collate has none."""

    authorization: PriorAuthorization
    handoff_id: str | None = None
    handoff: ManualHandoff | None = None


class Situations:
    """Reads situations: first the authorization, so that the handoff is never older."""

    def __init__(self, collate: SituationSource) -> None:
        self._collate = collate

    async def read(self, authorization_id: str, handoff_id: str | None, caller: str) -> Situation | UpstreamError:
        """Return the situation with this handoff, or with the active one."""
        found = await self._collate.get_authorization(authorization_id, priority=Priority.LIVE, caller=caller)
        if not isinstance(found, Answered):
            return UpstreamError(Operation.GET_AUTHORIZATION, found)
        wanted_id = handoff_id or found.model.active_handoff_id
        if wanted_id is None:
            return Situation(found.model)
        handoff = await self._collate.get_handoff(authorization_id, wanted_id, priority=Priority.LIVE, caller=caller)
        if isinstance(handoff, Answered):
            return Situation(found.model, wanted_id, handoff.model)
        if isinstance(handoff, Refused) and handoff.status == 404 and not handoff.suspended:
            return Situation(found.model, wanted_id)
        return UpstreamError(Operation.GET_HANDOFF, handoff)

"""Who has an open handoff in hand: asked before a person gets a link into it (docs/decisions/0013-claims.md)."""

from typing import Protocol

from schemas.authorization import HandoffClaim


class ClaimsUnknown(Exception):
    """There is no read model, or it is late or not available now."""


class ClaimReader(Protocol):
    """The source of claims."""

    async def claim_of(self, authorization_id: str, handoff_id: str, caller: str) -> HandoffClaim | None:
        """Return the claim of an open handoff, as far as it is known, to a caller. Raises ClaimsUnknown."""


class NoClaims:
    """The claims of an installation without a read model."""

    async def claim_of(self, authorization_id: str, handoff_id: str, caller: str) -> HandoffClaim | None:
        """Raise ClaimsUnknown."""
        del authorization_id, handoff_id, caller
        raise ClaimsUnknown

"""Who opened a handoff, and who has it in hand: asked before a link, and before a person's close.

The source of the rule is docs/decisions/0013-claims.md.
"""

from typing import Protocol

from gateway.ingress.api_http.api_problems import AlreadyClaimed
from schemas.authorization import ActiveHandoff, HandoffClaim
from schemas.times import format_time


class ClaimsUnknown(Exception):
    """There is no read model, or it is late or does not answer now."""


class ClaimReader(Protocol):
    """The source of claims."""

    async def open_handoff(self, authorization_id: str, handoff_id: str, caller: str) -> ActiveHandoff | None:
        """Return an open handoff, as far as it is known, to a caller. A person waits for it. Raises ClaimsUnknown."""


class NoClaims:
    """The claims of an installation without a read model."""

    async def open_handoff(self, authorization_id: str, handoff_id: str, caller: str) -> ActiveHandoff | None:
        """Raise ClaimsUnknown."""
        del authorization_id, handoff_id, caller
        raise ClaimsUnknown


def already_claimed(detail: str, handoff_id: str, claim: HandoffClaim) -> AlreadyClaimed:
    """Return the problem of a handoff that another person has in hand."""
    members = {"handoffId": handoff_id, "claimedBy": claim.by, "claimedSince": format_time(claim.since)}
    return AlreadyClaimed(detail, members=members)

"""Who opened a handoff, and who has it in hand: asked before a link, and before a person's close.

The source of the rule is docs/decisions/0013-claims.md.
"""

from typing import Final, Protocol

from schemas.authorization import ActiveHandoff

# A person waits, so a claim that cannot be read by then is unknown. With the event loop's own delay it stays below 2 s.
CLAIM_SECONDS: Final = 1.5


class ClaimsUnknown(Exception):
    """There is no read model, or it is late or not available now."""


class ClaimReader(Protocol):
    """The source of claims."""

    async def open_handoff(self, authorization_id: str, handoff_id: str, caller: str) -> ActiveHandoff | None:
        """Return an open handoff, as far as it is known, to a caller. Raises ClaimsUnknown."""


class NoClaims:
    """The claims of an installation without a read model."""

    async def open_handoff(self, authorization_id: str, handoff_id: str, caller: str) -> ActiveHandoff | None:
        """Raise ClaimsUnknown."""
        del authorization_id, handoff_id, caller
        raise ClaimsUnknown

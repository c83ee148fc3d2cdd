"""A grant: the short-lived link into a live payer session."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from collate_gateway_client.secret import SecretText


@dataclass(frozen=True, slots=True)
class AccessGrant:
    """A link. Pass `url.reveal()` to the operator's browser, store it nowhere, drop it at `handoff.closed`.

    Attributes:
        id: The grant's id, as secret as the link.
        url: The link.
        expires_at: When the link expires (RFC 3339).
        message: Collate's text for the operator, which may be about a patient; no representation shows it.
        claim_check: For people: whether the gateway checked for another person's claim.
    """

    handoff_id: str
    id: SecretText
    url: SecretText
    expires_at: str
    message: str | None = field(default=None, repr=False)
    claim_check: str | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """Return the grant in an answer of the API."""
        return cls(
            answer["handoffId"],
            SecretText(answer["id"]),
            SecretText(answer["url"]),
            answer["expiresAt"],
            answer.get("message"),
            answer.get("claimCheck"),
        )

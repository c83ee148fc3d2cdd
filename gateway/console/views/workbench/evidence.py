"""What the payer said: receipt and decision as Collate shows them. Pure."""

from dataclasses import dataclass
from typing import Any

from gateway.console.views.content import Content, content

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ShownEvidence:
    """The payer's receipt and decision; None where there is none."""

    status: str
    outcome: str | None
    version: int
    receipt: Content | None
    decision: Content | None


def shown_evidence(body: Json) -> ShownEvidence:
    """Return the answer of `GET …/payer-evidence` for a page."""
    return ShownEvidence(
        status=body["status"],
        outcome=body.get("outcome"),
        version=body["version"],
        receipt=content(body.get("payerReceipt")),
        decision=content(body.get("decision")),
    )

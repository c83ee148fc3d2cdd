"""What the payer said: receipt and decision as Collate shows them. Pure."""

from dataclasses import dataclass

from console.api import models
from console.views.content import Content, content
from console.views.json_values import document_of


@dataclass(frozen=True, slots=True)
class ShownEvidence:
    """The payer's receipt and decision; None where there is none."""

    answer: models.PayerEvidence
    receipt: Content | None
    decision: Content | None


def shown_evidence(answer: models.PayerEvidence, body: bytes) -> ShownEvidence:
    """Return the answer of `GET …/payer-evidence` for a page. `body` has its numbers as they were written."""
    document = document_of(body)
    return ShownEvidence(answer, content(document.get("payerReceipt")), content(document.get("decision")))

"""The payer's receipt and decision as Collate shows them (docs/collate-contract.md §3), for the one who asks.

PHI: the gateway passes them through unchanged and keeps nothing. Their shapes are not documented, so any JSON is valid.
"""

from pydantic import Field, JsonValue

from schemas.collate.lenient_types import OpenWord, Version
from schemas.fields.scalars import Id
from schemas.model import Phi, Public, Tolerant


class EvidenceSubmission(Tolerant):
    """The submission to the payer, with the payer's own words."""

    payer_receipt: Phi[JsonValue] = None
    decision: Phi[JsonValue] = None


class AuthorizationEvidence(Tolerant):
    """A prior authorization, reduced to what the payer said."""

    id: Public[Id]
    version: Public[Version]
    status: Public[OpenWord]
    outcome: Public[OpenWord | None] = None
    submission: Phi[EvidenceSubmission] = Field(default=EvidenceSubmission())

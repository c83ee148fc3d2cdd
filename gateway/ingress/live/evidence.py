"""The payer's evidence: receipt and decision, read from Collate, returned unchanged, stored nowhere."""

from typing import Protocol

from adapters.collate.answers import Answered, Result
from adapters.collate.call_policy import Priority
from adapters.collate.operations import Operation
from gateway.ingress.live.outcomes import NoEvidence, UpstreamError
from schemas.api.messages import PayerEvidence
from schemas.collate.payer_evidence import AuthorizationEvidence


class EvidenceSource(Protocol):
    """The call to Collate that evidence needs."""

    async def get_payer_evidence(
        self, authorization_id: str, *, priority: Priority, caller: str
    ) -> Result[AuthorizationEvidence]:
        """Read an authorization with the payer's receipt and decision."""


class EvidenceReader:
    """Reads evidence."""

    def __init__(self, collate: EvidenceSource) -> None:
        self._collate = collate

    async def read(self, authorization_id: str, caller: str) -> PayerEvidence | NoEvidence | UpstreamError:
        """Return the receipt and the decision that Collate shows now."""
        found = await self._collate.get_payer_evidence(authorization_id, priority=Priority.LIVE, caller=caller)
        if not isinstance(found, Answered):
            return UpstreamError(Operation.GET_AUTHORIZATION, found)
        authorization = found.model
        receipt, decision = authorization.submission.payer_receipt, authorization.submission.decision
        if receipt is None and decision is None:
            return NoEvidence()
        return PayerEvidence(
            authorization_id=authorization.id,
            version=authorization.version,
            status=authorization.status,
            outcome=authorization.outcome,
            payer_receipt=receipt,
            decision=decision,
        )

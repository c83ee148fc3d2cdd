"""Situations as answers of the API. Pure."""

from typing import Any

from gateway.ingress.live.situations import Situation
from schemas.api.situations import LiveHandoff, LiveHandoffDetails


def facts_of(found: Situation) -> dict[str, Any]:
    """Return the fields of `AuthorizationNow`."""
    authorization = found.authorization
    action = authorization.next_action
    return {
        "at": found.at,
        "authorization_id": authorization.id,
        "version": authorization.version,
        "status": authorization.status,
        "outcome": authorization.outcome,
        "next_action": action.type if action else None,
        "resolution": authorization.resolution,
        "covers_review_snapshot_id": authorization.covers_review_snapshot_id,
        "receipt_seen": authorization.receipt_seen,
        "decision_seen": authorization.decision_seen,
        "active_handoff_id": authorization.active_handoff_id,
    }


def live_handoff(found: Situation, *, with_message: bool) -> LiveHandoff:
    """Return the answer of the live read."""
    handoff = found.handoff
    details = None
    if found.handoff_id is not None:
        details = LiveHandoffDetails(
            id=found.handoff_id,
            state=handoff.state if handoff else None,
            result=handoff.result if handoff else None,
            version=handoff.version if handoff else None,
            access_available=handoff is not None and handoff.access_available,
            final_submit_capable=handoff is not None and handoff.final_submit_capable,
            activated_at=handoff.activated_at if handoff else None,
            closed_at=handoff.closed_at if handoff else None,
            message_available=handoff is not None and bool(handoff.message),
            message=handoff.message if handoff and with_message else None,
        )
    return LiveHandoff(
        **facts_of(found),
        payer_id=found.authorization.payer_id,
        is_handoff_open=found.authorization.active_manual_handoff is not None,
        handoff=details,
    )

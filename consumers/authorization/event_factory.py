"""The events of handoffs and authorizations, made from the state: the source of each field. Pure."""

from datetime import UTC, datetime
from typing import Final

from consumers.authorization.facts import GrantRecorded
from consumers.authorization.state import Closer, Handoff, Known
from schemas.enums import Agreement, ClosedBy, CloseReport
from schemas.events import (
    AuthorizationActionRequired,
    AuthorizationChanged,
    AuthorizationSettled,
    AuthorizationWatchEnded,
    HandoffAccessGranted,
    HandoffAtRisk,
    HandoffClosed,
    HandoffOpened,
    HandoffReconciled,
    PayerTruth,
)

GRANT_EXPIRED: Final = "grant_expired"
OPEN_TOO_LONG: Final = "open_too_long"
_ADVICE: Final = {
    GRANT_EXPIRED: "The operator's last access grant has expired: request a new grant, or close the handoff.",
    OPEN_TOO_LONG: "The handoff has been open for a long time: close it as soon as the operator has finished.",
}


def at(time: float) -> datetime:
    """Return Unix seconds as an aware UTC time."""
    return datetime.fromtimestamp(time, UTC)


def opened(handoff: Handoff, version: int | None) -> HandoffOpened:
    """Return the event of an opened handoff."""
    return HandoffOpened(
        handoff_id=handoff.id,
        access_available=handoff.access_available,
        final_submit_capable=handoff.final_submit_capable,
        opened_at=None if handoff.opened_at is None else at(handoff.opened_at),
        version=version,
        metadata=handoff.opener.metadata if handoff.opener else None,
    )


def closed(handoff: Handoff, version: int | None) -> HandoffClosed:
    """Return the event of a closed handoff."""
    closer = handoff.closer if handoff.by == ClosedBy.US else None
    return HandoffClosed(
        handoff_id=handoff.id,
        result=handoff.result or "unrecognised",
        by=ClosedBy(handoff.by or ClosedBy.OTHER),
        reported=_report(handoff.reported),
        reason=closer.reason if closer else None,
        version=version,
        metadata=_metadata(closer),
    )


def reconciled(handoff: Handoff, known: Known, verdict: Agreement) -> HandoffReconciled:
    """Return the event of a handoff that Collate has reconciled."""
    return HandoffReconciled(
        handoff_id=handoff.id,
        reported=_report(handoff.reported),
        payer=payer_truth(known),
        agreement=verdict,
        version=known.version,
        metadata=_metadata(handoff.closer),
    )


def access_granted(grant: GrantRecorded) -> HandoffAccessGranted:
    """Return the event of an access grant: the operator, the caller and the expiry, never the link."""
    return HandoffAccessGranted(
        handoff_id=grant.handoff_id, operator=grant.operator, caller=grant.caller, expires_at=at(grant.expires_at)
    )


def at_risk(handoff: Handoff, reason: str, known: Known | None) -> HandoffAtRisk:
    """Return the event of a handoff that Collate may end soon."""
    return HandoffAtRisk(
        handoff_id=handoff.id,
        reason=reason,
        advice=_ADVICE[reason],
        version=known.version if known else None,
        metadata=handoff.opener.metadata if handoff.opener else None,
    )


def changed(before: str | None, after: Known) -> AuthorizationChanged:
    """Return the event of a changed authorization."""
    return AuthorizationChanged(
        from_status=before,
        to_status=after.status,
        outcome=after.outcome,
        next_action=after.action,
        receipt_seen=after.receipt,
        decision_seen=after.decision,
        version=after.version,
    )


def action_required(known: Known) -> AuthorizationActionRequired:
    """Return the event of an action that Collate requires."""
    return AuthorizationActionRequired(
        action=known.action or "unrecognised",
        resolution=known.resolution,
        covers_review_snapshot_id=known.covers,
        version=known.version,
    )


def settled(known: Known, handoff: Handoff | None, verdict: Agreement) -> AuthorizationSettled:
    """Return the event of a settled authorization."""
    return AuthorizationSettled(
        payer=payer_truth(known),
        handoff_id=handoff.id if handoff else None,
        reported=_report(handoff.reported) if handoff else None,
        agreement=verdict,
        version=known.version,
    )


def watch_ended(known: Known, since: float, reason: str) -> AuthorizationWatchEnded:
    """Return the event of a watch that ended."""
    return AuthorizationWatchEnded(status=known.status, watched_since=at(since), reason=reason, version=known.version)


def payer_truth(known: Known) -> PayerTruth:
    """Return the payer truth: the fields of the authorization."""
    return PayerTruth(
        status=known.status,
        outcome=known.outcome,
        next_action=known.action,
        receipt_seen=known.receipt,
        decision_seen=known.decision,
    )


def _report(word: str | None) -> CloseReport | None:
    return None if word is None else CloseReport(word)


def _metadata(closer: Closer | None) -> dict[str, str] | None:
    return closer.caused_by.metadata if closer is not None and closer.caused_by is not None else None

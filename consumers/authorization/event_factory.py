"""The events of handoffs and authorizations, made from memory: which field comes from where. Pure."""

from datetime import UTC, datetime
from typing import Final

from consumers.authorization.state import Closer, Handoff, Known
from schemas.enums import Agreement, ClosedBy, Report
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
    GRANT_EXPIRED: "The operator's last link has expired: ask for a new access grant, or close the handoff.",
    OPEN_TOO_LONG: "The handoff has been open for long: close it as soon as the operator is done.",
}


def at(time: float) -> datetime:
    """Return Unix seconds as an aware time."""
    return datetime.fromtimestamp(time, UTC)


def opened(handoff: Handoff, version: int | None) -> HandoffOpened:
    """Tell that a handoff is active."""
    return HandoffOpened(
        handoff_id=handoff.id,
        access_available=handoff.access_available,
        final_submit_capable=handoff.final_submit_capable,
        opened_at=None if handoff.opened_at is None else at(handoff.opened_at),
        version=version,
        metadata=handoff.opener.metadata if handoff.opener else None,
    )


def closed(handoff: Handoff, version: int | None) -> HandoffClosed:
    """Tell that a handoff has ended."""
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


def reconciled(handoff: Handoff, truth: Known, verdict: Agreement) -> HandoffReconciled:
    """Tell that Collate has finished looking."""
    return HandoffReconciled(
        handoff_id=handoff.id,
        reported=_report(handoff.reported),
        payer=payer(truth),
        agreement=verdict,
        version=truth.version,
        metadata=_metadata(handoff.closer),
    )


def access_granted(handoff_id: str, operator: str, expires_at: float) -> HandoffAccessGranted:
    """Tell who was let in; never the link."""
    return HandoffAccessGranted(handoff_id=handoff_id, operator=operator, expires_at=at(expires_at))


def at_risk(handoff: Handoff, reason: str, known: Known | None) -> HandoffAtRisk:
    """Tell that Collate may end a handoff soon."""
    return HandoffAtRisk(
        handoff_id=handoff.id,
        reason=reason,
        advice=_ADVICE[reason],
        version=known.version if known else None,
        metadata=handoff.opener.metadata if handoff.opener else None,
    )


def changed(before: str | None, after: Known) -> AuthorizationChanged:
    """Tell that the authorization moved on."""
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
    """Tell what Collate waits for."""
    return AuthorizationActionRequired(
        action=known.action or "unrecognised",
        resolution=known.resolution,
        covers_review_snapshot_id=known.covers,
        version=known.version,
    )


def settled(known: Known, handoff: Handoff | None, verdict: Agreement) -> AuthorizationSettled:
    """Tell the end."""
    return AuthorizationSettled(
        payer=payer(known),
        handoff_id=handoff.id if handoff else None,
        reported=_report(handoff.reported) if handoff else None,
        agreement=verdict,
        version=known.version,
    )


def watch_ended(known: Known, since: float, reason: str) -> AuthorizationWatchEnded:
    """Tell that nobody looks any more."""
    return AuthorizationWatchEnded(status=known.status, watched_since=at(since), reason=reason, version=known.version)


def payer(known: Known) -> PayerTruth:
    """Return what the authorization shows."""
    return PayerTruth(
        status=known.status,
        outcome=known.outcome,
        next_action=known.action,
        receipt_seen=known.receipt,
        decision_seen=known.decision,
    )


def _report(word: str | None) -> Report | None:
    return None if word is None else Report(word)


def _metadata(closer: Closer | None) -> dict[str, str] | None:
    return closer.asked.metadata if closer is not None and closer.asked is not None else None

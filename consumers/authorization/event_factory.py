"""The events of handoffs and authorizations, and the public record: the source of each field in the state. Pure."""

from datetime import UTC, datetime
from typing import Final

from consumers.authorization.facts import GrantRecorded
from consumers.authorization.state import AuthorizationState, Claim, Closer, CommandRef, Due, Handoff, Known
from schemas.authorization import ActiveHandoff, AuthorizationRecord, HandoffClaim, LastHandoff
from schemas.callers import asserted_by, person_of, vouching
from schemas.enums import Agreement, ClosedBy, CloseReport, Effect, RiskReason
from schemas.events import (
    AuthorizationActionRequired,
    AuthorizationChanged,
    AuthorizationOverdue,
    AuthorizationSettled,
    AuthorizationWatchEnded,
    HandoffAccessChanged,
    HandoffAccessGranted,
    HandoffAtRisk,
    HandoffClaimed,
    HandoffClosed,
    HandoffOpened,
    HandoffReconciled,
    HandoffReleased,
    PayerTruth,
)

_NOBODY: Final = CommandRef(command_id="")
_ADVICE: Final = {
    RiskReason.NOT_ENTERED: "No operator has received access yet: get access, or close the handoff.",
    RiskReason.GRANT_EXPIRING: "The operator's last link expires soon: get a new one if work continues.",
    RiskReason.GRANT_EXPIRED: "The operator's last link has expired: get a new one, or close the handoff.",
    RiskReason.ABANDONMENT: "Collate is expected to end the handoff soon: get a new link, or close it.",
    RiskReason.OPEN_TOO_LONG: "The handoff has been open for a long time: close it as soon as the operator has "
    "finished.",
}


def at(time: float) -> datetime:
    """Return Unix seconds as an aware UTC time."""
    return datetime.fromtimestamp(time, UTC)


def opened(handoff: Handoff, version: int | None, payer: str | None) -> HandoffOpened:
    """Return the event of an opened handoff."""
    opener = handoff.opener or _NOBODY
    return HandoffOpened.model_construct(
        handoff_id=handoff.id,
        access_available=handoff.access_available,
        final_submit_capable=handoff.final_submit_capable,
        opened_at=None if handoff.opened_at is None else at(handoff.opened_at),
        payer_id=payer,
        effect=_effect(handoff),
        caller=opener.caller,
        requested_by=opener.requested_by,
        accepted_by=opener.accepted_by,
        asserted_by=vouching(opener.caller, opener.requested_by, opener.accepted_by),
        version=version,
        metadata=opener.metadata,
    )


def _effect(handoff: Handoff) -> Effect | None:
    if handoff.opener is None:
        return None
    return Effect.INFERRED if handoff.opener_inferred else Effect.OURS


def closed(handoff: Handoff, version: int | None) -> HandoffClosed:
    """Return the event of a closed handoff."""
    closer = handoff.closer if handoff.by == ClosedBy.US else None
    return HandoffClosed.model_construct(
        handoff_id=handoff.id,
        result=handoff.result or "unrecognised",
        by=ClosedBy(handoff.by or ClosedBy.OTHER),
        closed_at=None if handoff.closed_at is None else at(handoff.closed_at),
        reported=_report(handoff.reported),
        reason=closer.reason if closer else None,
        caller=closer.caller if closer else None,
        reported_by=closer.reported_by if closer else None,
        asserted_by=vouching(closer.caller, closer.reported_by) if closer else None,
        version=version,
        metadata=_metadata(closer),
    )


def reconciled(handoff: Handoff, known: Known, verdict: Agreement) -> HandoffReconciled:
    """Return the event of a handoff that Collate has reconciled."""
    return HandoffReconciled.model_construct(
        handoff_id=handoff.id,
        reported=_report(handoff.reported),
        payer=payer_truth(known),
        agreement=verdict,
        payer_id=known.payer,
        version=known.version,
        metadata=_metadata(handoff.closer),
    )


def access_granted(grant: GrantRecorded) -> HandoffAccessGranted:
    """Return the event of an access grant: the operator, the caller and the expiry, never the link."""
    return HandoffAccessGranted.model_construct(
        handoff_id=grant.handoff_id,
        operator=grant.operator,
        asserted_by=asserted_by(grant.caller),
        caller=grant.caller,
        expires_at=at(grant.expires_at),
        claim_check=grant.claim_check,
    )


def claimed(handoff_id: str, caller: str, before: Claim | None) -> HandoffClaimed:
    """Return the event of a person who has a handoff in hand now; `before` had it until now."""
    return HandoffClaimed.model_construct(
        handoff_id=handoff_id,
        by=person_of(caller) or caller,
        caller=caller,
        taken_over_from=before.caller if before else None,
    )


def released(handoff_id: str, caller: str) -> HandoffReleased:
    """Return the event of a handoff that a person has given back."""
    return HandoffReleased.model_construct(handoff_id=handoff_id, by=person_of(caller) or caller, caller=caller)


def access_changed(handoff: Handoff, version: int | None) -> HandoffAccessChanged:
    """Return the event of changed access to an open handoff."""
    return HandoffAccessChanged.model_construct(
        handoff_id=handoff.id,
        state=handoff.state,
        access_available=handoff.access_available,
        final_submit_capable=handoff.final_submit_capable,
        version=version,
        metadata=handoff.opener.metadata if handoff.opener else None,
    )


def at_risk(handoff: Handoff, reason: RiskReason, ends_at: float | None, known: Known | None) -> HandoffAtRisk:
    """Return the event of a handoff that Collate may end soon, at the latest at `ends_at` without an action."""
    return HandoffAtRisk.model_construct(
        handoff_id=handoff.id,
        reason=reason.value,
        advice=_ADVICE[reason],
        ends_at=None if ends_at is None else at(ends_at),
        version=known.version if known else None,
        metadata=handoff.opener.metadata if handoff.opener else None,
    )


def changed(before: str | None, after: Known) -> AuthorizationChanged:
    """Return the event of a changed authorization."""
    return AuthorizationChanged.model_construct(
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
    return AuthorizationActionRequired.model_construct(
        action=known.action or "unrecognised",
        resolution=known.resolution,
        covers_review_snapshot_id=known.covers,
        payer_id=known.payer,
        version=known.version,
    )


def overdue(known: Known, due: Due) -> AuthorizationOverdue:
    """Return the event of an authorization whose due date has passed."""
    return AuthorizationOverdue.model_construct(
        due_at=at(due.at),
        status=known.status,
        payer_id=known.payer,
        version=known.version,
        metadata=due.stated_by.metadata if due.stated_by else None,
    )


def settled(
    known: Known, handoff: Handoff | None, verdict: Agreement, due: Due | None, now: float
) -> AuthorizationSettled:
    """Return the event of an authorization that a read of now shows as settled."""
    return AuthorizationSettled.model_construct(
        payer=payer_truth(known),
        handoff_id=handoff.id if handoff else None,
        reported=_report(handoff.reported) if handoff else None,
        agreement=verdict,
        payer_id=known.payer,
        due_at=None if due is None else at(due.at),
        in_time=None if due is None else now <= due.at,
        version=known.version,
    )


def watch_ended(known: Known, since: float, reason: str) -> AuthorizationWatchEnded:
    """Return the event of a watch that ended."""
    return AuthorizationWatchEnded.model_construct(
        status=known.status, watched_since=at(since), reason=reason, version=known.version
    )


def payer_truth(known: Known) -> PayerTruth:
    """Return the payer truth: the fields of the authorization."""
    return PayerTruth.model_construct(
        status=known.status,
        outcome=known.outcome,
        next_action=known.action,
        receipt_seen=known.receipt,
        decision_seen=known.decision,
    )


def public_record(state: AuthorizationState, now: float) -> AuthorizationRecord | None:
    """Return the public record; None before the first read of the authorization."""
    known = state.known
    if known is None:
        return None
    return AuthorizationRecord.model_construct(
        sequence=state.sequence,
        version=known.version,
        status=known.status,
        outcome=known.outcome,
        next_action=known.action,
        resolution=known.resolution,
        covers_review_snapshot_id=known.covers,
        action_required_at=_action_required_at(state),
        payer_id=known.payer,
        receipt_seen=known.receipt,
        decision_seen=known.decision,
        active_handoff=_active(state.active) if state.active else None,
        last_handoff=_last(state.last) if state.last else None,
        due_at=None if state.due is None else at(state.due.at),
        overdue_at=None if state.due is None or state.due.overdue_at is None else at(state.due.overdue_at),
        settled_at=None if state.settled_at is None else at(state.settled_at),
        watched_since=at(state.watch.since if state.watch else now),
        watch_ended_at=at(state.watch.moved_at) if state.watch and state.watch.ended else None,
        updated_at=at(now),
    )


def shows_more(before: AuthorizationState, after: AuthorizationState) -> bool:
    """Whether the public record differs in more than two fields that follow with the next event.

    These are the version, which may rise without any other change, and the payer, which a later read may add.
    """
    if _same_parts(before, after):
        return False
    old, new = public_record(before, 0.0), public_record(after, 0.0)
    if old is None or new is None:
        return old is not new
    return old.model_copy(update={"version": new.version, "payer_id": new.payer_id}) != new


def _same_parts(before: AuthorizationState, after: AuthorizationState) -> bool:
    # Parts are immutable: an unchanged part is the same object.
    return (
        before.known is after.known
        and before.active is after.active
        and before.last is after.last
        and before.settled_at == after.settled_at
        and before.emitted_action == after.emitted_action
    )


def _report(word: str | None) -> CloseReport | None:
    return None if word is None else CloseReport(word)


def _metadata(closer: Closer | None) -> dict[str, str] | None:
    return closer.caused_by.metadata if closer is not None and closer.caused_by is not None else None


def _action_required_at(state: AuthorizationState) -> datetime | None:
    since = state.action_required_at
    return None if since is None or state.emitted_action is None else at(since)


def _active(handoff: Handoff) -> ActiveHandoff:
    opener = handoff.opener
    return ActiveHandoff.model_construct(
        id=handoff.id,
        state=handoff.state,
        access_available=handoff.access_available,
        final_submit_capable=handoff.final_submit_capable,
        opened_at=None if handoff.opened_at is None else at(handoff.opened_at),
        requested_by=opener.requested_by if opener else None,
        asserted_by=vouching(opener.caller, opener.requested_by) if opener else None,
        opener=opener.caller if opener else None,
        claim=_claim(handoff.claim) if handoff.claim else None,
    )


def _claim(claim: Claim) -> HandoffClaim:
    by = person_of(claim.caller) or claim.caller
    return HandoffClaim.model_construct(by=by, caller=claim.caller, since=at(claim.since))


def _last(handoff: Handoff) -> LastHandoff:
    closer = handoff.closer if handoff.by == ClosedBy.US else None
    return LastHandoff.model_construct(
        id=handoff.id,
        result=handoff.result or "unrecognised",
        by=None if handoff.by is None else ClosedBy(handoff.by),
        closed_at=None if handoff.closed_at is None else at(handoff.closed_at),
        reported=None if handoff.reported is None else CloseReport(handoff.reported),
        reported_by=closer.reported_by if closer else None,
        asserted_by=vouching(closer.caller, closer.reported_by) if closer else None,
        agreement=None if handoff.agreement is None else Agreement(handoff.agreement),
    )

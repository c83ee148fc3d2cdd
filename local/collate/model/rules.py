"""The rules for writes, and the codes of refusals (docs/collate-contract.md §5, §10b)."""

import re
from typing import Any

from local.collate.model.authorization import Action, Authorization, Handoff, HandoffState, Report, Result, Status
from local.collate.profile import Profile
from local.collate.web.refusal import (
    ENDED,
    HANDOFF_NOT_ACTIVE,
    HANDOFF_NOT_ALLOWED,
    REVIEW_STALE,
    Refusal,
    bad_request,
    header_missing,
    version_conflict,
)

CLOSES = {
    "complete": Result.COMPLETED_REPORTED,
    "unable-to-complete": Result.UNABLE_TO_COMPLETE,
    "revoke": Result.REVOKED,
}
_OUTCOMES = ("submitted", "decision_observed", "not_required_observed", "follow_up_required_observed")
_STRONG_TAG = re.compile(r'"(\d{1,18})"', re.ASCII)


def key_refused(key: str | None, profile: Profile) -> Refusal | None:
    """Return the refusal of a key that Collate has no use for (docs/collate-contract.md §10b)."""
    is_unused = key is not None and profile.keys_on == "create_authorization"
    if not is_unused or profile.unused_key == "ignored":
        return None
    return bad_request("Idempotency-Key is not accepted here.")


def precondition(if_match: str | None, actual: int, profile: Profile) -> Refusal | None:
    """Check If-Match: a strong quoted version (docs/collate-contract.md §2)."""
    if not profile.checks_if_match:
        return None
    if if_match is None:
        return header_missing("If-Match", profile.missing_header_status)
    tag = _STRONG_TAG.fullmatch(if_match.strip())
    if tag is None:
        return bad_request('If-Match is the resource version as a quoted entity tag, like "17".')
    expected = int(tag[1])
    return None if expected == actual else version_conflict(expected, actual)


def handoff_refused(authorization: Authorization, body: dict[str, Any]) -> Refusal | None:
    """Return why no handoff may be opened now (docs/collate-contract.md §5.1)."""
    accepted = body.get("acceptedReviewSnapshotId")
    if accepted is not None and not isinstance(accepted, str):
        return bad_request("acceptedReviewSnapshotId is a string.", "acceptedReviewSnapshotId")
    if authorization.is_terminal:
        return ENDED
    if authorization.status is Status.WAITING_ON_PAYER:
        return Refusal(409, "prior_authorization_not_actionable", "The prior authorization waits on the payer.")
    if authorization.action is not Action.COMPLETE_PAYER_INTERACTION:
        return HANDOFF_NOT_ALLOWED
    covered = authorization.covered_snapshot
    return None if covered is None or accepted == covered.id else REVIEW_STALE


def close_refused(handoff: Handoff, profile: Profile) -> Refusal | None:
    """Return why this handoff cannot be closed by a call; the code is undocumented (docs/collate-contract.md §5)."""
    if handoff.state is HandoffState.OFFERED and profile.close_while_offered == "refused":
        return HANDOFF_NOT_ACTIVE
    return HANDOFF_NOT_ACTIVE if handoff.state in (HandoffState.CLOSING, HandoffState.CLOSED) else None


def confirm_refused(authorization: Authorization) -> Refusal | None:
    """Return why the next action cannot be confirmed (docs/collate-contract.md §3)."""
    if authorization.action not in (Action.CONTINUE_AUTHORIZATION, Action.APPROVE_SUBMISSION):
        return Refusal(409, "prior_authorization_not_actionable", "The next action is not one to confirm.")
    return None


def ended(authorization: Authorization) -> Refusal | None:
    """Return a refusal if the authorization has ended (docs/collate-contract.md §4)."""
    return ENDED if authorization.is_terminal else None


def report_from(operation: str, body: dict[str, Any], canonical: str) -> Report | Refusal:
    """Return the report of a close, or why it is invalid (docs/collate-contract.md §5.4 to §5.6)."""
    texts = {"complete": ("observedReferenceNumber", "operatorNotes"), "unable-to-complete": ("operatorNotes",)}
    for name in texts.get(operation, ("notes",)):
        if not isinstance(body.get(name, ""), str | None):
            return bad_request(f"{name} is a string.", name)
    if operation == "complete":
        outcome = body.get("reportedOutcome")
        if outcome not in _OUTCOMES:
            return bad_request(f"reportedOutcome is one of {', '.join(_OUTCOMES)}.", "reportedOutcome")
        return Report(CLOSES[operation], outcome, body.get("observedReferenceNumber"), canonical)
    if not isinstance(body.get("reason"), str) or not body["reason"]:
        return bad_request("reason is required.", "reason")
    return Report(CLOSES[operation], body=canonical)

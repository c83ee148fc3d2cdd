"""A handoff in memory: how one is taken up, brought up to date, and ended. Pure."""

from typing import Final

from consumers.authorization.state import Handoff, Known
from schemas.collate.handoff import HandoffResult, HandoffState, ManualHandoff
from schemas.enums import Agreement, ClosedBy, Report

# One-way (collate-api.md section 5); a word that we don't know counts as open.
_RANK: Final = {HandoffState.OFFERED: 0, HandoffState.ACTIVE: 1, HandoffState.CLOSING: 2, HandoffState.CLOSED: 3}
_BY_ITSELF: Final = {
    HandoffResult.EXPIRED: ClosedBy.EXPIRY,
    HandoffResult.INTERACTION_LOST_UNRECOVERABLE: ClosedBy.LOSS,
    HandoffResult.CANCELED: ClosedBy.CANCELLATION,
}


def rank(state: str) -> int:
    """Return how far a state is; states never go back."""
    return _RANK.get(state, 1)  # type: ignore[call-overload, no-any-return]  # a StrEnum's key is found by its text


def is_newer(known: Handoff, handoff: ManualHandoff) -> bool:
    """Whether a read is not older than what is known (a replica may lag)."""
    return handoff.version >= known.version and rank(handoff.state) >= rank(known.state)


def opened(handoff: ManualHandoff, version: int, truth: Known | None, now: float) -> Handoff:
    """Take up a handoff seen for the first time, at that version of its authorization."""
    started = handoff.activated_at or handoff.created_at
    return Handoff(
        id=handoff.id,
        version=handoff.version,
        state=handoff.state,
        access_available=handoff.access_available,
        final_submit_capable=handoff.final_submit_capable,
        opened_at=started.timestamp() if started else None,
        seen_at=now,
        open_version=version,
        had_receipt=truth is not None and truth.receipt,
        had_decision=truth is not None and truth.decision,
    )


def open_since(handoff: Handoff) -> float:
    """Return when it began, by Collate's word where there is one; never later than it was seen, whatever clocks say."""
    return handoff.seen_at if handoff.opened_at is None else min(handoff.opened_at, handoff.seen_at)


def seen(known: Handoff, handoff: ManualHandoff, open_version: int) -> Handoff:
    """Bring a handoff up to date with a read that is not older."""
    started = handoff.activated_at or handoff.created_at
    return known.but(
        version=handoff.version,
        state=handoff.state,
        access_available=handoff.access_available,
        final_submit_capable=handoff.final_submit_capable,
        opened_at=started.timestamp() if started else known.opened_at,
        open_version=max(known.open_version, open_version),
    )


def ended(known: Handoff, result: str | None) -> Handoff:
    """End a handoff: by whom, and what is known of the report."""
    word = result or "unrecognised"
    by = _BY_ITSELF.get(word)  # type: ignore[call-overload]  # a StrEnum's key is found by its text
    reported = None
    if by is None:
        by = ClosedBy.OTHER
        if known.closer is not None and (result is None or word == RESULT_OF.get(known.closer.operation)):
            by, reported = ClosedBy.US, known.closer.reported
        elif word == HandoffResult.UNABLE_TO_COMPLETE:
            reported = Report.UNABLE_TO_COMPLETE.value
    return known.but(
        state=HandoffState.CLOSED.value,
        access_available=False,
        result=word,
        by=by.value,
        reported=reported,
        opener=None,
        told_open=False,
        told_risks=(),
        grant_until=None,
    )


def reconciled(known: Handoff, verdict: Agreement) -> Handoff:
    """Keep what later commands and the end may ask about, and no more: this is remembered for months."""
    closer = None if known.closer is None else known.closer.but(asked=None)
    return known.but(agreement=verdict.value, closer=closer, seen_at=0.0)


RESULT_OF: Final = {
    "complete": HandoffResult.COMPLETED_REPORTED.value,
    "unable-to-complete": HandoffResult.UNABLE_TO_COMPLETE.value,
    "revoke": HandoffResult.REVOKED.value,
}
"""The result that each of our closes gives a handoff (collate-api.md section 5)."""

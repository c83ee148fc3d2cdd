"""Transitions of a stored handoff: first seen, updated, ended, reconciled. Pure."""

from typing import Final

from consumers.authorization.state import Handoff, Known
from schemas.collate.handoff import HandoffResult, HandoffState, ManualHandoff
from schemas.enums import Agreement, ClosedBy, CloseReport

# States only move forward (docs/collate-contract.md §5). An unknown state counts as open.
_RANK: Final = {HandoffState.OFFERED: 0, HandoffState.ACTIVE: 1, HandoffState.CLOSING: 2, HandoffState.CLOSED: 3}
_CLOSED_BY: Final = {
    HandoffResult.EXPIRED: ClosedBy.EXPIRY,
    HandoffResult.INTERACTION_LOST_UNRECOVERABLE: ClosedBy.LOSS,
    HandoffResult.CANCELED: ClosedBy.CANCELLATION,
}


def rank(state: str) -> int:
    """Return the position of a state; a handoff never moves to a lower one."""
    return _RANK.get(state, 1)  # type: ignore[call-overload, no-any-return]  # a StrEnum key equals its text


def is_current(known: Handoff, handoff: ManualHandoff) -> bool:
    """Whether a read is at least as new as the stored handoff (a replica may lag)."""
    return handoff.version >= known.version and rank(handoff.state) >= rank(known.state)


def first_seen(handoff: ManualHandoff, version: int, known: Known | None, now: float) -> Handoff:
    """Return the stored form of a new handoff; `version` is the version of its authorization."""
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
        had_receipt=known is not None and known.receipt,
        had_decision=known is not None and known.decision,
    )


def open_since(handoff: Handoff) -> float:
    """Return when the handoff opened, according to Collate if known, but no later than our first read of it."""
    return handoff.seen_at if handoff.opened_at is None else min(handoff.opened_at, handoff.seen_at)


def updated(known: Handoff, handoff: ManualHandoff, open_version: int) -> Handoff:
    """Return the handoff after a read that is not older."""
    started = handoff.activated_at or handoff.created_at
    return known.replace(
        version=handoff.version,
        state=handoff.state,
        access_available=handoff.access_available,
        final_submit_capable=handoff.final_submit_capable,
        opened_at=started.timestamp() if started else known.opened_at,
        open_version=max(known.open_version, open_version),
    )


def ended(known: Handoff, result: str | None) -> Handoff:
    """Return the handoff after its end, with its cause and, if we know it, the report."""
    word = result or "unrecognised"
    by = _CLOSED_BY.get(word)  # type: ignore[call-overload]  # a StrEnum key equals its text
    reported = None
    if by is None:
        by = ClosedBy.OTHER
        if known.closer is not None and (result is None or word == RESULT_OF.get(known.closer.operation)):
            by, reported = ClosedBy.US, known.closer.reported
        elif word == HandoffResult.UNABLE_TO_COMPLETE:
            reported = CloseReport.UNABLE_TO_COMPLETE.value
    return known.replace(
        state=HandoffState.CLOSED.value,
        access_available=False,
        result=word,
        by=by.value,
        reported=reported,
        opener=None,
        open_emitted=False,
        emitted_risks=(),
        grant_until=None,
    )


def reconciled(known: Handoff, verdict: Agreement) -> Handoff:
    """Return the handoff after its reconciliation, without fields that no later step needs: it is stored for months."""
    closer = None if known.closer is None else known.closer.replace(caused_by=None)
    return known.replace(agreement=verdict.value, closer=closer, seen_at=0.0)


RESULT_OF: Final = {
    "complete": HandoffResult.COMPLETED_REPORTED.value,
    "unable-to-complete": HandoffResult.UNABLE_TO_COMPLETE.value,
    "revoke": HandoffResult.REVOKED.value,
}
"""The result of a handoff after each of our closes (docs/collate-contract.md §5)."""

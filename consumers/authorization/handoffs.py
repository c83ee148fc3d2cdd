"""Transitions of a stored handoff: first seen, updated, ended, reconciled. Pure."""

from dataclasses import dataclass
from typing import Final

from consumers.authorization.state import Claim, CommandRef, Handoff, Known
from schemas.callers import asserted_by
from schemas.collate.handoff import CloseAnswer, HandoffResult, HandoffState, ManualHandoff
from schemas.commands import REPORT_OF, RESULT_OF
from schemas.enums import Agreement, AssertedBy, ClosedBy, RiskReason

NEVER: Final = float("inf")
# States only move forward (docs/collate-contract.md §5). An unknown state counts as open.
_RANK: Final = {HandoffState.OFFERED: 0, HandoffState.ACTIVE: 1, HandoffState.CLOSING: 2, HandoffState.CLOSED: 3}
_CLOSED_BY: Final = {
    HandoffResult.EXPIRED: ClosedBy.EXPIRY,
    HandoffResult.INTERACTION_LOST_UNRECOVERABLE: ClosedBy.LOSS,
    HandoffResult.CANCELED: ClosedBy.CANCELLATION,
}


@dataclass(frozen=True, slots=True)
class RiskRules:
    """When an open handoff is at risk. Without `abandonment_seconds` its end is unknown.

    Attributes:
        not_entered_seconds: the age of a handoff for which no access was granted.
        grant_expiring_seconds: the time before the end of the last grant.
        abandonment_seconds: Collate ends a handoff so long after its last grant, or its opening if there is none.
        abandonment_warning_seconds: the time before that end.
        open_too_long_seconds: the age of any handoff.
    """

    not_entered_seconds: float = 300.0
    grant_expiring_seconds: float = 60.0
    abandonment_seconds: float | None = 900.0
    abandonment_warning_seconds: float = 300.0
    open_too_long_seconds: float = 4 * 3600.0


DEFAULT_RISK_RULES: Final = RiskRules()


def rank(state: str) -> int:
    """Return the position of a state; a handoff never moves to a lower one."""
    return _RANK.get(state, 1)  # type: ignore[call-overload, no-any-return]  # a StrEnum key equals its text


def is_current(known: Handoff, handoff: ManualHandoff) -> bool:
    """Whether a read is at least as new as the stored handoff (a replica may lag)."""
    return handoff.version >= known.version and rank(handoff.state) >= rank(known.state)


def first_seen(handoff: ManualHandoff, version: int, known: Known | None, now: float) -> Handoff:
    """Return the stored form of a new handoff; `version` is the version of its authorization."""
    started = handoff.activated_at or handoff.created_at
    return Handoff.model_construct(
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


def closed_unseen(answer: CloseAnswer, known: Known | None, now: float) -> Handoff:
    """Return the stored form of a handoff that we closed before a read showed it."""
    return Handoff.model_construct(
        id=answer.manual_handoff_id,
        state=answer.state,
        seen_at=now,
        open_version=answer.authorization.version,
        had_receipt=known is not None and known.receipt,
        had_decision=known is not None and known.decision,
    )


def access_of(handoff: Handoff) -> tuple[str, bool, bool]:
    """Return what an operator can do in an open handoff."""
    return handoff.state, handoff.access_available, handoff.final_submit_capable


def open_since(handoff: Handoff) -> float:
    """Return when the handoff opened, according to Collate if known, but no later than our first read of it."""
    return handoff.seen_at if handoff.opened_at is None else min(handoff.opened_at, handoff.seen_at)


def may_be_at_risk(handoff: Handoff) -> bool:
    """Whether a handoff is open, so that time alone can put it at risk."""
    return handoff.open_emitted and handoff.state != HandoffState.CLOSING


def risks(handoff: Handoff, rules: RiskRules) -> tuple[tuple[RiskReason, float], ...]:
    """Return each risk, and the time from which it holds."""
    opened, until, ends_at = open_since(handoff), handoff.grant_until, abandoned_at(handoff, rules)
    expiring = handoff.grant_expiring_at
    return (
        (RiskReason.NOT_ENTERED, opened + rules.not_entered_seconds if until is None else NEVER),
        (RiskReason.GRANT_EXPIRING, NEVER if expiring is None else expiring),
        (RiskReason.GRANT_EXPIRED, NEVER if until is None else until),
        (RiskReason.ABANDONMENT, NEVER if ends_at is None else ends_at - rules.abandonment_warning_seconds),
        (RiskReason.OPEN_TOO_LONG, opened + rules.open_too_long_seconds),
    )


def is_late(handoff: Handoff, risk: RiskReason, rules: RiskRules, now: float) -> bool:
    """Whether the time that a risk warns of has passed: another event says more, or Collate did not end the handoff."""
    match risk:
        case RiskReason.GRANT_EXPIRING:
            ends_at = handoff.grant_until
        case RiskReason.ABANDONMENT:
            ends_at = abandoned_at(handoff, rules)
        case _:
            ends_at = None
    return ends_at is not None and ends_at <= now


def abandoned_at(handoff: Handoff, rules: RiskRules) -> float | None:
    """Return when Collate is expected to end the handoff, unless a new grant is created."""
    if rules.abandonment_seconds is None:
        return None
    last = open_since(handoff) if handoff.grant_until is None else handoff.grant_until
    return last + rules.abandonment_seconds


def expiring_at(until: float, now: float, rules: RiskRules) -> float:
    """Return when a grant counts as expiring; a short grant has half of its life without the warning."""
    return until - min(rules.grant_expiring_seconds, max(0.0, until - now) / 2)


def granted(handoff: Handoff, until: float, expiring: float | None) -> Handoff:
    """Return the handoff after a grant: it ends the risks that a new grant averts."""
    if handoff.grant_until is not None and handoff.grant_until >= until:
        until, expiring = handoff.grant_until, handoff.grant_expiring_at
    kept = tuple(risk for risk in handoff.emitted_risks if risk == RiskReason.OPEN_TOO_LONG)
    return handoff.replace(grant_until=until, grant_expiring_at=expiring, emitted_risks=kept)


def claim_after(claim: Claim | None, caller: str, now: float, *, take_over: bool) -> Claim | None:
    """Return the claim after a caller got into the handoff: the first person's, or that of a person who takes over."""
    if asserted_by(caller) is not AssertedBy.PERSON:
        return claim
    if claim is not None and (claim.caller == caller or not take_over):
        return claim
    return Claim.model_construct(caller=caller, since=now)


def is_claimed_by(claim: Claim | None, caller: str) -> bool:
    """Whether this person has the handoff in hand."""
    return claim is not None and claim.caller == caller


def updated(known: Handoff, handoff: ManualHandoff, open_version: int) -> Handoff:
    """Return the handoff after a read that is not older."""
    started = handoff.activated_at or handoff.created_at
    return known.replace(
        version=handoff.version,
        state=handoff.state,
        access_available=handoff.access_available,
        final_submit_capable=handoff.final_submit_capable,
        opened_at=started.timestamp() if started else known.opened_at,
        closed_at=handoff.closed_at.timestamp() if handoff.closed_at else known.closed_at,
        open_version=max(known.open_version, open_version),
        doubtful=False,
    )


def doubted(known: Handoff, version: int) -> Handoff:
    """Return a handoff of which Collate, restored from a backup, may show an earlier state, or nothing."""
    is_closing = known.state == HandoffState.CLOSING
    return known.replace(
        version=0,
        state=HandoffState.ACTIVE.value if is_closing else known.state,
        open_version=min(known.open_version, version),
        doubtful=True,
    )


def ended(known: Handoff, result: str | None, now: float) -> Handoff:
    """Return the handoff after its end, with its cause and, if we know it, the report."""
    word = result or "unrecognised"
    by = _CLOSED_BY.get(word)  # type: ignore[call-overload]  # a StrEnum key equals its text
    reported = None
    if by is None:
        by = ClosedBy.OTHER
        if known.closer is not None and (result is None or word == RESULT_OF.get(known.closer.operation)):
            by, reported = ClosedBy.US, known.closer.reported
        else:
            reported = REPORT_OF.get(word)
    return known.replace(
        state=HandoffState.CLOSED.value,
        access_available=False,
        result=word,
        by=by.value,
        reported=reported,
        opener=None if known.opener is None else CommandRef(command_id=known.opener.command_id),
        opener_inferred=False,
        open_emitted=False,
        emitted_risks=(),
        doubtful=False,
        grant_until=None,
        grant_expiring_at=None,
        end_seen_at=now,
    )


def reconciled(known: Handoff, verdict: Agreement) -> Handoff:
    """Return the handoff after its reconciliation, without fields that no later step needs: it is stored for months."""
    closer = None if known.closer is None else known.closer.replace(caused_by=None)
    return known.replace(agreement=verdict.value, closer=closer, seen_at=0.0, end_seen_at=None)

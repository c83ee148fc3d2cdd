"""Transitions of an authorization and its handoffs (docs/collate-contract.md §4, §5). Pure.

      requires_action ──open──▶ offered ─▶ active ──close──▶ closing ─▶ closed        the handoff
             ▲                                                  │
             └───────────── conclude ◀───── processing ◀────────┘                     the authorization
                               └──▶ waiting_on_payer ──decide──▶ completed

A report changes only the handoff. Only `conclude`, with the payer's truth, changes the authorization's status.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from local.collate.model.authorization import (
    Action,
    Authorization,
    Handoff,
    HandoffState,
    Report,
    Result,
    Snapshot,
    Status,
    Truth,
)
from local.collate.model.effect import COLLATE, Cause, Effect, Kind, Step
from local.collate.profile import Profile

_REPORTED = {
    "submitted": Truth.RECEIVED,
    "decision_observed": Truth.APPROVED,
    "not_required_observed": Truth.NOT_REQUIRED,
    "follow_up_required_observed": Truth.FOLLOW_UP,
}
_DECISIONS = (Truth.APPROVED, Truth.DENIED, Truth.MODIFIED)


@dataclass(frozen=True, slots=True)
class Moment:
    """The context of a transition: simulated time, cause, profile and id generator."""

    now: float
    cause: Cause
    profile: Profile
    new_id: Callable[[str], str]

    def after(self, seconds: float | None) -> float | None:
        """Return the time `seconds` later, or None for never."""
        return None if seconds is None else self.now + seconds


def open_handoff(authorization: Authorization, at: Moment) -> Step:
    """Open a handoff: active immediately, or offered first."""
    offered = Handoff(
        id=at.new_id("mhand"),
        version=0,
        state=HandoffState.OFFERED,
        created_at=at.now,
        final_submit_capable=authorization.case.review_backed,
    )
    if at.profile.offered_seconds > 0:
        handoff = replace(offered, version=1, due_at=at.after(at.profile.offered_seconds))
    else:
        handoff = _activated(offered, at)
    opened = replace(
        authorization,
        version=authorization.version + (1 if at.profile.create_bumps_version else 0),
        handoffs=(*authorization.handoffs, handoff),
        updated_at=at.now,
    )
    return Step(opened, (_effect(Kind.HANDOFF_OPENED, opened, at, handoff),))


def close_handoff(authorization: Authorization, handoff: Handoff, report: Report, at: Moment) -> Step:
    """Close a handoff by a call: `closing` first, then closed."""
    if at.profile.closes_immediately:
        closed = _closed(authorization, handoff, report, replace(at, cause=COLLATE))
        called = _effect(Kind.HANDOFF_CLOSING, closed.authorization, at, handoff, result=report.result)
        return Step(closed.authorization, (called, *closed.effects))
    closing = replace(
        handoff,
        version=handoff.version + 1,
        state=HandoffState.CLOSING,
        access_available=False,
        report=report,
        reconciliation_id=at.new_id("recon"),
        due_at=at.after(at.profile.closing_seconds),
    )
    processing = _processing(_with_handoff(authorization, closing), at)
    return Step(processing, (_effect(Kind.HANDOFF_CLOSING, processing, at, closing, result=report.result),))


def end_handoff(authorization: Authorization, handoff: Handoff, result: Result, at: Moment) -> Step:
    """End a handoff without a close call (expired, lost, canceled). A handoff in `closing` keeps its report."""
    return _closed(authorization, handoff, handoff.report or Report(result), at)


def conclude(authorization: Authorization, at: Moment) -> Step:
    """Reconcile with the payer: the truth, not the report, decides the new status."""
    truth = _truth(authorization)
    found = _next(authorization, at, truth=Truth.AS_REPORTED, finds_at=None, action=None)
    if truth is Truth.FOLLOW_UP:
        found = replace(found, status=Status.REQUIRES_ACTION, action=Action.RESOLVE_REQUIREMENTS)
    elif truth is Truth.NOTHING and found.receipt is None:
        found = _needs_handoff(found, at)
    elif truth in (Truth.NOTHING, Truth.RECEIVED):
        wait = at.profile.decision_seconds if found.decision_seconds is None else found.decision_seconds
        found = replace(_received(found, at), status=Status.WAITING_ON_PAYER, decides_at=at.after(wait))
    elif truth in _DECISIONS:
        found = _completed(replace(_received(found, at), decision=(at.now, truth)), truth, at)
    else:
        found = _completed(found, truth, at)
    return Step(found, (_effect(Kind.CONCLUDED, found, at, truth=truth),))


def confirm(authorization: Authorization, at: Moment) -> Step:
    """Start Collate's automation."""
    confirmed = replace(_processing(authorization, at), finds_at=at.after(at.profile.automation_seconds))
    return Step(confirmed, (_effect(Kind.AUTHORIZATION_CONFIRMED, confirmed, at),))


def cancel(authorization: Authorization, at: Moment) -> Step:
    """Cancel the authorization and its active handoff. Receipt and decision stay."""
    effects: tuple[Effect, ...] = ()
    if (handoff := authorization.open_handoff) is not None:
        ended = end_handoff(authorization, handoff, Result.CANCELED, at)
        authorization, effects = ended.authorization, ended.effects
    ends = {"status": Status.CANCELED, "action": None, "finds_at": None, "decides_at": None, "canceled_at": at.now}
    canceled = _next(authorization, at, **ends)
    return Step(canceled, (*effects, _effect(Kind.AUTHORIZATION_CANCELED, canceled, at)))


def edit(authorization: Authorization, at: Moment, *, fresh_snapshot: bool) -> Step:
    """Edit the case: the version increases. With a fresh snapshot the old snapshot is stale."""
    version = authorization.version + 1
    snapshot = Snapshot(at.new_id("rev"), at.now, version) if fresh_snapshot else authorization.snapshot
    edited = _next(authorization, at, snapshot=snapshot)
    return Step(edited, (_effect(Kind.AUTHORIZATION_EDITED, edited, at),))


def run_due(authorization: Authorization, at: Moment) -> Step | None:
    """Return the next transition that is due by `at`, or None."""
    handoff = authorization.open_handoff
    if handoff is not None and handoff.due_at is not None and handoff.due_at <= at.now:
        if handoff.state is HandoffState.OFFERED:
            active = _activated(handoff, at)
            activated = _with_handoff(authorization, active)
            return Step(activated, (_effect(Kind.HANDOFF_ACTIVATED, activated, at, active),))
        # A handoff in `closing` ends with its own result, any other handoff as expired.
        return end_handoff(authorization, handoff, Result.EXPIRED, at)
    if authorization.finds_at is not None and authorization.finds_at <= at.now:
        return conclude(authorization, at)
    if authorization.decides_at is not None and authorization.decides_at <= at.now:
        return _decided(authorization, at)
    return None


def extended_by_grant(
    authorization: Authorization, handoff: Handoff, expires_at: float, profile: Profile
) -> Authorization:
    """Extend the handoff's abandonment deadline past a grant. No version changes (docs/collate-contract.md §10b)."""
    due_at = None if profile.abandonment_seconds is None else expires_at + profile.abandonment_seconds
    return _with_handoff(authorization, replace(handoff, due_at=due_at))


def _closed(authorization: Authorization, handoff: Handoff, report: Report, at: Moment) -> Step:
    closed = replace(
        handoff,
        version=handoff.version + 1,
        state=HandoffState.CLOSED,
        access_available=False,
        report=report,
        result=report.result,
        reconciliation_id=handoff.reconciliation_id or at.new_id("recon"),
        closed_at=at.now,
        due_at=None,
    )
    processing = replace(
        _processing(_with_handoff(authorization, closed), at), finds_at=at.after(at.profile.reconcile_seconds)
    )
    return Step(processing, (_effect(Kind.HANDOFF_CLOSED, processing, at, closed, result=closed.result),))


def _decided(authorization: Authorization, at: Moment) -> Step:
    truth = authorization.truth if authorization.truth in _DECISIONS else Truth.APPROVED
    decided = replace(authorization, version=authorization.version + 1, decision=(at.now, truth))
    decided = _completed(decided, truth, at)
    return Step(decided, (_effect(Kind.DECIDED, decided, at, truth=truth),))


def _truth(authorization: Authorization) -> Truth:
    if authorization.truth is not Truth.AS_REPORTED:
        return authorization.truth
    report = authorization.last_report
    return _REPORTED.get(report.outcome or "", Truth.NOTHING) if report else Truth.NOTHING


def _needs_handoff(authorization: Authorization, at: Moment) -> Authorization:
    snapshot = authorization.snapshot
    if authorization.case.review_backed:
        snapshot = Snapshot(at.new_id("rev"), at.now, authorization.version)
    return replace(
        authorization, status=Status.REQUIRES_ACTION, action=Action.COMPLETE_PAYER_INTERACTION, snapshot=snapshot
    )


def _received(authorization: Authorization, at: Moment) -> Authorization:
    if authorization.receipt is not None:
        return authorization
    observed = authorization.last_report.reference_number if authorization.last_report else None
    return replace(authorization, receipt=(at.now, observed or at.new_id("PA").upper()))


def _completed(authorization: Authorization, truth: Truth, at: Moment) -> Authorization:
    return replace(
        authorization,
        status=Status.COMPLETED,
        outcome=truth.value,
        action=None,
        truth=Truth.AS_REPORTED,
        decides_at=None,
        completed_at=at.now,
        updated_at=at.now,
    )


def _processing(authorization: Authorization, at: Moment) -> Authorization:
    return _next(authorization, at, status=Status.PROCESSING, action=None)


def _next(authorization: Authorization, at: Moment, **changes: Any) -> Authorization:
    """Return the next version."""
    return replace(authorization, version=authorization.version + 1, updated_at=at.now, **changes)


def _activated(handoff: Handoff, at: Moment) -> Handoff:
    return replace(
        handoff,
        version=handoff.version + 1,
        state=HandoffState.ACTIVE,
        activated_at=at.now,
        access_available=True,
        due_at=at.after(at.profile.abandonment_seconds),
    )


def _with_handoff(authorization: Authorization, handoff: Handoff) -> Authorization:
    kept = tuple(handoff if known.id == handoff.id else known for known in authorization.handoffs)
    return replace(authorization, handoffs=kept)


def _effect(
    kind: Kind, authorization: Authorization, at: Moment, handoff: Handoff | None = None, **details: object
) -> Effect:
    handoff_id = None if handoff is None else handoff.id
    return Effect(kind, at.now, authorization.id, authorization.version, at.cause, handoff_id, details)

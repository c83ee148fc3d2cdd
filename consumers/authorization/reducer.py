"""Reduces a state and one fact to the new state and its events. Pure; the applier and the watcher share it.

An event is a difference to the state, so a change that both of them read is published once. Each change of the public
record after a read has an event, so that a `sequence` has one public state. For our own writes that event is the end of
their command; both are committed together.
Order of events: opened, access_changed, closed, changed, reconciled, action_required, settled, at_risk, overdue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from consumers.authorization import event_factory
from consumers.authorization.facts import (
    CloseAnswered,
    CloseInferred,
    CreateAnswered,
    CreateInferred,
    DueStated,
    GrantRecorded,
    Observed,
    ReleaseRecorded,
    TimePassed,
    VersionFloorSet,
)
from consumers.authorization.handoffs import (
    DEFAULT_RISK_RULES,
    RiskRules,
    claim_after,
    closed_unseen,
    doubted,
    expiring_at,
    first_seen,
    granted,
    is_claimed_by,
)
from consumers.authorization.passing_time import check_due, check_time
from consumers.authorization.reads import observed
from consumers.authorization.reduction import Reduction
from consumers.authorization.report_agreement import agreement
from consumers.authorization.state import Due, Grant
from schemas.collate.handoff import HandoffState

if TYPE_CHECKING:
    from consumers.authorization.facts import Fact
    from consumers.authorization.reduction import PendingEvent
    from consumers.authorization.state import AuthorizationState


def reduce(  # noqa: C901 - one case for each fact
    state: AuthorizationState, fact: Fact, now: float, rules: RiskRules = DEFAULT_RISK_RULES
) -> tuple[AuthorizationState, tuple[PendingEvent, ...]]:
    """Return the state after the fact, and the events."""
    reduction = Reduction(state, now)
    match fact:
        case Observed():
            observed(reduction, fact)
            check_time(reduction, rules)
        case CreateAnswered():
            _create_answered(reduction, fact)
        case CreateInferred():
            _create_inferred(reduction, fact)
        case CloseAnswered():
            _close_answered(reduction, fact)
        case CloseInferred():
            _close_inferred(reduction, fact)
        case GrantRecorded():
            _grant_recorded(reduction, fact, rules)
        case ReleaseRecorded():
            _release_recorded(reduction, fact)
        case VersionFloorSet():
            _version_floor_set(reduction, fact)
        case DueStated():
            _due_stated(reduction, fact)
        case TimePassed():
            check_time(reduction, rules)
        case _:
            assert_never(fact)
    return reduction.state, tuple(reduction.events)


# Our own writes


def _create_answered(reduction: Reduction, fact: CreateAnswered) -> None:
    handoff, active = fact.handoff, reduction.state.active
    if fact.version > reduction.state.floor:
        reduction.change(floor=fact.version)
    if reduction.has_ended(handoff.id):
        return
    version = fact.authorization.version if fact.authorization is not None else None
    if active is not None and active.id == handoff.id:
        known = active.replace(opener=fact.caused_by, opener_inferred=fact.is_inferred)
        reduction.update(reduction.claimed_by_opener(known), version)
    else:
        _our_handoff(reduction, fact, version)
    if fact.authorization is not None:
        observed(reduction, Observed(fact.authorization))


def _our_handoff(reduction: Reduction, fact: CreateAnswered, version: int | None) -> None:
    active = reduction.state.active
    if active is not None:
        reduction.end(active, fact.version, result="unrecognised")
    _reconcile_last(reduction)
    opened = first_seen(fact.handoff, fact.version, reduction.state.known, reduction.now)
    reduction.open(opened.replace(opener=fact.caused_by, opener_inferred=fact.is_inferred), version)


def _reconcile_last(reduction: Reduction) -> None:
    known, last = reduction.state.known, reduction.state.last
    if known is not None and last is not None and last.agreement is None:
        reduction.reconcile(last, known, agreement(last, known))


def _create_inferred(reduction: Reduction, fact: CreateInferred) -> None:
    active = reduction.state.active
    if active is not None and active.id == fact.handoff_id and active.opener is None:
        reduction.change(active=active.replace(opener=fact.caused_by, opener_inferred=True))


def _close_answered(reduction: Reduction, fact: CloseAnswered) -> None:
    answer, closer = fact.answer, fact.closer
    version = answer.authorization.version
    if (
        reduction.state.active is None
        and not reduction.has_ended(answer.manual_handoff_id)
        and version >= reduction.state.floor
    ):
        # No read has shown the handoff, because a replica lags. The response proves that it was open.
        _reconcile_last(reduction)
        reduction.open(closed_unseen(answer, reduction.state.known, reduction.now), version)
    known, active = reduction.state.known, reduction.state.active
    if active is not None and active.id == answer.manual_handoff_id:
        closing = active.replace(closer=closer, state=answer.state, access_available=False)
        if answer.closed_at is not None:
            closing = closing.replace(closed_at=answer.closed_at.timestamp())
        if answer.state == HandoffState.CLOSED:
            reduction.end(closing, version, answer.result)
        else:
            # The end of the command says that it is closing, so there is no event of changed access.
            reduction.close_begun(closing.replace(open_version=max(version, active.open_version)), version)
    if known is not None and version > reduction.state.floor:
        after = known.replace(
            version=version,
            whole=False,
            status=answer.authorization.status,
            action=None,
            resolution=None,
            covers=None,
        )
        reduction.change(known=after, floor=version, emitted_action=None)
        if after.status != known.status:
            handoff = reduction.state.handoff(answer.manual_handoff_id)
            reduction.emit(event_factory.changed(known.status, after), closer.caused_by, of=handoff)


def _close_inferred(reduction: Reduction, fact: CloseInferred) -> None:
    active = reduction.state.active
    if active is not None and active.id == fact.handoff_id and active.closer is None:
        reduction.change(active=active.replace(closer=fact.closer))


def _grant_recorded(reduction: Reduction, fact: GrantRecorded, rules: RiskRules) -> None:
    reduction.emit(event_factory.access_granted(fact), of=reduction.state.handoff(fact.handoff_id), cause=fact.cause)
    active, early = reduction.state.active, reduction.state.early_grant
    until, expiring = fact.expires_at, expiring_at(fact.expires_at, reduction.now, rules)
    if active is not None and active.id == fact.handoff_id:
        now_granted = granted(active, until, expiring)
        reduction.change(active=reduction.claimed(now_granted, fact.caller, fact.cause, take_over=fact.take_over))
    elif not reduction.has_ended(fact.handoff_id):
        grant = Grant(handoff_id=fact.handoff_id, until=until, expiring_at=expiring)
        known = early if early is not None and early.handoff_id == fact.handoff_id else None
        latest = known if known is not None and known.until >= until else grant
        claim = claim_after(known.claim if known else None, fact.caller, reduction.now, take_over=fact.take_over)
        reduction.change(early_grant=latest.replace(claim=claim))


def _release_recorded(reduction: Reduction, fact: ReleaseRecorded) -> None:
    active, early = reduction.state.active, reduction.state.early_grant
    if active is not None and active.id == fact.handoff_id and is_claimed_by(active.claim, fact.caller):
        reduction.change(active=active.replace(claim=None))
        if active.open_emitted:
            reduction.emit(event_factory.released(active.id, fact.caller), of=active, cause=fact.cause)
    elif early is not None and early.handoff_id == fact.handoff_id and is_claimed_by(early.claim, fact.caller):
        reduction.change(early_grant=early.replace(claim=None))  # nothing has been published of it yet


def _version_floor_set(reduction: Reduction, fact: VersionFloorSet) -> None:
    state, version = reduction.state, fact.version
    if version > state.floor:
        return
    if state.active is not None:
        reduction.change(active=doubted(state.active, version))  # our own create may have raised the version unseen
    if version == state.floor:
        return
    known, last = state.known, state.last
    if known is not None and known.version > version:
        known = known.replace(version=version, whole=False)
    if last is not None:
        last = last.replace(open_version=min(last.open_version, version))
    reduction.change(floor=version, known=known, last=last, emitted_action=None, settled_at=None)


def _due_stated(reduction: Reduction, fact: DueStated) -> None:
    due = reduction.state.due
    if reduction.state.settled_at is not None or (due is not None and due.at == fact.at):
        return
    if due is not None and fact.is_redrive and due.stated_at > fact.stated_at:
        return  # a later command has stated another due date
    reduction.change(due=Due(at=fact.at, stated_at=fact.stated_at, stated_by=fact.stated_by))
    check_due(reduction)

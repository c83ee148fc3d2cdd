"""What the passing of time alone causes: the events of due dates and of risks, and when the next one comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.authorization import event_factory
from consumers.authorization.handoffs import NEVER, abandoned_at, is_late, may_be_at_risk, risks

if TYPE_CHECKING:
    from consumers.authorization.handoffs import RiskRules
    from consumers.authorization.reduction import Reduction
    from consumers.authorization.state import AuthorizationState


def check_time(reduction: Reduction, rules: RiskRules) -> None:
    """Emit the risks of the open handoff that have come true, and that the authorization is overdue."""
    _check_risks(reduction, rules)
    check_due(reduction)


def check_due(reduction: Reduction) -> None:
    """Emit that the authorization is overdue, once for each due date."""
    due, known = reduction.state.due, reduction.state.known
    if due is not None and known is not None and _due_time(reduction.state) <= reduction.now:
        reduction.change(due=due.replace(overdue_at=reduction.now))
        reduction.emit(event_factory.overdue(known, due), due.stated_by)


def _check_risks(reduction: Reduction, rules: RiskRules) -> None:
    active = reduction.state.active
    if active is None or not may_be_at_risk(active):
        return
    for risk, since in risks(active, rules):
        if since > reduction.now or risk in active.emitted_risks:
            continue
        active = active.replace(emitted_risks=(*active.emitted_risks, risk.value))
        reduction.change(active=active)
        if not is_late(active, risk, rules, reduction.now):
            ends_at = abandoned_at(active, rules)
            ends_at = ends_at if ends_at is not None and ends_at > reduction.now else None
            reduction.emit(
                event_factory.at_risk(active, risk, ends_at, reduction.state.known), active.opener, of=active
            )


def next_event_at(state: AuthorizationState, rules: RiskRules) -> float:
    """Return when the passing of time alone causes the next event; infinity for never."""
    active, due = state.active, _due_time(state)
    if active is None or not may_be_at_risk(active):
        return due
    times = (since for risk, since in risks(active, rules) if risk not in active.emitted_risks)
    return min(due, *times)


def _due_time(state: AuthorizationState) -> float:
    """Return when `authorization.overdue` must be published; infinity for never."""
    due = state.due
    return NEVER if due is None or due.overdue_at is not None or state.settled_at is not None else due.at

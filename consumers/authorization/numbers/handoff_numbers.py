"""Counts what a clinical lead asks for, from the events of one commit: times, verdicts, due dates.

A process that dies between a commit and its count loses the count. The counts are no ledger: the events are.
"""

from collections.abc import Sequence
from typing import Final

from consumers.authorization.handoffs import open_since
from consumers.authorization.reduction import PendingEvent
from consumers.authorization.state import AuthorizationState, Handoff
from runtime.metrics import HandoffStage, PayerLabels, PeopleMetrics, VerdictWhen
from schemas.collate.authorization import requires_handoff
from schemas.enums import Agreement
from schemas.events import (
    AuthorizationActionRequired,
    AuthorizationOverdue,
    AuthorizationSettled,
    HandoffClosed,
    HandoffOpened,
    HandoffReconciled,
)

_IN_TIME: Final = {True: "yes", False: "no"}


class HandoffNumbers:
    """The counters of one worker."""

    def __init__(self, metrics: PeopleMetrics, payers: PayerLabels) -> None:
        """Create every series, so that a rate exists before the first event."""
        self._metrics = metrics
        self._payers = payers
        for payer in payers.every:
            for stage in HandoffStage:
                metrics.stage_seconds.labels(stage, payer)
            metrics.overdue.labels(payer)
            for in_time in _IN_TIME.values():
                metrics.settled_due.labels(in_time, payer)
            for verdict in Agreement:
                for when in VerdictWhen:
                    metrics.agreements.labels(verdict.value, when, payer)

    def count(
        self, before: AuthorizationState, after: AuthorizationState, events: Sequence[PendingEvent], now: float
    ) -> None:
        """Count the events of a commit; `before` and `after` are the states around it, `now` is Unix time."""
        needed_at = _needed_at(before)
        closed: dict[str, float] = {}
        for pending in events:
            match pending.event:
                case AuthorizationActionRequired() as event:
                    is_handoff = requires_handoff(event.action, event.resolution)
                    needed_at = (needed_at or now) if is_handoff else None
                case HandoffOpened() as event:
                    opened_at = now if event.opened_at is None else event.opened_at.timestamp()
                    self._observe(HandoffStage.NEED_TO_OPEN, needed_at, opened_at, event.payer_id)
                    needed_at = None
                case HandoffClosed() as event:
                    closed_at = now if event.closed_at is None else event.closed_at.timestamp()
                    closed[event.handoff_id] = closed_at
                    opened = _opened_at(event.handoff_id, before, after)
                    payer = after.known.payer if after.known is not None else None
                    self._observe(HandoffStage.OPEN_TO_CLOSE, opened, closed_at, payer)
                case HandoffReconciled() as event:
                    since = closed.get(event.handoff_id, _closed_at(_find(event.handoff_id, before.last)))
                    self._observe(HandoffStage.CLOSE_TO_TRUTH, since, now, event.payer_id)
                    self._count(event.agreement, VerdictWhen.RECONCILED, event.payer_id)
                case AuthorizationOverdue() as event:
                    self._metrics.overdue.labels(self._payers.of(event.payer_id)).inc()
                case AuthorizationSettled() as event:
                    if event.handoff_id is not None:
                        self._count(event.agreement, VerdictWhen.SETTLED, event.payer_id)
                    if event.in_time is not None:
                        self._metrics.settled_due.labels(_IN_TIME[event.in_time], self._payers.of(event.payer_id)).inc()
                case _:
                    pass

    def _observe(self, stage: HandoffStage, since: float | None, until: float, payer: str | None) -> None:
        if since is not None:
            # Collate's clock may be behind ours.
            self._metrics.stage_seconds.labels(stage, self._payers.of(payer)).observe(max(0.0, until - since))

    def _count(self, verdict: Agreement, when: VerdictWhen, payer: str | None) -> None:
        self._metrics.agreements.labels(verdict.value, when, self._payers.of(payer)).inc()


def _needed_at(state: AuthorizationState) -> float | None:
    """Return since when Collate waits for a handoff that has not been opened."""
    action = state.emitted_action
    return state.action_required_at if action is not None and requires_handoff(*action[:2]) else None


def _opened_at(handoff_id: str, before: AuthorizationState, after: AuthorizationState) -> float | None:
    handoff = _find(handoff_id, before.active, after.last)
    if handoff is None:
        return None
    # A reconciled handoff no longer has the time when we saw it first.
    return open_since(handoff) if handoff.seen_at else handoff.opened_at


def _closed_at(handoff: Handoff | None) -> float | None:
    """Return when a handoff that is not reconciled closed, by Collate's clock if it shows the time, else by ours."""
    if handoff is None:
        return None
    return handoff.end_seen_at if handoff.closed_at is None else handoff.closed_at


def _find(handoff_id: str, *places: Handoff | None) -> Handoff | None:
    return next((found for found in places if found is not None and found.id == handoff_id), None)

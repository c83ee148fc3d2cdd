"""Reduces a state and one fact to the new state and its events. Pure; the applier and the watcher share it.

An event is a difference to the state, so a change that both of them read is published once. A read may change:

    version below the floor        nothing
    the same version               only additions: a handoff, a receipt, a decision
    a higher version               everything, however many versions were skipped

The end of a handoff needs proof: a read of the handoff, the response to our close, or another handoff in its place. Its
absence proves nothing. A close is reconciled by a later version, so a read of the old state cannot reconcile it.
Order of events: opened, closed, changed, reconciled, action_required, settled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from consumers.authorization import event_factory
from consumers.authorization.facts import (
    CloseAnswered,
    CloseInferred,
    CreateAnswered,
    CreateInferred,
    GrantRecorded,
    Observed,
    TimePassed,
)
from consumers.authorization.handoffs import first_seen, is_current, open_since, updated
from consumers.authorization.reduction import PendingEvent, Reduction
from consumers.authorization.report_agreement import agreement, final_agreement
from consumers.authorization.state import AuthorizationState, Grant, Handoff, Known
from schemas.collate.authorization import Status
from schemas.collate.handoff import HandoffState
from schemas.enums import Agreement

if TYPE_CHECKING:
    from consumers.authorization.facts import Fact
    from schemas.collate.authorization import PriorAuthorization

_SETTLED: Final = (Status.COMPLETED, Status.CANCELED)
_AT_REST: Final = (Status.REQUIRES_ACTION, Status.WAITING_ON_PAYER, *_SETTLED)


@dataclass(frozen=True, slots=True)
class RiskRules:
    """The age at which an open handoff is at risk."""

    open_too_long_seconds: float = 4 * 3600.0


def reduce(
    state: AuthorizationState, fact: Fact, now: float, rules: RiskRules = RiskRules()
) -> tuple[AuthorizationState, tuple[PendingEvent, ...]]:
    """Return the state after the fact, and the events."""
    reduction = _FactReduction(state, now)
    match fact:
        case Observed():
            reduction.observed(fact)
            reduction.check_risks(rules)
        case CreateAnswered():
            reduction.create_answered(fact)
        case CreateInferred():
            reduction.create_inferred(fact)
        case CloseAnswered():
            reduction.close_answered(fact)
        case CloseInferred():
            reduction.close_inferred(fact)
        case GrantRecorded():
            reduction.grant_recorded(fact)
        case TimePassed():
            reduction.check_risks(rules)
        case _:
            assert_never(fact)
    return reduction.state, tuple(reduction.events)


class _FactReduction(Reduction):
    """The effect of each fact."""

    __slots__ = ()

    # Reads

    def observed(self, observation: Observed) -> None:
        authorization = observation.authorization
        if authorization.version < self.state.floor:
            return
        before = self.state.known
        now_known = _known(authorization)
        self._handoffs(observation, now_known)
        self._authorization(before, now_known)
        if authorization.active_handoff_id is None and self.state.active is None:
            self._at_rest(authorization)
        self._settle(authorization)

    def _handoffs(self, observation: Observed, known: Known) -> None:
        pointer = observation.authorization.active_handoff_id
        version = observation.authorization.version
        active = self.state.active
        if active is not None:
            self._known_handoff(active, observation, version)
        if pointer is None:
            return
        active = self.state.active
        if active is not None and active.id != pointer and version > active.open_version:
            # Collate allows one open handoff, so the stored one has ended, even if no read shows its end.
            self.end(active, version, result="unrecognised")
        handoff = observation.handoff(pointer)
        if handoff is None or self.state.active is not None or self.has_ended(pointer):
            return
        if (last := self.state.last) is not None and last.agreement is None:
            # Collate reconciles the last handoff before it opens another. If the new one is already closed, the read
            # may show the effect of its close.
            open_now = handoff.state != HandoffState.CLOSED
            self.reconcile(last, known, agreement(last, known) if open_now else Agreement.UNDETERMINED)
        self.open(first_seen(handoff, version, known, self.now), version)
        if handoff.state == HandoffState.CLOSED and (opened := self.state.active) is not None:
            self.end(updated(opened, handoff, version), version, handoff.result)

    def _known_handoff(self, active: Handoff, observation: Observed, version: int) -> None:
        handoff = observation.handoff(active.id)
        if handoff is None:
            if observation.authorization.active_handoff_id == active.id and version > active.open_version:
                self.change(active=active.replace(open_version=version))
            return
        if not is_current(active, handoff):
            return
        # Only the authorization shows at which version the handoff was open; the read of the handoff may lag.
        is_active_handoff = observation.authorization.active_handoff_id == active.id
        now_active = updated(active, handoff, version if is_active_handoff else active.open_version)
        if handoff.state == HandoffState.CLOSED:
            self.end(now_active, version, handoff.result)
        else:
            self.update(now_active, version)

    def _authorization(self, before: Known | None, now_known: Known) -> None:
        state = self.state
        if before is None:
            self.change(known=now_known, floor=max(state.floor, now_known.version))
            self.emit(event_factory.changed(None, now_known))
            return
        later = now_known.version > before.version or not before.whole
        after = before.replace(**_read_fields(now_known)) if later else before
        after = after.replace(
            receipt=before.receipt or now_known.receipt, decision=before.decision or now_known.decision
        )
        if after == before:
            return
        self.change(known=after, floor=max(state.floor, after.version))
        differs = (
            after.status != before.status
            or after.outcome != before.outcome
            or after.receipt != before.receipt
            or after.decision != before.decision
        )
        if differs:
            self.emit(event_factory.changed(before.status, after))

    def _at_rest(self, authorization: PriorAuthorization) -> None:
        known = self.state.known
        if known is None:
            return
        last = self.state.last
        if last is not None and last.agreement is None:
            is_after = authorization.version > last.open_version or known.status in _SETTLED
            if not is_after or known.status not in _AT_REST:
                return
            self.reconcile(last, known, agreement(last, known))
        if known.status != Status.REQUIRES_ACTION or known.action is None:
            if self.state.emitted_action is not None:
                self.change(emitted_action=None)
            return
        action = (known.action, known.resolution, known.covers)
        if known.whole and action != self.state.emitted_action:
            self.change(emitted_action=action)
            self.emit(event_factory.action_required(known))

    def _settle(self, authorization: PriorAuthorization) -> None:
        known = self.state.known
        if not authorization.is_settled or self.state.settled_at is not None or known is None:
            return
        if known.status not in _SETTLED:
            return
        last = self.state.last
        if self.state.active is not None:
            verdict, last = Agreement.UNDETERMINED, self.state.active
        elif last is None:
            verdict = Agreement.NO_REPORT
        else:
            verdict = final_agreement(last, known)
            self.change(last=last.replace(agreement=verdict.value))
        self.change(settled_at=self.now)
        self.emit(event_factory.settled(known, last, verdict))

    # Our own writes

    def create_answered(self, fact: CreateAnswered) -> None:
        handoff, active = fact.handoff, self.state.active
        if fact.version > self.state.floor:
            self.change(floor=fact.version)
        if active is not None and active.id == handoff.id:
            self.update(active.replace(opener=fact.caused_by), None)
            return
        if self.has_ended(handoff.id):
            return
        if active is not None:
            self.end(active, fact.version, result="unrecognised")
        known = self.state.known
        if known is not None and (last := self.state.last) is not None and last.agreement is None:
            self.reconcile(last, known, agreement(last, known))
        self.open(first_seen(handoff, fact.version, known, self.now).replace(opener=fact.caused_by), None)

    def create_inferred(self, fact: CreateInferred) -> None:
        active = self.state.active
        if active is not None and active.id == fact.handoff_id and active.opener is None:
            self.change(active=active.replace(opener=fact.caused_by))

    def close_answered(self, fact: CloseAnswered) -> None:
        answer, closer = fact.answer, fact.closer
        version = answer.authorization.version
        state, known = self.state, self.state.known
        active = state.active
        if active is not None and active.id == answer.manual_handoff_id:
            closing = active.replace(closer=closer, state=answer.state, access_available=False)
            if answer.state == HandoffState.CLOSED:
                self.end(closing, version, answer.result)
            else:
                self.update(closing.replace(open_version=max(version, active.open_version)), version)
        state = self.state
        if known is not None and version > state.floor:
            after = known.replace(
                version=version,
                whole=False,
                status=answer.authorization.status,
                action=None,
                resolution=None,
                covers=None,
            )
            self.change(known=after, floor=version, emitted_action=None)
            if after.status != known.status:
                self.emit(event_factory.changed(known.status, after), closer.caused_by)

    def close_inferred(self, fact: CloseInferred) -> None:
        active = self.state.active
        if active is not None and active.id == fact.handoff_id and active.closer is None:
            self.change(active=active.replace(closer=fact.closer))

    def grant_recorded(self, fact: GrantRecorded) -> None:
        self.events.append(PendingEvent(event_factory.access_granted(fact), fact.cause))
        active = self.state.active
        if active is not None and active.id == fact.handoff_id:
            until = max(active.grant_until or 0.0, fact.expires_at)
            risks = tuple(risk for risk in active.emitted_risks if risk != event_factory.GRANT_EXPIRED)
            self.change(active=active.replace(grant_until=until, emitted_risks=risks))
        elif not self.has_ended(fact.handoff_id):
            early = self.state.early_grant
            until = early.until if early is not None and early.handoff_id == fact.handoff_id else fact.expires_at
            grant = Grant(handoff_id=fact.handoff_id, until=max(until, fact.expires_at))
            self.change(early_grant=grant)

    # Time

    def check_risks(self, rules: RiskRules) -> None:
        active = self.state.active
        if active is None or not active.open_emitted or active.state == HandoffState.CLOSING:
            return
        risks = (
            (event_factory.GRANT_EXPIRED, active.grant_until is not None and active.grant_until <= self.now),
            (event_factory.OPEN_TOO_LONG, open_since(active) + rules.open_too_long_seconds <= self.now),
        )
        for risk, holds in risks:
            if holds and risk not in active.emitted_risks:
                active = active.replace(emitted_risks=(*active.emitted_risks, risk))
                self.change(active=active)
                self.emit(event_factory.at_risk(active, risk, self.state.known), active.opener)


def _known(authorization: PriorAuthorization) -> Known:
    action = authorization.next_action
    resolution = action.resolution if action else None
    return Known(
        version=authorization.version,
        status=authorization.status,
        outcome=authorization.outcome,
        action=action.type if action else None,
        resolution=resolution.kind if resolution else None,
        covers=authorization.covers_review_snapshot_id,
        receipt=authorization.receipt_seen,
        decision=authorization.decision_seen,
    )


def _read_fields(known: Known) -> dict[str, object]:
    return {name: getattr(known, name) for name in _FIELDS}


_FIELDS: Final = tuple(Known.model_fields)

"""From what was known and one fact to what is known now, and the events between: pure, shared by applier and watcher.

A change seen by both is published once, because it is a difference to the memory. What may be told:

    version below the floor        nothing at all
    the same version again         only what adds: a handoff, a receipt, a decision
    a higher version               every difference, however many versions were jumped

A handoff's end is believed only from the handoff itself (or our close's answer, or another handoff in its place), never
from its absence. A close is reconciled by a *later* version, so a read that still shows the old state can't end it.
Order of events: opened, closed, changed, reconciled, action_required, settled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from consumers.authorization import event_factory
from consumers.authorization.facts import Closed, CloseInferred, Created, CreateInferred, Granted, Observed, TimePassed
from consumers.authorization.handoffs import is_newer, open_since, opened, seen
from consumers.authorization.reduction import PendingEvent, Reduction
from consumers.authorization.report_agreement import agreement, final
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
class Rules:
    """When an open handoff is at risk."""

    open_too_long_seconds: float = 4 * 3600.0


def reduce(
    memory: AuthorizationState, fact: Fact, now: float, rules: Rules = Rules()
) -> tuple[AuthorizationState, tuple[PendingEvent, ...]]:
    """Return the memory after the fact, and what is to be told."""
    change = _Change(memory, now)
    match fact:
        case Observed():
            change.look(fact)
            change.mind_risks(rules)
        case Created():
            change.created(fact)
        case CreateInferred():
            change.claim_opening(fact)
        case Closed():
            change.closed_by_us(fact)
        case CloseInferred():
            change.claim_closing(fact)
        case Granted():
            change.granted(fact)
        case TimePassed():
            change.mind_risks(rules)
        case _:
            assert_never(fact)
    return change.memory, tuple(change.told)


class _Change(Reduction):
    """One reduction under way, by fact."""

    __slots__ = ()

    # Reads

    def look(self, looked: Observed) -> None:
        authorization = looked.authorization
        if authorization.version < self.memory.floor:
            return
        before = self.memory.known
        seen_now = _known(authorization)
        self._handoffs(looked, seen_now)
        self._authorization(before, seen_now)
        if authorization.active_handoff_id is None and self.memory.active is None:
            self._at_rest(authorization)
        self._settle(authorization)

    def _handoffs(self, looked: Observed, truth: Known) -> None:
        pointer = looked.authorization.active_handoff_id
        version = looked.authorization.version
        active = self.memory.active
        if active is not None:
            self._known_handoff(active, looked, version)
        if pointer is None:
            return
        active = self.memory.active
        if active is not None and active.id != pointer and version > active.open_version:
            # Collate has one open handoff at most: the other one has ended, whatever became of our reads of it.
            self.end(active, version, result="unrecognised")
        handoff = looked.handoff(pointer)
        if handoff is None or self.memory.active is not None or self.has_ended(pointer):
            return
        if (last := self.memory.last) is not None and last.agreement is None:
            # A new handoff means that Collate had finished looking; its own end may have brought what is seen now.
            open_now = handoff.state != HandoffState.CLOSED
            self.reconcile(last, truth, agreement(last, truth) if open_now else Agreement.UNDETERMINED)
        self.open(opened(handoff, version, truth, self.now), version)
        if handoff.state == HandoffState.CLOSED and (now_active := self.memory.active) is not None:
            self.end(seen(now_active, handoff, version), version, handoff.result)

    def _known_handoff(self, active: Handoff, looked: Observed, version: int) -> None:
        handoff = looked.handoff(active.id)
        if handoff is None:
            if looked.authorization.active_handoff_id == active.id and version > active.open_version:
                self.memory = self.memory.but(active=active.but(open_version=version))
            return
        if not is_newer(active, handoff):
            return
        # Only the authorization says at which of its versions the handoff was open; a handoff read may lag behind it.
        points_at_it = looked.authorization.active_handoff_id == active.id
        now_seen = seen(active, handoff, version if points_at_it else active.open_version)
        if handoff.state == HandoffState.CLOSED:
            self.end(now_seen, version, handoff.result)
        else:
            self.update(now_seen, version)

    def _authorization(self, before: Known | None, seen_now: Known) -> None:
        memory = self.memory
        if before is None:
            self.memory = memory.but(known=seen_now, floor=max(memory.floor, seen_now.version))
            self.tell(event_factory.changed(None, seen_now))
            return
        later = seen_now.version > before.version or not before.whole
        after = before.but(**_told_by(seen_now)) if later else before
        after = after.but(receipt=before.receipt or seen_now.receipt, decision=before.decision or seen_now.decision)
        if after == before:
            return
        self.memory = memory.but(known=after, floor=max(memory.floor, after.version))
        differs = (
            after.status != before.status
            or after.outcome != before.outcome
            or after.receipt != before.receipt
            or after.decision != before.decision
        )
        if differs:
            self.tell(event_factory.changed(before.status, after))

    def _at_rest(self, authorization: PriorAuthorization) -> None:
        known = self.memory.known
        if known is None:
            return
        last = self.memory.last
        if last is not None and last.agreement is None:
            is_after = authorization.version > last.open_version or known.status in _SETTLED
            if not is_after or known.status not in _AT_REST:
                return
            self.reconcile(last, known, agreement(last, known))
        if known.status != Status.REQUIRES_ACTION or known.action is None:
            if self.memory.told_action is not None:
                self.memory = self.memory.but(told_action=None)
            return
        action = (known.action, known.resolution, known.covers)
        if known.whole and action != self.memory.told_action:
            self.memory = self.memory.but(told_action=action)
            self.tell(event_factory.action_required(known))

    def _settle(self, authorization: PriorAuthorization) -> None:
        known = self.memory.known
        if not authorization.is_settled or self.memory.settled_at is not None or known is None:
            return
        if known.status not in _SETTLED:
            return
        last = self.memory.last
        if self.memory.active is not None:
            verdict, last = Agreement.UNDETERMINED, self.memory.active
        elif last is None:
            verdict = Agreement.NO_REPORT
        else:
            verdict = final(last, known)
            self.memory = self.memory.but(last=last.but(agreement=verdict.value))
        self.memory = self.memory.but(settled_at=self.now)
        self.tell(event_factory.settled(known, last, verdict))

    # Our own writes

    def created(self, fact: Created) -> None:
        memory, handoff = self.memory, fact.handoff
        if fact.version > memory.floor:
            self.memory = memory = memory.but(floor=fact.version)
        active = memory.active
        if active is not None and active.id == handoff.id:
            self.update(active.but(opener=fact.asked), None)
            return
        if self.has_ended(handoff.id):
            return
        if active is not None:
            self.end(active, fact.version, result="unrecognised")
        known = self.memory.known
        if known is not None and (last := self.memory.last) is not None and last.agreement is None:
            self.reconcile(last, known, agreement(last, known))
        self.open(opened(handoff, fact.version, known, self.now).but(opener=fact.asked), None)

    def claim_opening(self, fact: CreateInferred) -> None:
        active = self.memory.active
        if active is not None and active.id == fact.handoff_id and active.opener is None:
            self.memory = self.memory.but(active=active.but(opener=fact.asked))

    def closed_by_us(self, fact: Closed) -> None:
        answer, closer = fact.answer, fact.closer
        version = answer.authorization.version
        memory, known = self.memory, self.memory.known
        active = memory.active
        if active is not None and active.id == answer.manual_handoff_id:
            closing = active.but(closer=closer, state=answer.state, access_available=False)
            if answer.state == HandoffState.CLOSED:
                self.end(closing, version, answer.result)
            else:
                self.update(closing.but(open_version=max(version, active.open_version)), version)
        memory = self.memory
        if known is not None and version > memory.floor:
            after = known.but(
                version=version,
                whole=False,
                status=answer.authorization.status,
                action=None,
                resolution=None,
                covers=None,
            )
            self.memory = memory.but(known=after, floor=version, told_action=None)
            if after.status != known.status:
                self.tell(event_factory.changed(known.status, after), closer.asked)

    def claim_closing(self, fact: CloseInferred) -> None:
        active = self.memory.active
        if active is not None and active.id == fact.handoff_id and active.closer is None:
            self.memory = self.memory.but(active=active.but(closer=fact.closer))

    def granted(self, fact: Granted) -> None:
        self.told.append(
            PendingEvent(event_factory.access_granted(fact.handoff_id, fact.operator, fact.expires_at), fact.cause)
        )
        active = self.memory.active
        if active is not None and active.id == fact.handoff_id:
            until = max(active.grant_until or 0.0, fact.expires_at)
            told = tuple(risk for risk in active.told_risks if risk != event_factory.GRANT_EXPIRED)
            self.memory = self.memory.but(active=active.but(grant_until=until, told_risks=told))
        elif not self.has_ended(fact.handoff_id):
            early = self.memory.early_grant
            until = early.until if early is not None and early.handoff_id == fact.handoff_id else fact.expires_at
            grant = Grant(handoff_id=fact.handoff_id, until=max(until, fact.expires_at))
            self.memory = self.memory.but(early_grant=grant)

    # Time

    def mind_risks(self, rules: Rules) -> None:
        active = self.memory.active
        if active is None or not active.told_open or active.state == HandoffState.CLOSING:
            return
        risks = (
            (event_factory.GRANT_EXPIRED, active.grant_until is not None and active.grant_until <= self.now),
            (event_factory.OPEN_TOO_LONG, open_since(active) + rules.open_too_long_seconds <= self.now),
        )
        for risk, is_there in risks:
            if is_there and risk not in active.told_risks:
                active = active.but(told_risks=(*active.told_risks, risk))
                self.memory = self.memory.but(active=active)
                self.tell(event_factory.at_risk(active, risk, self.memory.known), active.opener)


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


def _told_by(known: Known) -> dict[str, object]:
    return {name: getattr(known, name) for name in _FIELDS}


_FIELDS: Final = tuple(Known.model_fields)

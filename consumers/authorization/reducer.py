"""Reduces a state and one fact to the new state and its events. Pure; the applier and the watcher share it.

An event is a difference to the state, so a change that both of them read is published once. A read may change:

    version below the floor        nothing
    the same version               only additions: a handoff, a receipt, a decision, a better word (known.py)
    a higher version               everything, however many versions were skipped

The end of a handoff needs proof: a read of the handoff, the response to our close, or another handoff in its place. Its
absence proves nothing. A close is reconciled by a later version, so a read of the old state cannot reconcile it.
Each change of the public record after a read has an event, so that a `sequence` has one public state. For our own
writes that event is the end of their command; both are committed together.
Order of events: opened, access_changed, closed, changed, reconciled, action_required, settled, at_risk, overdue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, assert_never

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
    NEVER,
    RiskRules,
    abandoned_at,
    access_of,
    claim_after,
    closed_unseen,
    doubted,
    ended,
    expiring_at,
    first_seen,
    granted,
    is_claimed_by,
    is_current,
    is_late,
    may_be_at_risk,
    reconciled,
    risks,
    updated,
)
from consumers.authorization.known import known_from, merged
from consumers.authorization.report_agreement import agreement, final_agreement
from consumers.authorization.state import (
    MOST_ENDED_HANDOFFS,
    AuthorizationState,
    CommandRef,
    Due,
    Grant,
    Handoff,
    Known,
    first_command,
)
from schemas.collate.authorization import Status
from schemas.collate.handoff import HandoffState
from schemas.enums import Agreement

if TYPE_CHECKING:
    from consumers.authorization.facts import Fact
    from schemas.collate.authorization import PriorAuthorization
    from schemas.events import Event

_SETTLED: Final = (Status.COMPLETED, Status.CANCELED)
_AT_REST: Final = (Status.REQUIRES_ACTION, Status.WAITING_ON_PAYER, *_SETTLED)


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """An event for the next commit, the id of the command that caused it, and that of the first command of its flow."""

    event: Event
    cause: str | None = None
    first: str | None = None


def reduce(
    state: AuthorizationState, fact: Fact, now: float, rules: RiskRules = DEFAULT_RISK_RULES
) -> tuple[AuthorizationState, tuple[PendingEvent, ...]]:
    """Return the state after the fact, and the events."""
    reduction = Reduction(state, now)
    reduction.apply(fact, rules)
    return reduction.state, tuple(reduction.events)


class Reduction:
    """One reduction in progress: the state and the events so far.

    Each transition of a handoff emits its event, so that no change of a handoff is silent or published twice.
    """

    __slots__ = ("events", "now", "shown_payer", "state")

    def __init__(self, state: AuthorizationState, now: float) -> None:
        self.state = state
        self.now = now
        self.events: list[PendingEvent] = []
        self.shown_payer: str | None = None

    @property
    def payer(self) -> str | None:
        """The payer's id, as known or as this read shows it."""
        return (self.state.known.payer if self.state.known is not None else None) or self.shown_payer

    def change(self, **changes: Any) -> None:
        """Replace fields of the state."""
        self.state = self.state.replace(**changes)

    def emit(
        self, event: Event, command: CommandRef | None = None, *, of: Handoff | None = None, cause: str | None = None
    ) -> None:
        """Add an event `of` a handoff, which a command or the record with the id `cause` caused, if any."""
        cause = command.command_id if command else cause
        self.events.append(PendingEvent(event, cause, first_command(of, cause)))

    def apply(self, fact: Fact, rules: RiskRules) -> None:  # noqa: C901 - one case for each fact
        """Reduce a fact."""
        match fact:
            case Observed():
                self._observed(fact)
                self._check_time(rules)
            case CreateAnswered():
                self._create_answered(fact)
            case CreateInferred():
                self._create_inferred(fact)
            case CloseAnswered():
                self._close_answered(fact)
            case CloseInferred():
                self._close_inferred(fact)
            case GrantRecorded():
                self._grant_recorded(fact, rules)
            case ReleaseRecorded():
                self._release_recorded(fact)
            case VersionFloorSet():
                self._version_floor_set(fact)
            case DueStated():
                self._due_stated(fact)
            case TimePassed():
                self._check_time(rules)
            case _:
                assert_never(fact)

    # The transitions of a handoff

    def open(self, handoff: Handoff, version: int | None) -> None:
        """Add a new handoff, with the grant that was recorded before our first read of it."""
        grant = self.state.early_grant
        if grant is not None and grant.handoff_id == handoff.id:
            handoff = granted(handoff, grant.until, grant.expiring_at).replace(claim=grant.claim)
            self.change(early_grant=None)
        self.change(active=handoff, emitted_action=None)
        self.update(handoff, version)

    def update(self, handoff: Handoff, version: int | None) -> None:
        """Replace the open handoff, and emit `handoff.opened` once it is active, then `handoff.access_changed`."""
        before = self.state.active
        if not handoff.open_emitted and handoff.state != HandoffState.OFFERED:
            handoff = handoff.replace(open_emitted=True)
            self.emit(event_factory.opened(handoff, version, self.payer), handoff.opener, of=handoff)
            if (claim := handoff.claim) is not None:
                self.emit(event_factory.claimed(handoff.id, claim.caller, None), of=handoff)
            else:
                handoff = self.claimed_by_opener(handoff)
        elif handoff.open_emitted and before is not None and access_of(handoff) != access_of(before):
            self.emit(event_factory.access_changed(handoff, version), of=handoff)
        if handoff != before:
            self.change(active=handoff)

    def close_begun(self, handoff: Handoff, version: int) -> None:
        """Replace the open handoff after the response to our close."""
        if handoff.open_emitted:
            self.change(active=handoff)
        else:
            self.update(handoff, version)

    def claimed_by_opener(self, handoff: Handoff) -> Handoff:
        """Return the handoff with the claim of the person who opened it, if that is proven."""
        opener = handoff.opener
        if opener is None or opener.caller is None or handoff.opener_inferred or not handoff.open_emitted:
            return handoff
        return self.claimed(handoff, opener.caller, opener.command_id)

    def claimed(self, handoff: Handoff, caller: str, cause: str, *, take_over: bool = False) -> Handoff:
        """Return the handoff with the caller's claim. Only the first person claims it, and never a service."""
        claim = claim_after(handoff.claim, caller, self.now, take_over=take_over)
        if claim is handoff.claim or claim is None:
            return handoff
        if handoff.open_emitted:  # else with `handoff.opened`
            self.emit(event_factory.claimed(handoff.id, caller, handoff.claim), of=handoff, cause=cause)
        return handoff.replace(claim=claim)

    def end(self, handoff: Handoff, version: int, result: str | None) -> None:
        """End the open handoff."""
        if not handoff.open_emitted:
            handoff = handoff.replace(open_emitted=True)
            self.emit(event_factory.opened(handoff, version, self.payer), handoff.opener, of=handoff)
        handoff = ended(handoff, result, self.now)
        self.change(
            active=None, last=handoff, ended=(*self.state.ended, handoff.id)[-MOST_ENDED_HANDOFFS:], emitted_action=None
        )
        by_us = handoff.closer.caused_by if handoff.closer is not None and handoff.by == "us" else None
        self.emit(event_factory.closed(handoff, version), by_us, of=handoff)

    def reconcile(self, last: Handoff, known: Known, verdict: Agreement) -> None:
        """Mark the last handoff as reconciled by Collate."""
        self.change(last=reconciled(last, verdict))
        by_us = last.closer.caused_by if last.closer else None
        self.emit(event_factory.reconciled(last, known, verdict), by_us, of=last)

    def has_ended(self, handoff_id: str) -> bool:
        """Whether the state contains the end of a handoff."""
        return handoff_id in self.state.ended

    # Reads

    def _observed(self, observation: Observed) -> None:
        authorization = observation.authorization
        if authorization.version < self.state.floor:
            return
        state_before = self.state
        before = state_before.known
        now_known = known_from(authorization)
        self.shown_payer = now_known.payer
        self._handoffs(observation, now_known)
        self._authorization(before, now_known)
        if authorization.active_manual_handoff is None and self.state.active is None:
            self._at_rest(authorization)
        self._settle(authorization)
        known = self.state.known
        if not self.events and known is not None and event_factory.shows_more(state_before, self.state):
            # The next action, its snapshot or an offered handoff, while no event says more.
            self.emit(event_factory.changed(known.status, known))

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
        opened_now = first_seen(handoff, version, known, self.now)
        if observation.inferred is not None and observation.inferred[0] == handoff.id:
            opened_now = opened_now.replace(opener=observation.inferred[1], opener_inferred=True)
        self.open(opened_now, version)
        if handoff.state == HandoffState.CLOSED and (opened := self.state.active) is not None:
            self.end(updated(opened, handoff, version), version, handoff.result)

    def _known_handoff(self, active: Handoff, observation: Observed, version: int) -> None:
        handoff = observation.handoff(active.id)
        if handoff is None:
            if active.doubtful and active.id in observation.missing:
                # Collate was restored from a backup that is older than the handoff.
                self.end(active, version, result="unrecognised")
            elif observation.authorization.active_handoff_id == active.id and version > active.open_version:
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
        after = merged(before, now_known)
        if after is before:
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
                self.change(emitted_action=None, action_required_at=None)
            return
        action, before = (known.action, known.resolution, known.covers), self.state.emitted_action
        if known.whole and action != before:
            is_same_type = before is not None and before[0] == known.action
            since = (self.state.action_required_at if is_same_type else None) or self.now
            self.change(emitted_action=action, action_required_at=since)
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
        self.emit(event_factory.settled(known, last, verdict, self.state.due, self.now), of=last)

    # Our own writes

    def _create_answered(self, fact: CreateAnswered) -> None:
        handoff, active = fact.handoff, self.state.active
        if fact.version > self.state.floor:
            self.change(floor=fact.version)
        if self.has_ended(handoff.id):
            return
        version = fact.authorization.version if fact.authorization is not None else None
        if active is not None and active.id == handoff.id:
            known = active.replace(opener=fact.caused_by, opener_inferred=fact.is_inferred)
            self.update(self.claimed_by_opener(known), version)
        else:
            self._our_handoff(fact, version)
        if fact.authorization is not None:
            self._observed(Observed(fact.authorization))

    def _our_handoff(self, fact: CreateAnswered, version: int | None) -> None:
        active = self.state.active
        if active is not None:
            self.end(active, fact.version, result="unrecognised")
        self._reconcile_last()
        opened = first_seen(fact.handoff, fact.version, self.state.known, self.now)
        self.open(opened.replace(opener=fact.caused_by, opener_inferred=fact.is_inferred), version)

    def _reconcile_last(self) -> None:
        known, last = self.state.known, self.state.last
        if known is not None and last is not None and last.agreement is None:
            self.reconcile(last, known, agreement(last, known))

    def _create_inferred(self, fact: CreateInferred) -> None:
        active = self.state.active
        if active is not None and active.id == fact.handoff_id and active.opener is None:
            self.change(active=active.replace(opener=fact.caused_by, opener_inferred=True))

    def _close_answered(self, fact: CloseAnswered) -> None:
        answer, closer = fact.answer, fact.closer
        version = answer.authorization.version
        if self.state.active is None and not self.has_ended(answer.manual_handoff_id) and version >= self.state.floor:
            # No read has shown the handoff, because a replica lags. The response proves that it was open.
            self._reconcile_last()
            self.open(closed_unseen(answer, self.state.known, self.now), version)
        known, active = self.state.known, self.state.active
        if active is not None and active.id == answer.manual_handoff_id:
            closing = active.replace(closer=closer, state=answer.state, access_available=False)
            if answer.closed_at is not None:
                closing = closing.replace(closed_at=answer.closed_at.timestamp())
            if answer.state == HandoffState.CLOSED:
                self.end(closing, version, answer.result)
            else:
                # The end of the command says that it is closing, so there is no event of changed access.
                self.close_begun(closing.replace(open_version=max(version, active.open_version)), version)
        if known is not None and version > self.state.floor:
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
                handoff = self.state.handoff(answer.manual_handoff_id)
                self.emit(event_factory.changed(known.status, after), closer.caused_by, of=handoff)

    def _close_inferred(self, fact: CloseInferred) -> None:
        active = self.state.active
        if active is not None and active.id == fact.handoff_id and active.closer is None:
            self.change(active=active.replace(closer=fact.closer))

    def _grant_recorded(self, fact: GrantRecorded, rules: RiskRules) -> None:
        self.emit(event_factory.access_granted(fact), of=self.state.handoff(fact.handoff_id), cause=fact.cause)
        active, early = self.state.active, self.state.early_grant
        until, expiring = fact.expires_at, expiring_at(fact.expires_at, self.now, rules)
        if active is not None and active.id == fact.handoff_id:
            now_granted = granted(active, until, expiring)
            self.change(active=self.claimed(now_granted, fact.caller, fact.cause, take_over=fact.take_over))
        elif not self.has_ended(fact.handoff_id):
            grant = Grant(handoff_id=fact.handoff_id, until=until, expiring_at=expiring)
            known = early if early is not None and early.handoff_id == fact.handoff_id else None
            latest = known if known is not None and known.until >= until else grant
            claim = claim_after(known.claim if known else None, fact.caller, self.now, take_over=fact.take_over)
            self.change(early_grant=latest.replace(claim=claim))

    def _release_recorded(self, fact: ReleaseRecorded) -> None:
        active, early = self.state.active, self.state.early_grant
        if active is not None and active.id == fact.handoff_id and is_claimed_by(active.claim, fact.caller):
            self.change(active=active.replace(claim=None))
            if active.open_emitted:
                self.emit(event_factory.released(active.id, fact.caller), of=active, cause=fact.cause)
        elif early is not None and early.handoff_id == fact.handoff_id and is_claimed_by(early.claim, fact.caller):
            self.change(early_grant=early.replace(claim=None))  # nothing has been published of it yet

    def _version_floor_set(self, fact: VersionFloorSet) -> None:
        state, version = self.state, fact.version
        if version > state.floor:
            return
        if state.active is not None:
            self.change(active=doubted(state.active, version))  # our own create may have raised the version unseen
        if version == state.floor:
            return
        known, last = state.known, state.last
        if known is not None and known.version > version:
            known = known.replace(version=version, whole=False)
        if last is not None:
            last = last.replace(open_version=min(last.open_version, version))
        self.change(floor=version, known=known, last=last, emitted_action=None, settled_at=None)

    # Time

    def _due_stated(self, fact: DueStated) -> None:
        due = self.state.due
        if self.state.settled_at is not None or (due is not None and due.at == fact.at):
            return
        if due is not None and fact.is_redrive and due.stated_at > fact.stated_at:
            return  # a later command has stated another due date
        self.change(due=Due(at=fact.at, stated_at=fact.stated_at, stated_by=fact.stated_by))
        self._check_due()

    def _check_time(self, rules: RiskRules) -> None:
        self._check_risks(rules)
        self._check_due()

    def _check_due(self) -> None:
        due, known = self.state.due, self.state.known
        if due is not None and known is not None and due_time(self.state) <= self.now:
            self.change(due=due.replace(overdue_at=self.now))
            self.emit(event_factory.overdue(known, due), due.stated_by)

    def _check_risks(self, rules: RiskRules) -> None:
        active = self.state.active
        if active is None or not may_be_at_risk(active):
            return
        for risk, since in risks(active, rules):
            if since > self.now or risk in active.emitted_risks:
                continue
            active = active.replace(emitted_risks=(*active.emitted_risks, risk.value))
            self.change(active=active)
            if not is_late(active, risk, rules, self.now):
                ends_at = abandoned_at(active, rules)
                ends_at = ends_at if ends_at is not None and ends_at > self.now else None
                self.emit(event_factory.at_risk(active, risk, ends_at, self.state.known), active.opener, of=active)


def next_event_at(state: AuthorizationState, rules: RiskRules) -> float:
    """Return when the passing of time alone causes the next event; infinity for never."""
    active, due = state.active, due_time(state)
    if active is None or not may_be_at_risk(active):
        return due
    times = (since for risk, since in risks(active, rules) if risk not in active.emitted_risks)
    return min(due, *times)


def due_time(state: AuthorizationState) -> float:
    """Return when `authorization.overdue` must be published; infinity for never."""
    due = state.due
    return NEVER if due is None or due.overdue_at is not None or state.settled_at is not None else due.at

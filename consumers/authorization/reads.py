"""What a read of Collate changes: the handoffs, the authorization, its rest and its settlement.

    version below the floor        nothing
    the same version               only additions: a handoff, a receipt, a decision, a better word (known.py)
    a higher version               everything, however many versions were skipped

The end of a handoff needs proof: a read of the handoff, the response to our close, or another handoff in its place. Its
absence proves nothing. A close is reconciled by a later version, so a read of the old state cannot reconcile it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumers.authorization import event_factory
from consumers.authorization.handoffs import first_seen, is_current, updated
from consumers.authorization.known import known_from, merged
from consumers.authorization.report_agreement import agreement, final_agreement
from schemas.collate.authorization import Status
from schemas.collate.handoff import HandoffState
from schemas.enums import Agreement

if TYPE_CHECKING:
    from consumers.authorization.facts import Observed
    from consumers.authorization.reduction import Reduction
    from consumers.authorization.state import Handoff, Known
    from schemas.collate.authorization import PriorAuthorization

_SETTLED: Final = (Status.COMPLETED, Status.CANCELED)
_AT_REST: Final = (Status.REQUIRES_ACTION, Status.WAITING_ON_PAYER, *_SETTLED)


def observed(reduction: Reduction, observation: Observed) -> None:
    """Reduce a read."""
    authorization = observation.authorization
    if authorization.version < reduction.state.floor:
        return
    state_before = reduction.state
    before = state_before.known
    now_known = known_from(authorization)
    reduction.shown_payer = now_known.payer
    _handoffs(reduction, observation, now_known)
    _authorization(reduction, before, now_known)
    if authorization.active_manual_handoff is None and reduction.state.active is None:
        _at_rest(reduction, authorization)
    _settle(reduction, authorization)
    known = reduction.state.known
    if not reduction.events and known is not None and event_factory.shows_more(state_before, reduction.state):
        # The next action, its snapshot or an offered handoff, while no event says more.
        reduction.emit(event_factory.changed(known.status, known))


def _handoffs(reduction: Reduction, observation: Observed, known: Known) -> None:
    pointer = observation.authorization.active_handoff_id
    version = observation.authorization.version
    active = reduction.state.active
    if active is not None:
        _known_handoff(reduction, active, observation, version)
    if pointer is None:
        return
    active = reduction.state.active
    if active is not None and active.id != pointer and version > active.open_version:
        # Collate allows one open handoff, so the stored one has ended, even if no read shows its end.
        reduction.end(active, version, result="unrecognised")
    handoff = observation.handoff(pointer)
    if handoff is None or reduction.state.active is not None or reduction.has_ended(pointer):
        return
    if (last := reduction.state.last) is not None and last.agreement is None:
        # Collate reconciles the last handoff before it opens another. If the new one is already closed, the read
        # may show the effect of its close.
        open_now = handoff.state != HandoffState.CLOSED
        reduction.reconcile(last, known, agreement(last, known) if open_now else Agreement.UNDETERMINED)
    opened_now = first_seen(handoff, version, known, reduction.now)
    if observation.inferred is not None and observation.inferred[0] == handoff.id:
        opened_now = opened_now.replace(opener=observation.inferred[1], opener_inferred=True)
    reduction.open(opened_now, version)
    if handoff.state == HandoffState.CLOSED and (opened := reduction.state.active) is not None:
        reduction.end(updated(opened, handoff, version), version, handoff.result)


def _known_handoff(reduction: Reduction, active: Handoff, observation: Observed, version: int) -> None:
    handoff = observation.handoff(active.id)
    if handoff is None:
        if active.doubtful and active.id in observation.missing:
            # Collate was restored from a backup that is older than the handoff.
            reduction.end(active, version, result="unrecognised")
        elif observation.authorization.active_handoff_id == active.id and version > active.open_version:
            reduction.change(active=active.replace(open_version=version))
        return
    if not is_current(active, handoff):
        return
    # Only the authorization shows at which version the handoff was open; the read of the handoff may lag.
    is_active_handoff = observation.authorization.active_handoff_id == active.id
    now_active = updated(active, handoff, version if is_active_handoff else active.open_version)
    if handoff.state == HandoffState.CLOSED:
        reduction.end(now_active, version, handoff.result)
    else:
        reduction.update(now_active, version)


def _authorization(reduction: Reduction, before: Known | None, now_known: Known) -> None:
    state = reduction.state
    if before is None:
        reduction.change(known=now_known, floor=max(state.floor, now_known.version))
        reduction.emit(event_factory.changed(None, now_known))
        return
    after = merged(before, now_known)
    if after is before:
        return
    reduction.change(known=after, floor=max(state.floor, after.version))
    differs = (
        after.status != before.status
        or after.outcome != before.outcome
        or after.receipt != before.receipt
        or after.decision != before.decision
    )
    if differs:
        reduction.emit(event_factory.changed(before.status, after))


def _at_rest(reduction: Reduction, authorization: PriorAuthorization) -> None:
    known = reduction.state.known
    if known is None:
        return
    last = reduction.state.last
    if last is not None and last.agreement is None:
        is_after = authorization.version > last.open_version or known.status in _SETTLED
        if not is_after or known.status not in _AT_REST:
            return
        reduction.reconcile(last, known, agreement(last, known))
    if known.status != Status.REQUIRES_ACTION or known.action is None:
        if reduction.state.emitted_action is not None:
            reduction.change(emitted_action=None, action_required_at=None)
        return
    action, before = (known.action, known.resolution, known.covers), reduction.state.emitted_action
    if known.whole and action != before:
        is_same_type = before is not None and before[0] == known.action
        since = (reduction.state.action_required_at if is_same_type else None) or reduction.now
        reduction.change(emitted_action=action, action_required_at=since)
        reduction.emit(event_factory.action_required(known))


def _settle(reduction: Reduction, authorization: PriorAuthorization) -> None:
    known = reduction.state.known
    if not authorization.is_settled or reduction.state.settled_at is not None or known is None:
        return
    if known.status not in _SETTLED:
        return
    last = reduction.state.last
    if reduction.state.active is not None:
        verdict, last = Agreement.UNDETERMINED, reduction.state.active
    elif last is None:
        verdict = Agreement.NO_REPORT
    else:
        verdict = final_agreement(last, known)
        reduction.change(last=last.replace(agreement=verdict.value))
    reduction.change(settled_at=reduction.now)
    reduction.emit(event_factory.settled(known, last, verdict, reduction.state.due, reduction.now), of=last)

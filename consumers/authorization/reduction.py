"""One reduction in progress: its state, its events, and the transitions of a handoff, each with its event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from consumers.authorization import event_factory
from consumers.authorization.handoffs import access_of, claim_after, ended, granted, reconciled
from consumers.authorization.state import MOST_ENDED_HANDOFFS, first_command
from schemas.collate.handoff import HandoffState

if TYPE_CHECKING:
    from consumers.authorization.state import AuthorizationState, CommandRef, Handoff, Known
    from schemas.enums import Agreement
    from schemas.events import Event


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """An event for the next commit, the id of the command that caused it, and that of the first command of its flow."""

    event: Event
    cause: str | None = None
    first: str | None = None


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

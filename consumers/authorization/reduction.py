"""One reduction in progress: the state so far, the events so far, and the transitions of a handoff.

Each transition emits its event, so that no change of a handoff is silent or published twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from consumers.authorization import event_factory
from consumers.authorization.handoffs import ended, reconciled
from consumers.authorization.state import MOST_ENDED_HANDOFFS, AuthorizationState, CommandRef, Handoff, Known
from schemas.collate.handoff import HandoffState

if TYPE_CHECKING:
    from schemas.enums import Agreement
    from schemas.events import Event


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """An event for the next commit, and the id of the command that caused it."""

    event: Event
    cause: str | None = None


class Reduction:
    """The state and the events so far."""

    __slots__ = ("events", "now", "state")

    def __init__(self, state: AuthorizationState, now: float) -> None:
        self.state = state
        self.now = now
        self.events: list[PendingEvent] = []

    def change(self, **changes: Any) -> None:
        """Replace fields of the state."""
        self.state = self.state.replace(**changes)

    def emit(self, event: Event, command: CommandRef | None = None) -> None:
        """Add an event that a command caused, if any."""
        self.events.append(PendingEvent(event, command.command_id if command else None))

    def open(self, handoff: Handoff, version: int | None) -> None:
        """Add a new handoff, with the grant that was recorded before our first read of it."""
        grant = self.state.early_grant
        if grant is not None and grant.handoff_id == handoff.id:
            handoff = handoff.replace(grant_until=grant.until)
            self.change(early_grant=None)
        self.change(active=handoff, emitted_action=None)
        self.update(handoff, version)

    def update(self, handoff: Handoff, version: int | None) -> None:
        """Replace the open handoff, and emit `handoff.opened` once it is active."""
        if not handoff.open_emitted and handoff.state != HandoffState.OFFERED:
            handoff = handoff.replace(open_emitted=True)
            self.emit(event_factory.opened(handoff, version), handoff.opener)
        if handoff != self.state.active:
            self.change(active=handoff)

    def end(self, handoff: Handoff, version: int, result: str | None) -> None:
        """End the open handoff."""
        if not handoff.open_emitted:
            handoff = handoff.replace(open_emitted=True)
            self.emit(event_factory.opened(handoff, version), handoff.opener)
        handoff = ended(handoff, result)
        self.change(
            active=None, last=handoff, ended=(*self.state.ended, handoff.id)[-MOST_ENDED_HANDOFFS:], emitted_action=None
        )
        by_us = handoff.closer.caused_by if handoff.closer is not None and handoff.by == "us" else None
        self.emit(event_factory.closed(handoff, version), by_us)

    def reconcile(self, last: Handoff, known: Known, verdict: Agreement) -> None:
        """Mark the last handoff as reconciled by Collate."""
        self.change(last=reconciled(last, verdict))
        self.emit(event_factory.reconciled(last, known, verdict), last.closer.caused_by if last.closer else None)

    def has_ended(self, handoff_id: str) -> bool:
        """Whether the state contains the end of a handoff."""
        return handoff_id in self.state.ended

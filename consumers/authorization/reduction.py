"""One reduction under way: the memory so far, what is to be told so far, and the few ways in which a handoff changes.

Each of them tells what it changes, so that no handoff can change silently or be told of twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumers.authorization import event_factory
from consumers.authorization.handoffs import ended, reconciled
from consumers.authorization.state import MOST_ENDED, AuthorizationState, Handoff, Known, LastCommand
from schemas.collate.handoff import HandoffState

if TYPE_CHECKING:
    from schemas.enums import Agreement
    from schemas.events import Event


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """An event that is to be published, and the command that caused it."""

    event: Event
    cause: str | None = None


class Reduction:
    """See the module."""

    __slots__ = ("memory", "now", "told")

    def __init__(self, memory: AuthorizationState, now: float) -> None:
        self.memory = memory
        self.now = now
        self.told: list[PendingEvent] = []

    def tell(self, event: Event, asked: LastCommand | None = None) -> None:
        """Publish an event, caused by that command."""
        self.told.append(PendingEvent(event, asked.command_id if asked else None))

    def open(self, handoff: Handoff, version: int | None) -> None:
        """Take up a handoff, with what was granted before it was seen."""
        grant = self.memory.early_grant
        if grant is not None and grant.handoff_id == handoff.id:
            handoff = handoff.but(grant_until=grant.until)
            self.memory = self.memory.but(early_grant=None)
        self.memory = self.memory.but(active=handoff, told_action=None)
        self.update(handoff, version)

    def update(self, handoff: Handoff, version: int | None) -> None:
        """Bring the open handoff up to date, and tell of it once it is active."""
        if not handoff.told_open and handoff.state != HandoffState.OFFERED:
            handoff = handoff.but(told_open=True)
            self.tell(event_factory.opened(handoff, version), handoff.opener)
        if handoff != self.memory.active:
            self.memory = self.memory.but(active=handoff)

    def end(self, handoff: Handoff, version: int, result: str | None) -> None:
        """End a handoff."""
        if not handoff.told_open:
            handoff = handoff.but(told_open=True)
            self.tell(event_factory.opened(handoff, version), handoff.opener)
        handoff = ended(handoff, result)
        self.memory = self.memory.but(
            active=None, last=handoff, ended=(*self.memory.ended, handoff.id)[-MOST_ENDED:], told_action=None
        )
        by_us = handoff.closer.asked if handoff.closer is not None and handoff.by == "us" else None
        self.tell(event_factory.closed(handoff, version), by_us)

    def reconcile(self, last: Handoff, truth: Known, verdict: Agreement) -> None:
        """Note that Collate has finished looking."""
        self.memory = self.memory.but(last=reconciled(last, verdict))
        self.tell(event_factory.reconciled(last, truth, verdict), last.closer.asked if last.closer else None)

    def has_ended(self, handoff_id: str) -> bool:
        """Whether a handoff is known to have ended."""
        return handoff_id in self.memory.ended

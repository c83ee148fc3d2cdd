"""The events on `events`: public facts, without free text and without reference numbers.

The envelope has the authorization (subject), the event's `sequence` and the command that caused it (causationid).
`version` is the version of the authorization that showed the fact. One module per subject has its events.
"""

from schemas.enums import EventType
from schemas.events.audit_events import ContentRead, RecentCommandsEmptied, VersionFloorLowered
from schemas.events.authorization_events import (
    AuthorizationActionRequired,
    AuthorizationChanged,
    AuthorizationOverdue,
    AuthorizationSettled,
    AuthorizationWatchEnded,
)
from schemas.events.command_events import (
    CommandDeadLettered,
    CommandFinished,
    CommandKeyConflict,
    CommandWaiting,
    WouldSend,
)
from schemas.events.event import Event, PayerTruth
from schemas.events.handoff_events import (
    HandoffAccessChanged,
    HandoffAccessGranted,
    HandoffAtRisk,
    HandoffClaimed,
    HandoffClosed,
    HandoffOpened,
    HandoffReconciled,
    HandoffReleased,
)

EVENTS = Event.by_type(EventType)
"""Every event by its CloudEvents type."""

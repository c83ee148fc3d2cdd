"""The audit record: one flat line for an event that says what a caller or a person did.

It has the names of fields of the events, so that a line can be compared with its event.
"""

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from schemas.enums import EventType
from schemas.records import PublishedEvent
from schemas.times import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS: Final = (
    "time",
    "event",
    "authorizationId",
    "sequence",
    "id",
    "caller",
    "assertedBy",
    "operator",
    "requestedBy",
    "acceptedBy",
    "reportedBy",
    "handoffId",
    "commandId",
    "command",
    "outcome",
    "effect",
    "result",
    "reported",
    "content",
    "ofCaller",
    "reviewSnapshotId",
    "reason",
    "decidedBy",
    "decidedThrough",
    "decisionAssertedBy",
    "decisionReason",
    "ticket",
    "by",
    "takenOverFrom",
    "claimCheck",
)
"""The columns of the export. A new column is added at the end."""

AUDITED: Final = frozenset(
    {
        EventType.COMMAND_FINISHED,
        EventType.COMMAND_DEAD_LETTERED,
        EventType.HANDOFF_OPENED,
        EventType.HANDOFF_CLOSED,
        EventType.HANDOFF_ACCESS_GRANTED,
        EventType.HANDOFF_CLAIMED,
        EventType.HANDOFF_RELEASED,
        EventType.AUTHORIZATION_CONTENT_READ,
        EventType.AUTHORIZATION_RECENT_COMMANDS_EMPTIED,
    }
)
"""The events about acts of callers and people. The other events are about Collate and the payer."""

_RENAMED: Final = MappingProxyType({"ofCommand": "commandId", "cause": "reason"})
_OF_DECISION: Final = MappingProxyType(
    {
        "requestedBy": "decidedBy",
        "caller": "decidedThrough",
        "assertedBy": "decisionAssertedBy",
        "reason": "decisionReason",
        "ticket": "ticket",
    }
)


def audit_record(event: PublishedEvent) -> dict[str, str | int]:
    """Return the flat record of an event, with absent values left out."""
    data: Mapping[str, Any] = event.data.model_dump(mode="json", by_alias=True, exclude_none=True)
    found: dict[str, Any] = {_RENAMED.get(name, name): value for name, value in data.items()}
    found |= {_OF_DECISION[name]: value for name, value in data.get("decision", {}).items() if name in _OF_DECISION}
    found |= {
        "time": format_time(event.time),
        "event": str(event.data.TYPE),
        "authorizationId": event.authorization_id,
        "sequence": event.sequence,
        "id": event.id,
    }
    return {name: found[name] for name in COLUMNS if name in found}

"""The audit record: one flat line for an event that says what a caller or a person did.

It has the names of fields of the events, so that a line can be compared with its event.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, cast

from schemas.enums import EventType
from schemas.records import PublishedEvent
from schemas.times import format_time

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
    "emptied",
    "fromVersion",
    "toVersion",
    "acceptedReviewSnapshotId",
    "snapshotReadBy",
)
"""The columns of the export. A new column is added at the end."""

NO_ACT: Final = frozenset(
    {
        EventType.COMMAND_WAITING,
        EventType.HANDOFF_RECONCILED,
        EventType.HANDOFF_ACCESS_CHANGED,
        EventType.HANDOFF_AT_RISK,
        EventType.AUTHORIZATION_CHANGED,
        EventType.AUTHORIZATION_ACTION_REQUIRED,
        EventType.AUTHORIZATION_OVERDUE,
        EventType.AUTHORIZATION_SETTLED,
        EventType.AUTHORIZATION_WATCH_ENDED,
    }
)
"""The events about Collate, the payer and the passing of time. Of a command, its end is the act."""

AUDITED: Final = frozenset(EventType) - NO_ACT
"""The events about acts of callers and people: all others, so that a new event is audited until it is listed above."""

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


def audit_record(event: PublishedEvent) -> dict[str, object]:
    """Return the flat record of an event, with absent values left out."""
    data: Mapping[str, object] = event.data.model_dump(mode="json", by_alias=True, exclude_none=True)
    found: dict[str, object] = {_RENAMED.get(name, name): value for name, value in data.items()}
    decision = data.get("decision")
    if isinstance(decision, Mapping):
        of_decision: dict[str, object] = {
            column: decision[name] for name, column in _OF_DECISION.items() if name in decision
        }
        found |= of_decision
    found |= {
        "time": format_time(event.time),
        "event": str(event.data.TYPE),
        "authorizationId": event.authorization_id,
        "sequence": event.sequence,
        "id": event.id,
    }
    return {name: found[name] for name in COLUMNS if name in found}


def with_reads(records: Iterable[dict[str, object]]) -> list[dict[str, object]]:
    """Return the records; each acceptance of a review snapshot says who had read it, as far as the records show.

    `snapshotReadBy` is reviewer (the person who accepted it), others, or nobody.
    """
    ordered = sorted(records, key=_place)
    readers: defaultdict[tuple[object, object], set[object]] = defaultdict(set)
    for record in ordered:
        if "reviewSnapshotId" in record:
            reader = record.get("operator", record["caller"])
            readers[record["authorizationId"], record["reviewSnapshotId"]].add(reader)
        if "acceptedReviewSnapshotId" in record:
            found = readers[record["authorizationId"], record["acceptedReviewSnapshotId"]]
            by_reviewer = "reviewer" if record.get("acceptedBy") in found else "others"
            record["snapshotReadBy"] = by_reviewer if found else "nobody"
    return ordered


def _place(record: Mapping[str, object]) -> tuple[str, str, int]:
    return str(record["authorizationId"]), str(record["time"]), cast("int", record["sequence"])

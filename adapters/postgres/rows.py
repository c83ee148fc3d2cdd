"""Rows of the tables, as the projector loads, folds and saves them. JSON columns are text here.

One batch owns its rows while it folds them. A command's record and its events set different fields, so the order in
which the two topics are read has no effect (docs/decisions/0005).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final

NOT_DUE: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""The due date of an authorization without one, which is last in each list. Python has no infinite time."""


@dataclass(slots=True)
class CommandRow:
    """One command. Its record sets the fields up to `asked_redrive`; its events, up to `sequence`, set the others."""

    command_id: str
    authorization_id: str
    type: str
    caller: str
    accepted_at: datetime | None = None
    partition: int | None = None
    position: int | None = None
    expires_at: datetime | None = None
    metadata: str | None = None
    asked_redrive: int = 0
    sequence: int = 0
    status: str = "accepted"
    redrive: int = 0
    outcome: str | None = None
    effect: str | None = None
    reason: str | None = None
    advice: str | None = None
    handoff_id: str | None = None
    version: int | None = None
    until: datetime | None = None
    changed_at: datetime | None = None


@dataclass(slots=True)
class HandoffRow:
    """One handoff, built from its events."""

    authorization_id: str
    handoff_id: str
    sequence: int = 0
    state: str = "active"
    opened_at: datetime | None = None
    access_available: bool | None = None
    final_submit_capable: bool | None = None
    grants: int = 0
    operator: str | None = None
    grant_expires_at: datetime | None = None
    risk: str | None = None
    risk_ends_at: datetime | None = None
    closed_at: datetime | None = None
    result: str | None = None
    closed_by: str | None = None
    reported: str | None = None
    reason: str | None = None
    agreement: str | None = None
    metadata: str | None = None
    collate_closed_at: datetime | None = None
    payer_id: str | None = None


@dataclass(slots=True)
class AuthorizationRow:
    """One authorization: its latest record on `authorizations`."""

    authorization_id: str
    sequence: int
    status: str
    settled: bool
    active_handoff_id: str | None
    active_since: datetime | None
    updated_at: datetime
    record: str
    payer_id: str | None = None
    action_required_at: datetime | None = None
    handoff_required_at: datetime | None = None
    contradicted_at: datetime | None = None
    claimed_by: str | None = None
    due_at: datetime = NOT_DUE


class Rank(IntEnum):
    """The order of timeline entries with the same time."""

    COMMAND = 0
    ATTEMPT = 1
    EVENT = 2


@dataclass(slots=True)
class TimelineRow:
    """One entry of a timeline. `ordinal`: a command's offset, an event's sequence, 0 for an attempt."""

    authorization_id: str
    at: datetime
    rank: int
    ordinal: int
    kind: str
    command_id: str | None
    data: str


@dataclass(slots=True)
class MinuteRow:
    """The commands accepted and finished in one minute. A batch adds its own counts to those of the table."""

    minute: datetime
    accepted: int = 0
    finished: int = 0


HandoffKey = tuple[str, str]


@dataclass(slots=True)
class RowKeys:
    """The keys of the rows that a batch needs."""

    commands: set[str] = field(default_factory=set)
    handoffs: set[HandoffKey] = field(default_factory=set)
    authorizations: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Rows:
    """The rows of a batch by key, and its new timeline entries and counts."""

    commands: dict[str, CommandRow] = field(default_factory=dict)
    handoffs: dict[HandoffKey, HandoffRow] = field(default_factory=dict)
    authorizations: dict[str, AuthorizationRow] = field(default_factory=dict)
    timeline: list[TimelineRow] = field(default_factory=list)
    minutes: dict[datetime, MinuteRow] = field(default_factory=dict)

    def minute(self, time: datetime) -> MinuteRow:
        """Return the counts of a time's minute."""
        minute = time.replace(second=0, microsecond=0)
        return self.minutes.setdefault(minute, MinuteRow(minute))

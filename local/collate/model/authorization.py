"""What Collate knows of one prior authorization: frozen values, changed only by lifecycle.py.

An authorization holds its handoffs; at most one of them is not closed, and that one is the active handoff.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Status(StrEnum):
    """Who owns the next move (collate-api.md 3)."""

    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    WAITING_ON_PAYER = "waiting_on_payer"
    COMPLETED = "completed"
    CANCELED = "canceled"


class Action(StrEnum):
    """`nextAction.type` (collate-api.md 3)."""

    RESOLVE_REQUIREMENTS = "resolve_requirements"
    CONTINUE_AUTHORIZATION = "continue_authorization"
    APPROVE_SUBMISSION = "approve_submission"
    COMPLETE_PAYER_INTERACTION = "complete_payer_interaction"


class HandoffState(StrEnum):
    """`state` of a manual handoff (collate-api.md 5)."""

    OFFERED = "offered"
    ACTIVE = "active"
    CLOSING = "closing"
    CLOSED = "closed"


class Result(StrEnum):
    """How a handoff ended (collate-api.md 5)."""

    COMPLETED_REPORTED = "completed_reported"
    UNABLE_TO_COMPLETE = "unable_to_complete"
    EXPIRED = "expired"
    REVOKED = "revoked"
    INTERACTION_LOST = "interaction_lost_unrecoverable"
    CANCELED = "canceled"


class Truth(StrEnum):
    """What Collate will find at the payer when it next looks; `AS_REPORTED` believes the operator."""

    AS_REPORTED = "as_reported"
    NOTHING = "nothing"
    RECEIVED = "received"
    APPROVED = "approved"
    DENIED = "denied"
    MODIFIED = "modified"
    NOT_REQUIRED = "not_required"
    FAILED = "failed"
    FOLLOW_UP = "follow_up"


@dataclass(frozen=True, slots=True)
class Report:
    """What was said at a close: a claim, never payer truth."""

    result: Result
    outcome: str | None = None
    reference_number: str | None = None
    body: str = ""


@dataclass(frozen=True, slots=True)
class Handoff:
    """One manual handoff; `due_at` is when it next changes by itself."""

    id: str
    version: int
    state: HandoffState
    created_at: float
    opened_by: str
    activated_at: float | None = None
    closed_at: float | None = None
    result: Result | None = None
    access_available: bool = False
    final_submit_capable: bool = False
    message: str | None = None
    report: Report | None = None
    reconciliation_id: str | None = None
    due_at: float | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A review snapshot; the one that an authorization holds is the current one."""

    id: str
    generated_at: float
    covers_version: int


@dataclass(frozen=True, slots=True)
class Case:
    """What never changes after the create, and what a test injects into every answer."""

    organization: str
    created_at: float
    provider_npi: str = "1999999984"
    final_submission: str = "requires_approval"
    request: Mapping[str, Any] | None = None
    answers: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    review_backed: bool = False
    overlay: Mapping[str, Any] | None = None
    handoff_overlay: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Authorization:
    """The prior authorization; `finds_at` and `decides_at` are when Collate and the payer next act by themselves."""

    id: str
    case: Case
    version: int
    status: Status
    updated_at: float
    action: Action | None = None
    outcome: str | None = None
    snapshot: Snapshot | None = None
    handoffs: tuple[Handoff, ...] = ()
    receipt: tuple[float, str] | None = None
    decision: tuple[float, str] | None = None
    truth: Truth = Truth.AS_REPORTED
    decision_seconds: float | None = None
    finds_at: float | None = None
    decides_at: float | None = None
    completed_at: float | None = None
    canceled_at: float | None = None

    @property
    def is_terminal(self) -> bool:
        """No further writes (collate-api.md 4)."""
        return self.status in (Status.COMPLETED, Status.CANCELED)

    @property
    def open_handoff(self) -> Handoff | None:
        """The handoff that is not closed (`activeManualHandoff`)."""
        last = self.handoffs[-1] if self.handoffs else None
        return None if last is None or last.state is HandoffState.CLOSED else last

    @property
    def last_report(self) -> Report | None:
        """What was said when the last handoff was closed."""
        return self.handoffs[-1].report if self.handoffs else None

    @property
    def covered_snapshot(self) -> Snapshot | None:
        """The snapshot that the next action was issued against, if it covers one."""
        if self.action is Action.APPROVE_SUBMISSION:
            return self.snapshot
        if self.action is Action.COMPLETE_PAYER_INTERACTION and self.case.review_backed:
            return self.snapshot
        return None

    @property
    def due_at(self) -> float | None:
        """When something next happens by itself."""
        handoff = self.open_handoff
        dues = (self.finds_at, self.decides_at, handoff.due_at if handoff else None)
        return min((due for due in dues if due is not None), default=None)

    def handoff(self, handoff_id: str) -> Handoff | None:
        """The handoff of that id."""
        return next((handoff for handoff in reversed(self.handoffs) if handoff.id == handoff_id), None)

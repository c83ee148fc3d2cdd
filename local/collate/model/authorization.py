"""The state of a prior authorization: frozen values that only lifecycle.py changes.

An authorization has its handoffs. At most one of them is not closed: the active handoff.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """`status` of an authorization (docs/collate-contract.md §3)."""

    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    WAITING_ON_PAYER = "waiting_on_payer"
    COMPLETED = "completed"
    CANCELED = "canceled"


class Action(StrEnum):
    """`nextAction.type` (docs/collate-contract.md §3)."""

    RESOLVE_REQUIREMENTS = "resolve_requirements"
    CONTINUE_AUTHORIZATION = "continue_authorization"
    APPROVE_SUBMISSION = "approve_submission"
    COMPLETE_PAYER_INTERACTION = "complete_payer_interaction"


class HandoffState(StrEnum):
    """`state` of a manual handoff (docs/collate-contract.md §5)."""

    OFFERED = "offered"
    ACTIVE = "active"
    CLOSING = "closing"
    CLOSED = "closed"


class Result(StrEnum):
    """`result` of a handoff (docs/collate-contract.md §5)."""

    COMPLETED_REPORTED = "completed_reported"
    UNABLE_TO_COMPLETE = "unable_to_complete"
    EXPIRED = "expired"
    REVOKED = "revoked"
    INTERACTION_LOST = "interaction_lost_unrecoverable"
    CANCELED = "canceled"


class Truth(StrEnum):
    """The truth that Collate finds at its next reconciliation. `AS_REPORTED`: the operator's report is true."""

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
    """The report of a close. It is not payer truth."""

    result: Result
    outcome: str | None = None
    reference_number: str | None = None
    body: str = ""


@dataclass(frozen=True, slots=True)
class Handoff:
    """A manual handoff. `due_at` is the time of its next automatic change."""

    id: str
    version: int
    state: HandoffState
    created_at: float
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
    """A review snapshot. An authorization has only its current one."""

    id: str
    generated_at: float
    covers_version: int


@dataclass(frozen=True, slots=True)
class Case:
    """The constant part of an authorization, and the overlays that a test adds to each response."""

    organization: str
    created_at: float
    review_backed: bool = False
    overlay: Mapping[str, Any] | None = None
    handoff_overlay: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Authorization:
    """A prior authorization. Collate acts next at `finds_at`, the payer at `decides_at`."""

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
        """Whether further writes are refused (docs/collate-contract.md §4)."""
        return self.status in (Status.COMPLETED, Status.CANCELED)

    @property
    def open_handoff(self) -> Handoff | None:
        """The handoff that is not closed (`activeManualHandoff`), if there is one."""
        last = self.handoffs[-1] if self.handoffs else None
        return None if last is None or last.state is HandoffState.CLOSED else last

    @property
    def last_report(self) -> Report | None:
        """The report of the last handoff's close."""
        return self.handoffs[-1].report if self.handoffs else None

    @property
    def covered_snapshot(self) -> Snapshot | None:
        """The snapshot that the next action covers, if there is one."""
        if self.action is Action.APPROVE_SUBMISSION:
            return self.snapshot
        if self.action is Action.COMPLETE_PAYER_INTERACTION and self.case.review_backed:
            return self.snapshot
        return None

    @property
    def due_at(self) -> float | None:
        """The time of the next automatic change."""
        handoff = self.open_handoff
        dues = (self.finds_at, self.decides_at, handoff.due_at if handoff else None)
        return min((due for due in dues if due is not None), default=None)

    def handoff(self, handoff_id: str) -> Handoff | None:
        """Return the handoff with this id, or None."""
        return next((handoff for handoff in reversed(self.handoffs) if handoff.id == handoff_id), None)

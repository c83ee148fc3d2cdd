"""The prior authorization as Collate returns it (docs/collate-contract.md §3).

Unknown fields are dropped and unknown words are kept as text. Of values that may be PHI only the presence is kept,
except the review snapshot: the gateway passes it through unchanged to the reviewer.
"""

from enum import StrEnum
from typing import Any, Final

from pydantic import AliasChoices, ConfigDict, Field, model_validator

from schemas.collate.lenient_types import IsPresent, OpenWord, OrNone, Version
from schemas.fields.scalars import Id
from schemas.model import Phi, Public, Tolerant

POINTER_ID: Final = "activeManualHandoff.id"


class Status(StrEnum):
    """The status of an authorization; the vocabulary is open."""

    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    WAITING_ON_PAYER = "waiting_on_payer"
    COMPLETED = "completed"
    CANCELED = "canceled"


class ActionType(StrEnum):
    """The type of an authorization's next action; the vocabulary is open."""

    RESOLVE_REQUIREMENTS = "resolve_requirements"
    CONTINUE_AUTHORIZATION = "continue_authorization"
    APPROVE_SUBMISSION = "approve_submission"
    COMPLETE_PAYER_INTERACTION = "complete_payer_interaction"


def requires_handoff(action: str | None, resolution: str | None) -> bool:
    """Whether a handoff resolves a next action of this type, with this kind of resolution.

    V3 tests the resolution; V2 names none (collate-contract.md).
    """
    return action == ActionType.COMPLETE_PAYER_INTERACTION and resolution in {None, "manual_handoff"}


class ReviewSnapshot(Tolerant):
    """The content that a reviewer must read before a submission. Unknown fields are kept."""

    model_config = ConfigDict(extra="allow")

    id: Public[Id]
    status: Public[OrNone[OpenWord]] = None

    def to_json(self) -> bytes:
        """Return the snapshot as Collate sent it, with its unknown fields."""
        return self.model_dump_json(by_alias=True, exclude_unset=True).encode()


class SnapshotRefusal(StrEnum):
    """Why a reviewer cannot accept a snapshot."""

    STALE = "stale"  # Collate says that it is not current
    NOT_COVERED = "not_covered"  # the next action refers to another snapshot


def snapshot_refusal(covered: object, id_: object, status: object) -> SnapshotRefusal | None:
    """Return why a snapshot cannot be accepted; `covered` is the id that the next action refers to, if it does."""
    if covered not in (None, id_):
        return SnapshotRefusal.NOT_COVERED
    return None if status in (None, "current") else SnapshotRefusal.STALE


class Submission(Tolerant):
    """The submission to the payer: the snapshot to review, and whether a receipt and a decision exist."""

    review_snapshot: Phi[ReviewSnapshot | None] = None
    receipt_seen: Public[IsPresent] = Field(default=False, alias="payerReceipt")
    decision_seen: Public[IsPresent] = Field(default=False, alias="decision")


class Resolution(Tolerant):
    """The way in which Collate wants its next action resolved."""

    kind: Public[OrNone[OpenWord]] = None


class Covers(Tolerant):
    """The review snapshot that the next action refers to."""

    review_snapshot_id: Public[Id | None] = None


class NextAction(Tolerant):
    """The action that Collate waits for."""

    type: Public[OpenWord]
    resolution: Public[OrNone[Resolution]] = None
    covers: Public[Covers | None] = None


class Payer(Tolerant):
    """The payer. Only its id is kept."""

    id: Public[OrNone[Id]] = None


class AuthorizationRequest(Tolerant):
    """What was requested. Only the payer's id is kept."""

    payer_id: Public[OrNone[Id]] = None


class HandoffPointer(Tolerant):
    """The running handoff inside its authorization. Only an id is documented; a bare text is accepted as the id.

    Any other value but null is a handoff whose id is unknown: the gateway must open no second one.
    """

    id: Public[OrNone[Id]] = Field(default=None, validation_alias=AliasChoices("id", "manualHandoffId"))

    @model_validator(mode="before")
    @classmethod
    def _bare_id(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"id": value}
        return value if isinstance(value, dict | HandoffPointer) else {}


class PriorAuthorization(Tolerant):
    """A prior authorization: the only source of payer truth."""

    id: Public[Id]
    version: Public[Version]
    status: Public[OpenWord]
    outcome: Public[OpenWord | None] = None
    next_action: Public[NextAction | None] = None
    submission: Phi[Submission | None] = None
    active_manual_handoff: Public[HandoffPointer | None] = None
    payer: Public[OrNone[Payer]] = None
    request: Phi[OrNone[AuthorizationRequest]] = None

    @property
    def is_settled(self) -> bool:
        """Whether the authorization has ended; Collate does not change it again."""
        return self.status in (Status.COMPLETED, Status.CANCELED)

    @property
    def receipt_seen(self) -> bool:
        """Whether the payer's receipt is present."""
        return self.submission is not None and self.submission.receipt_seen

    @property
    def decision_seen(self) -> bool:
        """Whether the payer's decision is present."""
        return self.submission is not None and self.submission.decision_seen

    @property
    def review_snapshot(self) -> ReviewSnapshot | None:
        """The snapshot that a reviewer must read, if there is one."""
        return self.submission.review_snapshot if self.submission else None

    @property
    def resolution(self) -> str | None:
        """The kind of resolution of the next action, if Collate names one."""
        return self.next_action.resolution.kind if self.next_action and self.next_action.resolution else None

    @property
    def covers_review_snapshot_id(self) -> str | None:
        """The id of the snapshot that a reviewer must have accepted before the next action."""
        return self.next_action.covers.review_snapshot_id if self.next_action and self.next_action.covers else None

    @property
    def payer_id(self) -> str | None:
        """The payer's id: of the resolved payer, or else of the request; None if neither shows it."""
        if self.payer is not None and self.payer.id is not None:
            return self.payer.id
        return self.request.payer_id if self.request is not None else None

    @property
    def active_handoff_id(self) -> str | None:
        """The id of the running handoff, if there is one and its id can be read."""
        return self.active_manual_handoff.id if self.active_manual_handoff else None

    @property
    def unread_fields(self) -> tuple[str, ...]:
        """The fields that Collate sent and that cannot be read, although the rest is usable."""
        return () if self.active_manual_handoff is None or self.active_manual_handoff.id else (POINTER_ID,)

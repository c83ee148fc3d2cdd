"""What Collate says (collate-api.md sections 3, 5, 6, 7), read with patience.

Only what we decide by is kept: unknown fields are dropped, unknown words survive as text, and of what may be PHI only
its presence matters, except the review snapshot, which passes through to the person who must read it.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from schemas.field_types import Id, word
from schemas.model import Phi, Public, Secret, Tolerant

_T = TypeVar("_T")


class Status(StrEnum):
    """Whose move it is."""

    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    WAITING_ON_PAYER = "waiting_on_payer"
    COMPLETED = "completed"
    CANCELED = "canceled"


class ActionType(StrEnum):
    """What Collate waits for."""

    RESOLVE_REQUIREMENTS = "resolve_requirements"
    CONTINUE_AUTHORIZATION = "continue_authorization"
    APPROVE_SUBMISSION = "approve_submission"
    COMPLETE_PAYER_INTERACTION = "complete_payer_interaction"


class HandoffState(StrEnum):
    """Where a handoff stands."""

    OFFERED = "offered"
    ACTIVE = "active"
    CLOSING = "closing"
    CLOSED = "closed"


class HandoffResult(StrEnum):
    """How a handoff ended."""

    COMPLETED_REPORTED = "completed_reported"
    UNABLE_TO_COMPLETE = "unable_to_complete"
    EXPIRED = "expired"
    REVOKED = "revoked"
    INTERACTION_LOST_UNRECOVERABLE = "interaction_lost_unrecoverable"
    CANCELED = "canceled"


def _or_none(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        return None


OrNone = Annotated[_T | None, WrapValidator(_or_none)]
"""A detail whose shape is not documented: absent rather than a reason to refuse the whole answer."""

OpenWord = Annotated[str, AfterValidator(word)]
"""A word of Collate's, compared with the StrEnums above; anything that is not a word becomes `unrecognised`."""


def _utc(value: datetime) -> datetime:
    try:
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError("not a time between the years 1 and 9999 in UTC") from None


OpenTime = Annotated[datetime, AfterValidator(_utc)]
IsTrue = Annotated[bool, BeforeValidator(lambda value: value is True)]
"""Only a real `true` opens a gate."""

IsThere = Annotated[bool, BeforeValidator(lambda value: value is not None and value is not False)]
"""The presence of an object whose content is not ours to keep."""


class ReviewSnapshot(Tolerant):
    """What a reviewer must read before a submit; everything in it is kept and passed on unchanged."""

    model_config = ConfigDict(extra="allow")

    id: Public[Id]
    status: Public[OrNone[OpenWord]] = None

    def to_json(self) -> bytes:
        """Return what Collate sent, unknown fields included."""
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_unset=True)


class Submission(Tolerant):
    """What was, or will be, sent to the payer, and what came back."""

    review_snapshot: Phi[ReviewSnapshot | None] = None
    receipt_seen: Public[IsThere] = Field(default=False, alias="payerReceipt")
    decision_seen: Public[IsThere] = Field(default=False, alias="decision")


class Resolution(Tolerant):
    """How Collate wants its next action resolved."""

    kind: Public[OrNone[OpenWord]] = None


class Covers(Tolerant):
    """What the next action was issued against."""

    review_snapshot_id: Public[Id | None] = None


class NextAction(Tolerant):
    """What Collate waits for."""

    type: Public[OpenWord]
    resolution: Public[OrNone[Resolution]] = None
    covers: Public[Covers | None] = None


class HandoffPointer(Tolerant):
    """The running handoff, as its authorization names it; the shape is not documented beyond an id."""

    id: Public[Id] = Field(validation_alias=AliasChoices("id", "manualHandoffId"))

    @model_validator(mode="before")
    @classmethod
    def _bare_id(cls, value: Any) -> Any:
        return {"id": value} if isinstance(value, str) else value


class PriorAuthorization(Tolerant):
    """The authorization: alone payer truth."""

    id: Public[Id]
    version: Public[int]
    status: Public[OpenWord]
    outcome: Public[OpenWord | None] = None
    next_action: Public[NextAction | None] = None
    submission: Phi[Submission | None] = None
    active_manual_handoff: Public[HandoffPointer | None] = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.status in (Status.COMPLETED, Status.CANCELED)

    @property
    def wants_handoff(self) -> bool:
        """Whether a handoff may be created now; V3's third test counts only where the kind is given (section 3)."""
        action = self.next_action
        if self.status != Status.REQUIRES_ACTION or action is None:
            return False
        kind = action.resolution.kind if action.resolution else None
        return action.type == ActionType.COMPLETE_PAYER_INTERACTION and kind in (None, "manual_handoff")

    @property
    def receipt_seen(self) -> bool:
        """Whether the payer's receipt is there."""
        return self.submission is not None and self.submission.receipt_seen

    @property
    def decision_seen(self) -> bool:
        """Whether the payer's decision is there."""
        return self.submission is not None and self.submission.decision_seen

    @property
    def review_snapshot(self) -> ReviewSnapshot | None:
        """What a reviewer must read, if there is something."""
        return self.submission.review_snapshot if self.submission else None

    @property
    def covers_review_snapshot_id(self) -> str | None:
        """The snapshot that must have been accepted for the next action."""
        return self.next_action.covers.review_snapshot_id if self.next_action and self.next_action.covers else None

    @property
    def active_handoff_id(self) -> str | None:
        """The running handoff."""
        return self.active_manual_handoff.id if self.active_manual_handoff else None


class ManualHandoff(Tolerant):
    """A handoff (section 5)."""

    id: Public[Id]
    version: Public[int]
    state: Public[OpenWord]
    prior_authorization_id: Public[OrNone[Id]] = None
    result: Public[OpenWord | None] = None
    access_available: Public[IsTrue] = False
    final_submit_capable: Public[IsTrue] = False
    created_at: Public[OrNone[OpenTime]] = None
    activated_at: Public[OrNone[OpenTime]] = None
    closed_at: Public[OrNone[OpenTime]] = None


class AccessGrant(Tolerant):
    """A bearer link into a live session: memory only, and never shown by a repr, a dump or an error."""

    id: Secret[SecretStr]
    url: Secret[SecretStr]
    expires_at: Public[OpenTime]


class ClosedAuthorization(Tolerant):
    """The authorization as a close left it; its version is the next If-Match."""

    id: Public[Id]
    version: Public[int]
    status: Public[OpenWord]


class Reconciliation(Tolerant):
    """Collate's looking after a close."""

    state: Public[OrNone[OpenWord]] = None


class CloseAnswer(Tolerant):
    """The answer to complete, unable-to-complete and revoke; not a handoff (section 5.4)."""

    manual_handoff_id: Public[Id]
    state: Public[OpenWord]
    authorization: Public[ClosedAuthorization]
    result: Public[OpenWord | None] = None
    reconciliation: Public[OrNone[Reconciliation]] = None


class ErrorDetails(Tolerant):
    """The details that we act on; the rest of an error's details is dropped unread."""

    expected_version: Public[OrNone[int]] = None
    actual_version: Public[OrNone[int]] = None
    reason: Public[OrNone[OpenWord]] = None


class ErrorBody(Tolerant):
    """A typed error; its message may quote a person and is not kept."""

    code: Public[OpenWord]
    retryable: Public[OrNone[bool]] = None
    details: Public[OrNone[ErrorDetails]] = None


class ErrorEnvelope(Tolerant):
    """What stands around a typed error (section 7)."""

    error: Public[ErrorBody]
    request_id: Public[OrNone[OpenWord]] = None

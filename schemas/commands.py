"""What can be asked for: the data of every record on `commands`, exactly as the caller sent it.

Nothing is filled in, because a default would change the bytes of a retry: the worker supplies what is absent, from the
record's time.
"""

from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from schemas.enums import CommandType, DecisionReason, ReportedOutcome
from schemas.field_types import CommandId, Id, KnownOnly, Name, Notes, Reference, Slug, Ticket, Why
from schemas.metadata import Metadata
from schemas.model import Example, Message, Model, Phi, Public
from schemas.times import Time


class Command(Message):
    """The data of a command."""

    TYPE: ClassVar[CommandType]


class HandoffRequest(Command):
    """Ask Collate for a manual handoff."""

    TYPE: ClassVar[CommandType] = CommandType.HANDOFF_REQUEST
    EXAMPLE: ClassVar[Example] = {
        "acceptedReviewSnapshotId": "rev_90",
        "expiresAt": "2026-06-02T15:10:00Z",
        "metadata": {"case": "case-0042"},
    }

    accepted_review_snapshot_id: Public[Id | None] = Field(
        default=None, description="The review snapshot that a person has accepted; needed if the action covers one."
    )
    expires_at: Public[Time | None] = Field(
        default=None, description="Do not begin after this time; one hour after acceptance if absent."
    )
    metadata: Public[Metadata | None] = Field(default=None, description="Carried into the events that this causes.")


class Completed(Model):
    """The operator reports what they saw at the payer."""

    type: Public[Literal["completed"]] = "completed"
    reported_outcome: Public[Annotated[ReportedOutcome, KnownOnly()]] = Field(description="A claim, never payer truth.")
    observed_reference_number: Phi[Reference | None] = Field(default=None, description="The number seen at the payer.")
    operator_notes: Phi[Notes | None] = Field(default=None, description="Free text for Collate; in no event.")


class UnableToComplete(Model):
    """The operator could not do it."""

    type: Public[Literal["unable_to_complete"]] = "unable_to_complete"
    reason: Public[Slug] = Field(
        description="channel_blocked, missing_information, credential_or_mfa_issue, channel_outage, "
        "operator_abandoned_case, wrong_route, other, or a newer word of Collate's."
    )
    operator_notes: Phi[Notes | None] = Field(default=None, description="Free text for Collate; in no event.")


class Revoked(Model):
    """The handoff is withdrawn."""

    type: Public[Literal["revoked"]] = "revoked"
    reason: Phi[Why] = Field(description="Free text for Collate; in no event.")
    notes: Phi[Notes | None] = Field(default=None, description="Free text for Collate; in no event.")


CloseResult = Annotated[Completed | UnableToComplete | Revoked, Field(discriminator="type")]


class HandoffCloseBody(Model):
    """What a caller sends to close the handoff that the path names."""

    result: Phi[CloseResult] = Field(description="How it ended, by type.")
    expires_at: Public[Time | None] = Field(default=None, description="Do not begin after this time; never if absent.")
    metadata: Public[Metadata | None] = Field(default=None, description="Carried into the events that this causes.")


class HandoffClose(HandoffCloseBody, Command):
    """Close a handoff with what the operator reports."""

    TYPE: ClassVar[CommandType] = CommandType.HANDOFF_CLOSE
    EXAMPLE: ClassVar[Example] = {
        "result": {
            "type": "completed",
            "reportedOutcome": "submitted",
            "observedReferenceNumber": "TEST-0001",
            "operatorNotes": "Submitted after MFA.",
        },
        "metadata": {"case": "case-0042"},
        "handoffId": "mhand_55",
    }

    handoff_id: Public[Id] = Field(description="Collate's id of the handoff.")

    @classmethod
    def of(cls, handoff_id: str, body: HandoffCloseBody) -> "HandoffClose":
        """Join the path's id (checked here: pydantic.ValidationError) with the body."""
        return cls(handoff_id=handoff_id, result=body.result, expires_at=body.expires_at, metadata=body.metadata)


class AuthorizationWatch(Command):
    """Follow an authorization until it is settled."""

    TYPE: ClassVar[CommandType] = CommandType.AUTHORIZATION_WATCH
    EXAMPLE: ClassVar[Example] = {"metadata": {"case": "case-0042"}}

    metadata: Public[Metadata | None] = Field(default=None, description="Carried into the command's own events.")


class RecordAccess(Command):
    """Put on record that an operator was given a link into a live session; never the link or its id."""

    TYPE: ClassVar[CommandType] = CommandType.HANDOFF_RECORD_ACCESS
    EXAMPLE: ClassVar[Example] = {"handoffId": "mhand_55", "operator": "op-7", "grantExpiresAt": "2026-06-02T14:15:00Z"}

    handoff_id: Public[Id] = Field(description="Collate's id of the handoff.")
    operator: Public[Name] = Field(description="Who received the link.")
    grant_expires_at: Public[Time] = Field(description="When the link stops working.")


class Original(Model):
    """A dead-lettered command as it was first accepted."""

    type: Public[CommandType] = Field(description="The original command's type.")
    caller: Public[Name] = Field(description="Who asked.")
    accepted_at: Public[Time] = Field(description="When it was accepted.")
    data: Phi[dict[str, JsonValue]] = Field(description="The original data.")


_REASON = Field(default=None, description="Why, in a word that is told; absent in records of older versions.")
_TICKET = Field(default=None, description="Where more is written, in the operator's own tracker; told as well.")
_WHY = Field(default=None, description="More in free text; it stays in this record.")


class Redrive(Command):
    """Try a dead-lettered command again, under its own id and with what was already sent."""

    TYPE: ClassVar[CommandType] = CommandType.COMMAND_REDRIVE
    EXAMPLE: ClassVar[Example] = {
        "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "redrive": 1,
        "requestedBy": "op-7",
        "reason": "checked_by_hand",
        "ticket": "OPS-1204",
        "why": "Collate confirmed that nothing was created.",
        "command": {
            "type": "collate-gateway.handoff.request.v1",
            "caller": "intake",
            "acceptedAt": "2026-06-02T14:06:00Z",
            "data": {"acceptedReviewSnapshotId": "rev_90"},
        },
        "intent": {"operation": "create", "n": 0},
    }

    command_id: Public[CommandId] = Field(description="The dead-lettered command.")
    redrive: Public[int] = Field(ge=1, le=1000, description="How many times it has been redriven, this time included.")
    requested_by: Public[Name] = Field(description="Who asks.")
    reason: Public[DecisionReason | None] = _REASON
    ticket: Public[Ticket | None] = _TICKET
    why: Phi[Why | None] = _WHY
    command: Phi[Original] = Field(description="The command.")
    intent: Phi[dict[str, JsonValue] | None] = Field(default=None, description="A write that may have arrived.")


class Discard(Command):
    """Give a dead-lettered command up; it ends as discarded."""

    TYPE: ClassVar[CommandType] = CommandType.COMMAND_DISCARD
    EXAMPLE: ClassVar[Example] = {
        "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "requestedBy": "op-7",
        "reason": "done_by_hand",
        "ticket": "OPS-1204",
        "why": "The case was closed by telephone.",
    }

    command_id: Public[CommandId] = Field(description="The dead-lettered command.")
    requested_by: Public[Name] = Field(description="Who asks.")
    reason: Public[DecisionReason | None] = _REASON
    ticket: Public[Ticket | None] = _TICKET
    why: Phi[Why | None] = _WHY


COMMANDS: MappingProxyType[str, type[Command]] = MappingProxyType(
    {
        model.TYPE.value: model
        for model in (HandoffRequest, HandoffClose, AuthorizationWatch, RecordAccess, Redrive, Discard)
    }
)
"""Every command by its CloudEvents type."""

PUBLIC_COMMANDS: frozenset[str] = frozenset(
    {CommandType.HANDOFF_REQUEST, CommandType.HANDOFF_CLOSE, CommandType.AUTHORIZATION_WATCH}
)
"""Those that a service may send; the rest are appended by ingress itself."""

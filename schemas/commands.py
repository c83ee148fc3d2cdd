"""The commands: the data of every record on `commands`, exactly as the caller sent it.

No default is filled in, because a default would change the bytes of a retry. The worker computes absent values from the
record's time.
"""

from types import MappingProxyType
from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import Field, JsonValue

from schemas.enums import ClaimCheck, CommandType, DecisionReason, ReadContent, ReportedOutcome
from schemas.fields.metadata import Metadata
from schemas.fields.scalars import CommandId, Id, KnownOnly, Name, Slug, Ticket
from schemas.fields.visible_text import Notes, Reference, SentName, Why
from schemas.model import Example, Message, Model, Phi, Public
from schemas.times import Time

_DUE_AT = Field(
    default=None,
    description="When the authorization must be settled, at most 366 days ahead. It replaces an earlier due date if "
    "this command is applied or already done.",
)


class Command(Message):
    """The data of a command."""

    TYPE: ClassVar[CommandType]

    def identity(self) -> bytes:
        """Return what a repeat of the command has too: type and data. Two types can have the same (empty) data."""
        return b"%s\n%s" % (self.TYPE.encode(), self.to_json())


class HandoffRequest(Command):
    """Request a manual handoff from Collate."""

    TYPE: ClassVar[CommandType] = CommandType.HANDOFF_REQUEST
    EXAMPLE: ClassVar[Example] = {
        "acceptedReviewSnapshotId": "rev_90",
        "acceptedBy": "op-7",
        "requestedBy": "op-7",
        "expiresAt": "2026-06-02T15:10:00Z",
        "dueAt": "2026-06-05T14:00:00Z",
        "metadata": {"case": "case-0042"},
    }

    accepted_review_snapshot_id: Public[Id | None] = Field(
        default=None,
        description="The review snapshot that a reviewer has accepted; required if the next action covers one.",
    )
    accepted_by: Public[SentName | None] = Field(
        default=None,
        description="The reviewer who accepted the snapshot: a member of staff. A person's own token says it.",
    )
    requested_by: Public[SentName | None] = Field(
        default=None,
        description="The member of staff who requests the handoff, never a patient. A person's own token says it.",
    )
    expires_at: Public[Time | None] = Field(
        default=None,
        description="The command expires if it has not begun by this time; default: one hour after acceptance.",
    )
    due_at: Public[Time | None] = _DUE_AT
    metadata: Public[Metadata | None] = Field(default=None, description="Copied into the events of this command.")


class Completed(Model):
    """The operator reports the result that they saw at the payer."""

    type: Public[Literal["completed"]] = "completed"
    reported_outcome: Public[Annotated[ReportedOutcome, KnownOnly()]] = Field(description="A report, not payer truth.")
    observed_reference_number: Phi[Reference | None] = Field(default=None, description="The payer's reference number.")
    operator_notes: Phi[Notes | None] = Field(default=None, description="Free text for Collate; no event contains it.")


UNABLE_REASONS: Final = (
    "channel_blocked",
    "missing_information",
    "credential_or_mfa_issue",
    "channel_outage",
    "operator_abandoned_case",
    "wrong_route",
    "other",
)
"""Collate's words for why a handoff could not be completed."""


class UnableToComplete(Model):
    """The operator could not complete the payer interaction."""

    type: Public[Literal["unable_to_complete"]] = "unable_to_complete"
    reason: Public[Slug] = Field(description=f"{', '.join(UNABLE_REASONS)}, or a newer reason of Collate's.")
    operator_notes: Phi[Notes | None] = Field(default=None, description="Free text for Collate; no event contains it.")


class Revoked(Model):
    """The handoff is withdrawn."""

    type: Public[Literal["revoked"]] = "revoked"
    reason: Phi[Why] = Field(description="Free text for Collate; no event contains it.")
    notes: Phi[Notes | None] = Field(default=None, description="Free text for Collate; no event contains it.")


CloseResult = Annotated[Completed | UnableToComplete | Revoked, Field(discriminator="type")]


class HandoffCloseBody(Model):
    """The body of a request that closes the handoff in the path."""

    result: Phi[CloseResult] = Field(description="The result; its `type` selects the other fields.")
    reported_by: Public[SentName | None] = Field(
        default=None,
        description="The member of staff who reports the result, never a patient. A person's own token says it.",
    )
    expires_at: Public[Time | None] = Field(
        default=None, description="The command expires if it has not begun by this time; default: never."
    )
    metadata: Public[Metadata | None] = Field(default=None, description="Copied into the events of this command.")


class HandoffClose(HandoffCloseBody, Command):
    """Close a handoff with the operator's report."""

    TYPE: ClassVar[CommandType] = CommandType.HANDOFF_CLOSE
    EXAMPLE: ClassVar[Example] = {
        "result": {
            "type": "completed",
            "reportedOutcome": "submitted",
            "observedReferenceNumber": "TEST-0001",
            "operatorNotes": "Submitted after MFA.",
        },
        "reportedBy": "op-7",
        "metadata": {"case": "case-0042"},
        "handoffId": "mhand_55",
    }

    handoff_id: Public[Id] = Field(description="Collate's id of the handoff.")

    @classmethod
    def of(cls, handoff_id: str, body: HandoffCloseBody) -> "HandoffClose":
        """Return the command of a valid body for the id in the path, an id of Collate."""
        return cls.model_construct(handoff_id=handoff_id, **body.__dict__)


class AuthorizationWatch(Command):
    """Watch an authorization until it settles."""

    TYPE: ClassVar[CommandType] = CommandType.AUTHORIZATION_WATCH
    EXAMPLE: ClassVar[Example] = {"dueAt": "2026-06-05T14:00:00Z", "metadata": {"case": "case-0042"}}

    due_at: Public[Time | None] = _DUE_AT
    metadata: Public[Metadata | None] = Field(default=None, description="Copied into the command's own events.")


class RecordAccess(Command):
    """Record that an operator received a link into a live session. The link and its id are not recorded."""

    TYPE: ClassVar[CommandType] = CommandType.HANDOFF_RECORD_ACCESS
    EXAMPLE: ClassVar[Example] = {"handoffId": "mhand_55", "operator": "op-7", "grantExpiresAt": "2026-06-02T14:15:00Z"}

    handoff_id: Public[Id] = Field(description="Collate's id of the handoff.")
    operator: Public[Name] = Field(description="The operator who received the link.")
    grant_expires_at: Public[Time] = Field(description="When the link expires.")
    take_over: Public[bool | None] = Field(
        default=None, description="true: a person takes over the handoff that another person has claimed."
    )
    claim_check: Public[ClaimCheck | None] = Field(
        default=None, description="For people: whether another person's claim was looked for."
    )


class ReleaseHandoff(Command):
    """Give back a claimed handoff. Only the person who has claimed it can; for others nothing changes."""

    TYPE: ClassVar[CommandType] = CommandType.HANDOFF_RELEASE
    EXAMPLE: ClassVar[Example] = {"handoffId": "mhand_55"}

    handoff_id: Public[Id] = Field(description="Collate's id of the handoff.")


class RecordRead(Command):
    """Record that content with PHI was read. The content is not recorded."""

    TYPE: ClassVar[CommandType] = CommandType.AUTHORIZATION_RECORD_READ
    EXAMPLE: ClassVar[Example] = {"content": "review_snapshot", "operator": "jo.miller", "reviewSnapshotId": "rev_90"}

    content: Public[ReadContent] = Field(description="What was read.")
    operator: Public[Name | None] = Field(default=None, description="The member of staff who read it, if known.")
    review_snapshot_id: Public[Id | None] = Field(default=None, description="The id of the review snapshot.")
    of_command: Public[CommandId | None] = Field(default=None, description="The dead-lettered command.")


class Original(Model):
    """The dead-lettered command as it was accepted the first time."""

    type: Public[CommandType] = Field(description="The original command's type.")
    caller: Public[Name] = Field(description="The caller that sent the command.")
    accepted_at: Public[Time] = Field(description="When the command was accepted.")
    data: Phi[dict[str, JsonValue]] = Field(description="The original data.")
    own_handoffs: Public[bool | None] = Field(
        default=None, description="Whether the caller could close only the handoffs that it opened."
    )


_REASON = Field(description="The reason, a public word.")
_TICKET = Field(default=None, description="A ticket in the operator's own tracker; public.")
_WHY = Field(default=None, description="The reason in free text; it stays in this record.")


class Redrive(Command):
    """Retry a dead-lettered command under its own id, with the writes that it already sent."""

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
    redrive: Public[int] = Field(ge=1, le=1000, description="The number of redrives of the command, this one included.")
    requested_by: Public[Name] = Field(description="The operator who decided.")
    reason: Public[DecisionReason] = _REASON
    ticket: Public[Ticket | None] = _TICKET
    why: Phi[Why | None] = _WHY
    command: Phi[Original] = Field(description="The dead-lettered command as it was accepted.")
    intent: Phi[dict[str, JsonValue] | None] = Field(default=None, description="A write that may have reached Collate.")


class Discard(Command):
    """Discard a dead-lettered command: it ends with the outcome discarded."""

    TYPE: ClassVar[CommandType] = CommandType.COMMAND_DISCARD
    EXAMPLE: ClassVar[Example] = {
        "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "redrive": 0,
        "requestedBy": "op-7",
        "reason": "done_by_hand",
        "ticket": "OPS-1204",
        "why": "The case was closed by telephone.",
    }

    command_id: Public[CommandId] = Field(description="The dead-lettered command.")
    redrive: Public[int | None] = Field(default=None, ge=0, le=1000, description="The number that the operator saw.")
    requested_by: Public[Name] = Field(description="The operator who decided.")
    reason: Public[DecisionReason] = _REASON
    ticket: Public[Ticket | None] = _TICKET
    why: Phi[Why | None] = _WHY


class EmptyRecentCommands(Command):
    """Forget the recent commands of a caller, or of all callers, so that new commands have room again."""

    TYPE: ClassVar[CommandType] = CommandType.AUTHORIZATION_EMPTY_RECENT_COMMANDS
    EXAMPLE: ClassVar[Example] = {
        "ofCaller": "reporting",
        "requestedBy": "op-7",
        "reason": "fix_deployed",
        "ticket": "OPS-1204",
        "why": "The service watched once a minute.",
    }

    of_caller: Public[Name | None] = Field(default=None, description="The caller whose commands; absent for all.")
    requested_by: Public[Name] = Field(description="The operator who decided.")
    reason: Public[DecisionReason] = _REASON
    ticket: Public[Ticket | None] = _TICKET
    why: Phi[Why | None] = _WHY


class LowerVersionFloor(Command):
    """Accept versions of an authorization below the highest one read, after Collate was restored from a backup."""

    TYPE: ClassVar[CommandType] = CommandType.AUTHORIZATION_LOWER_VERSION_FLOOR
    EXAMPLE: ClassVar[Example] = {
        "toVersion": 12,
        "requestedBy": "op-7",
        "reason": "collate_recovered",
        "ticket": "OPS-1204",
        "why": "Collate restored the backup of 3 a.m.",
    }

    to_version: Public[int] = Field(ge=0, description="The lowest version to accept from now on.")
    requested_by: Public[Name] = Field(description="The operator who decided.")
    reason: Public[DecisionReason] = _REASON
    ticket: Public[Ticket | None] = _TICKET
    why: Phi[Why | None] = _WHY


COMMANDS: MappingProxyType[str, type[Command]] = MappingProxyType(
    {
        model.TYPE.value: model
        for model in (
            HandoffRequest,
            HandoffClose,
            AuthorizationWatch,
            RecordAccess,
            Redrive,
            Discard,
            EmptyRecentCommands,
            LowerVersionFloor,
            RecordRead,
            ReleaseHandoff,
        )
    }
)
"""Every command by its CloudEvents type."""

CallerCommand = HandoffRequest | HandoffClose | AuthorizationWatch
CALLER_COMMANDS: MappingProxyType[str, type[CallerCommand]] = MappingProxyType(
    {model.TYPE.value: model for model in get_args(CallerCommand)}
)
"""The commands that a caller may send, by CloudEvents type. Ingress itself appends the other commands."""

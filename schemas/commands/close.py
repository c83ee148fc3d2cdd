"""The close of a handoff, and its results."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from schemas.commands.command import ShownCommand
from schemas.enums import CommandType, ReportedOutcome
from schemas.fields.metadata import Metadata
from schemas.fields.scalars import Id, KnownOnly, Slug
from schemas.fields.visible_text import Notes, Reference, SentName, Why
from schemas.model import Example, Model, Phi, Public
from schemas.sentences import in_parentheses
from schemas.times import Time


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


class HandoffClose(HandoffCloseBody, ShownCommand):
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

    def _sentence(self, caller: str) -> str:
        result = f"{self.result.type}{in_parentheses(_detail(self.result))}"
        return self._sent(caller, f" for handoff {self.handoff_id}: {result}", reported=self.reported_by)


def _detail(result: CloseResult) -> str | None:
    match result:
        case Completed():
            return result.reported_outcome
        case UnableToComplete():
            return result.reason
        case Revoked():
            return None

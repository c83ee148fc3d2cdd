"""The close of a handoff, and its results."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import Field

from schemas.collate.handoff import HandoffResult
from schemas.commands.command import ShownCommand
from schemas.enums import CloseReport, CommandType, ReportedOutcome
from schemas.events.reasons import OutcomeReason
from schemas.fields.metadata import Metadata
from schemas.fields.scalars import Id, KnownOnly, Slug
from schemas.fields.visible_text import Notes, Reference, SentName, Why
from schemas.identity import canonical_json
from schemas.model import Example, Model, Phi, Public
from schemas.sentences import in_parentheses, in_words
from schemas.times import Time


class CloseAction(Model):
    """One way to close a handoff: a row of the table from which all names of a close derive.

    Attributes:
        OPERATION: Collate's word in the path. It is part of idempotency keys, so it never changes.
        RESULT: the result of a handoff that this action has closed.
        TELLS_REPORT: whether the result alone says what was reported.
        REPORT: what is reported then; None for nothing.
        REJECTION: the reason that rejects a later close with another report.
    """

    OPERATION: ClassVar[str]
    RESULT: ClassVar[HandoffResult]
    TELLS_REPORT: ClassVar[bool] = True
    REPORT: ClassVar[CloseReport | None] = None
    REJECTION: ClassVar[OutcomeReason]

    def reported(self) -> CloseReport | None:
        """Return what is reported; None for nothing."""
        return self.REPORT

    def public_reason(self) -> str | None:
        """Return the operator's reason if it is a word; None for free text."""
        return None

    def body(self) -> bytes:
        """Return the body for Collate: always the same bytes, in Collate's names (docs/collate-contract.md §5.4)."""
        return canonical_json(self.model_dump(mode="json", exclude={"type"}, exclude_none=True))


class Completed(CloseAction):
    """The operator reports the result that they saw at the payer."""

    OPERATION: ClassVar[str] = "complete"
    RESULT: ClassVar[HandoffResult] = HandoffResult.COMPLETED_REPORTED
    TELLS_REPORT: ClassVar[bool] = False
    REJECTION: ClassVar[OutcomeReason] = OutcomeReason.HANDOFF_REPORTED_COMPLETED

    type: Public[Literal["completed"]] = "completed"
    reported_outcome: Public[Annotated[ReportedOutcome, KnownOnly()]] = Field(description="A report, not payer truth.")
    observed_reference_number: Phi[Reference | None] = Field(default=None, description="The payer's reference number.")
    operator_notes: Phi[Notes | None] = Field(default=None, description="Free text for Collate; no event contains it.")

    def reported(self) -> CloseReport | None:
        """Return the reported outcome."""
        return CloseReport(self.reported_outcome.value)


UNABLE_REASONS: Final[Mapping[str, bool]] = {
    "channel_blocked": True,
    "missing_information": False,
    "credential_or_mfa_issue": True,
    "channel_outage": True,
    "operator_abandoned_case": False,
    "wrong_route": False,
    "other": False,
}
"""Collate's words for why a handoff could not be completed, and whether the next person at the payer meets the same."""
TURNING_AWAY: Final = tuple(reason for reason, is_met_again in UNABLE_REASONS.items() if is_met_again)


class UnableToComplete(CloseAction):
    """The operator could not complete the payer interaction."""

    OPERATION: ClassVar[str] = "unable-to-complete"
    RESULT: ClassVar[HandoffResult] = HandoffResult.UNABLE_TO_COMPLETE
    REPORT: ClassVar[CloseReport | None] = CloseReport.UNABLE_TO_COMPLETE
    REJECTION: ClassVar[OutcomeReason] = OutcomeReason.HANDOFF_REPORTED_UNABLE

    type: Public[Literal["unable_to_complete"]] = "unable_to_complete"
    reason: Public[Slug] = Field(description=f"{', '.join(UNABLE_REASONS)}, or a newer reason of Collate's.")
    operator_notes: Phi[Notes | None] = Field(default=None, description="Free text for Collate; no event contains it.")

    def public_reason(self) -> str | None:
        """Return Collate's word for the reason."""
        return self.reason


class Revoked(CloseAction):
    """The handoff is withdrawn."""

    OPERATION: ClassVar[str] = "revoke"
    RESULT: ClassVar[HandoffResult] = HandoffResult.REVOKED
    REJECTION: ClassVar[OutcomeReason] = OutcomeReason.HANDOFF_REVOKED

    type: Public[Literal["revoked"]] = "revoked"
    reason: Phi[Why] = Field(description="Free text for Collate; no event contains it.")
    notes: Phi[Notes | None] = Field(default=None, description="Free text for Collate; no event contains it.")


CloseResult = Annotated[Completed | UnableToComplete | Revoked, Field(discriminator="type")]
CLOSE_ACTIONS: Final[tuple[type[CloseAction], ...]] = get_args(get_args(CloseResult)[0])
RESULT_OF: Final = {action.OPERATION: action.RESULT.value for action in CLOSE_ACTIONS}
OPERATION_OF: Final = {result: operation for operation, result in RESULT_OF.items()}
REPORT_OF: Final = {
    action.RESULT.value: action.REPORT.value if action.REPORT else None
    for action in CLOSE_ACTIONS
    if action.TELLS_REPORT
}
"""The report of each result that alone tells it; None if nothing is reported."""


class HandoffCloseBody(Model):
    """The body of a request that closes the handoff in the path."""

    result: Phi[CloseResult] = Field(description="The result; its `type` selects the other fields.")
    reported_by: Public[SentName | None] = Field(
        default=None,
        description="The member of staff who reports the result, never a patient. A person's own token says it.",
    )
    take_over: Public[bool | None] = Field(
        default=None, description="true: close it also if another person has it in hand. For people only."
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
        detail = self.result.public_reason() or self.result.reported()
        result = f"{in_words(self.result.type)}{in_parentheses(detail)}"
        place = ", also if another person has it in hand" if self.take_over else ""
        return self._sent(caller, f" for handoff {self.handoff_id}: {result}{place}", reported=self.reported_by)

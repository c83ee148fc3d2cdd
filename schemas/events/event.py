"""The base of all events, and the fields that several of them have."""

from abc import abstractmethod
from typing import ClassVar

from pydantic import Field

from schemas.enums import Agreement, CloseReport, EventType
from schemas.fields.scalars import Word
from schemas.model import Message, Model, Public
from schemas.sentences import bounded, in_parentheses, in_words, seen

METADATA = Field(default=None, description="The metadata of the command.")
VERSION = Field(default=None, description="Collate's version of the authorization that shows this fact.")
PAYER_ID = Field(default=None, description="Collate's id of the payer, if Collate shows it.")
WHO_ASSERTS = "Who says that it was this person: person (the person's own token) or caller (the service stated it)."
ASSERTED_BY = Field(default=None, description=WHO_ASSERTS)
REQUESTED_BY = Field(default=None, description="The member of staff who requested the handoff, if known.")
ACCEPTED_BY = Field(default=None, description="The reviewer who accepted the review snapshot, if known.")
REPORTED_BY = Field(default=None, description="The member of staff who reported the result, if known.")


class Event(Message):
    """The data of an event."""

    TYPE: ClassVar[EventType]
    open_on_the_wire: ClassVar[bool] = True

    def sentence(self) -> str:
        """Describe the event for a timeline."""
        return bounded(self._sentence())

    @abstractmethod
    def _sentence(self) -> str: ...


class PayerTruth(Model):
    """The payer's truth in the authorization."""

    status: Public[Word] = Field(description="The authorization's status.")
    outcome: Public[Word | None] = Field(default=None, description="The outcome, once the authorization is completed.")
    next_action: Public[Word | None] = Field(default=None, description="The type of the next action, if there is one.")
    receipt_seen: Public[bool] = Field(description="Whether the payer's receipt is present.")
    decision_seen: Public[bool] = Field(description="Whether the payer's decision is present.")

    def words(self) -> str:
        """Describe the payer's truth inside a sentence."""
        proofs = seen(receipt=self.receipt_seen, decision=self.decision_seen)
        return f"the authorization's status is {in_words(self.status)}{in_parentheses(self.outcome)}{proofs}"


def verdict(agreement: Agreement, reported: CloseReport | None) -> str:
    """Return the sentence that compares a report with the payer's truth."""
    report = in_words(reported or "unknown")
    match agreement:
        case Agreement.AGREES:
            return f"The report ({report}) agrees with the payer's truth."
        case Agreement.CONTRADICTS:
            return f"The report ({report}) contradicts the payer's truth."
        case Agreement.NO_REPORT:
            return "There is no report to compare."
        case _:
            return f"Whether the report ({report}) agrees is undetermined."

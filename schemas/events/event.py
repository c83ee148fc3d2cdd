"""The base of all events, and the fields that several of them have."""

from typing import ClassVar

from pydantic import Field

from schemas.enums import EventType
from schemas.fields.scalars import Word
from schemas.model import Message, Model, Public

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


class PayerTruth(Model):
    """The payer's truth in the authorization."""

    status: Public[Word] = Field(description="The authorization's status.")
    outcome: Public[Word | None] = Field(default=None, description="The outcome, once the authorization is completed.")
    next_action: Public[Word | None] = Field(default=None, description="The type of the next action, if there is one.")
    receipt_seen: Public[bool] = Field(description="Whether the payer's receipt is present.")
    decision_seen: Public[bool] = Field(description="Whether the payer's decision is present.")

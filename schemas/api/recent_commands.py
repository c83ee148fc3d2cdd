"""Bodies of the operators' route for recent commands. All fields are public except `why`."""

from typing import Annotated

from pydantic import Field

from schemas.enums import DecisionReason
from schemas.field_types import CommandId, Id, KnownOnly, Ticket
from schemas.model import Model, OpenModel, Phi, Public
from schemas.times import Time
from schemas.visible_text import SentName, Why


class RecentCommandsDecision(Model):
    """An operator's decision to let the gateway forget recent commands of an authorization."""

    operator: Public[SentName] = Field(
        description="The operator who decides: a member of staff as named in your systems."
    )
    reason: Public[Annotated[DecisionReason, KnownOnly()]] = Field(description="The reason, in the event and timeline.")
    of_caller: Public[SentName | None] = Field(
        default=None, description="Forget only the commands of this caller; without it those of all callers."
    )
    ticket: Public[Ticket | None] = Field(default=None, description="A ticket in your own tracker; it names no person.")
    why: Phi[Why | None] = Field(default=None, description="The reason in free text; only on the commands topic.")


class RecentCommandsAccepted(OpenModel):
    """The decision is on the commands topic; `authorization.recent_commands_emptied` follows."""

    record_id: Public[CommandId] = Field(description="The decision's id: the `causationid` of the event.")
    authorization_id: Public[Id] = Field(description="The authorization.")
    accepted_at: Public[Time] = Field(description="When the decision was accepted.")

"""Bodies of the operators' routes about one authorization. All fields are public except `why`."""

from typing import Annotated

from pydantic import Field

from schemas.enums import DecisionReason
from schemas.fields.scalars import CommandId, Id, KnownOnly, SentTicket, Whole
from schemas.fields.visible_text import SentName, Why
from schemas.model import Model, OpenModel, Phi, Public
from schemas.times import Time


class AuthorizationDecision(Model):
    """An operator's decision about an authorization."""

    operator: Public[SentName | None] = Field(
        default=None,
        description="The operator who decides: a member of staff as named in your systems. Required from a service; a "
        "person's own token says it.",
    )
    reason: Public[Annotated[DecisionReason, KnownOnly()]] = Field(description="The reason, in the event and timeline.")
    ticket: Public[SentTicket | None] = Field(
        default=None, description="A ticket in your own tracker; it names no person."
    )
    why: Phi[Why | None] = Field(default=None, description="The reason in free text; only on the commands topic.")


class RecentCommandsDecision(AuthorizationDecision):
    """An operator's decision to let the gateway forget recent commands of an authorization."""

    of_caller: Public[SentName | None] = Field(
        default=None, description="Forget only the commands of this caller; without it those of all callers."
    )


class VersionFloorDecision(AuthorizationDecision):
    """An operator's decision to accept lower versions of an authorization, after Collate was restored from a backup."""

    to_version: Public[Whole] = Field(
        ge=0, le=(1 << 53) - 1, description="The lowest version to accept: the one that Collate shows now, or less."
    )


class DecisionAccepted(OpenModel):
    """The decision is on the commands topic; its event follows."""

    record_id: Public[CommandId] = Field(description="The decision's id: the `causationid` of the event.")
    authorization_id: Public[Id] = Field(description="The authorization.")
    accepted_at: Public[Time] = Field(description="When the decision was accepted.")


class RecentCommandsAccepted(DecisionAccepted):
    """The decision is on the commands topic; `authorization.recent_commands_emptied` follows."""


class VersionFloorAccepted(DecisionAccepted):
    """The decision is on the commands topic; `authorization.version_floor_lowered` follows."""

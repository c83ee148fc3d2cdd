"""Response bodies of the lists of authorizations and commands from the read model. All fields are public."""

from typing import Final

from pydantic import Field

from schemas.api.reads import AuthorizationStatus, CommandStatus, Cursor, HandoffStatus
from schemas.fields.scalars import Id, Vocabulary, Word
from schemas.model import OpenModel, Public
from schemas.times import Time

_NEXT = Field(default=None, description="The `cursor` of the next page; absent on the last page.")


class Needs(Vocabulary):
    """Why an authorization is on the work list."""

    PERSON = "person"
    HANDOFF = "handoff"
    OPEN = "open"
    AT_RISK = "at_risk"
    OVERDUE = "overdue"
    CONTRADICTED = "contradicted"


class WorkItem(AuthorizationStatus):
    """An authorization on the work list: its latest record, and its open handoff."""

    waiting_since: Public[Time] = Field(
        description="Since when it has been on this list: since when Collate requires the action, "
        "since the opening of the open handoff, or since the end of the contradicted one."
    )
    handoff: Public[HandoffStatus | None] = Field(default=None, description="The open handoff, if there is one.")


class AuthorizationList(OpenModel):
    """Authorizations that need work, in the order of the query."""

    authorizations: Public[list[WorkItem]] = Field(description="The authorizations.")
    next: Public[Cursor | None] = _NEXT


MOST_FOUND: Final = 20


class IdsFound(OpenModel):
    """Ids that begin with a text: at most 20 of each kind."""

    authorizations: Public[list[Id]] = Field(description="Ids of authorizations.")
    commands: Public[list[Id]] = Field(description="Ids of commands.")


class TroubleKind(Vocabulary):
    """What is wrong with a handoff."""

    AT_RISK = "at_risk"
    ENDED = "ended"
    CONTRADICTED = "contradicted"


class Trouble(OpenModel):
    """A handoff of one person that needs them first."""

    kind: Public[TroubleKind] = Field(description="at_risk, ended (without the person's report) or contradicted.")
    authorization_id: Public[Id] = Field(description="Collate's id of the authorization.")
    handoff_id: Public[Id] = Field(description="Collate's id of the handoff.")
    reason: Public[Word | None] = Field(
        default=None, description="The reason of the risk, who ended the handoff, or what the person reported."
    )
    at: Public[Time | None] = Field(
        default=None, description="When Collate is expected to end the handoff, or when it ended."
    )


MOST_TROUBLES: Final = 25


class TroubleList(OpenModel):
    """The handoffs of one person that need them first: of each kind the newest 25."""

    troubles: Public[list[Trouble]] = Field(
        description="Those at risk, then those that ended, then those contradicted."
    )


class CommandList(OpenModel):
    """Commands in the order of their acceptance."""

    commands: Public[list[CommandStatus]] = Field(description="The commands.")
    next: Public[Cursor | None] = _NEXT

"""The commands that live calls append, so that each access and each read is on record. Their events describe them."""

from typing import ClassVar

from pydantic import Field

from schemas.commands.command import Command
from schemas.enums import ClaimCheck, CommandType, ReadContent
from schemas.fields.scalars import CommandId, Id, Name
from schemas.model import Example, Public
from schemas.times import Time


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

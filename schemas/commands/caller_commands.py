"""The commands of callers, but for the close of a handoff."""

from typing import ClassVar

from pydantic import Field

from schemas.commands.command import ShownCommand
from schemas.enums import CommandType
from schemas.fields.metadata import Metadata
from schemas.fields.scalars import Id
from schemas.fields.visible_text import SentName
from schemas.model import Example, Public
from schemas.sentences import due
from schemas.times import Time

_DUE_AT = Field(
    default=None,
    description="When the authorization must be settled, at most 366 days ahead. It replaces an earlier due date if "
    "this command is applied or already done.",
)


class HandoffRequest(ShownCommand):
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
        description="The review snapshot that a reviewer has accepted; required if the next action covers one. A "
        "person needs the permission authorization:review for it.",
    )
    accepted_by: Public[SentName | None] = Field(
        default=None,
        description="The reviewer who accepted the snapshot: a member of staff. A person's own token says it; a "
        "service must name them.",
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

    def _sentence(self, caller: str) -> str:
        return self._sent(caller, due(self.due_at), requested=self.requested_by, accepted=self.accepted_by)


class AuthorizationWatch(ShownCommand):
    """Watch an authorization until it settles."""

    TYPE: ClassVar[CommandType] = CommandType.AUTHORIZATION_WATCH
    EXAMPLE: ClassVar[Example] = {"dueAt": "2026-06-05T14:00:00Z", "metadata": {"case": "case-0042"}}

    due_at: Public[Time | None] = _DUE_AT
    metadata: Public[Metadata | None] = Field(default=None, description="Copied into the command's own events.")

    def _sentence(self, caller: str) -> str:
        return self._sent(caller, due(self.due_at))

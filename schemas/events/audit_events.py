"""Events of operators' decisions and of reads of content."""

from typing import ClassVar

from pydantic import Field

from schemas.enums import AssertedBy, EventType, ReadContent
from schemas.events.event import ASSERTED_BY, Event
from schemas.fields.scalars import CommandId, Id, Name
from schemas.model import Example, Public
from schemas.operator_decision import OperatorDecision
from schemas.sentences import in_words, through


class RecentCommandsEmptied(Event):
    """An operator let the gateway forget recent commands; a later repeat of one of them is a new command."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_RECENT_COMMANDS_EMPTIED
    EXAMPLE: ClassVar[Example] = {
        "caller": "support-tool",
        "ofCaller": "reporting",
        "emptied": 256,
        "decision": {
            "requestedBy": "op-7",
            "assertedBy": "caller",
            "caller": "support-tool",
            "reason": "fix_deployed",
            "ticket": "OPS-1204",
        },
    }

    caller: Public[Name] = Field(description="The caller that sent the operator's decision.")
    of_caller: Public[Name | None] = Field(default=None, description="The caller whose commands; absent for all.")
    emptied: Public[int] = Field(description="The number of commands that the gateway forgot.")
    decision: Public[OperatorDecision] = Field(description="The operator and the reason.")

    def _sentence(self) -> str:
        whose = self.of_caller or "all callers"
        return f"The gateway forgot {self.emptied} recent commands of {whose}, {_asked(self.decision, self.caller)}."


class VersionFloorLowered(Event):
    """An operator let the gateway accept lower versions, because Collate was restored from a backup."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_VERSION_FLOOR_LOWERED
    EXAMPLE: ClassVar[Example] = {
        "caller": "support-tool",
        "fromVersion": 27,
        "toVersion": 12,
        "decision": {
            "requestedBy": "op-7",
            "assertedBy": "caller",
            "caller": "support-tool",
            "reason": "collate_recovered",
            "ticket": "OPS-1204",
        },
    }

    caller: Public[Name] = Field(description="The caller that sent the operator's decision.")
    from_version: Public[int] = Field(description="The highest version that the gateway had read.")
    to_version: Public[int] = Field(description="The lowest version that the gateway accepts from now on.")
    decision: Public[OperatorDecision] = Field(description="The operator and the reason.")

    def _sentence(self) -> str:
        lowered = f"from {self.from_version} to {self.to_version}"
        return f"The gateway accepts lower versions, {lowered}, {_asked(self.decision, self.caller)}."


class ContentRead(Event):
    """Content with PHI was read through the gateway. The event never has the content."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_CONTENT_READ
    EXAMPLE: ClassVar[Example] = {
        "content": "review_snapshot",
        "caller": "people:jo.miller",
        "operator": "jo.miller",
        "assertedBy": "person",
        "reviewSnapshotId": "rev_90",
    }

    content: Public[ReadContent] = Field(
        description="What was read: review_snapshot, payer_evidence, dead_letter_original or handoff_message."
    )
    caller: Public[Name] = Field(description="The authenticated caller that received the content.")
    operator: Public[Name | None] = Field(default=None, description="The member of staff who read it, if known.")
    asserted_by: Public[AssertedBy | None] = ASSERTED_BY
    review_snapshot_id: Public[Id | None] = Field(default=None, description="The id of the review snapshot.")
    of_command: Public[CommandId | None] = Field(default=None, description="The dead-lettered command.")

    def _sentence(self) -> str:
        named = self.review_snapshot_id or self.of_command
        content = in_words(self.content) + (f" {named}" if named else "")
        if self.operator is None:
            return f"{self.caller} read the {content}."
        return f"{self.operator} read the {content}{through(self.caller)}."


def _asked(decision: OperatorDecision, caller: str) -> str:
    return f"at the request of {decision.requested_by}{through(caller)}: {in_words(decision.reason)}"

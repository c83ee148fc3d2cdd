"""The commands of operators. The events of the last two describe them."""

from typing import ClassVar

from pydantic import Field, JsonValue

from schemas.commands.command import Command, ShownCommand
from schemas.enums import CommandType, DecisionReason
from schemas.fields.scalars import CommandId, Name, Ticket
from schemas.fields.visible_text import Why
from schemas.model import Example, Model, Phi, Public
from schemas.sentences import in_words, through
from schemas.times import Time


class Original(Model):
    """The dead-lettered command as it was accepted the first time."""

    type: Public[CommandType] = Field(description="The original command's type.")
    caller: Public[Name] = Field(description="The caller that sent the command.")
    accepted_at: Public[Time] = Field(description="When the command was accepted.")
    data: Phi[dict[str, JsonValue]] = Field(description="The original data.")
    own_handoffs: Public[bool | None] = Field(
        default=None, description="Whether the caller could close only the handoffs that it opened."
    )


_REASON = Field(description="The reason, a public word.")
_TICKET = Field(default=None, description="A ticket in the operator's own tracker; public.")
_WHY = Field(default=None, description="The reason in free text; it stays in this record.")


class Redrive(ShownCommand):
    """Retry a dead-lettered command under its own id, with the writes that it already sent."""

    TYPE: ClassVar[CommandType] = CommandType.COMMAND_REDRIVE
    EXAMPLE: ClassVar[Example] = {
        "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "redrive": 1,
        "requestedBy": "op-7",
        "reason": "checked_by_hand",
        "ticket": "OPS-1204",
        "why": "Collate confirmed that nothing was created.",
        "command": {
            "type": "collate-gateway.handoff.request.v1",
            "caller": "intake",
            "acceptedAt": "2026-06-02T14:06:00Z",
            "data": {"acceptedReviewSnapshotId": "rev_90"},
        },
        "intent": {"operation": "create", "n": 0},
    }

    command_id: Public[CommandId] = Field(description="The dead-lettered command.")
    redrive: Public[int] = Field(ge=1, le=1000, description="The number of redrives of the command, this one included.")
    requested_by: Public[Name] = Field(description="The operator who decided.")
    reason: Public[DecisionReason] = _REASON
    ticket: Public[Ticket | None] = _TICKET
    why: Phi[Why | None] = _WHY
    command: Phi[Original] = Field(description="The dead-lettered command as it was accepted.")
    intent: Phi[dict[str, JsonValue] | None] = Field(default=None, description="A write that may have reached Collate.")

    def _sentence(self, caller: str) -> str:
        return f"{self.requested_by} requested redrive {self.redrive}{_why(self, caller)}"


class Discard(ShownCommand):
    """Discard a dead-lettered command: it ends with the outcome discarded."""

    TYPE: ClassVar[CommandType] = CommandType.COMMAND_DISCARD
    EXAMPLE: ClassVar[Example] = {
        "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "redrive": 0,
        "requestedBy": "op-7",
        "reason": "done_by_hand",
        "ticket": "OPS-1204",
        "why": "The case was closed by telephone.",
    }

    command_id: Public[CommandId] = Field(description="The dead-lettered command.")
    redrive: Public[int | None] = Field(default=None, ge=0, le=1000, description="The number that the operator saw.")
    requested_by: Public[Name] = Field(description="The operator who decided.")
    reason: Public[DecisionReason] = _REASON
    ticket: Public[Ticket | None] = _TICKET
    why: Phi[Why | None] = _WHY

    def _sentence(self, caller: str) -> str:
        number = "" if self.redrive is None else f" of number {self.redrive}"
        return f"{self.requested_by} requested a discard{number}{_why(self, caller)}"


class EmptyRecentCommands(Command):
    """Forget the recent commands of a caller, or of all callers, so that new commands have room again."""

    TYPE: ClassVar[CommandType] = CommandType.AUTHORIZATION_EMPTY_RECENT_COMMANDS
    EXAMPLE: ClassVar[Example] = {
        "ofCaller": "reporting",
        "requestedBy": "op-7",
        "reason": "fix_deployed",
        "ticket": "OPS-1204",
        "why": "The service watched once a minute.",
    }

    of_caller: Public[Name | None] = Field(default=None, description="The caller whose commands; absent for all.")
    requested_by: Public[Name] = Field(description="The operator who decided.")
    reason: Public[DecisionReason] = _REASON
    ticket: Public[Ticket | None] = _TICKET
    why: Phi[Why | None] = _WHY


class LowerVersionFloor(Command):
    """Accept versions of an authorization below the highest one read, after Collate was restored from a backup."""

    TYPE: ClassVar[CommandType] = CommandType.AUTHORIZATION_LOWER_VERSION_FLOOR
    EXAMPLE: ClassVar[Example] = {
        "toVersion": 12,
        "requestedBy": "op-7",
        "reason": "collate_recovered",
        "ticket": "OPS-1204",
        "why": "Collate restored the backup of 3 a.m.",
    }

    to_version: Public[int] = Field(ge=0, description="The lowest version to accept from now on.")
    requested_by: Public[Name] = Field(description="The operator who decided.")
    reason: Public[DecisionReason] = _REASON
    ticket: Public[Ticket | None] = _TICKET
    why: Phi[Why | None] = _WHY


def _why(decision: Redrive | Discard, caller: str) -> str:
    ticket = f", ticket {decision.ticket}" if decision.ticket else ""
    return f"{through(caller)}: {in_words(decision.reason)}{ticket}."

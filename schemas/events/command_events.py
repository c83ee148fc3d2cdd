"""Events of commands: each names its command, its type and its caller."""

from typing import ClassVar

from pydantic import Field

from schemas.attempts import MOST_ATTEMPTS, Attempt
from schemas.enums import AssertedBy, CommandType, Effect, EventType, Outcome, short_type
from schemas.events.event import ACCEPTED_BY, ASSERTED_BY, METADATA, REPORTED_BY, REQUESTED_BY, VERSION, Event
from schemas.events.reasons import for_people
from schemas.fields.metadata import Metadata
from schemas.fields.scalars import Advice, CommandId, Id, Name, Slug, Word
from schemas.model import Example, Model, Public
from schemas.operator_decision import OperatorDecision
from schemas.sentences import in_words, moment
from schemas.times import Time

_REDRIVE = Field(default=None, ge=1, description="The redrive's number; absent for the first execution.")
_DECISION = Field(default=None, description="For a redrive or discard: the operator, the caller and the reason.")
_ATTEMPTS = Field(default=None, max_length=MOST_ATTEMPTS, description="The calls to Collate that this worker knows.")
_DIGEST = Field(default=None, description="For the gateway itself: a keyed digest, by which it knows another body.")
_UNKNOWN = Field(
    default=None,
    ge=0,
    description="Present if Collate had not shown the authorization before this command: how many such ones of the "
    "caller, or of all people of its prefix, the gateway keeps in this partition.",
)
_LEFT_OUT = Field(default=None, ge=1, description="The number of omitted calls between the first and the last calls.")


_EFFECTS = {
    Effect.OURS: ", written by the gateway",
    Effect.INFERRED: ", inferred from a read",
    Effect.UNKNOWN: "; a write may have changed Collate",
}


class _CommandEvent(Event):
    command_id: Public[CommandId] = Field(description="The command's id.")
    command: Public[CommandType] = Field(description="The command's type.")
    caller: Public[Name] = Field(description="The caller that sent the command.")

    def _run(self, redrive: int | None) -> str:
        return f"The {in_words(short_type(self.command))}" + (f" (redrive {redrive})" if redrive else "")


class WouldSend(Model):
    """A write that a shadow would have sent to Collate."""

    operation: Public[Word] = Field(
        description="The call: `create`, or Collate's word for the close, as in `attempts`."
    )
    version: Public[int] = Field(description="The version in its If-Match.")


class CommandFinished(_CommandEvent):
    """A command, or a redrive of it, has ended. Published exactly once for each."""

    TYPE: ClassVar[EventType] = EventType.COMMAND_FINISHED
    EXAMPLE: ClassVar[Example] = {
        "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "command": "collate-gateway.handoff.request.v1",
        "caller": "intake",
        "outcome": "applied",
        "effect": "ours",
        "handoffId": "mhand_55",
        "version": 24,
        "requestedBy": "jo.miller",
        "acceptedBy": "jo.miller",
        "acceptedReviewSnapshotId": "rev_90",
        "assertedBy": "caller",
        "metadata": {"case": "case-0042"},
        "attempts": [
            {
                "at": "2026-06-02T14:06:00Z",
                "operation": "get-authorization",
                "result": "answered",
                "status": 200,
                "ms": 41,
            },
            {
                "at": "2026-06-02T14:06:01Z",
                "operation": "create",
                "result": "answered",
                "status": 201,
                "ms": 320,
                "write": 1,
                "requestId": "req_7f3a",
            },
        ],
    }

    outcome: Public[Outcome] = Field(description="The command's outcome.")
    effect: Public[Effect] = Field(description="Whether this command changed Collate.")
    reason: Public[Slug | None] = Field(default=None, description="Why it was not applied, or names no handoff.")
    advice: Public[Advice | None] = Field(default=None, description="What to do, in one sentence.")
    handoff_id: Public[Id | None] = Field(default=None, description="The handoff that the command names or created.")
    claimed_by: Public[Name | None] = Field(
        default=None, description="For the reason `claimed_by_another`: the person who has the handoff, as a caller."
    )
    would_send: Public[WouldSend | None] = Field(
        default=None, description="For the reason `writes_off`: the write that the shadow would have sent."
    )
    version: Public[int | None] = VERSION
    redrive: Public[int | None] = _REDRIVE
    decision: Public[OperatorDecision | None] = _DECISION
    requested_by: Public[Name | None] = REQUESTED_BY
    accepted_by: Public[Name | None] = ACCEPTED_BY
    accepted_review_snapshot_id: Public[Id | None] = Field(
        default=None, description="The review snapshot that the reviewer accepted."
    )
    reported_by: Public[Name | None] = REPORTED_BY
    asserted_by: Public[AssertedBy | None] = ASSERTED_BY
    metadata: Public[Metadata | None] = METADATA
    unknown_authorizations: Public[int | None] = _UNKNOWN
    attempts: Public[list[Attempt] | None] = _ATTEMPTS
    attempts_left_out: Public[int | None] = _LEFT_OUT
    digest: Public[Word | None] = _DIGEST

    def _sentence(self) -> str:
        handoff = f", handoff {self.handoff_id}" if self.handoff_id else ""
        reason = f": {in_words(self.reason)}. {for_people(self.advice)}" if self.reason else "."
        ended = f"{self._run(self.redrive)} ended as {in_words(self.outcome)}"
        return f"{ended}{_EFFECTS.get(self.effect, '')}{handoff}{reason}"


class CommandWaiting(_CommandEvent):
    """A command has not ended yet. Published after ten seconds, and when the reason changes."""

    TYPE: ClassVar[EventType] = EventType.COMMAND_WAITING
    EXAMPLE: ClassVar[Example] = {
        "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "command": "collate-gateway.handoff.request.v1",
        "caller": "intake",
        "reason": "rate_limited",
        "advice": "Collate asked us to slow down; nothing to do.",
        "until": "2026-06-02T14:07:30Z",
        "metadata": {"case": "case-0042"},
    }

    reason: Public[Slug] = Field(description="The reason why the command waits.")
    advice: Public[Advice | None] = Field(default=None, description="The reason in one sentence.")
    until: Public[Time | None] = Field(default=None, description="When the gateway retries.")
    unreadable_fields: Public[list[Word] | None] = Field(
        default=None, description="For `unreadable_answer`: the fields of Collate's answer that could not be read."
    )
    redrive: Public[int | None] = _REDRIVE
    metadata: Public[Metadata | None] = METADATA
    attempts: Public[list[Attempt] | None] = _ATTEMPTS
    attempts_left_out: Public[int | None] = _LEFT_OUT

    def _sentence(self) -> str:
        until = f" Next try at {moment(self.until)}." if self.until else ""
        return f"{self._run(None)} waits: {self.advice or in_words(self.reason)}{until}"


class CommandDeadLettered(_CommandEvent):
    """A command could not be finished and waits for an operator. It has not ended."""

    TYPE: ClassVar[EventType] = EventType.COMMAND_DEAD_LETTERED
    EXAMPLE: ClassVar[Example] = {
        "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "command": "collate-gateway.handoff.request.v1",
        "caller": "intake",
        "cause": "outcome_unknown",
        "advice": "Look at the authorization, then redrive or discard.",
        "effect": "unknown",
        "metadata": {"case": "case-0042"},
    }

    cause: Public[Slug] = Field(description="The reason why the command could not be finished.")
    advice: Public[Advice | None] = Field(default=None, description="What an operator should check.")
    effect: Public[Effect | None] = Field(default=None, description="unknown: a write may have changed Collate.")
    handoff_id: Public[Id | None] = Field(default=None, description="The handoff that the command names.")
    redrive: Public[int | None] = _REDRIVE
    decision: Public[OperatorDecision | None] = _DECISION
    metadata: Public[Metadata | None] = METADATA
    unknown_authorizations: Public[int | None] = _UNKNOWN
    attempts: Public[list[Attempt] | None] = _ATTEMPTS
    attempts_left_out: Public[int | None] = _LEFT_OUT
    digest: Public[Word | None] = _DIGEST

    def _sentence(self) -> str:
        return f"{self._run(self.redrive)} became a dead letter ({in_words(self.cause)}). {for_people(self.advice)}"


class CommandKeyConflict(_CommandEvent):
    """A second command arrived under a known id with another body. Only the first command is applied."""

    TYPE: ClassVar[EventType] = EventType.COMMAND_KEY_CONFLICT
    EXAMPLE: ClassVar[Example] = {
        "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "command": "collate-gateway.handoff.close.v1",
        "caller": "intake",
    }

    def _sentence(self) -> str:
        return f"{self.caller} sent a different body with a used idempotency key. The first body counts."

"""What is said over HTTP beside commands and events: the bodies of live calls, and every answer.

Answers are open: fields will be added. A grant's id and url are secrets, and exist in no other message.
"""

from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from schemas.enums import CommandType, Effect, Outcome
from schemas.field_types import Advice, CommandId, Id, Name, Slug, Word
from schemas.metadata import Metadata
from schemas.model import Model, Phi, Public, Secret
from schemas.times import Time


class AccessGrantBody(Model):
    """Who will receive the link."""

    operator: Public[Name] = Field(description="A member of staff, as your own systems name them; never a patient.")


class _Answer(Model):
    open_on_the_wire: ClassVar[bool] = True


class _Known(_Answer):
    command_id: Public[CommandId] = Field(description="The command; the same for every retry under the same key.")
    type: Public[CommandType] = Field(description="Its type.")
    authorization_id: Public[Id] = Field(description="The authorization.")
    accepted_at: Public[Time] = Field(description="When it was kept.")


class CommandAccepted(_Known):
    """The command is kept, as durably as its topic, and will end with exactly one `command.finished`."""

    status: Public[Literal["accepted"]] = "accepted"


class CommandOutcome(_Known):
    """The command has finished within the time that `Prefer: wait` gave it."""

    status: Public[Literal["finished"]] = "finished"
    finished_at: Public[Time | None] = Field(default=None, description="When it ended.")
    outcome: Public[Outcome] = Field(description="How it ended.")
    effect: Public[Effect] = Field(description="Whether Collate was changed by us.")
    reason: Public[Slug | None] = Field(default=None, description="Why it was not applied, or names no handoff.")
    advice: Public[Advice | None] = Field(default=None, description="What to do about it, in a sentence.")
    handoff_id: Public[Id | None] = Field(default=None, description="The handoff it was about or brought about.")
    version: Public[int | None] = Field(default=None, description="Collate's version of the authorization then.")
    redrive: Public[int | None] = Field(default=None, description="Which redrive of the command this is.")
    metadata: Public[Metadata | None] = Field(default=None, description="What was attached to the command.")


class AccessGranted(_Answer):
    """A short-lived link into the live payer session. Hand it to the operator's browser, keep it nowhere."""

    handoff_id: Public[Id] = Field(description="The handoff.")
    id: Secret[str] = Field(description="The grant's id: as secret as the link, of which it is a part.")
    url: Secret[str] = Field(description="The link: whoever has it is in the session. Never fetch it from a server.")
    expires_at: Public[Time] = Field(description="When it stops working; ask for another before.")


class Review(_Answer):
    """What a reviewer must read before a submit, passed on from Collate unchanged."""

    authorization_id: Public[Id] = Field(description="The authorization.")
    version: Public[int] = Field(description="Collate's version of the authorization.")
    covers_review_snapshot_id: Public[Id | None] = Field(
        default=None, description="The snapshot that must have been accepted before a handoff, if one must."
    )
    review_snapshot: Phi[dict[str, JsonValue]] = Field(description="Collate's snapshot; its `id` is what is accepted.")


class ProblemFault(_Answer):
    """One thing to fix: where, and what was expected there."""

    pointer: Public[str | None] = Field(default=None, description="RFC 6901, into the request's body.")
    header: Public[str | None] = Field(default=None, description="A request header.")
    parameter: Public[str | None] = Field(default=None, description="A part of the URL.")
    detail: Public[str] = Field(description="What was expected; never what was found.")


class ProblemDetails(_Answer):
    """RFC 9457."""

    type: Public[str] = Field(description="Which problem, as a URN; stable.")
    title: Public[str] = Field(description="The same for every occurrence.")
    status: Public[int] = Field(description="The HTTP status.")
    detail: Public[str] = Field(description="What to do next.")
    request_id: Public[Word] = Field(description="Quote it when you ask for help.")
    errors: Public[list[ProblemFault] | None] = Field(default=None, description="What to fix, thing by thing.")
    kept: Public[Literal["no", "unknown"] | None] = Field(
        default=None, description="Of a command answered 503: whether it may be in Kafka after all."
    )
    reason: Public[Slug | None] = Field(default=None, description="Of a live call: why, for a program to branch on.")
    handoff_id: Public[Id | None] = Field(default=None, description="Of a live call: the handoff.")
    result: Public[Word | None] = Field(
        default=None, description="Of a closed handoff: Collate's word for how it ended."
    )
    details_reason: Public[Word | None] = Field(default=None, description="Collate's own word for why, if it gave one.")
    collate_request_id: Public[Word | None] = Field(default=None, description="Of a live call: Collate's own id of it.")


ANSWERS: tuple[type[Model], ...] = (CommandAccepted, CommandOutcome, AccessGranted, Review, ProblemDetails)
"""Every body that goes out."""

"""What operators hear of dead letters over HTTP, and what they ask. Public but for `DeadLetterOriginal` and `why`.

Answers are open: fields will be added.
"""

from typing import Annotated, ClassVar

from pydantic import Field, JsonValue

from schemas.enums import DecisionReason
from schemas.field_types import Advice, CommandId, Id, KnownOnly, Name, Slug, Ticket, Whole, Why, Word
from schemas.model import Model, Phi, Public
from schemas.times import Time


class DeadLetterDecision(Model):
    """An operator's word on a dead letter that they have looked at."""

    operator: Public[Name] = Field(description="Who decides: a member of staff, as your own systems name them.")
    reason: Public[Annotated[DecisionReason, KnownOnly()]] = Field(
        description="Why, in a word: it stands in the events and in the timeline."
    )
    ticket: Public[Ticket | None] = Field(
        default=None, description="Where more is written, in your own tracker; it stands there too, so no names."
    )
    why: Phi[Why | None] = Field(
        default=None, description="More in free text; kept with the request in the commands topic alone."
    )
    redrive: Public[Whole] = Field(
        ge=0, le=999, description="The letter's `redrive` as they saw it, so that a retry asks for nothing new."
    )


class _Answer(Model):
    open_on_the_wire: ClassVar[bool] = True


class DeadLetterSummary(_Answer):
    """A command that waits for a person."""

    command_id: Public[CommandId] = Field(description="The command.")
    command: Public[Word | None] = Field(default=None, description="Its type, where it could be read.")
    caller: Public[Name | None] = Field(default=None, description="Who asked, where it could be read.")
    authorization_id: Public[Id | None] = Field(default=None, description="Absent if the record was broken.")
    accepted_at: Public[Time | None] = Field(default=None, description="When it was kept.")
    dead_at: Public[Time] = Field(description="When we gave up.")
    cause: Public[Slug] = Field(description="Why it could not be finished.")
    advice: Public[Advice | None] = Field(default=None, description="What a person should look at.")
    redrive: Public[int] = Field(description="How many times it had been redriven.")
    writes: Public[int] = Field(description="How many requests that may change something were sent to Collate.")
    can_redrive: Public[bool] = Field(description="False if the command can't be read: it can only be discarded.")


class DeadLetterList(_Answer):
    """What waits for a person, oldest first."""

    dead_letters: Public[list[DeadLetterSummary]] = Field(description="Those that were asked for.")
    matching: Public[int] = Field(description="How many there are of them, on this page and all others.")
    left_out: Public[int] = Field(description="How many of the oldest are not kept track of; 0 but in a catastrophe.")
    next: Public[Annotated[str, Field(max_length=512)] | None] = Field(
        default=None, description="Send it as `cursor` for what follows; absent at the end."
    )


class DeadLetterWrite(_Answer):
    """A request that was, or may have been, sent to Collate."""

    n: Public[int] = Field(description="Its number among the command's different requests.")
    operation: Public[Word] = Field(description="Which call.")
    handoff_id: Public[Id | None] = Field(default=None, description="The handoff that it names.")
    if_match: Public[int | None] = Field(default=None, description="The version that it was made for.")
    first_sent_at: Public[Time | None] = Field(default=None, description="When it was first sent.")
    ended: Public[Word | None] = Field(default=None, description="What ended it; absent while it may be in flight.")
    may_have_arrived: Public[bool] = Field(description="Whether it, or one before it, may have taken effect.")


class DeadLetterDetail(DeadLetterSummary):
    """A command that waits for a person, with all that is public of it."""

    asks: Public[dict[str, JsonValue] | None] = Field(
        default=None, description="What it asks, without free text and reference numbers; absent if unreadable."
    )
    sent: Public[list[DeadLetterWrite]] = Field(description="Its requests to Collate, in order.")
    partition: Public[int] = Field(description="Of the original record; -1 if that is gone.")
    offset: Public[int] = Field(description="Of the original record; -1 if that is gone.")


class DeadLetterOriginal(_Answer):
    """What the caller sent, free text and reference numbers included. Asking for it is logged."""

    command_id: Public[CommandId] = Field(description="The command.")
    data: Phi[dict[str, JsonValue] | None] = Field(default=None, description="Its data; absent if unreadable.")
    value: Phi[str] = Field(description="The original record's value in base64.")


class HandoffNow(_Answer):
    """How the handoff is, that the command is about or that is running."""

    id: Public[Id] = Field(description="Collate's id of it.")
    state: Public[Word | None] = Field(default=None, description="Collate's word; absent if it can't be read.")
    result: Public[Word | None] = Field(default=None, description="Collate's word for how it ended.")
    version: Public[int | None] = Field(default=None, description="Its version.")


class DeadLetterSituation(_Answer):
    """How the authorization of a dead letter is at Collate now."""

    command_id: Public[CommandId] = Field(description="The command.")
    at: Public[Time] = Field(description="When Collate was asked.")
    authorization_id: Public[Id] = Field(description="The authorization.")
    version: Public[int] = Field(description="Its version.")
    status: Public[Word] = Field(description="Collate's word for whose move it is.")
    outcome: Public[Word | None] = Field(default=None, description="Its outcome, once completed.")
    next_action: Public[Word | None] = Field(default=None, description="The type of its next action.")
    resolution: Public[Word | None] = Field(default=None, description="The kind of resolution that Collate names.")
    covers_review_snapshot_id: Public[Id | None] = Field(default=None, description="The snapshot to accept before.")
    review_snapshot_id: Public[Id | None] = Field(default=None, description="The snapshot that is there.")
    review_snapshot_status: Public[Word | None] = Field(default=None, description="Collate's word for its status.")
    receipt_seen: Public[bool] = Field(description="Whether the payer's receipt is there.")
    decision_seen: Public[bool] = Field(description="Whether the payer's decision is there.")
    active_handoff_id: Public[Id | None] = Field(default=None, description="The handoff that is running.")
    handoff: Public[HandoffNow | None] = Field(default=None, description="The one it is about, else the running one.")


DEAD_LETTER_BODIES: tuple[type[Model], ...] = (
    DeadLetterDecision,
    DeadLetterList,
    DeadLetterDetail,
    DeadLetterOriginal,
    DeadLetterSituation,
)
"""Every body of the operators' routes."""

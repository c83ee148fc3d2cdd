"""Bodies of the operators' routes for dead letters. All fields are public except `DeadLetterOriginal` and `why`.

Responses may get new fields.
"""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from schemas.api.situations import AuthorizationNow, HandoffNow
from schemas.enums import DecisionReason
from schemas.fields.scalars import Advice, CommandId, Id, KnownOnly, Name, SentTicket, Slug, Whole, Word
from schemas.fields.visible_text import SentName, Why
from schemas.model import Model, OpenModel, Phi, Public
from schemas.times import Time


class DeadLetterDecision(Model):
    """An operator's decision about a dead letter that they have read."""

    operator: Public[SentName | None] = Field(
        default=None,
        description="The operator who decides: a member of staff as named in your systems. Required from a service; a "
        "person's own token says it.",
    )
    reason: Public[Annotated[DecisionReason, KnownOnly()]] = Field(description="The reason, in events and timelines.")
    ticket: Public[SentTicket | None] = Field(
        default=None,
        description="A ticket in your own tracker. The events and the timeline contain it, so it must name no person.",
    )
    why: Phi[Why | None] = Field(default=None, description="The reason in free text; only on the commands topic.")
    redrive: Public[Whole] = Field(
        ge=0,
        le=999,
        description="The dead letter's `redrive` as read: the decision is about no other. A retry is the same one.",
    )
    dead_at: Public[Time | None] = Field(
        default=None,
        description="The dead letter's `deadAt` as read. A day after its end the same key is a new command, whose "
        "numbers begin again: with `deadAt` the decision is about none of these.",
    )


_DIGEST = r"^[0-9a-f]{32}$"
Digest = Annotated[str, Field(pattern=_DIGEST)]


class DeadLetterSelection(Model):
    """The filters of a decision about many dead letters; absent filters accept all."""

    cause: Public[Slug | None] = Field(default=None, description="Only dead letters with this cause.")
    command: Public[Word | None] = Field(default=None, description="Only commands of this type.")
    caller: Public[SentName | None] = Field(default=None, description="Only commands of this caller.")
    authorization_id: Public[Id | None] = Field(default=None, description="Only commands for this authorization.")
    since: Public[Time | None] = Field(default=None, description="Only dead letters since this time.")
    before: Public[Time] = Field(
        description="Only dead letters before this time: the `at` of the list that the operator saw."
    )


class DeadLetterDecisions(Model):
    """An operator's decision about all dead letters that match, if they are still those that the operator saw."""

    decision: Public[Literal["redrive", "discard"]] = Field(description="What to do with each of them.")
    selection: Public[DeadLetterSelection] = Field(description="Which dead letters.")
    count: Public[Whole] = Field(ge=1, le=20_000, description="Their number: `matching` of the list, or `remaining`.")
    digest: Public[Digest] = Field(description="Their digest, from the list or from the previous response.")
    after: Public[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,512}$")] | None] = Field(
        default=None, description="`next` of the previous response: continues behind the decided ones."
    )
    operator: Public[SentName | None] = Field(
        default=None,
        description="The operator who decides. Required from a service; a person's own token says it.",
    )
    reason: Public[Annotated[DecisionReason, KnownOnly()]] = Field(description="The reason, in events and timelines.")
    ticket: Public[SentTicket | None] = Field(
        default=None, description="A ticket in your own tracker; it is published."
    )
    why: Phi[Why | None] = Field(default=None, description="The reason in free text; only on the commands topic.")


class NotDecided(OpenModel):
    """A dead letter that was left out: nothing was decided about it."""

    command_id: Public[CommandId] = Field(description="The command's id.")
    problem: Public[Slug] = Field(description="The problem, such as not_redrivable.")


class DeadLettersDecided(OpenModel):
    """The decisions that are on the commands topic, and what remains of the selection."""

    decided: Public[list[CommandId]] = Field(description="The commands whose decision is accepted, oldest first.")
    not_decided: Public[list[NotDecided]] = Field(description="Those that cannot be decided so.")
    remaining: Public[int] = Field(description="The `count` of the next request; 0: all are done.")
    digest: Public[Digest] = Field(description="The `digest` of the next request.")
    next: Public[Annotated[str, Field(max_length=512)] | None] = Field(
        default=None, description="The `after` of the next request; absent if none remains."
    )


class DeadLetterSummary(OpenModel):
    """A command that waits for an operator."""

    command_id: Public[CommandId] = Field(description="The command's id.")
    command: Public[Word | None] = Field(default=None, description="The command's type, if readable.")
    caller: Public[Name | None] = Field(default=None, description="The caller that sent the command, if readable.")
    authorization_id: Public[Id | None] = Field(default=None, description="Absent if the record is broken.")
    accepted_at: Public[Time | None] = Field(default=None, description="When the command was accepted.")
    dead_at: Public[Time] = Field(description="When the command was dead-lettered.")
    cause: Public[Slug] = Field(description="The reason why the command could not be finished.")
    advice: Public[Advice | None] = Field(default=None, description="What an operator should check.")
    redrive: Public[int] = Field(description="The number of redrives before this dead letter.")
    writes: Public[int] = Field(description="The number of writes that were sent to Collate.")
    can_redrive: Public[bool] = Field(
        description="False if the command is unreadable, so that it can only be discarded, or names no authorization."
    )


class DeadLetterList(OpenModel):
    """A page of dead letters, oldest first."""

    dead_letters: Public[list[DeadLetterSummary]] = Field(description="The dead letters on this page.")
    matching: Public[int] = Field(description="The number of matching dead letters on all pages.")
    at: Public[Time | None] = Field(default=None, description="With `digest=true`: when the list was read.")
    digest: Public[Digest | None] = Field(
        default=None, description="With `digest=true`: the digest of all matching dead letters, for a decision."
    )
    left_out: Public[int] = Field(description="The number of oldest dead letters beyond the memory limit; normally 0.")
    next: Public[Annotated[str, Field(max_length=512)] | None] = Field(
        default=None, description="The `cursor` of the next page; absent on the last page."
    )


class DeadLetterWrite(OpenModel):
    """A write that was sent, or may have been sent, to Collate."""

    n: Public[int] = Field(description="The write's number among the command's writes.")
    operation: Public[Word] = Field(description="The operation at Collate.")
    handoff_id: Public[Id | None] = Field(default=None, description="The handoff that the write names.")
    if_match: Public[int | None] = Field(default=None, description="The version in its If-Match header.")
    first_sent_at: Public[Time | None] = Field(default=None, description="When the write was first sent.")
    ended: Public[Word | None] = Field(default=None, description="How it ended; absent while it may be in flight.")
    may_have_arrived: Public[bool] = Field(description="Whether this write, or an earlier one, may have been applied.")


class DeadLetterDetail(DeadLetterSummary):
    """A command that waits for an operator, with all of its public fields."""

    asks: Public[dict[str, JsonValue] | None] = Field(
        default=None, description="The command's data without free text and reference numbers; absent if unreadable."
    )
    sent: Public[list[DeadLetterWrite]] = Field(description="The command's writes, in order.")
    partition: Public[int] = Field(description="The original record's partition; -1 without the record.")
    offset: Public[int] = Field(description="The original record's offset; -1 without the record.")


class DeadLetterOriginal(OpenModel):
    """The original data, with free text and reference numbers. Each access is logged."""

    command_id: Public[CommandId] = Field(description="The command's id.")
    data: Phi[dict[str, JsonValue] | None] = Field(default=None, description="The command's data, if readable.")
    value: Phi[str] = Field(description="The original record's value in base64.")


class DeadLetterSituation(AuthorizationNow):
    """The current state, at Collate, of a dead letter's authorization."""

    command_id: Public[CommandId] = Field(description="The command's id.")
    review_snapshot_id: Public[Id | None] = Field(default=None, description="The id of the current review snapshot.")
    review_snapshot_status: Public[Word | None] = Field(default=None, description="The status of that snapshot.")
    handoff: Public[HandoffNow | None] = Field(default=None, description="The command's handoff, else the running one.")

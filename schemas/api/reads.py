"""What is answered from the read model: how commands and authorizations are, and what happened, in order.

Everything here is public. Answers are open: fields will be added.
"""

from typing import Annotated, ClassVar

from pydantic import Field, JsonValue

from schemas.authorization import AuthorizationRecord
from schemas.field_types import Advice, CommandId, Id, Name, Slug, Word
from schemas.metadata import Metadata
from schemas.model import Model, Public
from schemas.times import Time

Cursor = Annotated[str, Field(max_length=512)]
_NEXT = Field(default=None, description="Send it as `cursor` for what follows; absent at the end.")


class _Answer(Model):
    open_on_the_wire: ClassVar[bool] = True


class WaitsFor(_Answer):
    """Why a command has not ended."""

    reason: Public[Slug] = Field(description="What it waits for.")
    advice: Public[Advice | None] = Field(default=None, description="The same in a sentence.")
    until: Public[Time | None] = Field(default=None, description="When it is tried again.")


class CommandStatus(_Answer):
    """How a command is."""

    command_id: Public[CommandId] = Field(description="The command.")
    type: Public[Word | None] = Field(default=None, description="Its type; absent while it has only just been kept.")
    authorization_id: Public[Id | None] = Field(default=None, description="The authorization.")
    caller: Public[Name | None] = Field(default=None, description="Who asked.")
    status: Public[Word] = Field(description="accepted, waiting, dead_lettered (a person must decide) or finished.")
    accepted_at: Public[Time | None] = Field(default=None, description="When it was kept.")
    expires_at: Public[Time | None] = Field(default=None, description="When it must have begun, if it said so.")
    waiting: Public[WaitsFor | None] = Field(default=None, description="While it waits or is dead-lettered: why.")
    finished_at: Public[Time | None] = Field(default=None, description="When it ended.")
    outcome: Public[Word | None] = Field(default=None, description="How it ended.")
    effect: Public[Word | None] = Field(default=None, description="Whether Collate was changed by us.")
    reason: Public[Slug | None] = Field(default=None, description="Why it was not applied, or names no handoff.")
    advice: Public[Advice | None] = Field(default=None, description="What to do about it, in a sentence.")
    handoff_id: Public[Id | None] = Field(default=None, description="The handoff it was about or brought about.")
    version: Public[int | None] = Field(default=None, description="Collate's version of the authorization then.")
    redrive: Public[int | None] = Field(default=None, description="How many times it was redriven.")
    metadata: Public[Metadata | None] = Field(default=None, description="What was attached to it.")


class AuthorizationStatus(AuthorizationRecord):
    """How an authorization is: its latest record, as on the topic."""

    authorization_id: Public[Id] = Field(description="The authorization.")


class TimelineEntry(_Answer):
    """One thing that was asked, attempted or happened."""

    at: Public[Time] = Field(description="When, by the clock of the process that says so.")
    kind: Public[Word] = Field(
        description="command.accepted, command.redrive_requested, command.discard_requested, attempt, or an event."
    )
    says: Public[Advice] = Field(description="The same in a sentence.")
    command_id: Public[CommandId | None] = Field(default=None, description="The command that it belongs to.")
    sequence: Public[int | None] = Field(default=None, description="Of an event: its number.")
    data: Public[dict[str, JsonValue]] = Field(description="The public fields of the record.")


class Timeline(_Answer):
    """What happened to an authorization, in order."""

    authorization_id: Public[Id] = Field(description="The authorization.")
    entries: Public[list[TimelineEntry]] = Field(description="Oldest first.")
    next: Public[Cursor | None] = _NEXT


class Risk(_Answer):
    """Why Collate may soon end a handoff."""

    reason: Public[Slug] = Field(description="Why.")
    ends_at: Public[Time | None] = Field(
        default=None, description="When it is expected to end. Absent so far, as in `handoff.at_risk`."
    )


class LastGrant(_Answer):
    """Who was let in last; never the link."""

    operator: Public[Name] = Field(description="Who received it.")
    expires_at: Public[Time] = Field(description="When it stops working.")


class HandoffStatus(_Answer):
    """How a handoff is."""

    authorization_id: Public[Id] = Field(description="The authorization.")
    handoff_id: Public[Id] = Field(description="The handoff.")
    state: Public[Word] = Field(description="Collate's word while it is open; closed or reconciled after.")
    opened_at: Public[Time | None] = Field(default=None, description="Since when.")
    access_available: Public[bool | None] = Field(default=None, description="Whether a link can be had.")
    final_submit_capable: Public[bool | None] = Field(default=None, description="Whether one could submit.")
    grants: Public[int] = Field(description="How many links were given out.")
    last_grant: Public[LastGrant | None] = Field(default=None, description="The last of them.")
    risk: Public[Risk | None] = Field(default=None, description="Absent where there is none.")
    closed_at: Public[Time | None] = Field(default=None, description="When it ended.")
    result: Public[Word | None] = Field(default=None, description="Collate's word for how.")
    closed_by: Public[Word | None] = Field(default=None, description="us, other, expiry, loss or cancellation.")
    reported: Public[Word | None] = Field(default=None, description="What the operator reported: no payer truth.")
    agreement: Public[Word | None] = Field(default=None, description="What payer truth says about the report.")
    metadata: Public[Metadata | None] = Field(default=None, description="What was attached to its request.")


class HandoffList(_Answer):
    """Handoffs, those that have been so for longest first."""

    handoffs: Public[list[HandoffStatus]] = Field(description="A work list.")
    next: Public[Cursor | None] = _NEXT


class Stuck(_Answer):
    """A command that has not ended."""

    command_id: Public[CommandId] = Field(description="The command.")
    authorization_id: Public[Id] = Field(description="The authorization whose lane it holds.")
    type: Public[Word] = Field(description="Its type.")
    caller: Public[Name] = Field(description="Who asked.")
    status: Public[Word] = Field(description="accepted, waiting or dead_lettered.")
    accepted_at: Public[Time | None] = Field(default=None, description="When it was kept.")
    waiting: Public[WaitsFor | None] = Field(default=None, description="Why it has not ended, where it is known.")


class Rates(_Answer):
    """How many in the last minute."""

    accepted: Public[int] = Field(description="Commands kept.")
    finished: Public[int] = Field(description="Commands ended.")
    events: Public[int] = Field(description="Events published.")
    attempts: Public[int] = Field(description="Calls to Collate for commands, as far as they have been told.")


class Projector(_Answer):
    """How fresh all this is."""

    at: Public[Time | None] = Field(default=None, description="When the projector was last heard of.")
    behind: Public[int | None] = Field(default=None, description="How many records it had not read then.")


class Overview(_Answer):
    """The whole gateway at a glance."""

    at: Public[Time] = Field(description="When this was read.")
    unfinished: Public[dict[str, int]] = Field(description="Commands that have not ended, by status.")
    waiting: Public[dict[str, int]] = Field(description="Of those that wait: by what they wait for.")
    oldest: Public[list[Stuck]] = Field(description="Those that wait for longest: each holds an authorization's lane.")
    dead_letters: Public[list[Stuck]] = Field(description="Those that a person must decide, the oldest first.")
    last_minute: Public[Rates] = Field(description="How much is going on.")
    active_handoffs: Public[int] = Field(description="Handoffs that are open.")
    projector: Public[Projector] = Field(description="How fresh all this is.")


READS: tuple[type[Model], ...] = (CommandStatus, AuthorizationStatus, Timeline, HandoffList, Overview)
"""Every body that is answered from the read model."""

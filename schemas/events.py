"""What we publish on `events`: public facts only, no free text and no reference number in any of them.

The envelope carries the authorization (subject), its `sequence` and the command that caused it (causationid); `version`
is Collate's version of the authorization where the fact was read from one. A new event: type, model, EVENTS.
"""

from types import MappingProxyType
from typing import ClassVar

from pydantic import Field

from schemas.attempts import MOST_ATTEMPTS, Attempt
from schemas.enums import Agreement, ClosedBy, CommandType, Effect, EventType, Outcome, Report
from schemas.field_types import Advice, CommandId, Id, Name, Slug, Word
from schemas.metadata import Metadata
from schemas.model import Example, Message, Model, Public
from schemas.operator_decision import OperatorDecision
from schemas.times import Time

_METADATA = Field(default=None, description="What the caller attached to the command.")
_VERSION = Field(default=None, description="Collate's version of the authorization at this fact.")
_HANDOFF = Field(description="Collate's id of the handoff.")
_REDRIVE = Field(default=None, ge=1, description="Which redrive of the command this is; absent for the first run.")
_DECISION = Field(default=None, description="Of a redrive or discard: who asked for it, and why.")
_ATTEMPTS = Field(
    default=None, max_length=MOST_ATTEMPTS, description="The calls to Collate so far, as far as this worker knows."
)
_LEFT_OUT = Field(default=None, ge=1, description="How many calls between the first and the last ones are left out.")


class Event(Message):
    """The data of an event."""

    TYPE: ClassVar[EventType]
    open_on_the_wire: ClassVar[bool] = True


class _CommandEvent(Event):
    command_id: Public[CommandId] = Field(description="The command.")
    command: Public[CommandType] = Field(description="Its type.")
    caller: Public[Name] = Field(description="Who asked.")


class CommandFinished(_CommandEvent):
    """A command has ended; exactly one per command and per redrive."""

    TYPE: ClassVar[EventType] = EventType.COMMAND_FINISHED
    EXAMPLE: ClassVar[Example] = {
        "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "command": "collate-gateway.handoff.request.v1",
        "caller": "intake",
        "outcome": "applied",
        "effect": "ours",
        "handoffId": "mhand_55",
        "version": 24,
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

    outcome: Public[Outcome] = Field(description="How it ended.")
    effect: Public[Effect] = Field(description="Whether Collate was changed by us.")
    reason: Public[Slug | None] = Field(default=None, description="Why it was not applied, or names no handoff.")
    advice: Public[Advice | None] = Field(default=None, description="What to do about it, in a sentence.")
    handoff_id: Public[Id | None] = Field(default=None, description="The handoff it was about or brought about.")
    version: Public[int | None] = _VERSION
    redrive: Public[int | None] = _REDRIVE
    decision: Public[OperatorDecision | None] = _DECISION
    metadata: Public[Metadata | None] = _METADATA
    attempts: Public[list[Attempt] | None] = _ATTEMPTS
    attempts_left_out: Public[int | None] = _LEFT_OUT


class CommandWaiting(_CommandEvent):
    """A command has not ended yet, and why; published after ten seconds and when the reason changes."""

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

    reason: Public[Slug] = Field(description="What it waits for.")
    advice: Public[Advice | None] = Field(default=None, description="The same in a sentence.")
    until: Public[Time | None] = Field(default=None, description="When it is tried again.")
    redrive: Public[int | None] = _REDRIVE
    metadata: Public[Metadata | None] = _METADATA
    attempts: Public[list[Attempt] | None] = _ATTEMPTS
    attempts_left_out: Public[int | None] = _LEFT_OUT


class CommandDeadLettered(_CommandEvent):
    """A command could not be finished and waits for a person; not final."""

    TYPE: ClassVar[EventType] = EventType.COMMAND_DEAD_LETTERED
    EXAMPLE: ClassVar[Example] = {
        "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "command": "collate-gateway.handoff.request.v1",
        "caller": "intake",
        "cause": "outcome_unknown",
        "advice": "Look at the authorization, then redrive or discard.",
        "metadata": {"case": "case-0042"},
    }

    cause: Public[Slug] = Field(description="Why it could not be finished.")
    advice: Public[Advice | None] = Field(default=None, description="What a person should look at.")
    handoff_id: Public[Id | None] = Field(default=None, description="The handoff it was about.")
    redrive: Public[int | None] = _REDRIVE
    decision: Public[OperatorDecision | None] = _DECISION
    metadata: Public[Metadata | None] = _METADATA
    attempts: Public[list[Attempt] | None] = _ATTEMPTS
    attempts_left_out: Public[int | None] = _LEFT_OUT


class CommandKeyConflict(_CommandEvent):
    """Another body came in under a known command id; the first one stands and this one was not applied."""

    TYPE: ClassVar[EventType] = EventType.COMMAND_KEY_CONFLICT
    EXAMPLE: ClassVar[Example] = {
        "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "command": "collate-gateway.handoff.close.v1",
        "caller": "intake",
    }


class HandoffOpened(Event):
    """A handoff is active."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_OPENED
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "accessAvailable": True,
        "finalSubmitCapable": True,
        "openedAt": "2026-06-02T14:06:01Z",
        "version": 24,
        "metadata": {"case": "case-0042"},
    }

    handoff_id: Public[Id] = _HANDOFF
    access_available: Public[bool] = Field(description="Whether a link into the session can be had.")
    final_submit_capable: Public[bool] = Field(description="Whether the operator could submit to the payer.")
    opened_at: Public[Time | None] = Field(default=None, description="Since when, by Collate's clock.")
    version: Public[int | None] = _VERSION
    metadata: Public[Metadata | None] = _METADATA


class HandoffClosed(Event):
    """A handoff has ended; what was reported is a report, not payer truth."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_CLOSED
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "result": "completed_reported",
        "by": "us",
        "reported": "submitted",
        "version": 25,
        "metadata": {"case": "case-0042"},
    }

    handoff_id: Public[Id] = _HANDOFF
    result: Public[Word] = Field(description="Collate's word for how it ended.")
    by: Public[ClosedBy] = Field(description="Who or what ended it.")
    reported: Public[Report | None] = Field(default=None, description="What the operator reported, where it is known.")
    reason: Public[Slug | None] = Field(default=None, description="Why the operator was unable to complete it.")
    version: Public[int | None] = _VERSION
    metadata: Public[Metadata | None] = _METADATA


class PayerTruth(Model):
    """What the authorization showed."""

    status: Public[Word] = Field(description="The authorization's status.")
    outcome: Public[Word | None] = Field(default=None, description="Its outcome, once completed.")
    next_action: Public[Word | None] = Field(default=None, description="The type of its next action, if any.")
    receipt_seen: Public[bool] = Field(description="Whether the payer's receipt is there.")
    decision_seen: Public[bool] = Field(description="Whether the payer's decision is there.")


class HandoffReconciled(Event):
    """Collate has finished looking after a close; once per handoff."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_RECONCILED
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "reported": "submitted",
        "payer": {"status": "waiting_on_payer", "receiptSeen": True, "decisionSeen": False},
        "agreement": "agrees",
        "version": 27,
        "metadata": {"case": "case-0042"},
    }

    handoff_id: Public[Id] = _HANDOFF
    reported: Public[Report | None] = Field(default=None, description="What the operator reported, where it is known.")
    payer: Public[PayerTruth] = Field(description="What the authorization shows.")
    agreement: Public[Agreement] = Field(description="What the second says about the first.")
    version: Public[int | None] = _VERSION
    metadata: Public[Metadata | None] = _METADATA


class HandoffAccessGranted(Event):
    """An operator was given a link into the live session."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_ACCESS_GRANTED
    EXAMPLE: ClassVar[Example] = {"handoffId": "mhand_55", "operator": "op-7", "expiresAt": "2026-06-02T14:15:00Z"}

    handoff_id: Public[Id] = _HANDOFF
    operator: Public[Name] = Field(description="Who received it.")
    expires_at: Public[Time] = Field(description="When it stops working.")


class HandoffAtRisk(Event):
    """An active handoff may soon be ended by Collate."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_AT_RISK
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "reason": "grant_expired",
        "advice": "The operator's last link has expired: ask for a new access grant, or close the handoff.",
        "version": 24,
    }

    handoff_id: Public[Id] = _HANDOFF
    reason: Public[Slug] = Field(description="Why: `grant_expired`, or `open_too_long`.")
    advice: Public[Advice | None] = Field(default=None, description="What to do about it, in a sentence.")
    ends_at: Public[Time | None] = Field(
        default=None,
        description="When it is expected to end, if nothing is done. Absent so far: Collate doesn't say how long.",
    )
    version: Public[int | None] = _VERSION
    metadata: Public[Metadata | None] = _METADATA


class AuthorizationChanged(Event):
    """The authorization moved on."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_CHANGED
    EXAMPLE: ClassVar[Example] = {
        "from": "processing",
        "to": "waiting_on_payer",
        "receiptSeen": True,
        "decisionSeen": False,
        "version": 27,
    }

    from_status: Public[Word | None] = Field(
        default=None, alias="from", description="The status seen before; absent at first sight."
    )
    to_status: Public[Word] = Field(alias="to", description="The status now.")
    outcome: Public[Word | None] = Field(default=None, description="Its outcome, once completed.")
    next_action: Public[Word | None] = Field(default=None, description="The type of its next action, if any.")
    receipt_seen: Public[bool] = Field(description="Whether the payer's receipt is there.")
    decision_seen: Public[bool] = Field(description="Whether the payer's decision is there.")
    version: Public[int | None] = _VERSION


class AuthorizationActionRequired(Event):
    """Collate waits for somebody."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_ACTION_REQUIRED
    EXAMPLE: ClassVar[Example] = {
        "action": "complete_payer_interaction",
        "resolution": "manual_handoff",
        "coversReviewSnapshotId": "rev_90",
        "version": 23,
    }

    action: Public[Word] = Field(description="The next action's type; complete_payer_interaction asks for a handoff.")
    resolution: Public[Word | None] = Field(default=None, description="The kind of resolution that Collate names.")
    covers_review_snapshot_id: Public[Id | None] = Field(
        default=None, description="The review snapshot to accept before a handoff."
    )
    version: Public[int | None] = _VERSION


class AuthorizationSettled(Event):
    """The authorization is completed or canceled; once."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_SETTLED
    EXAMPLE: ClassVar[Example] = {
        "payer": {"status": "completed", "outcome": "approved", "receiptSeen": True, "decisionSeen": True},
        "handoffId": "mhand_55",
        "reported": "submitted",
        "agreement": "agrees",
        "version": 31,
    }

    payer: Public[PayerTruth] = Field(description="What the authorization shows.")
    handoff_id: Public[Id | None] = Field(default=None, description="The last handoff, if there was one.")
    reported: Public[Report | None] = Field(default=None, description="What was reported at its close.")
    agreement: Public[Agreement] = Field(description="What the payer's truth says about that report, finally.")
    version: Public[int | None] = _VERSION


class AuthorizationWatchEnded(Event):
    """We stopped following an authorization that never settled."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_WATCH_ENDED
    EXAMPLE: ClassVar[Example] = {
        "status": "waiting_on_payer",
        "watchedSince": "2026-06-02T14:00:00Z",
        "reason": "max_age",
        "version": 27,
    }

    status: Public[Word] = Field(description="The status last seen.")
    watched_since: Public[Time] = Field(description="Since when it was followed.")
    reason: Public[Slug] = Field(description="Why we stopped: its `max_age`, or Collate says that it is `not_found`.")
    version: Public[int | None] = _VERSION


EVENTS: MappingProxyType[str, type[Event]] = MappingProxyType(
    {
        model.TYPE.value: model
        for model in (
            CommandFinished,
            CommandWaiting,
            CommandDeadLettered,
            CommandKeyConflict,
            HandoffOpened,
            HandoffClosed,
            HandoffReconciled,
            HandoffAccessGranted,
            HandoffAtRisk,
            AuthorizationChanged,
            AuthorizationActionRequired,
            AuthorizationSettled,
            AuthorizationWatchEnded,
        )
    }
)
"""Every event by its CloudEvents type."""

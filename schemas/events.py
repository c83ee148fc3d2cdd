"""The events on `events`: public facts, without free text and without reference numbers.

The envelope has the authorization (subject), the event's `sequence` and the command that caused it (causationid).
`version` is the version of the authorization that showed the fact. A new event needs a type, a model and an entry in
EVENTS.
"""

from types import MappingProxyType
from typing import ClassVar

from pydantic import Field

from schemas.attempts import MOST_ATTEMPTS, Attempt
from schemas.enums import (
    Agreement,
    AssertedBy,
    ClosedBy,
    CloseReport,
    CommandType,
    Effect,
    EventType,
    Outcome,
    ReadContent,
)
from schemas.fields.metadata import Metadata
from schemas.fields.scalars import Advice, CommandId, Id, Name, Slug, Word
from schemas.model import Example, Message, Model, Public
from schemas.operator_decision import OperatorDecision
from schemas.times import Time

_METADATA = Field(default=None, description="The metadata of the command.")
_VERSION = Field(default=None, description="Collate's version of the authorization that shows this fact.")
_PAYER_ID = Field(default=None, description="Collate's id of the payer, if Collate shows it.")
_HANDOFF = Field(description="Collate's id of the handoff.")
_REDRIVE = Field(default=None, ge=1, description="The redrive's number; absent for the first execution.")
_DECISION = Field(default=None, description="For a redrive or discard: the operator, the caller and the reason.")
_ASSERTED_BY = Field(
    default=None,
    description="Who says that it was this person: person (the person's own token) or caller (the service stated it). "
    "Absent in older events.",
)
_REQUESTED_BY = Field(default=None, description="The member of staff who requested the handoff, if known.")
_ACCEPTED_BY = Field(default=None, description="The reviewer who accepted the review snapshot, if known.")
_REPORTED_BY = Field(default=None, description="The member of staff who reported the result, if known.")
_ATTEMPTS = Field(default=None, max_length=MOST_ATTEMPTS, description="The calls to Collate that this worker knows.")
_LEFT_OUT = Field(default=None, ge=1, description="The number of omitted calls between the first and the last calls.")


class Event(Message):
    """The data of an event."""

    TYPE: ClassVar[EventType]
    open_on_the_wire: ClassVar[bool] = True


class _CommandEvent(Event):
    command_id: Public[CommandId] = Field(description="The command's id.")
    command: Public[CommandType] = Field(description="The command's type.")
    caller: Public[Name] = Field(description="The caller that sent the command.")


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
    version: Public[int | None] = _VERSION
    redrive: Public[int | None] = _REDRIVE
    decision: Public[OperatorDecision | None] = _DECISION
    requested_by: Public[Name | None] = _REQUESTED_BY
    accepted_by: Public[Name | None] = _ACCEPTED_BY
    reported_by: Public[Name | None] = _REPORTED_BY
    asserted_by: Public[AssertedBy | None] = _ASSERTED_BY
    metadata: Public[Metadata | None] = _METADATA
    attempts: Public[list[Attempt] | None] = _ATTEMPTS
    attempts_left_out: Public[int | None] = _LEFT_OUT


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
    metadata: Public[Metadata | None] = _METADATA
    attempts: Public[list[Attempt] | None] = _ATTEMPTS
    attempts_left_out: Public[int | None] = _LEFT_OUT


class CommandDeadLettered(_CommandEvent):
    """A command could not be finished and waits for an operator. It has not ended."""

    TYPE: ClassVar[EventType] = EventType.COMMAND_DEAD_LETTERED
    EXAMPLE: ClassVar[Example] = {
        "commandId": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "command": "collate-gateway.handoff.request.v1",
        "caller": "intake",
        "cause": "outcome_unknown",
        "advice": "Look at the authorization, then redrive or discard.",
        "metadata": {"case": "case-0042"},
    }

    cause: Public[Slug] = Field(description="The reason why the command could not be finished.")
    advice: Public[Advice | None] = Field(default=None, description="What an operator should check.")
    handoff_id: Public[Id | None] = Field(default=None, description="The handoff that the command names.")
    redrive: Public[int | None] = _REDRIVE
    decision: Public[OperatorDecision | None] = _DECISION
    metadata: Public[Metadata | None] = _METADATA
    attempts: Public[list[Attempt] | None] = _ATTEMPTS
    attempts_left_out: Public[int | None] = _LEFT_OUT


class CommandKeyConflict(_CommandEvent):
    """A second command arrived under a known id with another body. Only the first command is applied."""

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
        "payerId": "payer_example",
        "effect": "ours",
        "caller": "people:jo.miller",
        "requestedBy": "jo.miller",
        "acceptedBy": "jo.miller",
        "assertedBy": "person",
        "version": 24,
        "metadata": {"case": "case-0042"},
    }

    handoff_id: Public[Id] = _HANDOFF
    access_available: Public[bool] = Field(description="Whether an access grant can be created.")
    final_submit_capable: Public[bool] = Field(description="Whether the operator can submit to the payer.")
    opened_at: Public[Time | None] = Field(default=None, description="When the handoff opened, by Collate's clock.")
    payer_id: Public[Id | None] = _PAYER_ID
    effect: Public[Effect | None] = Field(
        default=None,
        description="For a handoff that a command opened: ours (Collate's response proves it) or inferred (from a "
        "read). Absent for a handoff of another actor, and in older events.",
    )
    caller: Public[Name | None] = Field(
        default=None, description="The caller whose command opened the handoff, as far as `effect` says."
    )
    requested_by: Public[Name | None] = _REQUESTED_BY
    accepted_by: Public[Name | None] = _ACCEPTED_BY
    asserted_by: Public[AssertedBy | None] = _ASSERTED_BY
    version: Public[int | None] = _VERSION
    metadata: Public[Metadata | None] = _METADATA


class HandoffClosed(Event):
    """A handoff has ended. The report is the operator's, not payer truth."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_CLOSED
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "result": "completed_reported",
        "by": "us",
        "closedAt": "2026-06-02T14:30:00Z",
        "reported": "submitted",
        "caller": "people:jo.miller",
        "reportedBy": "jo.miller",
        "assertedBy": "person",
        "version": 25,
        "metadata": {"case": "case-0042"},
    }

    handoff_id: Public[Id] = _HANDOFF
    result: Public[Word] = Field(description="The handoff's result, in Collate's words.")
    by: Public[ClosedBy] = Field(description="The cause of its end.")
    closed_at: Public[Time | None] = Field(
        default=None, description="When it closed, by Collate's clock; absent if no read of it showed the end."
    )
    reported: Public[CloseReport | None] = Field(default=None, description="The operator's report, if known.")
    reason: Public[Slug | None] = Field(default=None, description="Why the operator was unable to complete it.")
    caller: Public[Name | None] = Field(default=None, description="The caller that closed it, if by us.")
    reported_by: Public[Name | None] = _REPORTED_BY
    asserted_by: Public[AssertedBy | None] = _ASSERTED_BY
    version: Public[int | None] = _VERSION
    metadata: Public[Metadata | None] = _METADATA


class PayerTruth(Model):
    """The payer's truth in the authorization."""

    status: Public[Word] = Field(description="The authorization's status.")
    outcome: Public[Word | None] = Field(default=None, description="The outcome, once the authorization is completed.")
    next_action: Public[Word | None] = Field(default=None, description="The type of the next action, if there is one.")
    receipt_seen: Public[bool] = Field(description="Whether the payer's receipt is present.")
    decision_seen: Public[bool] = Field(description="Whether the payer's decision is present.")


class HandoffReconciled(Event):
    """Collate has reconciled a closed handoff with the payer. Published once per handoff."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_RECONCILED
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "reported": "submitted",
        "payer": {"status": "waiting_on_payer", "receiptSeen": True, "decisionSeen": False},
        "agreement": "agrees",
        "payerId": "payer_example",
        "version": 27,
        "metadata": {"case": "case-0042"},
    }

    handoff_id: Public[Id] = _HANDOFF
    reported: Public[CloseReport | None] = Field(default=None, description="The operator's report, if known.")
    payer: Public[PayerTruth] = Field(description="The payer's truth in the authorization.")
    agreement: Public[Agreement] = Field(description="Whether payer truth agrees with the report.")
    payer_id: Public[Id | None] = _PAYER_ID
    version: Public[int | None] = _VERSION
    metadata: Public[Metadata | None] = _METADATA


class HandoffAccessGranted(Event):
    """An operator received a link into the live session. A link that is returned again is another event."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_ACCESS_GRANTED
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "operator": "op-7",
        "assertedBy": "caller",
        "caller": "intake",
        "expiresAt": "2026-06-02T14:15:00Z",
    }

    handoff_id: Public[Id] = _HANDOFF
    operator: Public[Name] = Field(description="The operator who received the link.")
    asserted_by: Public[AssertedBy | None] = _ASSERTED_BY
    caller: Public[Name | None] = Field(
        default=None, description="The authenticated caller that received the link; absent in older events."
    )
    expires_at: Public[Time] = Field(description="When the link expires.")


class HandoffAccessChanged(Event):
    """Access to an open handoff has changed: whether a grant can be created, or whether the operator can submit."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_ACCESS_CHANGED
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "state": "active",
        "accessAvailable": False,
        "finalSubmitCapable": True,
        "version": 24,
        "metadata": {"case": "case-0042"},
    }

    handoff_id: Public[Id] = _HANDOFF
    state: Public[Word] = Field(description="The handoff's state, in Collate's words.")
    access_available: Public[bool] = Field(description="Whether an access grant can be created now.")
    final_submit_capable: Public[bool] = Field(description="Whether the operator can submit to the payer now.")
    version: Public[int | None] = _VERSION
    metadata: Public[Metadata | None] = Field(default=None, description="The metadata of the request command.")


class HandoffClaimed(Event):
    """A person has an open handoff in hand: they opened it, got into it first, or took it over."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_CLAIMED
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "by": "jo.miller",
        "caller": "people:jo.miller",
        "takenOverFrom": "people:sam.lee",
    }

    handoff_id: Public[Id] = _HANDOFF
    by: Public[Name] = Field(description="The person, as their own token has the name.")
    caller: Public[Name] = Field(description="The same person as a caller.")
    taken_over_from: Public[Name | None] = Field(
        default=None, description="The caller's name of the person who had claimed it before."
    )


class HandoffReleased(Event):
    """The person who had claimed an open handoff has given it back."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_RELEASED
    EXAMPLE: ClassVar[Example] = {"handoffId": "mhand_55", "by": "jo.miller", "caller": "people:jo.miller"}

    handoff_id: Public[Id] = _HANDOFF
    by: Public[Name] = Field(description="The person, as their own token has the name.")
    caller: Public[Name] = Field(description="The same person as a caller.")


class HandoffAtRisk(Event):
    """Collate may soon end an active handoff."""

    TYPE: ClassVar[EventType] = EventType.HANDOFF_AT_RISK
    EXAMPLE: ClassVar[Example] = {
        "handoffId": "mhand_55",
        "reason": "grant_expired",
        "advice": "The operator's last access grant has expired: request a new grant, or close the handoff.",
        "endsAt": "2026-06-02T14:30:00Z",
        "version": 24,
    }

    handoff_id: Public[Id] = _HANDOFF
    reason: Public[Slug] = Field(
        description="`not_entered`, `grant_expiring`, `grant_expired`, `abandonment` or `open_too_long`."
    )
    advice: Public[Advice | None] = Field(default=None, description="What to do, in one sentence.")
    ends_at: Public[Time | None] = Field(
        default=None,
        description="When Collate is expected to end the handoff as abandoned, unless a new grant is created. It comes "
        "from the gateway's setting `collate.abandonment_after`, because Collate does not document its limit.",
    )
    version: Public[int | None] = _VERSION
    metadata: Public[Metadata | None] = _METADATA


class AuthorizationChanged(Event):
    """The authorization has changed. The record on `authorizations` with the same `sequence` has the whole state."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_CHANGED
    EXAMPLE: ClassVar[Example] = {
        "from": "processing",
        "to": "waiting_on_payer",
        "receiptSeen": True,
        "decisionSeen": False,
        "version": 27,
    }

    from_status: Public[Word | None] = Field(
        default=None, alias="from", description="The old status; absent in the first event."
    )
    to_status: Public[Word] = Field(alias="to", description="The new status.")
    outcome: Public[Word | None] = Field(default=None, description="The outcome, once the authorization is completed.")
    next_action: Public[Word | None] = Field(default=None, description="The type of the next action, if there is one.")
    receipt_seen: Public[bool] = Field(description="Whether the payer's receipt is present.")
    decision_seen: Public[bool] = Field(description="Whether the payer's decision is present.")
    version: Public[int | None] = _VERSION


class AuthorizationActionRequired(Event):
    """Collate waits for an action."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_ACTION_REQUIRED
    EXAMPLE: ClassVar[Example] = {
        "action": "complete_payer_interaction",
        "resolution": "manual_handoff",
        "coversReviewSnapshotId": "rev_90",
        "payerId": "payer_example",
        "version": 23,
    }

    action: Public[Word] = Field(description="The next action's type; complete_payer_interaction needs a handoff.")
    resolution: Public[Word | None] = Field(default=None, description="The kind of resolution of the next action.")
    covers_review_snapshot_id: Public[Id | None] = Field(
        default=None, description="The snapshot to accept before a handoff."
    )
    payer_id: Public[Id | None] = _PAYER_ID
    version: Public[int | None] = _VERSION


class AuthorizationSettled(Event):
    """The authorization is completed or canceled. Published once."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_SETTLED
    EXAMPLE: ClassVar[Example] = {
        "payer": {"status": "completed", "outcome": "approved", "receiptSeen": True, "decisionSeen": True},
        "handoffId": "mhand_55",
        "reported": "submitted",
        "agreement": "agrees",
        "payerId": "payer_example",
        "version": 31,
    }

    payer: Public[PayerTruth] = Field(description="The payer's truth in the authorization.")
    handoff_id: Public[Id | None] = Field(default=None, description="The last handoff, if there was one.")
    reported: Public[CloseReport | None] = Field(default=None, description="The operator's report at its close.")
    agreement: Public[Agreement] = Field(description="Whether payer truth, now final, agrees with that report.")
    payer_id: Public[Id | None] = _PAYER_ID
    version: Public[int | None] = _VERSION


class AuthorizationWatchEnded(Event):
    """The gateway stopped watching an authorization that has not settled."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_WATCH_ENDED
    EXAMPLE: ClassVar[Example] = {
        "status": "waiting_on_payer",
        "watchedSince": "2026-06-02T14:00:00Z",
        "reason": "max_age",
        "version": 27,
    }

    status: Public[Word] = Field(description="The last known status.")
    watched_since: Public[Time] = Field(description="When the gateway began to watch it.")
    reason: Public[Slug] = Field(description="`max_age`, or `not_found` if Collate does not know the authorization.")
    version: Public[int | None] = _VERSION


class RecentCommandsEmptied(Event):
    """An operator let the gateway forget recent commands; a later repeat of one of them is a new command."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_RECENT_COMMANDS_EMPTIED
    EXAMPLE: ClassVar[Example] = {
        "caller": "support-tool",
        "ofCaller": "reporting",
        "emptied": 256,
        "decision": {"requestedBy": "op-7", "reason": "fix_deployed", "ticket": "OPS-1204"},
    }

    caller: Public[Name] = Field(description="The caller that sent the operator's decision.")
    of_caller: Public[Name | None] = Field(default=None, description="The caller whose commands; absent for all.")
    emptied: Public[int] = Field(description="The number of commands that the gateway forgot.")
    decision: Public[OperatorDecision] = Field(description="The operator and the reason.")


class VersionFloorLowered(Event):
    """An operator let the gateway accept lower versions, because Collate was restored from a backup."""

    TYPE: ClassVar[EventType] = EventType.AUTHORIZATION_VERSION_FLOOR_LOWERED
    EXAMPLE: ClassVar[Example] = {
        "caller": "support-tool",
        "fromVersion": 27,
        "toVersion": 12,
        "decision": {"requestedBy": "op-7", "reason": "collate_recovered", "ticket": "OPS-1204"},
    }

    caller: Public[Name] = Field(description="The caller that sent the operator's decision.")
    from_version: Public[int] = Field(description="The highest version that the gateway had read.")
    to_version: Public[int] = Field(description="The lowest version that the gateway accepts from now on.")
    decision: Public[OperatorDecision] = Field(description="The operator and the reason.")


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
    asserted_by: Public[AssertedBy | None] = _ASSERTED_BY
    review_snapshot_id: Public[Id | None] = Field(default=None, description="The id of the review snapshot.")
    of_command: Public[CommandId | None] = Field(default=None, description="The dead-lettered command.")


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
            HandoffAccessChanged,
            HandoffClaimed,
            HandoffReleased,
            HandoffAtRisk,
            AuthorizationChanged,
            AuthorizationActionRequired,
            AuthorizationSettled,
            AuthorizationWatchEnded,
            RecentCommandsEmptied,
            VersionFloorLowered,
            ContentRead,
        )
    }
)
"""Every event by its CloudEvents type."""

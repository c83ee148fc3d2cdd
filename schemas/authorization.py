"""The record on `authorizations`: the latest public state of an authorization, up to an event's `sequence`."""

from typing import ClassVar

from pydantic import Field

from schemas.enums import PREFIX, Agreement, AssertedBy, ClosedBy, CloseReport
from schemas.fields.scalars import Id, Name, Word
from schemas.model import Example, Message, Model, Public
from schemas.times import Time

_ASSERTED_BY = Field(
    default=None, description="Who says that it was this person: person (their own token) or caller (the service)."
)


class HandoffClaim(Model):
    """The person who has an open handoff in hand."""

    by: Public[Name] = Field(description="The person, as their own token has the name.")
    caller: Public[Name] = Field(description="The same person as a caller.")
    since: Public[Time] = Field(description="Since when, by the gateway's clock.")


class ActiveHandoff(Model):
    """The running handoff."""

    id: Public[Id] = Field(description="Collate's id of the handoff.")
    state: Public[Word] = Field(description="The handoff's state, in Collate's words.")
    access_available: Public[bool] = Field(description="Whether an access grant can be created.")
    final_submit_capable: Public[bool] = Field(description="Whether the operator can submit to the payer.")
    opened_at: Public[Time | None] = Field(default=None, description="When the handoff opened, by Collate's clock.")
    requested_by: Public[Name | None] = Field(
        default=None, description="The member of staff who requested the handoff, if known."
    )
    asserted_by: Public[AssertedBy | None] = _ASSERTED_BY
    opener: Public[Name | None] = Field(
        default=None,
        description="The caller whose command opened the handoff, or may have; absent if another actor opened it.",
    )
    claim: Public[HandoffClaim | None] = Field(
        default=None, description="The person who has it in hand; absent without a claim."
    )


class LastHandoff(Model):
    """The handoff that ended most recently."""

    id: Public[Id] = Field(description="Collate's id of the handoff.")
    result: Public[Word] = Field(description="The handoff's result, in Collate's words.")
    by: Public[ClosedBy | None] = Field(default=None, description="The cause of its end.")
    closed_at: Public[Time | None] = Field(
        default=None, description="When it closed, by Collate's clock; absent if no read of it showed the end."
    )
    reported: Public[CloseReport | None] = Field(default=None, description="The operator's report, if known.")
    reported_by: Public[Name | None] = Field(
        default=None, description="The member of staff who reported the result, if known."
    )
    asserted_by: Public[AssertedBy | None] = _ASSERTED_BY
    agreement: Public[Agreement | None] = Field(default=None, description="Absent until Collate has reconciled.")


class AuthorizationRecord(Message):
    """The public state of an authorization after its event number `sequence`."""

    TYPE: ClassVar[str] = f"{PREFIX}authorization.v1"
    EXAMPLE: ClassVar[Example] = {
        "sequence": 9,
        "version": 27,
        "status": "waiting_on_payer",
        "payerId": "payer_example",
        "receiptSeen": True,
        "decisionSeen": False,
        "lastHandoff": {
            "id": "mhand_55",
            "result": "completed_reported",
            "by": "us",
            "closedAt": "2026-06-02T14:30:00Z",
            "reported": "submitted",
            "reportedBy": "jo.miller",
            "assertedBy": "person",
            "agreement": "agrees",
        },
        "dueAt": "2026-06-05T14:00:00Z",
        "watchedSince": "2026-06-02T14:00:00Z",
        "updatedAt": "2026-06-02T14:40:00Z",
    }
    open_on_the_wire: ClassVar[bool] = True

    sequence: Public[int] = Field(ge=0, description="The number of the last event that this state includes.")
    version: Public[int] = Field(
        description="Collate's version of the authorization that showed this state. It may have risen since, without "
        "another change."
    )
    status: Public[Word] = Field(description="The authorization's status, in Collate's words.")
    outcome: Public[Word | None] = Field(default=None, description="The outcome, once the authorization is completed.")
    next_action: Public[Word | None] = Field(default=None, description="The type of the next action, if there is one.")
    resolution: Public[Word | None] = Field(default=None, description="The kind of resolution of the next action.")
    covers_review_snapshot_id: Public[Id | None] = Field(
        default=None, description="The snapshot to accept before a handoff."
    )
    action_required_at: Public[Time | None] = Field(
        default=None,
        description="Since when Collate has required an action of this type; absent while a handoff is open or "
        "its report is not reconciled.",
    )
    payer_id: Public[Id | None] = Field(default=None, description="Collate's id of the payer, if Collate shows it.")
    receipt_seen: Public[bool] = Field(description="Whether the payer's receipt is present.")
    decision_seen: Public[bool] = Field(description="Whether the payer's decision is present.")
    active_handoff: Public[ActiveHandoff | None] = Field(default=None, description="The running handoff.")
    last_handoff: Public[LastHandoff | None] = Field(default=None, description="The handoff that ended most recently.")
    due_at: Public[Time | None] = Field(
        default=None, description="When it is due: the `dueAt` of the latest command that had one and was applied."
    )
    overdue_at: Public[Time | None] = Field(
        default=None, description="When `authorization.overdue` was published for this due date."
    )
    settled_at: Public[Time | None] = Field(default=None, description="When a read first showed the end.")
    watched_since: Public[Time] = Field(description="When the gateway began to watch it.")
    watch_ended_at: Public[Time | None] = Field(
        default=None,
        description="When the gateway stopped watching before it settled; its state may have changed since.",
    )
    updated_at: Public[Time] = Field(description="When this record was written.")

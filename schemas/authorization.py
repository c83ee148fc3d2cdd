"""The record on `authorizations`: an authorization's latest public state and the `sequence` that it includes."""

from typing import ClassVar

from pydantic import Field

from schemas.enums import PREFIX, Agreement, ClosedBy, Report
from schemas.field_types import Id, Word
from schemas.model import Example, Message, Model, Public
from schemas.times import Time


class ActiveHandoff(Model):
    """The handoff that is running."""

    id: Public[Id] = Field(description="Collate's id of it.")
    state: Public[Word] = Field(description="Collate's word for its state.")
    access_available: Public[bool] = Field(description="Whether a link into the session can be had.")
    final_submit_capable: Public[bool] = Field(description="Whether the operator could submit to the payer.")
    opened_at: Public[Time | None] = Field(default=None, description="Since when, by Collate's clock.")


class LastHandoff(Model):
    """The handoff that ended last."""

    id: Public[Id] = Field(description="Collate's id of it.")
    result: Public[Word] = Field(description="Collate's word for how it ended.")
    by: Public[ClosedBy | None] = Field(default=None, description="Who or what ended it.")
    reported: Public[Report | None] = Field(default=None, description="What was reported, where it is known.")
    agreement: Public[Agreement | None] = Field(default=None, description="Absent until it is reconciled.")


class AuthorizationRecord(Message):
    """What is known of an authorization after its event number `sequence`."""

    TYPE: ClassVar[str] = f"{PREFIX}authorization.v1"
    EXAMPLE: ClassVar[Example] = {
        "sequence": 9,
        "version": 27,
        "status": "waiting_on_payer",
        "receiptSeen": True,
        "decisionSeen": False,
        "lastHandoff": {
            "id": "mhand_55",
            "result": "completed_reported",
            "by": "us",
            "reported": "submitted",
            "agreement": "agrees",
        },
        "watchedSince": "2026-06-02T14:00:00Z",
        "updatedAt": "2026-06-02T14:40:00Z",
    }
    open_on_the_wire: ClassVar[bool] = True

    sequence: Public[int] = Field(ge=0, description="The last event that this includes.")
    version: Public[int] = Field(description="Collate's version of the authorization.")
    status: Public[Word] = Field(description="Collate's word for whose move it is.")
    outcome: Public[Word | None] = Field(default=None, description="Its outcome, once completed.")
    next_action: Public[Word | None] = Field(default=None, description="The type of its next action, if any.")
    resolution: Public[Word | None] = Field(
        default=None, description="The kind of resolution that Collate names for its next action."
    )
    covers_review_snapshot_id: Public[Id | None] = Field(
        default=None, description="The review snapshot to accept before a handoff."
    )
    receipt_seen: Public[bool] = Field(description="Whether the payer's receipt is there.")
    decision_seen: Public[bool] = Field(description="Whether the payer's decision is there.")
    active_handoff: Public[ActiveHandoff | None] = Field(default=None, description="The handoff that is running.")
    last_handoff: Public[LastHandoff | None] = Field(default=None, description="The handoff that ended last.")
    settled_at: Public[Time | None] = Field(default=None, description="When we saw it completed or canceled.")
    watched_since: Public[Time] = Field(description="Since when it is followed.")
    watch_ended_at: Public[Time | None] = Field(
        default=None, description="When we stopped following one that never settled: it may have moved on since."
    )
    updated_at: Public[Time] = Field(description="When this record was made.")

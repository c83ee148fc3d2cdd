"""Answers about the state at Collate now, read live. Responses may get new fields."""

from pydantic import Field

from schemas.fields.scalars import Id, Word
from schemas.model import OpenModel, Phi, Public
from schemas.times import Time


class HandoffNow(OpenModel):
    """The current state of a handoff: the named one, or the running one."""

    id: Public[Id] = Field(description="Collate's id of the handoff.")
    state: Public[Word | None] = Field(default=None, description="The handoff's state in Collate's words, if readable.")
    result: Public[Word | None] = Field(default=None, description="The handoff's result, in Collate's words.")
    version: Public[int | None] = Field(default=None, description="Collate's version of the handoff.")


class AuthorizationNow(OpenModel):
    """The current state of an authorization at Collate."""

    at: Public[Time] = Field(description="When the gateway began to read from Collate.")
    authorization_id: Public[Id] = Field(description="The authorization's id.")
    version: Public[int] = Field(description="Collate's version of the authorization.")
    status: Public[Word] = Field(description="The authorization's status, in Collate's words.")
    outcome: Public[Word | None] = Field(default=None, description="The outcome, once the authorization is completed.")
    next_action: Public[Word | None] = Field(default=None, description="The type of the next action, if there is one.")
    resolution: Public[Word | None] = Field(default=None, description="The kind of resolution of the next action.")
    covers_review_snapshot_id: Public[Id | None] = Field(
        default=None, description="The snapshot to accept before a handoff."
    )
    receipt_seen: Public[bool] = Field(description="Whether the payer's receipt is present.")
    decision_seen: Public[bool] = Field(description="Whether the payer's decision is present.")
    active_handoff_id: Public[Id | None] = Field(default=None, description="The id of the running handoff.")


class LiveHandoffDetails(HandoffNow):
    """A handoff as Collate shows it now."""

    access_available: Public[bool] = Field(description="Whether a link into the session can be created.")
    final_submit_capable: Public[bool] = Field(description="Whether the operator can submit in the session.")
    activated_at: Public[Time | None] = Field(default=None, description="When the handoff became active.")
    closed_at: Public[Time | None] = Field(default=None, description="When the handoff was closed.")
    message_available: Public[bool] = Field(
        description="Whether Collate has a message for the operator, also with `message=omit`."
    )
    message: Phi[str | None] = Field(
        default=None, description="Collate's message for the operator; absent with `message=omit`."
    )


class LiveHandoff(AuthorizationNow):
    """An authorization and its handoff, read from Collate now. All viewers share one read for 5 s."""

    payer_id: Public[Id | None] = Field(default=None, description="The payer's id, if Collate shows it.")
    is_handoff_open: Public[bool] = Field(
        description="Whether a handoff is running. true without `activeHandoffId`: its id cannot be read."
    )
    handoff: Phi[LiveHandoffDetails | None] = Field(
        default=None, description="The handoff of the path, or the running one; absent if none is running."
    )

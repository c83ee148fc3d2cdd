"""Request bodies of live calls, and the response bodies of commands, live calls and problems.

Responses may get new fields. A grant's id and url are secret; no other message contains them.
"""

from typing import Final, Literal

from pydantic import Field, JsonValue

from schemas.enums import CommandType, Effect, Outcome
from schemas.fields.metadata import Metadata
from schemas.fields.scalars import Advice, CommandId, Id, Name, Slug, Word
from schemas.fields.visible_text import SentName
from schemas.model import Model, OpenModel, Phi, Public, Secret
from schemas.times import Time

Kept = Literal["no", "unknown"]
MOST_BATCH_EVENTS: Final = 100
MOST_BATCH_BYTES: Final = 512 << 10
"""The bounds of a batch of commands."""


class AccessGrantBody(Model):
    """The request for an access grant."""

    operator: Public[SentName | None] = Field(
        default=None,
        description="The member of staff who will receive the link, never a patient. Required from a service; a "
        "person's own token says it.",
    )
    take_over: Public[bool | None] = Field(
        default=None,
        description="true: get the link also if another person has claimed the handoff, and claim it. For people only.",
    )
    claim_check: Public[Literal["required"] | None] = Field(
        default=None,
        description="required: 503 `claim-unknown` and no link if another person's claim cannot be looked for. For "
        "people only.",
    )


class _CommandResponse(OpenModel):
    command_id: Public[CommandId] = Field(description="The command's id: the same for each retry with the same key.")
    type: Public[CommandType] = Field(description="The command's type.")
    authorization_id: Public[Id] = Field(description="The authorization's id.")
    accepted_at: Public[Time] = Field(description="When the command was accepted.")


class CommandAccepted(_CommandResponse):
    """The command is stored, as durably as its topic. It will end with exactly one `command.finished`."""

    status: Public[Literal["accepted", "dead_lettered"]] = Field(
        description="dead_lettered: the command became a dead letter while the request waited; an operator decides.",
    )
    cause: Public[Slug | None] = Field(default=None, description="Why it is a dead letter.")
    advice: Public[Advice | None] = Field(default=None, description="For a dead letter: what an operator should check.")
    redrive: Public[int | None] = Field(default=None, description="For a dead letter: the number of redrives so far.")


class CommandOutcome(_CommandResponse):
    """The command finished within the time of `Prefer: wait`."""

    status: Public[Literal["finished"]] = "finished"
    finished_at: Public[Time | None] = Field(default=None, description="When the command ended.")
    outcome: Public[Outcome] = Field(description="The command's outcome.")
    effect: Public[Effect] = Field(description="Whether this command changed Collate.")
    reason: Public[Slug | None] = Field(default=None, description="Why it was not applied, or names no handoff.")
    advice: Public[Advice | None] = Field(default=None, description="What to do, in one sentence.")
    handoff_id: Public[Id | None] = Field(default=None, description="The handoff that the command names or created.")
    version: Public[int | None] = Field(default=None, description="The authorization's version at the end.")
    redrive: Public[int | None] = Field(
        default=None, description="The redrive's number; absent for the first execution."
    )
    metadata: Public[Metadata | None] = Field(default=None, description="The command's metadata.")


class AccessGranted(OpenModel):
    """A short-lived link into the live payer session. Pass it to the operator's browser and store it nowhere.

    Drop it at the event `handoff.closed`.
    """

    handoff_id: Public[Id] = Field(description="The handoff's id.")
    id: Secret[str] = Field(description="The grant's id. It is part of the link and as secret.")
    url: Secret[str] = Field(description="The link. It alone gives access to the session. Never open it from a server.")
    expires_at: Public[Time] = Field(description="When the link expires. Request a new grant before.")
    message: Phi[str | None] = Field(
        default=None, description="Collate's message for the operator, such as what the payer's portal asks for."
    )
    claim_check: Public[Literal["done", "skipped"] | None] = Field(
        default=None,
        description="For people: whether another person's claim was looked for. skipped: there is no read model, or it "
        "is late or not available. Absent for services.",
    )


class ReleaseBody(Model):
    """The request to give back a claimed handoff: no fields."""


class ReleaseAccepted(OpenModel):
    """The release is recorded. `handoff.released` follows if the person had claimed the handoff."""

    authorization_id: Public[Id] = Field(description="The authorization's id.")
    handoff_id: Public[Id] = Field(description="The handoff's id.")


class Review(OpenModel):
    """The content that a reviewer must read before a submission, unchanged from Collate."""

    authorization_id: Public[Id] = Field(description="The authorization's id.")
    version: Public[int] = Field(description="Collate's version of the authorization.")
    covers_review_snapshot_id: Public[Id | None] = Field(
        default=None, description="The snapshot to accept before a handoff."
    )
    review_snapshot: Phi[dict[str, JsonValue]] = Field(description="Collate's snapshot. A reviewer accepts its `id`.")


class PayerEvidence(OpenModel):
    """What the payer said, unchanged from Collate. Only this is the payer's truth; a report is not."""

    authorization_id: Public[Id] = Field(description="The authorization's id.")
    version: Public[int] = Field(description="Collate's version of the authorization.")
    status: Public[Word] = Field(description="The authorization's status, in Collate's words.")
    outcome: Public[Word | None] = Field(default=None, description="The outcome, once the authorization is completed.")
    payer_receipt: Phi[JsonValue] = Field(default=None, description="The payer's receipt as Collate shows it.")
    decision: Phi[JsonValue] = Field(default=None, description="The payer's decision as Collate shows it.")


class ProblemFault(OpenModel):
    """One error in a request: its place and the expected value."""

    pointer: Public[str | None] = Field(default=None, description="A JSON pointer (RFC 6901) into the request's body.")
    header: Public[str | None] = Field(default=None, description="A request header.")
    parameter: Public[str | None] = Field(default=None, description="A parameter of the path or the query.")
    detail: Public[str] = Field(description="The expected value, never the value found.")


class ProblemDetails(OpenModel):
    """A problem (RFC 9457)."""

    type: Public[str] = Field(description="The problem's URN. It is stable.")
    title: Public[str] = Field(description="A short title, the same for each occurrence.")
    status: Public[int] = Field(description="The HTTP status.")
    detail: Public[str] = Field(description="What to do next.")
    request_id: Public[Word] = Field(description="The request's id, for support requests.")
    errors: Public[list[ProblemFault] | None] = Field(default=None, description="The errors in the request.")
    kept: Public[Kept | None] = Field(
        default=None, description="For a command with status 503: whether this try may be in Kafka."
    )
    behind: Public[int | None] = Field(default=None, description="Of a missing command: records not yet projected.")
    ago_seconds: Public[float | None] = Field(default=None, description="How long ago `behind` was reported.")
    reason: Public[Slug | None] = Field(default=None, description="For a live call: the reason, for programs.")
    handoff_id: Public[Id | None] = Field(default=None, description="For a live call: the handoff's id.")
    claimed_by: Public[Name | None] = Field(
        default=None, description="For a claimed handoff: the person who has it in hand."
    )
    claimed_since: Public[Time | None] = Field(default=None, description="For a claimed handoff: since when.")
    result: Public[Word | None] = Field(
        default=None, description="For a closed handoff: its result in Collate's words."
    )
    details_reason: Public[Word | None] = Field(default=None, description="Collate's own reason, if there is one.")
    collate_request_id: Public[Word | None] = Field(default=None, description="For a live call: Collate's request id.")


class AccessProblemDetails(ProblemDetails):
    """The problem of a handoff without access (RFC 9457)."""

    message: Phi[str | None] = Field(default=None, description="Collate's message for the operator, if there is one.")


class BatchedCommand(OpenModel):
    """The result of one event of a batch. Exactly one of `command` and `problem` is set."""

    index: Public[int] = Field(description="The event's place in the batch, from 0.")
    status: Public[int] = Field(description="The HTTP status that this event alone would have got: 202 is accepted.")
    command: Public[CommandAccepted | None] = Field(default=None, description="The accepted command.")
    replayed: Public[bool | None] = Field(default=None, description="true: the event repeats an accepted command.")
    location: Public[str | None] = Field(
        default=None, description="The path of the command's status, if a read model is installed."
    )
    retry_after: Public[int | None] = Field(default=None, description="Seconds until this event may be sent again.")
    problem: Public[ProblemDetails | None] = Field(default=None, description="Why the event was not accepted.")


class BatchedCommands(OpenModel):
    """The results of a batch, one for each event and in its order."""

    results: Public[list[BatchedCommand]] = Field(description="The results.")
    unfinished: Public[int] = Field(
        description="The caller's accepted commands without an outcome, at this replica: the closes, or the others if "
        "these are more."
    )
    ended_per_second: Public[float] = Field(description="The rate of the caller's last ended commands; 0 without one.")


ANSWERS: tuple[type[Model], ...] = (
    CommandAccepted,
    CommandOutcome,
    AccessGranted,
    Review,
    PayerEvidence,
    ProblemDetails,
    AccessProblemDetails,
    BatchedCommands,
)
"""All response bodies in this module."""

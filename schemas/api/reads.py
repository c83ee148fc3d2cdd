"""Response bodies from the read model: the status of commands, authorizations and handoffs, and the timeline.

All fields are public. Responses may get new fields.
"""

from typing import Annotated, Final

from pydantic import Field, JsonValue

from schemas.authorization import AuthorizationRecord, HandoffClaim
from schemas.commands import TURNING_AWAY
from schemas.enums import AssertedBy
from schemas.fields.metadata import Metadata
from schemas.fields.scalars import Advice, CommandId, Id, Name, Slug, Word
from schemas.model import OpenModel, Public
from schemas.times import Time

Cursor = Annotated[str, Field(max_length=512)]
_NEXT = Field(default=None, description="The `cursor` of the next page; absent on the last page.")


class LastCalls(OpenModel):
    """The last calls to Collate for a command, all with the same result."""

    operation: Public[Word] = Field(description="The operation at Collate.")
    result: Public[Word] = Field(description="answered, refused, ambiguous (Collate may have applied it) or not_sent.")
    status: Public[int | None] = Field(default=None, description="The HTTP status, if there was a response.")
    code: Public[Slug | None] = Field(default=None, description="Collate's error code, or the gateway's own cause.")
    count: Public[int] = Field(ge=1, description="The number of these calls that events have shown so far.")
    since: Public[Time] = Field(description="When the first of them began.")
    until: Public[Time] = Field(description="When the last of them began.")


class WaitsFor(OpenModel):
    """The reason why a command has not ended."""

    reason: Public[Slug] = Field(description="The reason why the command waits.")
    advice: Public[Advice | None] = Field(default=None, description="The reason in one sentence.")
    until: Public[Time | None] = Field(default=None, description="When the gateway retries.")
    last_calls: Public[LastCalls | None] = Field(
        default=None, description="What the last calls to Collate returned, if there were calls."
    )


class CommandStatus(OpenModel):
    """The status of a command."""

    command_id: Public[CommandId] = Field(description="The command's id.")
    type: Public[Word | None] = Field(default=None, description="The command's type; absent until it is read.")
    authorization_id: Public[Id | None] = Field(default=None, description="The authorization's id.")
    caller: Public[Name | None] = Field(default=None, description="The caller that sent the command.")
    status: Public[Word] = Field(description="accepted, waiting, dead_lettered (an operator must decide) or finished.")
    accepted_at: Public[Time | None] = Field(default=None, description="When the command was accepted.")
    expires_at: Public[Time | None] = Field(
        default=None, description="The time after which the command does not begin."
    )
    waiting: Public[WaitsFor | None] = Field(default=None, description="Why the command waits or is dead-lettered.")
    finished_at: Public[Time | None] = Field(default=None, description="When the command ended.")
    outcome: Public[Word | None] = Field(default=None, description="The command's outcome.")
    effect: Public[Word | None] = Field(default=None, description="Whether this command changed Collate.")
    reason: Public[Slug | None] = Field(default=None, description="Why it was not applied, or names no handoff.")
    advice: Public[Advice | None] = Field(default=None, description="What to do, in one sentence.")
    handoff_id: Public[Id | None] = Field(default=None, description="The handoff that the command names or created.")
    version: Public[int | None] = Field(default=None, description="The authorization's version at the end.")
    redrive: Public[int | None] = Field(default=None, description="The number of redrives of the command.")
    metadata: Public[Metadata | None] = Field(default=None, description="The command's metadata.")


class AuthorizationStatus(AuthorizationRecord):
    """The status of an authorization: its latest record on `authorizations`."""

    authorization_id: Public[Id] = Field(description="The authorization's id.")
    metadata: Public[Metadata | None] = Field(
        default=None, description="The metadata of its newest command that has some."
    )


class TimelineEntry(OpenModel):
    """A command, an attempt or an event of an authorization."""

    at: Public[Time] = Field(description="The time of the entry: of an event, never earlier than of those before it.")
    kind: Public[Word] = Field(
        description="attempt, command.accepted, command.redrive_requested, command.discard_requested, or an event."
    )
    says: Public[Advice] = Field(description="A description of the entry in one sentence.")
    command_id: Public[CommandId | None] = Field(default=None, description="The command that the entry belongs to.")
    sequence: Public[int | None] = Field(default=None, description="For an event: its number.")
    data: Public[dict[str, JsonValue]] = Field(description="The public fields of the record.")


class Timeline(OpenModel):
    """The history of an authorization, in order."""

    authorization_id: Public[Id] = Field(description="The authorization's id.")
    entries: Public[list[TimelineEntry]] = Field(description="The entries, oldest first.")
    next: Public[Cursor | None] = _NEXT


class Risk(OpenModel):
    """The reason why Collate may soon end a handoff."""

    reason: Public[Slug] = Field(description="The reason.")
    ends_at: Public[Time | None] = Field(
        default=None, description="When Collate is expected to end the handoff, by a setting of the gateway."
    )


class LastGrant(OpenModel):
    """The most recent access grant, without the link."""

    operator: Public[Name] = Field(description="The operator who received the link.")
    asserted_by: Public[AssertedBy | None] = Field(
        default=None, description="person (the operator's own token) or caller (the service stated it)."
    )
    caller: Public[Name | None] = Field(
        default=None,
        description="The authenticated caller that received the link; absent once the grant's event is past retention.",
    )
    expires_at: Public[Time] = Field(description="When the link expires.")


class HandoffRequester(OpenModel):
    """Who requested a handoff through the gateway."""

    caller: Public[Name] = Field(description="The authenticated caller.")
    requested_by: Public[Name | None] = Field(default=None, description="The member of staff who requested it.")
    accepted_by: Public[Name | None] = Field(default=None, description="The reviewer who accepted the snapshot.")
    asserted_by: Public[AssertedBy | None] = Field(
        default=None, description="person (their own token) or caller (the service stated the names)."
    )


class HandoffReporter(OpenModel):
    """Who closed a handoff through the gateway."""

    caller: Public[Name] = Field(description="The authenticated caller.")
    reported_by: Public[Name | None] = Field(default=None, description="The member of staff who reported the result.")
    asserted_by: Public[AssertedBy | None] = Field(
        default=None, description="person (their own token) or caller (the service stated the name)."
    )


class HandoffStatus(OpenModel):
    """The status of a handoff."""

    authorization_id: Public[Id] = Field(description="The authorization's id.")
    handoff_id: Public[Id] = Field(description="The handoff's id.")
    state: Public[Word] = Field(description="Collate's state while the handoff is open, then closed or reconciled.")
    opened_at: Public[Time | None] = Field(default=None, description="When the handoff opened.")
    access_available: Public[bool | None] = Field(default=None, description="Whether an access grant can be created.")
    final_submit_capable: Public[bool | None] = Field(
        default=None, description="Whether the operator can submit to the payer."
    )
    claim: Public[HandoffClaim | None] = Field(
        default=None, description="The person who has it in hand; absent without a claim."
    )
    grants: Public[int] = Field(description="The number of access grants.")
    last_grant: Public[LastGrant | None] = Field(default=None, description="The most recent access grant.")
    request: Public[HandoffRequester | None] = Field(
        default=None, description="Who requested it, if the gateway's own command opened it."
    )
    report: Public[HandoffReporter | None] = Field(
        default=None, description="Who closed it, if the gateway's own command closed it."
    )
    risk: Public[Risk | None] = Field(default=None, description="Absent if there is no known risk.")
    closed_at: Public[Time | None] = Field(default=None, description="When the gateway published that it ended.")
    collate_closed_at: Public[Time | None] = Field(
        default=None, description="When it closed, by Collate's clock; absent if no read of it showed the end."
    )
    result: Public[Word | None] = Field(default=None, description="The handoff's result, in Collate's words.")
    closed_by: Public[Word | None] = Field(default=None, description="us, other, expiry, loss or cancellation.")
    reported: Public[Word | None] = Field(default=None, description="A report, not payer truth.")
    agreement: Public[Word | None] = Field(default=None, description="Whether payer truth agrees with the report.")
    metadata: Public[Metadata | None] = Field(default=None, description="The metadata of the request command.")


class HandoffList(OpenModel):
    """Handoffs in one state. The handoff that entered this state first comes first."""

    handoffs: Public[list[HandoffStatus]] = Field(description="The handoffs.")
    next: Public[Cursor | None] = _NEXT


class UnfinishedCommand(OpenModel):
    """A command that has not ended."""

    command_id: Public[CommandId] = Field(description="The command's id.")
    authorization_id: Public[Id] = Field(description="The authorization; its later commands wait for this command.")
    type: Public[Word] = Field(description="The command's type.")
    caller: Public[Name] = Field(description="The caller that sent the command.")
    status: Public[Word] = Field(description="accepted, waiting or dead_lettered.")
    accepted_at: Public[Time | None] = Field(default=None, description="When the command was accepted.")
    waiting: Public[WaitsFor | None] = Field(default=None, description="Why the command has not ended, if known.")


class FullCaller(OpenModel):
    """A caller that has used up its share of an authorization's recent commands."""

    authorization_id: Public[Id] = Field(description="The authorization; other callers of it are not affected.")
    caller: Public[Name] = Field(description="The caller.")
    rejected: Public[int] = Field(description="The commands that were rejected in the last ten minutes.")
    last_at: Public[Time] = Field(description="When the last one was rejected.")


class Rates(OpenModel):
    """The counts of the last minute."""

    accepted: Public[int] = Field(description="Accepted commands.")
    finished: Public[int] = Field(description="Finished commands.")
    events: Public[int] = Field(description="Published events.")
    attempts: Public[int] = Field(description="Recorded calls to Collate for commands.")


class MinuteCounts(OpenModel):
    """The counts of one minute."""

    at: Public[Time] = Field(description="The beginning of the minute.")
    accepted: Public[int] = Field(description="Accepted commands.")
    finished: Public[int] = Field(description="Finished commands.")


SILENT_SECONDS: Final = 10.0
"""A projector reports each second or two. Longer silence means that the data no longer follow Kafka."""

MOST_BEHIND: Final = 1_000
"""With more unread records the data are visibly late."""


class Projector(OpenModel):
    """The freshness of the read model."""

    at: Public[Time | None] = Field(default=None, description="When the projector last reported.")
    behind: Public[int | None] = Field(default=None, description="The records that the projector had not read then.")


class LastDelivery(OpenModel):
    """The last answer of a webhook receiver."""

    result: Public[Word] = Field(description="delivered, gone, redirect, status_4xx, status_5xx, or why none came.")
    status: Public[int | None] = Field(default=None, description="The status of the response, if one came.")
    ago_seconds: Public[float] = Field(description="How long ago.")


class WebhookSubscription(OpenModel):
    """The state of a webhook subscription, of all deliverers together."""

    name: Public[Word] = Field(description="The name of the subscription.")
    url: Public[str] = Field(description="The receiver: scheme, host and port.")
    state: Public[Word] = Field(
        description="delivering, retrying, held, down, stopped (410), starting or halted; the worst of its deliverers."
    )
    oldest_seconds: Public[float] = Field(description="The age of the oldest event that is not delivered; 0 without.")
    undelivered: Public[int] = Field(description="The records of `events` that are not finished.")
    last_answer: Public[LastDelivery | None] = Field(default=None, description="The receiver's last answer.")
    delivered: Public[int] = Field(description="The events delivered since the deliverers started.")
    dead_letters: Public[int] = Field(description="The events that became dead letters since the deliverers started.")


class Webhooks(OpenModel):
    """The webhook subscriptions."""

    subscriptions: Public[list[WebhookSubscription]] = Field(description="The subscriptions, by name.")
    unreachable: Public[int] = Field(description="The deliverers that do not answer.")


class Claimant(OpenModel):
    """A person who has open handoffs in hand."""

    caller: Public[Name] = Field(description="The person as a caller: the value of `claimedBy`.")
    by: Public[Name] = Field(description="The person's name.")
    handoffs: Public[int] = Field(description="The open handoffs that the person has in hand.")


MOST_COUNTED: Final = 1_000
"""A list is not counted beyond this."""
MOST_CLAIMANTS: Final = 100
"""The overview names at most so many people."""


LEAST_TURNED_AWAY: Final = 3
"""So many handoffs in a row must have ended for the same reason."""
MOST_TURNED_AWAY: Final = 20
"""The overview names at most so many payers."""


class TurnedAway(OpenModel):
    """A payer at which the last handoffs ended for a reason that the next person meets too, as people reported."""

    payer_id: Public[Id] = Field(description="The payer's id.")
    reason: Public[Slug] = Field(description=f"What all of them reported: {', '.join(TURNING_AWAY)}.")
    handoffs: Public[int] = Field(
        description=f"The handoffs in a row that ended so in the last two hours, at least {LEAST_TURNED_AWAY}."
    )
    since: Public[Time] = Field(description="When the first of them ended.")
    last_submitted_at: Public[Time | None] = Field(
        default=None, description="The last reported submission at this payer; absent without one."
    )


class PeopleWork(OpenModel):
    """The numbers of the work lists."""

    person: Public[int] = Field(description="The authorizations that need a person; 1000 means 1000 or more.")
    contradicted: Public[int] = Field(description="The contradicted reports; 1000 means 1000 or more.")
    waiting_since: Public[Time | None] = Field(
        default=None, description="Since when the authorization that waits longest needs a person; absent without one."
    )
    at_risk: Public[int] = Field(description="The open handoffs at risk; 1000 means 1000 or more.")
    overdue: Public[int] = Field(
        description="Those of the authorizations that need a person whose due date has passed; 1000 means 1000 or more."
    )
    closed_today: Public[int] = Field(description="The handoffs that ended since 00:00 UTC.")
    agreed_today: Public[int] = Field(description="Those of them whose report agrees with the payer's truth.")
    claims: Public[list[Claimant]] = Field(
        description=f"Who has open handoffs in hand, by name; at most {MOST_CLAIMANTS} people."
    )
    turned_away: Public[list[TurnedAway]] = Field(
        default_factory=list,
        description="The payers that turn people away, the one with the most handoffs first; at most "
        f"{MOST_TURNED_AWAY}. The first reported submission there ends it.",
    )


class Overview(OpenModel):
    """The state of the whole gateway."""

    at: Public[Time] = Field(description="When the read model was read.")
    unfinished: Public[dict[str, int]] = Field(description="The number of commands that have not ended, by status.")
    waiting: Public[dict[str, int]] = Field(description="The number of waiting commands, by reason.")
    oldest: Public[list[UnfinishedCommand]] = Field(
        description="The longest waiting commands. Each blocks its authorization."
    )
    dead_letters: Public[list[UnfinishedCommand]] = Field(description="The dead-lettered commands, oldest first.")
    full_callers: Public[list[FullCaller]] = Field(
        default_factory=list, description="The callers whose commands are rejected because their share is full."
    )
    last_minute: Public[Rates] = Field(description="The counts of the last minute.")
    history: Public[list[MinuteCounts] | None] = Field(
        default=None,
        description="With `history=1h`: the counts of the last 60 minutes, oldest first, the present minute included.",
    )
    active_handoffs: Public[int] = Field(description="The number of open handoffs.")
    work: Public[PeopleWork] = Field(description="The numbers of the work lists.")
    projector: Public[Projector] = Field(description="The freshness of the read model.")
    faults: Public[list[Word]] = Field(
        default_factory=list,
        description="What is wrong with the gateway's parts, the worst first: kafka_away (commands are refused), "
        "no_worker (accepted commands wait), collate_away, no_deliverer.",
    )
    webhooks: Public[Webhooks | None] = Field(
        default=None, description="The webhook subscriptions; absent in an installation without a deliverer."
    )

"""The objects of the API and of the events, as they are in JSON.

A newer gateway may send further fields, and further words in a field with a closed list.
"""

# Made by `make docs` from schemas/published; don't edit.

from typing import Literal, NotRequired, TypedDict


class AccessGrantBody(TypedDict):
    """The request for an access grant."""

    operator: NotRequired[str | None]
    """The member of staff who will receive the link, never a patient. Required from a service; a person's own token says it."""
    takeOver: NotRequired[bool | None]
    """true: get the link also if another person has claimed the handoff, and claim it. For people only."""
    claimCheck: NotRequired[Literal["required"]]
    """required: 503 `claim-unknown` and no link if another person's claim cannot be looked for. For people only."""


class AccessGranted(TypedDict):
    """A short-lived link into the live payer session. Pass it to the operator's browser and store it nowhere. Drop it at the event `handoff.closed`."""

    handoffId: str
    """The handoff's id."""
    id: str
    """The grant's id. It is part of the link and as secret."""
    url: str
    """The link. It alone gives access to the session. Never open it from a server."""
    expiresAt: str
    """When the link expires. Request a new grant before."""
    message: NotRequired[str]
    """Collate's message for the operator, such as what the payer's portal asks for."""
    claimCheck: NotRequired[Literal["done", "skipped"]]
    """For people: whether another person's claim was looked for. skipped: there is no read model, or it is late or not available. Absent for services."""


class ProblemFault(TypedDict):
    """One error in a request: its place and the expected value."""

    pointer: NotRequired[str]
    """A JSON pointer (RFC 6901) into the request's body."""
    header: NotRequired[str]
    """A request header."""
    parameter: NotRequired[str]
    """A parameter of the path or the query."""
    detail: str
    """The expected value, never the value found."""


Kept = Literal["no", "unknown"]


class AccessProblemDetails(TypedDict):
    """The problem of a handoff without access (RFC 9457)."""

    type: str
    """The problem's URN. It is stable."""
    title: str
    """A short title, the same for each occurrence."""
    status: int
    """The HTTP status."""
    detail: str
    """What to do next."""
    requestId: str
    """The request's id, for support requests."""
    errors: NotRequired[list[ProblemFault]]
    """The errors in the request."""
    kept: NotRequired[Kept]
    """For a command with status 503: whether this try may be in Kafka."""
    behind: NotRequired[int]
    """Of a missing command: records not yet projected."""
    agoSeconds: NotRequired[float]
    """How long ago `behind` was reported."""
    reason: NotRequired[str]
    """For a live call: the reason, for programs."""
    handoffId: NotRequired[str]
    """For a live call: the handoff's id."""
    claimedBy: NotRequired[str]
    """For a claimed handoff: the person who has it in hand."""
    claimedSince: NotRequired[str]
    """For a claimed handoff: since when."""
    result: NotRequired[str]
    """For a closed handoff: its result in Collate's words."""
    detailsReason: NotRequired[str]
    """Collate's own reason, if there is one."""
    collateRequestId: NotRequired[str]
    """For a live call: Collate's request id."""
    message: NotRequired[str]
    """Collate's message for the operator, if there is one."""


AssertedBy = Literal["person", "caller"]
"""Who vouches for a person's name: the person's own token (person), or the service that called (caller)."""


class HandoffClaim(TypedDict):
    """The person who has an open handoff in hand."""

    by: str
    """The person, as their own token has the name."""
    caller: str
    """The same person as a caller."""
    since: str
    """Since when, by the gateway's clock."""


class ActiveHandoff(TypedDict):
    """The running handoff."""

    id: str
    """Collate's id of the handoff."""
    state: str
    """The handoff's state, in Collate's words."""
    accessAvailable: bool
    """Whether an access grant can be created."""
    finalSubmitCapable: bool
    """Whether the operator can submit to the payer."""
    openedAt: NotRequired[str]
    """When the handoff opened, by Collate's clock."""
    requestedBy: NotRequired[str]
    """The member of staff who requested the handoff, if known."""
    assertedBy: NotRequired[AssertedBy]
    """Who says that it was this person: person (their own token) or caller (the service)."""
    opener: NotRequired[str]
    """The caller whose command opened the handoff, or may have; absent if another actor opened it."""
    claim: NotRequired[HandoffClaim]
    """The person who has it in hand; absent without a claim."""


Agreement = Literal["agrees", "contradicts", "undetermined", "no_report"]
"""Whether payer truth agrees with the operator's report."""


class AuthorizationActionRequired(TypedDict):
    """Collate waits for an action."""

    action: str
    """The next action's type; complete_payer_interaction needs a handoff, unless `resolution` names another resolution."""
    resolution: NotRequired[str]
    """The kind of resolution of the next action."""
    coversReviewSnapshotId: NotRequired[str]
    """The snapshot to accept before a handoff."""
    payerId: NotRequired[str]
    """Collate's id of the payer, if Collate shows it."""
    version: NotRequired[int]
    """Collate's version of the authorization that shows this fact."""


AuthorizationChanged = TypedDict(
    "AuthorizationChanged",
    {
        "from": NotRequired[str],
        "to": str,
        "outcome": NotRequired[str],
        "nextAction": NotRequired[str],
        "receiptSeen": bool,
        "decisionSeen": bool,
        "version": NotRequired[int],
    },
)
"""The authorization has changed. The record on `authorizations` with the same `sequence` has the whole state."""


ClosedBy = Literal["us", "other", "expiry", "loss", "cancellation"]
"""The cause of a handoff's end."""


CloseReport = Literal[
    "submitted", "decision_observed", "not_required_observed", "follow_up_required_observed", "unable_to_complete"
]
"""The report at a close: a reported outcome, or that the operator was unable to complete the handoff."""


class LastHandoff(TypedDict):
    """The handoff that ended most recently."""

    id: str
    """Collate's id of the handoff."""
    result: str
    """The handoff's result, in Collate's words."""
    by: NotRequired[ClosedBy]
    """The cause of its end."""
    closedAt: NotRequired[str]
    """When it closed, by Collate's clock; absent if no read of it showed the end."""
    reported: NotRequired[CloseReport]
    """The operator's report, if known."""
    reportedBy: NotRequired[str]
    """The member of staff who reported the result, if known."""
    assertedBy: NotRequired[AssertedBy]
    """Who says that it was this person: person (their own token) or caller (the service)."""
    agreement: NotRequired[Agreement]
    """Absent until Collate has reconciled."""


Metadata = dict[str, str]


class LastGrant(TypedDict):
    """The most recent access grant, without the link."""

    operator: str
    """The operator who received the link."""
    assertedBy: NotRequired[AssertedBy]
    """person (the operator's own token) or caller (the service stated it)."""
    caller: NotRequired[str]
    """The authenticated caller that received the link; absent once the grant's event is past retention."""
    expiresAt: str
    """When the link expires."""


class HandoffRequester(TypedDict):
    """Who requested a handoff through the gateway."""

    caller: str
    """The authenticated caller."""
    requestedBy: NotRequired[str]
    """The member of staff who requested it."""
    acceptedBy: NotRequired[str]
    """The reviewer who accepted the snapshot."""
    assertedBy: NotRequired[AssertedBy]
    """person (their own token) or caller (the service stated the names)."""


class HandoffReporter(TypedDict):
    """Who closed a handoff through the gateway."""

    caller: str
    """The authenticated caller."""
    reportedBy: NotRequired[str]
    """The member of staff who reported the result."""
    assertedBy: NotRequired[AssertedBy]
    """person (their own token) or caller (the service stated the name)."""


class Risk(TypedDict):
    """The reason why Collate may soon end a handoff."""

    reason: str
    """The reason."""
    endsAt: NotRequired[str]
    """When Collate is expected to end the handoff, by a setting of the gateway."""


class HandoffStatus(TypedDict):
    """The status of a handoff."""

    authorizationId: str
    """The authorization's id."""
    handoffId: str
    """The handoff's id."""
    state: str
    """Collate's state while the handoff is open, then closed or reconciled."""
    openedAt: NotRequired[str]
    """When the handoff opened."""
    accessAvailable: NotRequired[bool]
    """Whether an access grant can be created."""
    finalSubmitCapable: NotRequired[bool]
    """Whether the operator can submit to the payer."""
    claim: NotRequired[HandoffClaim]
    """The person who has it in hand; absent without a claim."""
    grants: int
    """The number of access grants."""
    lastGrant: NotRequired[LastGrant]
    """The most recent access grant."""
    request: NotRequired[HandoffRequester]
    """Who requested it, if the gateway's own command opened it."""
    report: NotRequired[HandoffReporter]
    """Who closed it, if the gateway's own command closed it."""
    risk: NotRequired[Risk]
    """Absent if there is no known risk."""
    closedAt: NotRequired[str]
    """When the gateway published that it ended."""
    collateClosedAt: NotRequired[str]
    """When it closed, by Collate's clock; absent if no read of it showed the end."""
    result: NotRequired[str]
    """The handoff's result, in Collate's words."""
    closedBy: NotRequired[str]
    """us, other, expiry, loss or cancellation."""
    reported: NotRequired[str]
    """A report, not payer truth."""
    agreement: NotRequired[str]
    """Whether payer truth agrees with the report."""
    metadata: NotRequired[Metadata]
    """The metadata of the request command."""


class WorkItem(TypedDict):
    """An authorization on the work list: its latest record, and its open handoff."""

    sequence: int
    """The number of the last event that this state includes."""
    version: int
    """Collate's version of the authorization that showed this state. It may have risen since, without another change."""
    status: str
    """The authorization's status, in Collate's words."""
    outcome: NotRequired[str]
    """The outcome, once the authorization is completed."""
    nextAction: NotRequired[str]
    """The type of the next action, if there is one."""
    resolution: NotRequired[str]
    """The kind of resolution of the next action."""
    coversReviewSnapshotId: NotRequired[str]
    """The snapshot to accept before a handoff."""
    actionRequiredAt: NotRequired[str]
    """Since when Collate has required an action of this type; absent while a handoff is open or its report is not reconciled."""
    payerId: NotRequired[str]
    """Collate's id of the payer, if Collate shows it."""
    receiptSeen: bool
    """Whether the payer's receipt is present."""
    decisionSeen: bool
    """Whether the payer's decision is present."""
    activeHandoff: NotRequired[ActiveHandoff]
    """The running handoff."""
    lastHandoff: NotRequired[LastHandoff]
    """The handoff that ended most recently."""
    dueAt: NotRequired[str]
    """When it is due: the `dueAt` of the latest command that had one and was applied."""
    overdueAt: NotRequired[str]
    """When `authorization.overdue` was published for this due date."""
    settledAt: NotRequired[str]
    """When a read first showed the end."""
    watchedSince: str
    """When the gateway began to watch it."""
    watchEndedAt: NotRequired[str]
    """When the gateway stopped watching before it settled; its state may have changed since."""
    updatedAt: str
    """When this record was written."""
    authorizationId: str
    """The authorization's id."""
    metadata: NotRequired[Metadata]
    """The metadata of its newest command that has some."""
    waitingSince: str
    """Since when it has been on this list: since when Collate requires the action, since the opening of the open handoff, or since the end of the contradicted one."""
    handoff: NotRequired[HandoffStatus]
    """The open handoff, if there is one."""


class AuthorizationList(TypedDict):
    """Authorizations that need work, in the order of the query."""

    authorizations: list[WorkItem]
    """The authorizations."""
    next: NotRequired[str]
    """The `cursor` of the next page; absent on the last page."""


class AuthorizationOverdue(TypedDict):
    """The due date has passed, and no read has shown the authorization settled. Published once for each due date."""

    dueAt: str
    """The due date."""
    status: str
    """The last known status."""
    payerId: NotRequired[str]
    """Collate's id of the payer, if Collate shows it."""
    version: NotRequired[int]
    """Collate's version of the authorization that shows this fact."""
    metadata: NotRequired[dict[str, str]]
    """The metadata of the command that stated the due date."""


class PayerTruth(TypedDict):
    """The payer's truth in the authorization."""

    status: str
    """The authorization's status."""
    outcome: NotRequired[str]
    """The outcome, once the authorization is completed."""
    nextAction: NotRequired[str]
    """The type of the next action, if there is one."""
    receiptSeen: bool
    """Whether the payer's receipt is present."""
    decisionSeen: bool
    """Whether the payer's decision is present."""


class AuthorizationSettled(TypedDict):
    """The authorization is completed or canceled. Published once."""

    payer: PayerTruth
    handoffId: NotRequired[str]
    """The last handoff, if there was one."""
    reported: NotRequired[CloseReport]
    """The operator's report at its close."""
    agreement: Agreement
    """Whether payer truth, now final, agrees with that report."""
    payerId: NotRequired[str]
    """Collate's id of the payer, if Collate shows it."""
    dueAt: NotRequired[str]
    """The due date, if a command stated one."""
    inTime: NotRequired[bool]
    """Whether a read showed the end by the due date; absent without a due date."""
    version: NotRequired[int]
    """Collate's version of the authorization that shows this fact."""


class AuthorizationStatus(TypedDict):
    """The status of an authorization: its latest record on `authorizations`."""

    sequence: int
    """The number of the last event that this state includes."""
    version: int
    """Collate's version of the authorization that showed this state. It may have risen since, without another change."""
    status: str
    """The authorization's status, in Collate's words."""
    outcome: NotRequired[str]
    """The outcome, once the authorization is completed."""
    nextAction: NotRequired[str]
    """The type of the next action, if there is one."""
    resolution: NotRequired[str]
    """The kind of resolution of the next action."""
    coversReviewSnapshotId: NotRequired[str]
    """The snapshot to accept before a handoff."""
    actionRequiredAt: NotRequired[str]
    """Since when Collate has required an action of this type; absent while a handoff is open or its report is not reconciled."""
    payerId: NotRequired[str]
    """Collate's id of the payer, if Collate shows it."""
    receiptSeen: bool
    """Whether the payer's receipt is present."""
    decisionSeen: bool
    """Whether the payer's decision is present."""
    activeHandoff: NotRequired[ActiveHandoff]
    """The running handoff."""
    lastHandoff: NotRequired[LastHandoff]
    """The handoff that ended most recently."""
    dueAt: NotRequired[str]
    """When it is due: the `dueAt` of the latest command that had one and was applied."""
    overdueAt: NotRequired[str]
    """When `authorization.overdue` was published for this due date."""
    settledAt: NotRequired[str]
    """When a read first showed the end."""
    watchedSince: str
    """When the gateway began to watch it."""
    watchEndedAt: NotRequired[str]
    """When the gateway stopped watching before it settled; its state may have changed since."""
    updatedAt: str
    """When this record was written."""
    authorizationId: str
    """The authorization's id."""
    metadata: NotRequired[Metadata]
    """The metadata of its newest command that has some."""


class AuthorizationWatch(TypedDict):
    """Watch an authorization until it settles."""

    dueAt: NotRequired[str | None]
    """When the authorization must be settled, at most 366 days ahead. It replaces an earlier due date if this command is applied or already done."""
    metadata: NotRequired[Metadata | None]
    """Copied into the command's own events."""


class AuthorizationWatchEnded(TypedDict):
    """The gateway stopped watching an authorization that has not settled."""

    status: str
    """The last known status."""
    watchedSince: str
    """When the gateway began to watch it."""
    reason: str
    """`max_age`, or `not_found` if Collate does not know the authorization."""
    version: NotRequired[int]
    """Collate's version of the authorization that shows this fact."""


class AuthorizationWatchEvent(TypedDict):
    """A CloudEvent with the command: Watch an authorization until it settles."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: Literal["collate-gateway.authorization.watch.v1"]
    subject: str
    datacontenttype: NotRequired[Literal["application/json"]]
    data: NotRequired[AuthorizationWatch]


CommandType = Literal[
    "collate-gateway.handoff.request.v1",
    "collate-gateway.handoff.close.v1",
    "collate-gateway.authorization.watch.v1",
    "collate-gateway.handoff.record_access.v1",
    "collate-gateway.command.redrive.v1",
    "collate-gateway.command.discard.v1",
    "collate-gateway.authorization.empty_recent_commands.v1",
    "collate-gateway.authorization.lower_version_floor.v1",
    "collate-gateway.authorization.record_read.v1",
    "collate-gateway.handoff.release.v1",
]
"""The type of a command from a service, an operator or the gateway itself."""


class CommandAccepted(TypedDict):
    """The command is stored, as durably as its topic. It will end with exactly one `command.finished`."""

    commandId: str
    """The command's id: the same for each retry with the same key."""
    type: CommandType
    """The command's type."""
    authorizationId: str
    """The authorization's id."""
    acceptedAt: str
    """When the command was accepted."""
    status: Literal["accepted", "dead_lettered"]
    """dead_lettered: the command became a dead letter while the request waited; an operator decides."""
    cause: NotRequired[str]
    """Why it is a dead letter."""
    advice: NotRequired[str]
    """For a dead letter: what an operator should check."""
    redrive: NotRequired[int]
    """For a dead letter: the number of redrives so far."""


class ProblemDetails(TypedDict):
    """A problem (RFC 9457)."""

    type: str
    """The problem's URN. It is stable."""
    title: str
    """A short title, the same for each occurrence."""
    status: int
    """The HTTP status."""
    detail: str
    """What to do next."""
    requestId: str
    """The request's id, for support requests."""
    errors: NotRequired[list[ProblemFault]]
    """The errors in the request."""
    kept: NotRequired[Kept]
    """For a command with status 503: whether this try may be in Kafka."""
    behind: NotRequired[int]
    """Of a missing command: records not yet projected."""
    agoSeconds: NotRequired[float]
    """How long ago `behind` was reported."""
    reason: NotRequired[str]
    """For a live call: the reason, for programs."""
    handoffId: NotRequired[str]
    """For a live call: the handoff's id."""
    claimedBy: NotRequired[str]
    """For a claimed handoff: the person who has it in hand."""
    claimedSince: NotRequired[str]
    """For a claimed handoff: since when."""
    result: NotRequired[str]
    """For a closed handoff: its result in Collate's words."""
    detailsReason: NotRequired[str]
    """Collate's own reason, if there is one."""
    collateRequestId: NotRequired[str]
    """For a live call: Collate's request id."""


class BatchedCommand(TypedDict):
    """The result of one event of a batch. Exactly one of `command` and `problem` is set."""

    index: int
    """The event's place in the batch, from 0."""
    status: int
    """The HTTP status that this event alone would have got: 202 is accepted."""
    command: NotRequired[CommandAccepted]
    """The accepted command."""
    replayed: NotRequired[bool]
    """true: the event repeats an accepted command."""
    location: NotRequired[str]
    """The path of the command's status, if a read model is installed."""
    retryAfter: NotRequired[int]
    """Seconds until this event may be sent again."""
    problem: NotRequired[ProblemDetails]
    """Why the event was not accepted."""


class BatchedCommands(TypedDict):
    """The results of a batch, one for each event and in its order."""

    results: list[BatchedCommand]
    """The results."""
    unfinished: int
    """The caller's accepted commands without an outcome, at this replica: the closes, or the others if these are more."""
    endedPerSecond: float
    """The rate of the caller's last ended commands; 0 without one."""


class CallerLimits(TypedDict):
    """The bounds of one caller at one replica of the ingress."""

    requestsPerSecond: float
    """The rate of requests."""
    burst: int
    """The requests that may come at once."""
    streams: int
    """The event streams that may be open."""
    waitingRequests: int
    """The requests that may wait (`Prefer: wait`)."""
    unfinishedCommands: int
    """The accepted commands that may be without an outcome, and as many closes."""


class Claimant(TypedDict):
    """A person who has open handoffs in hand."""

    caller: str
    """The person as a caller: the value of `claimedBy`."""
    by: str
    """The person's name."""
    handoffs: int
    """The open handoffs that the person has in hand."""


ReportedOutcome = Literal["submitted", "decision_observed", "not_required_observed", "follow_up_required_observed"]
"""The result that an operator saw at the payer."""


class Completed(TypedDict):
    """The operator reports the result that they saw at the payer."""

    type: Literal["completed"]
    reportedOutcome: ReportedOutcome
    """A report, not payer truth."""
    observedReferenceNumber: NotRequired[str | None]
    """The payer's reference number."""
    operatorNotes: NotRequired[str | None]
    """Free text for Collate; no event contains it."""


class UnableToComplete(TypedDict):
    """The operator could not complete the payer interaction."""

    type: Literal["unable_to_complete"]
    reason: str
    """channel_blocked, missing_information, credential_or_mfa_issue, channel_outage, operator_abandoned_case, wrong_route, other, or a newer reason of Collate's."""
    operatorNotes: NotRequired[str | None]
    """Free text for Collate; no event contains it."""


class Revoked(TypedDict):
    """The handoff is withdrawn."""

    type: Literal["revoked"]
    reason: str
    """Free text for Collate; no event contains it."""
    notes: NotRequired[str | None]
    """Free text for Collate; no event contains it."""


CloseResult = Completed | UnableToComplete | Revoked


Effect = Literal["ours", "inferred", "none", "unknown"]
"""Whether our command changed Collate: proven by a response (ours), concluded from a read (inferred), or not. unknown: a write may have changed Collate, and nothing shows whether it did."""


DecisionReason = Literal[
    "collate_recovered",
    "access_restored",
    "deploy_rolled_back",
    "fix_deployed",
    "checked_by_hand",
    "done_by_hand",
    "caller_asked",
    "no_longer_wanted",
    "other",
]
"""The reason why an operator redrove or discarded a dead letter. It is public and contains no name."""


class OperatorDecision(TypedDict):
    """The operator who redrove or discarded a command, and the reason."""

    requestedBy: str
    """The operator who decided."""
    assertedBy: AssertedBy
    """Who says that it was this operator: person (the operator's own token) or caller (the service stated it)."""
    caller: str
    """The authenticated caller that sent the decision."""
    reason: DecisionReason
    """The reason."""
    ticket: NotRequired[str]
    """A ticket in the operator's own tracker."""


class Attempt(TypedDict):
    """One call to Collate for a command: the operation and the kind of response, without content."""

    at: str
    """When the call began."""
    operation: str
    """The operation at Collate."""
    result: str
    """answered, refused, ambiguous (Collate may have applied it) or not_sent."""
    status: NotRequired[int]
    """The HTTP status, if there was a response."""
    code: NotRequired[str]
    """Collate's error code, or the gateway's own cause."""
    ms: int
    """The duration in milliseconds."""
    write: NotRequired[int]
    """The write's number, from 1; absent for a read."""
    requestId: NotRequired[str]
    """Collate's request id, for support requests."""


class CommandDeadLettered(TypedDict):
    """A command could not be finished and waits for an operator. It has not ended."""

    commandId: str
    """The command's id."""
    command: CommandType
    """The command's type."""
    caller: str
    """The caller that sent the command."""
    cause: str
    """The reason why the command could not be finished."""
    advice: NotRequired[str]
    """What an operator should check."""
    effect: NotRequired[Effect]
    """unknown: a write may have changed Collate."""
    handoffId: NotRequired[str]
    """The handoff that the command names."""
    redrive: NotRequired[int]
    """The redrive's number; absent for the first execution."""
    decision: NotRequired[OperatorDecision]
    """For a redrive or discard: the operator, the caller and the reason."""
    metadata: NotRequired[dict[str, str]]
    """The metadata of the command."""
    unknownAuthorizations: NotRequired[int]
    """Present if Collate had not shown the authorization before this command: how many such ones of the caller, or of all people of its prefix, the gateway keeps in this partition."""
    attempts: NotRequired[list[Attempt]]
    """The calls to Collate that this worker knows."""
    attemptsLeftOut: NotRequired[int]
    """The number of omitted calls between the first and the last calls."""
    digest: NotRequired[str]
    """For the gateway itself: a keyed digest, by which it knows another body."""


class HandoffClose(TypedDict):
    """Close a handoff with the operator's report."""

    result: CloseResult
    """The result; its `type` selects the other fields."""
    reportedBy: NotRequired[str | None]
    """The member of staff who reports the result, never a patient. A person's own token says it."""
    takeOver: NotRequired[bool | None]
    """true: close it also if another person has it in hand. For people only."""
    expiresAt: NotRequired[str | None]
    """The command expires if it has not begun by this time; default: never."""
    metadata: NotRequired[Metadata | None]
    """Copied into the events of this command."""
    handoffId: str
    """Collate's id of the handoff."""


class HandoffCloseEvent(TypedDict):
    """A CloudEvent with the command: Close a handoff with the operator's report."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: Literal["collate-gateway.handoff.close.v1"]
    subject: str
    datacontenttype: NotRequired[Literal["application/json"]]
    data: HandoffClose


class HandoffRequest(TypedDict):
    """Request a manual handoff from Collate."""

    acceptedReviewSnapshotId: NotRequired[str | None]
    """The review snapshot that a reviewer has accepted; required if the next action covers one. A person needs the permission authorization:review for it."""
    acceptedBy: NotRequired[str | None]
    """The reviewer who accepted the snapshot: a member of staff. A person's own token says it; a service must name them."""
    requestedBy: NotRequired[str | None]
    """The member of staff who requests the handoff, never a patient. A person's own token says it."""
    expiresAt: NotRequired[str | None]
    """The command expires if it has not begun by this time; default: one hour after acceptance."""
    dueAt: NotRequired[str | None]
    """When the authorization must be settled, at most 366 days ahead. It replaces an earlier due date if this command is applied or already done."""
    metadata: NotRequired[Metadata | None]
    """Copied into the events of this command."""


class HandoffRequestEvent(TypedDict):
    """A CloudEvent with the command: Request a manual handoff from Collate."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: Literal["collate-gateway.handoff.request.v1"]
    subject: str
    datacontenttype: NotRequired[Literal["application/json"]]
    data: NotRequired[HandoffRequest]


CommandEvent = AuthorizationWatchEvent | HandoffCloseEvent | HandoffRequestEvent
"""A command as a CloudEvent in structured mode; its `type` selects the data."""


CommandEventBatch = list[CommandEvent]
"""Commands as a batch of CloudEvents."""


Outcome = Literal["applied", "already_done", "rejected", "expired", "discarded"]
"""The outcome of a command."""


class WouldSend(TypedDict):
    """A write that a shadow would have sent to Collate."""

    operation: str
    """The call: `create`, or Collate's word for the close, as in `attempts`."""
    version: int
    """The version in its If-Match."""


class CommandFinished(TypedDict):
    """A command, or a redrive of it, has ended. Published exactly once for each."""

    commandId: str
    """The command's id."""
    command: CommandType
    """The command's type."""
    caller: str
    """The caller that sent the command."""
    outcome: Outcome
    """The command's outcome."""
    effect: Effect
    """Whether this command changed Collate."""
    reason: NotRequired[str]
    """Why it was not applied, or names no handoff."""
    advice: NotRequired[str]
    """What to do, in one sentence."""
    handoffId: NotRequired[str]
    """The handoff that the command names or created."""
    claimedBy: NotRequired[str]
    """For the reason `claimed_by_another`: the person who has the handoff, as a caller."""
    wouldSend: NotRequired[WouldSend]
    """For the reason `writes_off`: the write that the shadow would have sent."""
    version: NotRequired[int]
    """Collate's version of the authorization that shows this fact."""
    redrive: NotRequired[int]
    """The redrive's number; absent for the first execution."""
    decision: NotRequired[OperatorDecision]
    """For a redrive or discard: the operator, the caller and the reason."""
    requestedBy: NotRequired[str]
    """The member of staff who requested the handoff, if known."""
    acceptedBy: NotRequired[str]
    """The reviewer who accepted the review snapshot, if known."""
    acceptedReviewSnapshotId: NotRequired[str]
    """The review snapshot that the reviewer accepted."""
    reportedBy: NotRequired[str]
    """The member of staff who reported the result, if known."""
    assertedBy: NotRequired[AssertedBy]
    """Who says that it was this person: person (the person's own token) or caller (the service stated it)."""
    metadata: NotRequired[dict[str, str]]
    """The metadata of the command."""
    unknownAuthorizations: NotRequired[int]
    """Present if Collate had not shown the authorization before this command: how many such ones of the caller, or of all people of its prefix, the gateway keeps in this partition."""
    attempts: NotRequired[list[Attempt]]
    """The calls to Collate that this worker knows."""
    attemptsLeftOut: NotRequired[int]
    """The number of omitted calls between the first and the last calls."""
    digest: NotRequired[str]
    """For the gateway itself: a keyed digest, by which it knows another body."""


class CommandKeyConflict(TypedDict):
    """A second command arrived under a known id with another body. Only the first command is applied."""

    commandId: str
    """The command's id."""
    command: CommandType
    """The command's type."""
    caller: str
    """The caller that sent the command."""


CommandKind = Literal["handoff.request", "handoff.close", "authorization.watch"]
"""What callers ask for: the type of a command, without its prefix and its version."""


class LastCalls(TypedDict):
    """The last calls to Collate for a command, all with the same result."""

    operation: str
    """The operation at Collate."""
    result: str
    """answered, refused, ambiguous (Collate may have applied it) or not_sent."""
    status: NotRequired[int]
    """The HTTP status, if there was a response."""
    code: NotRequired[str]
    """Collate's error code, or the gateway's own cause."""
    count: int
    """The number of these calls that events have shown so far."""
    since: str
    """When the first of them began."""
    until: str
    """When the last of them began."""


class WaitsFor(TypedDict):
    """The reason why a command has not ended."""

    reason: str
    """The reason why the command waits."""
    advice: NotRequired[str]
    """The reason in one sentence."""
    until: NotRequired[str]
    """When the gateway retries."""
    lastCalls: NotRequired[LastCalls]
    """What the last calls to Collate returned, if there were calls."""


class CommandStatus(TypedDict):
    """The status of a command."""

    commandId: str
    """The command's id."""
    type: NotRequired[str]
    """The command's type; absent until it is read."""
    authorizationId: NotRequired[str]
    """The authorization's id."""
    caller: NotRequired[str]
    """The caller that sent the command."""
    status: str
    """accepted, waiting, dead_lettered (an operator must decide) or finished."""
    acceptedAt: NotRequired[str]
    """When the command was accepted."""
    expiresAt: NotRequired[str]
    """The time after which the command does not begin."""
    waiting: NotRequired[WaitsFor]
    """Why the command waits or is dead-lettered."""
    finishedAt: NotRequired[str]
    """When the command ended."""
    outcome: NotRequired[str]
    """The command's outcome."""
    effect: NotRequired[str]
    """Whether this command changed Collate."""
    reason: NotRequired[str]
    """Why it was not applied, or names no handoff."""
    advice: NotRequired[str]
    """What to do, in one sentence."""
    handoffId: NotRequired[str]
    """The handoff that the command names or created."""
    version: NotRequired[int]
    """The authorization's version at the end."""
    redrive: NotRequired[int]
    """The number of redrives of the command."""
    metadata: NotRequired[Metadata]
    """The command's metadata."""


class CommandList(TypedDict):
    """Commands in the order of their acceptance."""

    commands: list[CommandStatus]
    """The commands."""
    next: NotRequired[str]
    """The `cursor` of the next page; absent on the last page."""


class CommandOutcome(TypedDict):
    """The command finished within the time of `Prefer: wait`."""

    commandId: str
    """The command's id: the same for each retry with the same key."""
    type: CommandType
    """The command's type."""
    authorizationId: str
    """The authorization's id."""
    acceptedAt: str
    """When the command was accepted."""
    status: Literal["finished"]
    finishedAt: NotRequired[str]
    """When the command ended."""
    outcome: Outcome
    """The command's outcome."""
    effect: Effect
    """Whether this command changed Collate."""
    reason: NotRequired[str]
    """Why it was not applied, or names no handoff."""
    advice: NotRequired[str]
    """What to do, in one sentence."""
    handoffId: NotRequired[str]
    """The handoff that the command names or created."""
    version: NotRequired[int]
    """The authorization's version at the end."""
    redrive: NotRequired[int]
    """The redrive's number; absent for the first execution."""
    metadata: NotRequired[Metadata]
    """The command's metadata."""


CommandState = Literal["accepted", "waiting", "dead_lettered", "finished"]
"""The states of a command; the end of its life is `finished`."""


class CommandWaiting(TypedDict):
    """A command has not ended yet. Published after ten seconds, and when the reason changes."""

    commandId: str
    """The command's id."""
    command: CommandType
    """The command's type."""
    caller: str
    """The caller that sent the command."""
    reason: str
    """The reason why the command waits."""
    advice: NotRequired[str]
    """The reason in one sentence."""
    until: NotRequired[str]
    """When the gateway retries."""
    unreadableFields: NotRequired[list[str]]
    """For `unreadable_answer`: the fields of Collate's answer that could not be read."""
    redrive: NotRequired[int]
    """The redrive's number; absent for the first execution."""
    metadata: NotRequired[dict[str, str]]
    """The metadata of the command."""
    attempts: NotRequired[list[Attempt]]
    """The calls to Collate that this worker knows."""
    attemptsLeftOut: NotRequired[int]
    """The number of omitted calls between the first and the last calls."""


ReadContent = Literal["review_snapshot", "payer_evidence", "dead_letter_original", "handoff_message"]
"""Content with PHI that a caller read through the gateway."""


class ContentRead(TypedDict):
    """Content with PHI was read through the gateway. The event never has the content."""

    content: ReadContent
    """What was read: review_snapshot, payer_evidence, dead_letter_original or handoff_message."""
    caller: str
    """The authenticated caller that received the content."""
    operator: NotRequired[str]
    """The member of staff who read it, if known."""
    assertedBy: NotRequired[AssertedBy]
    """Who says that it was this person: person (the person's own token) or caller (the service stated it)."""
    reviewSnapshotId: NotRequired[str]
    """The id of the review snapshot."""
    ofCommand: NotRequired[str]
    """The dead-lettered command."""


class DeadLetterDecision(TypedDict):
    """An operator's decision about a dead letter that they have read."""

    operator: NotRequired[str | None]
    """The operator who decides: a member of staff as named in your systems. Required from a service; a person's own token says it."""
    reason: DecisionReason
    """The reason, in events and timelines."""
    ticket: NotRequired[str | None]
    """A ticket in your own tracker. The events and the timeline contain it, so it must name no person."""
    why: NotRequired[str | None]
    """The reason in free text; only on the commands topic."""
    redrive: int
    """The dead letter's `redrive` as read: the decision is about no other. A retry is the same one."""
    deadAt: NotRequired[str | None]
    """The dead letter's `deadAt` as read. A day after its end the same key is a new command, whose numbers begin again: with `deadAt` the decision is about none of these."""


class DeadLetterSelection(TypedDict):
    """The filters of a decision about many dead letters; absent filters accept all."""

    cause: NotRequired[str | None]
    """Only dead letters with this cause."""
    command: NotRequired[str | None]
    """Only commands of this type."""
    caller: NotRequired[str | None]
    """Only commands of this caller."""
    authorizationId: NotRequired[str | None]
    """Only commands for this authorization."""
    since: NotRequired[str | None]
    """Only dead letters since this time."""
    before: str
    """Only dead letters before this time: the `at` of the list that the operator saw."""


class DeadLetterDecisions(TypedDict):
    """An operator's decision about all dead letters that match, if they are still those that the operator saw."""

    decision: Literal["redrive", "discard"]
    """What to do with each of them."""
    selection: DeadLetterSelection
    """Which dead letters."""
    count: int
    """Their number: `matching` of the list, or `remaining`."""
    digest: str
    """Their digest, from the list or from the previous response."""
    after: NotRequired[str | None]
    """`next` of the previous response: continues behind the decided ones."""
    operator: NotRequired[str | None]
    """The operator who decides. Required from a service; a person's own token says it."""
    reason: DecisionReason
    """The reason, in events and timelines."""
    ticket: NotRequired[str | None]
    """A ticket in your own tracker; it is published."""
    why: NotRequired[str | None]
    """The reason in free text; only on the commands topic."""


class DeadLetterWrite(TypedDict):
    """A write that was sent, or may have been sent, to Collate."""

    n: int
    """The write's number among the command's writes."""
    operation: str
    """The operation at Collate."""
    handoffId: NotRequired[str]
    """The handoff that the write names."""
    ifMatch: NotRequired[int]
    """The version in its If-Match header."""
    firstSentAt: NotRequired[str]
    """When the write was first sent."""
    ended: NotRequired[str]
    """How it ended; absent while it may be in flight."""
    mayHaveArrived: bool
    """Whether this write, or an earlier one, may have been applied."""


class DeadLetterDetail(TypedDict):
    """A command that waits for an operator, with all of its public fields."""

    commandId: str
    """The command's id."""
    command: NotRequired[str]
    """The command's type, if readable."""
    caller: NotRequired[str]
    """The caller that sent the command, if readable."""
    authorizationId: NotRequired[str]
    """Absent if the record is broken."""
    acceptedAt: NotRequired[str]
    """When the command was accepted."""
    deadAt: str
    """When the command was dead-lettered."""
    cause: str
    """The reason why the command could not be finished."""
    advice: NotRequired[str]
    """What an operator should check."""
    redrive: int
    """The number of redrives before this dead letter."""
    writes: int
    """The number of writes that were sent to Collate."""
    canRedrive: bool
    """False if the command is unreadable, so that it can only be discarded, or names no authorization."""
    asks: NotRequired[dict[str, object]]
    """The command's data without free text and reference numbers; absent if unreadable."""
    sent: list[DeadLetterWrite]
    """The command's writes, in order."""
    partition: int
    """The original record's partition; -1 without the record."""
    offset: int
    """The original record's offset; -1 without the record."""


class DeadLetterSummary(TypedDict):
    """A command that waits for an operator."""

    commandId: str
    """The command's id."""
    command: NotRequired[str]
    """The command's type, if readable."""
    caller: NotRequired[str]
    """The caller that sent the command, if readable."""
    authorizationId: NotRequired[str]
    """Absent if the record is broken."""
    acceptedAt: NotRequired[str]
    """When the command was accepted."""
    deadAt: str
    """When the command was dead-lettered."""
    cause: str
    """The reason why the command could not be finished."""
    advice: NotRequired[str]
    """What an operator should check."""
    redrive: int
    """The number of redrives before this dead letter."""
    writes: int
    """The number of writes that were sent to Collate."""
    canRedrive: bool
    """False if the command is unreadable, so that it can only be discarded, or names no authorization."""


class DeadLetterList(TypedDict):
    """A page of dead letters, oldest first."""

    deadLetters: list[DeadLetterSummary]
    """The dead letters on this page."""
    matching: int
    """The number of matching dead letters on all pages."""
    at: NotRequired[str]
    """With `digest=true`: when the list was read."""
    digest: NotRequired[str]
    """With `digest=true`: the digest of all matching dead letters, for a decision."""
    leftOut: int
    """The number of oldest dead letters beyond the memory limit; normally 0."""
    next: NotRequired[str]
    """The `cursor` of the next page; absent on the last page."""


class DeadLetterOriginal(TypedDict):
    """The original data, with free text and reference numbers. Each access is logged."""

    commandId: str
    """The command's id."""
    data: NotRequired[dict[str, object]]
    """The command's data, if readable."""
    value: str
    """The original record's value in base64."""


class HandoffNow(TypedDict):
    """The current state of a handoff: the named one, or the running one."""

    id: str
    """Collate's id of the handoff."""
    state: NotRequired[str]
    """The handoff's state in Collate's words, if readable."""
    result: NotRequired[str]
    """The handoff's result, in Collate's words."""
    version: NotRequired[int]
    """Collate's version of the handoff."""


class DeadLetterSituation(TypedDict):
    """The current state, at Collate, of a dead letter's authorization."""

    at: str
    """When the gateway began to read from Collate."""
    authorizationId: str
    """The authorization's id."""
    version: int
    """Collate's version of the authorization."""
    status: str
    """The authorization's status, in Collate's words."""
    outcome: NotRequired[str]
    """The outcome, once the authorization is completed."""
    nextAction: NotRequired[str]
    """The type of the next action, if there is one."""
    resolution: NotRequired[str]
    """The kind of resolution of the next action."""
    coversReviewSnapshotId: NotRequired[str]
    """The snapshot to accept before a handoff."""
    receiptSeen: bool
    """Whether the payer's receipt is present."""
    decisionSeen: bool
    """Whether the payer's decision is present."""
    activeHandoffId: NotRequired[str]
    """The id of the running handoff."""
    commandId: str
    """The command's id."""
    reviewSnapshotId: NotRequired[str]
    """The id of the current review snapshot."""
    reviewSnapshotStatus: NotRequired[str]
    """The status of that snapshot."""
    handoff: NotRequired[HandoffNow]
    """The command's handoff, else the running one."""


class NotDecided(TypedDict):
    """A dead letter that was left out: nothing was decided about it."""

    commandId: str
    """The command's id."""
    problem: str
    """The problem, such as not_redrivable."""


class DeadLettersDecided(TypedDict):
    """The decisions that are on the commands topic, and what remains of the selection."""

    decided: list[str]
    """The commands whose decision is accepted, oldest first."""
    notDecided: list[NotDecided]
    """Those that cannot be decided so."""
    remaining: int
    """The `count` of the next request; 0: all are done."""
    digest: str
    """The `digest` of the next request."""
    next: NotRequired[str]
    """The `after` of the next request; absent if none remains."""


EventType = Literal[
    "collate-gateway.command.finished.v1",
    "collate-gateway.command.waiting.v1",
    "collate-gateway.command.dead_lettered.v1",
    "collate-gateway.command.key_conflict.v1",
    "collate-gateway.handoff.opened.v1",
    "collate-gateway.handoff.closed.v1",
    "collate-gateway.handoff.reconciled.v1",
    "collate-gateway.handoff.access_granted.v1",
    "collate-gateway.handoff.access_changed.v1",
    "collate-gateway.handoff.claimed.v1",
    "collate-gateway.handoff.released.v1",
    "collate-gateway.handoff.at_risk.v1",
    "collate-gateway.authorization.changed.v1",
    "collate-gateway.authorization.action_required.v1",
    "collate-gateway.authorization.overdue.v1",
    "collate-gateway.authorization.settled.v1",
    "collate-gateway.authorization.watch_ended.v1",
    "collate-gateway.authorization.recent_commands_emptied.v1",
    "collate-gateway.authorization.version_floor_lowered.v1",
    "collate-gateway.authorization.content_read.v1",
]
"""The type of an event on `events`."""


class FullCaller(TypedDict):
    """A caller that has used up its share of an authorization's recent commands."""

    authorizationId: str
    """The authorization; other callers of it are not affected."""
    caller: str
    """The caller."""
    rejected: int
    """The commands that were rejected in the last ten minutes."""
    lastAt: str
    """When the last one was rejected."""


class HandoffAccessChanged(TypedDict):
    """Access to an open handoff has changed: whether a grant can be created, or whether the operator can submit."""

    handoffId: str
    """Collate's id of the handoff."""
    state: str
    """The handoff's state, in Collate's words."""
    accessAvailable: bool
    """Whether an access grant can be created now."""
    finalSubmitCapable: bool
    """Whether the operator can submit to the payer now."""
    version: NotRequired[int]
    """Collate's version of the authorization that shows this fact."""
    metadata: NotRequired[dict[str, str]]
    """The metadata of the request command."""


ClaimCheck = Literal["done", "skipped"]
"""Whether another person's claim was looked for before a person got a link."""


class HandoffAccessGranted(TypedDict):
    """An operator received a link into the live session. A link that is returned again is another event."""

    handoffId: str
    """Collate's id of the handoff."""
    operator: str
    """The operator who received the link."""
    assertedBy: AssertedBy
    """Who says that it was this person: person (the person's own token) or caller (the service stated it)."""
    caller: str
    """The authenticated caller that received the link."""
    expiresAt: str
    """When the link expires."""
    claimCheck: NotRequired[ClaimCheck]
    """For people: whether another person's claim was looked for. skipped: claims were unknown. Absent for services."""


class HandoffAtRisk(TypedDict):
    """Collate may soon end an active handoff."""

    handoffId: str
    """Collate's id of the handoff."""
    reason: str
    """`not_entered`, `grant_expiring`, `grant_expired`, `abandonment` or `open_too_long`."""
    advice: NotRequired[str]
    """What to do, in one sentence."""
    endsAt: NotRequired[str]
    """When Collate is expected to end the handoff as abandoned, unless a new grant is created. It comes from the gateway's setting `collate.abandonment_after`, because Collate does not document its limit."""
    version: NotRequired[int]
    """Collate's version of the authorization that shows this fact."""
    metadata: NotRequired[dict[str, str]]
    """The metadata of the command."""


class HandoffClaimed(TypedDict):
    """A person has an open handoff in hand: they opened it, got into it first, or took it over."""

    handoffId: str
    """Collate's id of the handoff."""
    by: str
    """The person, as their own token has the name."""
    caller: str
    """The same person as a caller."""
    takenOverFrom: NotRequired[str]
    """The caller's name of the person who had claimed it before."""


class HandoffCloseBody(TypedDict):
    """The body of a request that closes the handoff in the path."""

    result: CloseResult
    """The result; its `type` selects the other fields."""
    reportedBy: NotRequired[str | None]
    """The member of staff who reports the result, never a patient. A person's own token says it."""
    takeOver: NotRequired[bool | None]
    """true: close it also if another person has it in hand. For people only."""
    expiresAt: NotRequired[str | None]
    """The command expires if it has not begun by this time; default: never."""
    metadata: NotRequired[Metadata | None]
    """Copied into the events of this command."""


class HandoffClosed(TypedDict):
    """A handoff has ended. The report is the operator's, not payer truth."""

    handoffId: str
    """Collate's id of the handoff."""
    result: str
    """The handoff's result, in Collate's words."""
    by: ClosedBy
    """The cause of its end."""
    closedAt: NotRequired[str]
    """When it closed, by Collate's clock; absent if no read of it showed the end."""
    reported: NotRequired[CloseReport]
    """The operator's report, if known."""
    reason: NotRequired[str]
    """Why the operator was unable to complete it."""
    caller: NotRequired[str]
    """The caller that closed it, if by us."""
    reportedBy: NotRequired[str]
    """The member of staff who reported the result, if known."""
    assertedBy: NotRequired[AssertedBy]
    """Who says that it was this person: person (the person's own token) or caller (the service stated it)."""
    version: NotRequired[int]
    """Collate's version of the authorization that shows this fact."""
    metadata: NotRequired[dict[str, str]]
    """The metadata of the command."""


class HandoffList(TypedDict):
    """Handoffs in one state. The handoff that entered this state first comes first."""

    handoffs: list[HandoffStatus]
    """The handoffs."""
    next: NotRequired[str]
    """The `cursor` of the next page; absent on the last page."""


class HandoffOpened(TypedDict):
    """A handoff is active."""

    handoffId: str
    """Collate's id of the handoff."""
    accessAvailable: bool
    """Whether an access grant can be created."""
    finalSubmitCapable: bool
    """Whether the operator can submit to the payer."""
    openedAt: NotRequired[str]
    """When the handoff opened, by Collate's clock."""
    payerId: NotRequired[str]
    """Collate's id of the payer, if Collate shows it."""
    effect: NotRequired[Effect]
    """For a handoff that a command opened: ours (Collate's response proves it) or inferred (from a read). Absent for a handoff of another actor."""
    caller: NotRequired[str]
    """The caller whose command opened the handoff, as far as `effect` says."""
    requestedBy: NotRequired[str]
    """The member of staff who requested the handoff, if known."""
    acceptedBy: NotRequired[str]
    """The reviewer who accepted the review snapshot, if known."""
    assertedBy: NotRequired[AssertedBy]
    """Who says that it was this person: person (the person's own token) or caller (the service stated it)."""
    version: NotRequired[int]
    """Collate's version of the authorization that shows this fact."""
    metadata: NotRequired[dict[str, str]]
    """The metadata of the command."""


class HandoffReconciled(TypedDict):
    """Collate has reconciled a closed handoff with the payer. Published once per handoff."""

    handoffId: str
    """Collate's id of the handoff."""
    reported: NotRequired[CloseReport]
    """The operator's report, if known."""
    payer: PayerTruth
    agreement: Agreement
    """Whether payer truth agrees with the report."""
    payerId: NotRequired[str]
    """Collate's id of the payer, if Collate shows it."""
    version: NotRequired[int]
    """Collate's version of the authorization that shows this fact."""
    metadata: NotRequired[dict[str, str]]
    """The metadata of the command."""


class HandoffReleased(TypedDict):
    """The person who had claimed an open handoff has given it back."""

    handoffId: str
    """Collate's id of the handoff."""
    by: str
    """The person, as their own token has the name."""
    caller: str
    """The same person as a caller."""


HandoffState = Literal["active", "closed"]
"""The states of a handoff."""


class IdsFound(TypedDict):
    """Ids that begin with a text: at most 20 of each kind."""

    authorizations: list[str]
    """Ids of authorizations."""
    commands: list[str]
    """Ids of commands."""


class LastDelivery(TypedDict):
    """The last answer of a webhook receiver."""

    result: str
    """delivered, gone, redirect, status_4xx, status_5xx, or why none came."""
    status: NotRequired[int]
    """The status of the response, if one came."""
    agoSeconds: float
    """How long ago."""


class LiveHandoffDetails(TypedDict):
    """A handoff as Collate shows it now."""

    id: str
    """Collate's id of the handoff."""
    state: NotRequired[str]
    """The handoff's state in Collate's words, if readable."""
    result: NotRequired[str]
    """The handoff's result, in Collate's words."""
    version: NotRequired[int]
    """Collate's version of the handoff."""
    accessAvailable: bool
    """Whether a link into the session can be created."""
    finalSubmitCapable: bool
    """Whether the operator can submit in the session."""
    activatedAt: NotRequired[str]
    """When the handoff became active."""
    closedAt: NotRequired[str]
    """When the handoff was closed."""
    messageAvailable: bool
    """Whether Collate has a message for the operator, also with `message=omit`."""
    message: NotRequired[str]
    """Collate's message for the operator; absent with `message=omit`."""


class LiveHandoff(TypedDict):
    """An authorization and its handoff, read from Collate now. All viewers share one read for 5 s."""

    at: str
    """When the gateway began to read from Collate."""
    authorizationId: str
    """The authorization's id."""
    version: int
    """Collate's version of the authorization."""
    status: str
    """The authorization's status, in Collate's words."""
    outcome: NotRequired[str]
    """The outcome, once the authorization is completed."""
    nextAction: NotRequired[str]
    """The type of the next action, if there is one."""
    resolution: NotRequired[str]
    """The kind of resolution of the next action."""
    coversReviewSnapshotId: NotRequired[str]
    """The snapshot to accept before a handoff."""
    receiptSeen: bool
    """Whether the payer's receipt is present."""
    decisionSeen: bool
    """Whether the payer's decision is present."""
    activeHandoffId: NotRequired[str]
    """The id of the running handoff."""
    payerId: NotRequired[str]
    """The payer's id, if Collate shows it."""
    isHandoffOpen: bool
    """Whether a handoff is running. true without `activeHandoffId`: its id cannot be read."""
    handoff: NotRequired[LiveHandoffDetails]
    """The handoff of the path, or the running one; absent if none is running."""


class Me(TypedDict):
    """The caller of this request."""

    caller: str
    """The caller's name, as records and events have it."""
    kind: AssertedBy
    """person, or caller for a service."""
    person: NotRequired[str]
    """For a person: the name that the gateway writes as operator."""
    permissions: list[str]
    """What the caller may do. Empty for a person in none of the groups that the gateway knows."""
    shadow: NotRequired[bool]
    """true: this gateway is a shadow, which sends no write to Collate."""
    limits: CallerLimits
    """The bounds of this caller."""


class MinuteCounts(TypedDict):
    """The counts of one minute."""

    at: str
    """The beginning of the minute."""
    accepted: int
    """Accepted commands."""
    finished: int
    """Finished commands."""


Needs = Literal["person", "handoff", "open", "at_risk", "overdue", "contradicted"]
"""Why an authorization is on the work list."""


Order = Literal["oldest", "newest"]
"""Which entries come first."""


class UnfinishedCommand(TypedDict):
    """A command that has not ended."""

    commandId: str
    """The command's id."""
    authorizationId: str
    """The authorization; its later commands wait for this command."""
    type: str
    """The command's type."""
    caller: str
    """The caller that sent the command."""
    status: str
    """accepted, waiting or dead_lettered."""
    acceptedAt: NotRequired[str]
    """When the command was accepted."""
    waiting: NotRequired[WaitsFor]
    """Why the command has not ended, if known."""


class Rates(TypedDict):
    """The counts of the last minute."""

    accepted: int
    """Accepted commands."""
    finished: int
    """Finished commands."""
    events: int
    """Published events."""
    attempts: int
    """Recorded calls to Collate for commands."""


class TurnedAway(TypedDict):
    """A payer at which the last handoffs ended for a reason that the next person meets too, as people reported."""

    payerId: str
    """The payer's id."""
    reason: str
    """What all of them reported: channel_blocked, credential_or_mfa_issue, channel_outage."""
    handoffs: int
    """The handoffs in a row that ended so in the last two hours, at least 3."""
    since: str
    """When the first of them ended."""
    lastSubmittedAt: NotRequired[str]
    """The last reported submission at this payer; absent without one."""


class PeopleWork(TypedDict):
    """The numbers of the work lists."""

    person: int
    """The authorizations that need a person; 1000 means 1000 or more."""
    contradicted: int
    """The contradicted reports; 1000 means 1000 or more."""
    waitingSince: NotRequired[str]
    """Since when the authorization that waits longest needs a person; absent without one."""
    atRisk: int
    """The open handoffs at risk; 1000 means 1000 or more."""
    overdue: int
    """Those of the authorizations that need a person whose due date has passed; 1000 means 1000 or more."""
    closedToday: int
    """The handoffs that ended since 00:00 UTC."""
    agreedToday: int
    """Those of them whose report agrees with the payer's truth."""
    claims: list[Claimant]
    """Who has open handoffs in hand, by name; at most 100 people."""
    turnedAway: NotRequired[list[TurnedAway]]
    """The payers that turn people away, the one with the most handoffs first; at most 20. The first reported submission there ends it."""


class Projector(TypedDict):
    """The freshness of the read model."""

    at: NotRequired[str]
    """When the projector last reported."""
    behind: NotRequired[int]
    """The records that the projector had not read then."""


class WebhookSubscription(TypedDict):
    """The state of a webhook subscription, of all deliverers together."""

    name: str
    """The name of the subscription."""
    url: str
    """The receiver: scheme, host and port."""
    state: str
    """delivering, retrying, held, down, stopped (410), starting or halted; the worst of its deliverers."""
    oldestSeconds: float
    """The age of the oldest event that is not delivered; 0 without."""
    undelivered: int
    """The records of `events` that are not finished."""
    lastAnswer: NotRequired[LastDelivery]
    """The receiver's last answer."""
    delivered: int
    """The events delivered since the deliverers started."""
    deadLetters: int
    """The events that became dead letters since the deliverers started."""


class Webhooks(TypedDict):
    """The webhook subscriptions."""

    subscriptions: list[WebhookSubscription]
    """The subscriptions, by name."""
    unreachable: int
    """The deliverers that do not answer."""


class Overview(TypedDict):
    """The state of the whole gateway."""

    at: str
    """When the read model was read."""
    unfinished: dict[str, int]
    """The number of commands that have not ended, by status."""
    waiting: dict[str, int]
    """The number of waiting commands, by reason."""
    oldest: list[UnfinishedCommand]
    """The longest waiting commands. Each blocks its authorization."""
    deadLetters: list[UnfinishedCommand]
    """The dead-lettered commands, oldest first."""
    fullCallers: NotRequired[list[FullCaller]]
    """The callers whose commands are rejected because their share is full."""
    lastMinute: Rates
    history: NotRequired[list[MinuteCounts]]
    """With `history=1h`: the counts of the last 60 minutes, oldest first, the present minute included."""
    activeHandoffs: int
    """The number of open handoffs."""
    work: PeopleWork
    projector: Projector
    faults: NotRequired[list[str]]
    """What is wrong with the gateway's parts, the worst first: kafka_away (commands are refused), no_worker (accepted commands wait), collate_away, no_deliverer."""
    webhooks: NotRequired[Webhooks]
    """The webhook subscriptions; absent in an installation without a deliverer."""


class PayerEvidence(TypedDict):
    """What the payer said, unchanged from Collate. Only this is the payer's truth; a report is not."""

    authorizationId: str
    """The authorization's id."""
    version: int
    """Collate's version of the authorization."""
    status: str
    """The authorization's status, in Collate's words."""
    outcome: NotRequired[str]
    """The outcome, once the authorization is completed."""
    payerReceipt: NotRequired[object]
    """The payer's receipt as Collate shows it."""
    decision: NotRequired[object]
    """The payer's decision as Collate shows it."""


class RecentCommandsAccepted(TypedDict):
    """The decision is on the commands topic; `authorization.recent_commands_emptied` follows."""

    recordId: str
    """The decision's id: the `causationid` of the event."""
    authorizationId: str
    """The authorization."""
    acceptedAt: str
    """When the decision was accepted."""


class RecentCommandsDecision(TypedDict):
    """An operator's decision to let the gateway forget recent commands of an authorization."""

    operator: NotRequired[str | None]
    """The operator who decides: a member of staff as named in your systems. Required from a service; a person's own token says it."""
    reason: DecisionReason
    """The reason, in the event and timeline."""
    ticket: NotRequired[str | None]
    """A ticket in your own tracker; it names no person."""
    why: NotRequired[str | None]
    """The reason in free text; only on the commands topic."""
    ofCaller: NotRequired[str | None]
    """Forget only the commands of this caller; without it those of all callers."""


class RecentCommandsEmptied(TypedDict):
    """An operator let the gateway forget recent commands; a later repeat of one of them is a new command."""

    caller: str
    """The caller that sent the operator's decision."""
    ofCaller: NotRequired[str]
    """The caller whose commands; absent for all."""
    emptied: int
    """The number of commands that the gateway forgot."""
    decision: OperatorDecision
    """The operator and the reason."""


class ReleaseAccepted(TypedDict):
    """The release is recorded. `handoff.released` follows if the person had claimed the handoff."""

    authorizationId: str
    """The authorization's id."""
    handoffId: str
    """The handoff's id."""


class ReleaseBody(TypedDict):
    """The request to give back a claimed handoff: no fields."""


class Review(TypedDict):
    """The content that a reviewer must read before a submission, unchanged from Collate."""

    authorizationId: str
    """The authorization's id."""
    version: int
    """Collate's version of the authorization."""
    coversReviewSnapshotId: NotRequired[str]
    """The snapshot to accept before a handoff."""
    reviewSnapshot: dict[str, object]
    """Collate's snapshot. A reviewer accepts its `id`."""


class TimelineEntry(TypedDict):
    """A command, an attempt or an event of an authorization."""

    at: str
    """The time of the entry: of an event, never earlier than of those before it."""
    kind: str
    """attempt, command.accepted, command.redrive_requested, command.discard_requested, or an event."""
    says: str
    """A description of the entry in one sentence."""
    commandId: NotRequired[str]
    """The command that the entry belongs to."""
    sequence: NotRequired[int]
    """For an event: its number."""
    data: dict[str, object]
    """The public fields of the record."""


class Timeline(TypedDict):
    """The history of an authorization, in order."""

    authorizationId: str
    """The authorization's id."""
    entries: list[TimelineEntry]
    """The entries, oldest first."""
    next: NotRequired[str]
    """The `cursor` of the next page; absent on the last page."""


TroubleKind = Literal["at_risk", "ended", "contradicted"]
"""What is wrong with a handoff."""


class Trouble(TypedDict):
    """A handoff of one person that needs them first."""

    kind: TroubleKind
    """at_risk, ended (without the person's report) or contradicted."""
    authorizationId: str
    """Collate's id of the authorization."""
    handoffId: str
    """Collate's id of the handoff."""
    reason: NotRequired[str]
    """The reason of the risk, who ended the handoff, or what the person reported."""
    at: NotRequired[str]
    """When Collate is expected to end the handoff, or when it ended."""


class TroubleList(TypedDict):
    """The handoffs of one person that need them first: of each kind the newest 25."""

    troubles: list[Trouble]
    """Those at risk, then those that ended, then those contradicted."""


class VersionFloorAccepted(TypedDict):
    """The decision is on the commands topic; `authorization.version_floor_lowered` follows."""

    recordId: str
    """The decision's id: the `causationid` of the event."""
    authorizationId: str
    """The authorization."""
    acceptedAt: str
    """When the decision was accepted."""


class VersionFloorDecision(TypedDict):
    """An operator's decision to accept lower versions of an authorization, after Collate was restored from a backup."""

    operator: NotRequired[str | None]
    """The operator who decides: a member of staff as named in your systems. Required from a service; a person's own token says it."""
    reason: DecisionReason
    """The reason, in the event and timeline."""
    ticket: NotRequired[str | None]
    """A ticket in your own tracker; it names no person."""
    why: NotRequired[str | None]
    """The reason in free text; only on the commands topic."""
    toVersion: int
    """The lowest version to accept: the one that Collate shows now, or less."""


class VersionFloorLowered(TypedDict):
    """An operator let the gateway accept lower versions, because Collate was restored from a backup."""

    caller: str
    """The caller that sent the operator's decision."""
    fromVersion: int
    """The highest version that the gateway had read."""
    toVersion: int
    """The lowest version that the gateway accepts from now on."""
    decision: OperatorDecision
    """The operator and the reason."""


WorkOrder = Literal["urgent", "due", "wait", "payer"]
"""What comes first on the work list."""


EventData = (
    AuthorizationActionRequired
    | AuthorizationChanged
    | ContentRead
    | AuthorizationOverdue
    | RecentCommandsEmptied
    | AuthorizationSettled
    | VersionFloorLowered
    | AuthorizationWatchEnded
    | CommandDeadLettered
    | CommandFinished
    | CommandKeyConflict
    | CommandWaiting
    | HandoffAccessChanged
    | HandoffAccessGranted
    | HandoffAtRisk
    | HandoffClaimed
    | HandoffClosed
    | HandoffOpened
    | HandoffReconciled
    | HandoffReleased
)
"""The data of an event."""

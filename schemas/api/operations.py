"""The operations of the HTTP API, each declared once. The routes of the ingress and openapi.json are made from them."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from schemas import commands
from schemas.api import dead_letters, lists, me, messages, operator_decisions, queries, reads, situations
from schemas.api.operation import ApiOperation
from schemas.model import Model
from schemas.permissions import COMMAND_PERMISSIONS, Permission

_AUTHORIZATION: Final = "/v1/authorizations/{authorizationId}"
_HANDOFF: Final = f"{_AUTHORIZATION}/handoffs/{{handoffId}}"
_DEAD_LETTER: Final = "/v1/dead-letters/{commandId}"

# The statuses of problems. Each group has those of the group that it names.
_PUBLIC: Final = (500, 503)
_CALLER: Final = (*_PUBLIC, 400, 401, 429)
_PERMITTED: Final = (*_CALLER, 403)
_READ: Final = (*_PERMITTED, 404, 504)
_LIVE: Final = (*_READ, 409, 422, 502)
_BODY: Final = (*_PERMITTED, 408, 413, 415, 422, 504)

_COMMAND_ANSWERS: Final[Mapping[int, type[Model]]] = {200: messages.CommandOutcome, 202: messages.CommandAccepted}
_RECORDED: Final = "The read is on record before the response leaves: `authorization.content_read`."
_SAME_DECISION: Final = "A retry with the same Idempotency-Key is the same decision."
_IF_LOST: Final = (
    "If the response is lost, send the request again: the dead letter's `redrive` makes it the same request, at any "
    "replica."
)

_command = partial(
    ApiOperation,
    method="POST",
    tag="commands",
    description="A retry with the same Idempotency-Key is the same command, at any replica. 429 `too-many-unfinished`: "
    "too many earlier commands of the caller have not ended; closes are counted apart.",
    headers=("IdempotencyKey", "Prefer", "RequestId"),
    answers=_COMMAND_ANSWERS,
    problems=_BODY,
)
_read = partial(
    ApiOperation,
    method="GET",
    tag="authorizations",
    description="503 while the read model is not available, 404 without a read model. Neither affects commands.",
    permissions=(Permission.AUTHORIZATION_READ,),
    headers=("IfNoneMatch",),
    has_etag=True,
    problems=_READ,
)
_live_read = partial(ApiOperation, method="GET", tag="sessions", headers=("RequestId",), problems=_LIVE)
_for_operators = partial(ApiOperation, permissions=(Permission.OPERATE,), query=queries.Query)
_decision = partial(
    _for_operators,
    method="POST",
    tag="operators",
    headers=("IdempotencyKey", "RequestId"),
    problems=(*_BODY, 404),
)
_dead_letter = partial(_for_operators, method="GET", tag="dead-letters", problems=(*_READ, 422))
_dead_letter_decision = partial(
    _for_operators,
    method="POST",
    tag="dead-letters",
    headers=("Prefer",),
    body=dead_letters.DeadLetterDecision,
    answers=_COMMAND_ANSWERS,
    problems=(*_BODY, 404, 409),
)
_document = partial(ApiOperation, method="GET", tag="documents", is_public=True, answers={200: None}, problems=_PUBLIC)

OPERATIONS: Final = (
    _command(
        id="requestHandoff",
        path=f"{_AUTHORIZATION}/handoffs",
        summary="Request a manual handoff.",
        permissions=(Permission.HANDOFF_REQUEST,),
        body=commands.HandoffRequest,
        is_body_required=False,
    ),
    _command(
        id="closeHandoff",
        path=f"{_HANDOFF}/close",
        summary="Close a handoff with the operator's report.",
        permissions=(Permission.HANDOFF_CLOSE,),
        body=commands.HandoffCloseBody,
    ),
    _command(
        id="watchAuthorization",
        path=f"{_AUTHORIZATION}/watch",
        summary="Watch an authorization until it settles.",
        permissions=(Permission.AUTHORIZATION_WATCH,),
        body=commands.AuthorizationWatch,
        is_body_required=False,
    ),
    _command(
        id="sendCommand",
        path="/v1/commands",
        summary="Send any command as a CloudEvent 1.0.",
        description="This describes structured mode. Binary mode is accepted too: the data as application/json, the "
        "attributes as `ce-` headers; its responses are those of structured mode. `source` and `id` are the "
        "idempotency key; `subject` is the authorization's id. Structured mode may be signed instead of carrying an "
        f"API key or a token: see `signature`. A batch has at most {messages.MOST_BATCH_EVENTS} events and "
        f"{messages.MOST_BATCH_BYTES >> 10} KiB, and gets 207 with a result for each event, "
        "unless the whole body is rejected. Each event is a command of its own, needs its own "
        "permission and counts as a request of the caller's rate. Events of one authorization are stored in their "
        "order. After a failure send the whole batch or the events without 202 again: repeats are the same commands. "
        "A caller has a bounded number of unfinished commands; an event above it gets 429, and later events of its "
        "authorization get 503. "
        "`Prefer: wait` has no effect on a batch.",
        permissions=tuple(COMMAND_PERMISSIONS.values()),
        headers=("Prefer", "RequestId"),
        answers={**_COMMAND_ANSWERS, 207: messages.BatchedCommands},
    ),
    _read(
        id="listCommands",
        path="/v1/commands",
        tag="commands",
        summary="Commands by acceptance: your own, or all with authorization:read.",
        permissions=(),
        query=queries.CommandsQuery,
        answers={200: lists.CommandList},
    ),
    _live_read(
        id="readHandoff",
        path=_HANDOFF,
        summary="Read an authorization and its handoff from Collate now; `active` means the running handoff.",
        description="It needs no read model. All viewers share one read for 5 s; `at` says when. A read of a handoff "
        "is on record before the response leaves: `authorization.content_read`.",
        permissions=(Permission.HANDOFF_GRANT,),
        query=queries.HandoffQuery,
        without_phi=("message", "omit"),
        answers={200: situations.LiveHandoff},
        told="The state at Collate.",
    ),
    ApiOperation(
        id="createAccessGrant",
        method="POST",
        path=f"{_HANDOFF}/access-grants",
        tag="sessions",
        summary="Create a short-lived link into the live payer session; `active` means the running handoff.",
        description="A retry with the same Idempotency-Key returns the same grant; without a key, a new grant. A "
        "person's first grant claims the handoff; another person gets 409 `handoff-claimed`, unless they send "
        "`takeOver: true`. `claimCheck: required`: 503 `claim-unknown` if claims are unknown. A service that has only "
        "its own handoffs gets 403 `not-the-opener` for another one, and 503 `opener-unknown` if the read model does "
        "not show the opener. A shadow answers 403 `writes-off`. Keep the link in memory "
        "only, and drop it at the event `handoff.closed`: no operator may work in the session after that. "
        "`handoff.at_risk` with `grant_expiring` says when a new link is needed.",
        permissions=(Permission.HANDOFF_GRANT,),
        headers=("OptionalIdempotencyKey", "RequestId"),
        body=messages.AccessGrantBody,
        answers={201: messages.AccessGranted, 409: messages.AccessProblemDetails},
        told="The link. The grant is recorded, without the link.",
        links={"close": "CloseOfGrantedHandoff"},
        problems=(*_BODY, 404, 502),
    ),
    ApiOperation(
        id="releaseHandoff",
        method="POST",
        path=f"{_HANDOFF}/release",
        tag="sessions",
        summary="Give back a handoff that you have claimed. For people, with their own token.",
        description="It changes nothing if no person has claimed the handoff, or if another person has.",
        permissions=(Permission.HANDOFF_GRANT,),
        query=queries.Query,
        headers=("RequestId",),
        body=messages.ReleaseBody,
        is_body_required=False,
        answers={202: messages.ReleaseAccepted},
        told="The release is recorded.",
        problems=_BODY,
    ),
    _live_read(
        id="readReviewSnapshot",
        path=f"{_AUTHORIZATION}/review-snapshot",
        summary="Read the snapshot that a reviewer must accept before a handoff.",
        description=_RECORDED,
        permissions=(Permission.AUTHORIZATION_REVIEW,),
        query=queries.OperatorQuery,
        answers={200: messages.Review},
        told="Collate's current snapshot.",
        links={"request": "HandoffOfReview"},
    ),
    _live_read(
        id="readPayerEvidence",
        path=f"{_AUTHORIZATION}/payer-evidence",
        summary="Read the payer's receipt and decision as Collate shows them: the payer's truth.",
        description=f"{_RECORDED} The gateway stores nothing of it.",
        permissions=(Permission.AUTHORIZATION_EVIDENCE,),
        query=queries.OperatorQuery,
        answers={200: messages.PayerEvidence},
        told="What the payer said.",
    ),
    ApiOperation(
        id="streamEvents",
        method="GET",
        path="/v1/events",
        tag="events",
        summary="Stream the events as server-sent events.",
        description="`data` is a CloudEvent in structured mode, `event` is its type. To resume, send the last `id` as "
        "Last-Event-ID. If the gateway ends a stream, its last event `stream.ended` has the reason.",
        permissions=(Permission.AUTHORIZATION_READ,),
        query=queries.EventsQuery,
        headers=("LastEventId", "RequestId"),
        answers={200: None},
        told="The events from now on, or after Last-Event-ID.",
        media_type="text/event-stream",
        problems=_PERMITTED,
    ),
    _document(id="openApi", path="/openapi.json", summary="This document."),
    _document(id="asyncApi", path="/asyncapi.json", summary="The topics and events."),
    _read(
        id="readCommand",
        path="/v1/commands/{commandId}",
        tag="commands",
        summary="The status of a command: your own, or any with authorization:read.",
        permissions=(),
        query=queries.CommandQuery,
        answers={200: reads.CommandStatus},
        links={"grant": "GrantForHandoff", "close": "CloseOfHandoff"},
    ),
    _read(
        id="readAuthorization",
        path=_AUTHORIZATION,
        summary="The status of an authorization.",
        query=queries.Query,
        answers={200: reads.AuthorizationStatus},
    ),
    _read(
        id="readTimeline",
        path=f"{_AUTHORIZATION}/timeline",
        summary="The commands, attempts and events of an authorization, in order.",
        query=queries.TimelineQuery,
        answers={200: reads.Timeline},
    ),
    _read(
        id="listHandoffs",
        path="/v1/handoffs",
        summary="Handoffs in one state, by the time of the opening or the end.",
        query=queries.HandoffsQuery,
        answers={200: reads.HandoffList},
    ),
    _read(
        id="listAuthorizations",
        path="/v1/authorizations",
        summary="The work list: authorizations that need work, the most urgent first unless `order` says another.",
        query=queries.AuthorizationsQuery,
        answers={200: lists.AuthorizationList},
    ),
    _read(
        id="listTroubles",
        path="/v1/troubles",
        summary="The handoffs of one person that need them first: at risk, ended without a report, or contradicted.",
        query=queries.TroublesQuery,
        answers={200: lists.TroubleList},
        problems=(*_READ, 422),
    ),
    _read(
        id="findIds",
        path="/v1/ids",
        summary="The ids of authorizations and commands that begin with a text.",
        query=queries.IdsQuery,
        answers={200: lists.IdsFound},
    ),
    _read(
        id="readOverview",
        path="/v1/overview",
        tag="operators",
        summary="The state of the whole gateway.",
        query=queries.OverviewQuery,
        answers={200: reads.Overview},
    ),
    _decision(
        id="emptyRecentCommands",
        path=f"{_AUTHORIZATION}/recent-commands/empty",
        summary="Let the gateway forget recent commands, so that a caller's new commands have room.",
        description="A repeat of a forgotten command is a new command: it may take effect a second time. "
        + _SAME_DECISION,
        body=operator_decisions.RecentCommandsDecision,
        answers={202: operator_decisions.RecentCommandsAccepted},
        told="The decision is accepted; `authorization.recent_commands_emptied` follows.",
    ),
    _decision(
        id="lowerVersionFloor",
        path=f"{_AUTHORIZATION}/version-floor/lower",
        summary="Let the gateway accept lower versions, after Collate was restored from a backup.",
        description="The gateway follows what Collate shows now: an authorization that had settled is watched again, "
        f"and a handoff that Collate no longer knows has ended. {_SAME_DECISION}",
        body=operator_decisions.VersionFloorDecision,
        answers={202: operator_decisions.VersionFloorAccepted},
        told="The decision is accepted; `authorization.version_floor_lowered` follows.",
    ),
    ApiOperation(
        id="readMe",
        method="GET",
        path="/v1/me",
        tag="caller",
        summary="Who you are, and what you may do.",
        description="Needs no permission. For people, the names in their requests come from their token: `operator`, "
        "`requestedBy`, `acceptedBy` and `reportedBy` may be left out.",
        query=queries.Query,
        headers=("RequestId",),
        answers={200: me.Me},
        told="The caller.",
        problems=_CALLER,
    ),
    _dead_letter(
        id="listDeadLetters",
        path="/v1/dead-letters",
        summary="Commands that wait for an operator, oldest first.",
        query=queries.DeadLettersQuery,
        answers={200: dead_letters.DeadLetterList},
    ),
    _dead_letter_decision(
        id="decideDeadLetters",
        path="/v1/dead-letters/decisions",
        summary="Redrive or discard all dead letters that match, in steps of at most 20.",
        description="409 if the matching dead letters are not those of `count` and `digest`: nothing was decided. "
        "Send the next request with `remaining`, `digest` and `next` of the response.",
        headers=(),
        body=dead_letters.DeadLetterDecisions,
        answers={200: dead_letters.DeadLettersDecided},
        told="What was decided, and what remains.",
    ),
    _dead_letter(
        id="readDeadLetter",
        path=_DEAD_LETTER,
        summary="All public fields of a dead letter.",
        answers={200: dead_letters.DeadLetterDetail},
    ),
    _dead_letter(
        id="readDeadLetterOriginal",
        path=f"{_DEAD_LETTER}/original",
        summary="The original data, with PHI. The read is on record before the response leaves.",
        description="A service must send `operator`.",
        query=queries.OperatorQuery,
        answers={200: dead_letters.DeadLetterOriginal},
    ),
    _dead_letter(
        id="readDeadLetterSituation",
        path=f"{_DEAD_LETTER}/situation",
        summary="The current state of its authorization at Collate.",
        answers={200: dead_letters.DeadLetterSituation},
        problems=_LIVE,
    ),
    _dead_letter_decision(
        id="redriveDeadLetter",
        path=f"{_DEAD_LETTER}/redrive",
        summary="Retry the command with its recorded writes.",
        description=f"It ends with one more `command.finished`, or as a dead letter again. {_IF_LOST}",
    ),
    _dead_letter_decision(
        id="discardDeadLetter",
        path=f"{_DEAD_LETTER}/discard",
        summary="Discard the command.",
        description=f"It ends with `command.finished`, outcome discarded. {_IF_LOST}",
    ),
)
"""Each operation once. Their order is that of the paths in openapi.json."""

"""The operations of the HTTP API, each declared once. The routes of the ingress and openapi.json are made from them."""

from collections.abc import Mapping
from typing import Final

from schemas.api.dead_letters import (
    DeadLetterDecision,
    DeadLetterDecisions,
    DeadLetterDetail,
    DeadLetterList,
    DeadLetterOriginal,
    DeadLettersDecided,
    DeadLetterSituation,
)
from schemas.api.lists import AuthorizationList, CommandList
from schemas.api.me import Me
from schemas.api.messages import (
    AccessGrantBody,
    AccessGranted,
    AccessProblemDetails,
    BatchedCommands,
    CommandAccepted,
    CommandOutcome,
    PayerEvidence,
    ReleaseAccepted,
    ReleaseBody,
    Review,
)
from schemas.api.operation import ApiOperation
from schemas.api.operator_decisions import (
    RecentCommandsAccepted,
    RecentCommandsDecision,
    VersionFloorAccepted,
    VersionFloorDecision,
)
from schemas.api.queries import (
    AuthorizationsQuery,
    CommandQuery,
    CommandsQuery,
    DeadLettersQuery,
    EventsQuery,
    HandoffQuery,
    HandoffsQuery,
    OperatorQuery,
    OverviewQuery,
    Query,
    TimelineQuery,
)
from schemas.api.reads import AuthorizationStatus, CommandStatus, HandoffList, Overview, Timeline
from schemas.api.situations import LiveHandoff
from schemas.commands import AuthorizationWatch, HandoffCloseBody, HandoffRequest
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

_COMMAND_ANSWERS: Final[Mapping[int, type[Model]]] = {200: CommandOutcome, 202: CommandAccepted}


def _command(operation: str, path: str, permission: Permission, summary: str, body: type[Model]) -> ApiOperation:
    return ApiOperation(
        id=operation,
        method="POST",
        path=path,
        tag="commands",
        summary=summary,
        description="A retry with the same Idempotency-Key is the same command, at any replica.",
        permissions=(permission,),
        headers=("IdempotencyKey", "Prefer", "RequestId"),
        body=body,
        is_body_required=body is HandoffCloseBody,
        answers=_COMMAND_ANSWERS,
        problems=_BODY,
    )


def _read(
    operation: str,
    path: str,
    summary: str,
    answer: type[Model],
    query: type[Query],
    *,
    tag: str = "authorizations",
    permissions: tuple[Permission, ...] = (Permission.AUTHORIZATION_READ,),
    links: Mapping[str, str] | None = None,
) -> ApiOperation:
    return ApiOperation(
        id=operation,
        method="GET",
        path=path,
        tag=tag,
        summary=summary,
        description="503 while the read model is not available, 404 without a read model. Neither affects commands.",
        permissions=permissions,
        query=query,
        headers=("IfNoneMatch",),
        answers={200: answer},
        has_etag=True,
        links=links or {},
        problems=_READ,
    )


def _live_read(
    operation: str,
    path: str,
    permission: Permission,
    query: type[Query],
    answer: type[Model],
    *,
    summary: str,
    description: str,
    told: str,
    links: Mapping[str, str] | None = None,
) -> ApiOperation:
    return ApiOperation(
        id=operation,
        method="GET",
        path=path,
        tag="sessions",
        summary=summary,
        description=description,
        permissions=(permission,),
        query=query,
        headers=("RequestId",),
        answers={200: answer},
        told=told,
        links=links or {},
        problems=_LIVE,
    )


def _operator_decision(
    operation: str, path: str, models: tuple[type[Model], type[Model], str], summary: str, effect: str
) -> ApiOperation:
    body, accepted, event = models
    return ApiOperation(
        id=operation,
        method="POST",
        path=f"{_AUTHORIZATION}/{path}",
        tag="operators",
        summary=summary,
        description=f"{effect} A retry with the same Idempotency-Key is the same decision.",
        permissions=(Permission.OPERATE,),
        query=Query,
        headers=("IdempotencyKey", "RequestId"),
        body=body,
        answers={202: accepted},
        told=f"The decision is accepted; `{event}` follows.",
        problems=(*_BODY, 404),
    )


def _dead_letter(
    operation: str,
    path: str,
    summary: str,
    answer: type[Model],
    *,
    query: type[Query] = Query,
    description: str = "",
    problems: tuple[int, ...] = (*_READ, 422),
) -> ApiOperation:
    return ApiOperation(
        id=operation,
        method="GET",
        path=path,
        tag="dead-letters",
        summary=summary,
        description=description,
        permissions=(Permission.OPERATE,),
        query=query,
        answers={200: answer},
        problems=problems,
    )


def _dead_letter_decision(operation: str, path: str, summary: str, effect: str) -> ApiOperation:
    return ApiOperation(
        id=operation,
        method="POST",
        path=path,
        tag="dead-letters",
        summary=summary,
        description=f"{effect} If the response is lost, send the request again: the dead letter's `redrive` makes it "
        "the same request, at any replica.",
        permissions=(Permission.OPERATE,),
        query=Query,
        headers=("Prefer",),
        body=DeadLetterDecision,
        answers=_COMMAND_ANSWERS,
        problems=(*_BODY, 404, 409),
    )


def _document(operation: str, path: str, summary: str) -> ApiOperation:
    return ApiOperation(
        id=operation,
        method="GET",
        path=path,
        tag="documents",
        summary=summary,
        is_public=True,
        answers={200: None},
        problems=_PUBLIC,
    )


OPERATIONS: Final = (
    _command(
        "requestHandoff",
        f"{_AUTHORIZATION}/handoffs",
        Permission.HANDOFF_REQUEST,
        "Request a manual handoff.",
        HandoffRequest,
    ),
    _command(
        "closeHandoff",
        f"{_HANDOFF}/close",
        Permission.HANDOFF_CLOSE,
        "Close a handoff with the operator's report.",
        HandoffCloseBody,
    ),
    _command(
        "watchAuthorization",
        f"{_AUTHORIZATION}/watch",
        Permission.AUTHORIZATION_WATCH,
        "Watch an authorization until it settles.",
        AuthorizationWatch,
    ),
    ApiOperation(
        id="sendCommand",
        method="POST",
        path="/v1/commands",
        tag="commands",
        summary="Send any command as a CloudEvent 1.0.",
        description="This describes structured mode. Binary mode is accepted too: the data as application/json, the "
        "attributes as `ce-` headers; its responses are those of structured mode. `source` and `id` are the "
        "idempotency key; `subject` is the authorization's id. Structured mode may be signed instead of carrying an "
        "API key or a token: see `signature`. A batch has at most 100 events and 512 KiB, and gets 207 with a result "
        "for each event, unless the whole body is rejected. Each event is a command of its own, needs its own "
        "permission and counts as a request of the caller's rate. Events of one authorization are stored in their "
        "order. After a failure send the whole batch or the events without 202 again: repeats are the same commands. "
        "`Prefer: wait` has no effect on a batch.",
        permissions=tuple(COMMAND_PERMISSIONS.values()),
        headers=("Prefer", "RequestId"),
        answers={**_COMMAND_ANSWERS, 207: BatchedCommands},
        problems=_BODY,
    ),
    _read(
        "listCommands",
        "/v1/commands",
        "Commands by acceptance: your own, or all with authorization:read.",
        CommandList,
        CommandsQuery,
        tag="commands",
        permissions=(),
    ),
    _live_read(
        "readHandoff",
        _HANDOFF,
        Permission.HANDOFF_GRANT,
        HandoffQuery,
        LiveHandoff,
        summary="Read an authorization and its handoff from Collate now; `active` means the running handoff.",
        description="It needs no read model. All viewers share one read for 5 s; `at` says when. A read of a handoff "
        "is on record before the response leaves: `authorization.content_read`.",
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
        "`takeOver: true`. `claimCheck: required`: 503 `claim-unknown` if claims are unknown. Keep the link in memory "
        "only, and drop it at the event `handoff.closed`: no operator may work in the session after that. "
        "`handoff.at_risk` with `grant_expiring` says when a new link is needed.",
        permissions=(Permission.HANDOFF_GRANT,),
        headers=("OptionalIdempotencyKey", "RequestId"),
        body=AccessGrantBody,
        answers={201: AccessGranted, 409: AccessProblemDetails},
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
        query=Query,
        headers=("RequestId",),
        body=ReleaseBody,
        is_body_required=False,
        answers={202: ReleaseAccepted},
        told="The release is recorded.",
        problems=_BODY,
    ),
    _live_read(
        "readReviewSnapshot",
        f"{_AUTHORIZATION}/review-snapshot",
        Permission.AUTHORIZATION_REVIEW,
        OperatorQuery,
        Review,
        summary="Read the snapshot that a reviewer must accept before a handoff.",
        description="The read is on record before the response leaves: `authorization.content_read`.",
        told="Collate's current snapshot.",
        links={"request": "HandoffOfReview"},
    ),
    _live_read(
        "readPayerEvidence",
        f"{_AUTHORIZATION}/payer-evidence",
        Permission.AUTHORIZATION_EVIDENCE,
        OperatorQuery,
        PayerEvidence,
        summary="Read the payer's receipt and decision as Collate shows them: the payer's truth.",
        description="The read is on record before the response leaves: `authorization.content_read`. The gateway "
        "stores nothing of it.",
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
        query=EventsQuery,
        headers=("LastEventId", "RequestId"),
        answers={200: None},
        told="The events from now on, or after Last-Event-ID.",
        media_type="text/event-stream",
        problems=_PERMITTED,
    ),
    _document("openApi", "/openapi.json", "This document."),
    _document("asyncApi", "/asyncapi.json", "The topics and events."),
    _read(
        "readCommand",
        "/v1/commands/{commandId}",
        "The status of a command: your own, or any with authorization:read.",
        CommandStatus,
        CommandQuery,
        tag="commands",
        permissions=(),
        links={"grant": "GrantForHandoff", "close": "CloseOfHandoff"},
    ),
    _read("readAuthorization", _AUTHORIZATION, "The status of an authorization.", AuthorizationStatus, Query),
    _read(
        "readTimeline",
        f"{_AUTHORIZATION}/timeline",
        "The commands, attempts and events of an authorization, in order.",
        Timeline,
        TimelineQuery,
    ),
    _read(
        "listHandoffs",
        "/v1/handoffs",
        "Handoffs in one state, by the time of the opening or the end.",
        HandoffList,
        HandoffsQuery,
    ),
    _read(
        "listAuthorizations",
        "/v1/authorizations",
        "The work list: authorizations that need work, the longest wait first.",
        AuthorizationList,
        AuthorizationsQuery,
    ),
    _read("readOverview", "/v1/overview", "The state of the whole gateway.", Overview, OverviewQuery, tag="operators"),
    _operator_decision(
        "emptyRecentCommands",
        "recent-commands/empty",
        (RecentCommandsDecision, RecentCommandsAccepted, "authorization.recent_commands_emptied"),
        "Let the gateway forget recent commands, so that a caller's new commands have room.",
        "A repeat of a forgotten command is a new command: it may take effect a second time.",
    ),
    _operator_decision(
        "lowerVersionFloor",
        "version-floor/lower",
        (VersionFloorDecision, VersionFloorAccepted, "authorization.version_floor_lowered"),
        "Let the gateway accept lower versions, after Collate was restored from a backup.",
        "The gateway follows what Collate shows now: an authorization that had settled is watched again, and a handoff "
        "that Collate no longer knows has ended.",
    ),
    ApiOperation(
        id="readMe",
        method="GET",
        path="/v1/me",
        tag="caller",
        summary="Who you are, and what you may do.",
        description="Needs no permission. For people, the names in their requests come from their token: `operator`, "
        "`requestedBy`, `acceptedBy` and `reportedBy` may be left out.",
        query=Query,
        headers=("RequestId",),
        answers={200: Me},
        told="The caller.",
        problems=_CALLER,
    ),
    _dead_letter(
        "listDeadLetters",
        "/v1/dead-letters",
        "Commands that wait for an operator, oldest first.",
        DeadLetterList,
        query=DeadLettersQuery,
    ),
    ApiOperation(
        id="decideDeadLetters",
        method="POST",
        path="/v1/dead-letters/decisions",
        tag="dead-letters",
        summary="Redrive or discard all dead letters that match, in steps of at most 20.",
        description="409 if the matching dead letters are not those of `count` and `digest`: nothing was decided. "
        "Send the next request with `remaining`, `digest` and `next` of the response.",
        permissions=(Permission.OPERATE,),
        query=Query,
        body=DeadLetterDecisions,
        answers={200: DeadLettersDecided},
        told="What was decided, and what remains.",
        problems=(*_BODY, 404, 409),
    ),
    _dead_letter("readDeadLetter", _DEAD_LETTER, "All public fields of a dead letter.", DeadLetterDetail),
    _dead_letter(
        "readDeadLetterOriginal",
        f"{_DEAD_LETTER}/original",
        "The original data, with PHI. The read is on record before the response leaves.",
        DeadLetterOriginal,
        query=OperatorQuery,
        description="A service must send `operator`.",
    ),
    _dead_letter(
        "readDeadLetterSituation",
        f"{_DEAD_LETTER}/situation",
        "The current state of its authorization at Collate.",
        DeadLetterSituation,
        problems=_LIVE,
    ),
    _dead_letter_decision(
        "redriveDeadLetter",
        f"{_DEAD_LETTER}/redrive",
        "Retry the command with its recorded writes.",
        "It ends with one more `command.finished`, or as a dead letter again.",
    ),
    _dead_letter_decision(
        "discardDeadLetter",
        f"{_DEAD_LETTER}/discard",
        "Discard the command.",
        "It ends with `command.finished`, outcome discarded.",
    ),
)
"""Each operation once. Their order is that of the paths in openapi.json."""

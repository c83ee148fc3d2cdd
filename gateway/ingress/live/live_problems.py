"""The problem for each result of a live call, so that the caller's UI can act on it. Pure.

    Deferred · NotSent                         503 collate-unavailable, with Retry-After
    Ambiguous   no response, 5xx               503 collate-unavailable
                a response not from Collate    502 collate-broken
    Refused     a fault of ours (key, 400)     503 collate-unavailable · 502 collate-broken
                not found                      404 authorization-not-found · handoff-not-found
                a later retry                  503 collate-unavailable, with Retry-After
                the state of the handoff       409 access-unavailable
                anything else                  409 collate-refused

`reason` is the stable reason of the error router, and `detail` is its advice. Collate's message is dropped: it may
quote people.
"""

from typing import Final, assert_never

from adapters.collate.answers import Ambiguous, Deferred, NotSent, Refused
from adapters.collate.errors import Disposition, route
from adapters.collate.operations import Operation
from adapters.http_connection.cause import Cause
from gateway.ingress.api_http.api_problems import (
    AccessUnavailable,
    AuthorizationNotFound,
    ClaimUnknown,
    CollateFailed,
    CollateRefused,
    CollateUnavailable,
    HandoffNotFound,
    HandoffNotOpen,
    OpenedByAnother,
    OpenerNotKnown,
)
from gateway.ingress.commands.claims import already_claimed
from gateway.ingress.live.outcomes import (
    ClaimCheckFailed,
    ClaimedByAnother,
    FailedCheck,
    NoAccess,
    NotOpen,
    NotTheOpener,
    OpenerUnknown,
    UpstreamError,
)
from runtime.http_server.problem import Problem

Members = dict[str, str | bool | int]
_RETRY_SECONDS: Final = 2.0
_NOT_FROM_COLLATE: Final = frozenset(
    {Cause.REDIRECT, Cause.UNTYPED, Cause.UNREADABLE, Cause.MALFORMED, Cause.TOO_LARGE, Cause.TRUNCATED}
)
_ADVICE: Final = {
    NoAccess.NO_ACTIVE_HANDOFF: "No handoff is active. Request one if the authorization still requires it.",
    NoAccess.HANDOFF_NOT_ACTIVE_YET: "The handoff is offered and not active yet. Retry in a few seconds.",
    NoAccess.HANDOFF_CLOSING: "The handoff is closing, so access is no longer available.",
    NoAccess.HANDOFF_CLOSED: "The handoff is closed. Request another one if the authorization still requires it.",
    NoAccess.ACCESS_NOT_AVAILABLE: "Collate offers no access to this session now. Retry in a few seconds, or "
    "close the handoff as unable_to_complete.",
    NoAccess.GRANTS_TOO_SHORT: "Every link from Collate was about to expire. Retry with a new Idempotency-Key.",
}
_ENDED: Final = frozenset({NoAccess.NO_ACTIVE_HANDOFF, NoAccess.HANDOFF_CLOSING, NoAccess.HANDOFF_CLOSED})


def problem_of_not_open(not_open: NotOpen) -> Problem:
    """Return the 409 with the reason why access is not available."""
    members: Members = {"reason": str(not_open.reason)}
    if not_open.handoff_id is not None:
        members["handoffId"] = not_open.handoff_id
    if not_open.result is not None:
        members["result"] = not_open.result
    if not_open.message is not None:
        members["message"] = not_open.message
    kind = HandoffNotOpen if not_open.reason in _ENDED else AccessUnavailable
    return kind(_ADVICE[not_open.reason], members=members)


def problem_of_check(failed: FailedCheck) -> Problem:
    """Return the problem of a claim or an opener that stops a grant. No link was made."""
    match failed:
        case ClaimedByAnother(handoff_id=handoff_id, claim=claim):
            detail = "Ask them to release it, or send `takeOver: true` to take it over."
            return already_claimed(f"Another person has the handoff in hand. {detail}", handoff_id, claim)
        case ClaimCheckFailed():
            return ClaimUnknown(
                "No link was made. Ask your team who has the handoff in hand, then send the request without "
                "`claimCheck`. Or try again in a few seconds.",
                retry_after_seconds=_RETRY_SECONDS,
            )
        case NotTheOpener():
            return OpenedByAnother(
                "Nothing was done. This caller gets links into, and messages of, only the handoffs that it opened. Let "
                "the caller that opened the handoff, or a person, ask. A read with `message=omit` needs no opener."
            )
        case OpenerUnknown():
            return OpenerNotKnown(
                "Nothing was done, because the read model does not show the caller that opened the handoff, or the "
                "handoff has closed. Please try again in a few seconds, or read it with `message=omit`.",
                retry_after_seconds=_RETRY_SECONDS,
            )
        case _:
            assert_never(failed)


def problem_of(error: UpstreamError) -> Problem:
    """Return the problem of a call to Collate without a 2xx response."""
    answer = error.answer
    match answer:
        case Deferred():
            return CollateUnavailable(
                "Calls to Collate are deferred for a moment. Please try again later.",
                retry_after_seconds=max(1.0, answer.wait_seconds),
                members={"reason": str(answer.reason)},
            )
        case NotSent():
            return CollateUnavailable(
                "Collate could not be reached. Please try again in a few seconds.",
                retry_after_seconds=_RETRY_SECONDS,
                members={"reason": "not_sent"},
            )
        case Ambiguous():
            return _ambiguous(answer)
        case Refused():
            return _refused(error.operation, answer)
        case _:
            assert_never(answer)


def _ambiguous(answer: Ambiguous) -> Problem:
    members = _members("ambiguous", answer.request_id)
    if answer.cause in _NOT_FROM_COLLATE:
        return CollateFailed(
            "Collate's response could not be read. Retry; if it fails again, report the requestId to the operators.",
            members=members,
        )
    return CollateUnavailable(
        "Collate sent no response. Please try again later.",
        retry_after_seconds=answer.retry_after_seconds or _RETRY_SECONDS,
        members=members,
    )


def _refused(operation: Operation, answer: Refused) -> Problem:
    ruling = route(operation, answer)
    members = _members(ruling.reason, answer.request_id)
    if answer.details_reason is not None:
        members["detailsReason"] = answer.details_reason
    match ruling.reason:
        case "authorization_not_found":
            return AuthorizationNotFound(ruling.advice, members=members)
        case "not_found":
            kind = AuthorizationNotFound if operation is Operation.GET_AUTHORIZATION else HandoffNotFound
            return kind(ruling.advice, members=members)
        case "credentials" | "rate_limited" | "collate_says_retry":
            return CollateUnavailable(
                "Collate does not accept calls of the gateway now. Please try again later.",
                retry_after_seconds=ruling.wait_seconds or _RETRY_SECONDS,
                members=members,
            )
        case "request_refused" | "unexpected_code":
            return CollateFailed(
                "Collate refused the request because of a fault in the gateway. Report the requestId to the operators.",
                members=members,
            )
    if operation is Operation.MINT_GRANT and ruling.disposition in {Disposition.REREAD, Disposition.MINT_AGAIN}:
        return AccessUnavailable(ruling.advice, members=members)
    return CollateRefused(ruling.advice, members=members)


def _members(reason: str, request_id: str | None) -> Members:
    members: Members = {"reason": reason}
    if request_id is not None:
        members["collateRequestId"] = request_id
    return members

"""What Collate answered to a live call, as the problem that the caller's UI can act on. Pure.

    Held · NotSent                         503 collate-unavailable, with Retry-After
    Ambiguous   no answer, 5xx             503 collate-unavailable
                not Collate's words        502 collate-broken
    Refused     ours to fix (key, 400)     503 collate-unavailable · 502 collate-broken
                not found                  404 authorization-not-found · handoff-not-found
                asks for patience          503 collate-unavailable, with Retry-After
                state of the handoff       409 access-unavailable
                anything else              409 collate-refused

`reason` is the error router's stable word, `detail` its advice. Collate's message may quote people and is dropped.
"""

import time
from typing import Final, assert_never

from adapters.collate.answers import Ambiguous, Cause, Deferred, NotSent, Refused
from adapters.collate.errors import Disposition, route
from adapters.collate.operations import Operation
from gateway.ingress.http.problem import Problem
from gateway.ingress.http.problems import (
    AccessUnavailable,
    AuthorizationNotFound,
    CollateFailed,
    CollateRefused,
    CollateUnavailable,
    HandoffNotFound,
    HandoffNotOpen,
)
from gateway.ingress.live.outcomes import NotOpen, Unavailable, UpstreamError

Members = dict[str, str | bool | int]
_SOON_SECONDS: Final = 2.0
_NOT_COLLATES_WORDS: Final = frozenset(
    {Cause.REDIRECT, Cause.UNTYPED, Cause.UNREADABLE, Cause.MALFORMED, Cause.TOO_LARGE, Cause.TRUNCATED}
)
_ADVICE: Final = {
    Unavailable.NO_ACTIVE_HANDOFF: "No handoff is running. Request one, if the authorization still asks for it.",
    Unavailable.HANDOFF_NOT_ACTIVE_YET: "The handoff is offered and not active yet. Ask again in a few seconds.",
    Unavailable.HANDOFF_CLOSING: "The handoff is being closed and can't be entered any more.",
    Unavailable.HANDOFF_CLOSED: "The handoff has ended. Request another one, if the authorization still asks for it.",
    Unavailable.ACCESS_NOT_AVAILABLE: "Collate offers no access to this session now. Retry in a few seconds, or "
    "close the handoff as unable_to_complete.",
    Unavailable.GRANTS_TOO_SHORT: "Every link from Collate was about to expire. Retry with a new Idempotency-Key.",
}
_ENDED: Final = frozenset({Unavailable.NO_ACTIVE_HANDOFF, Unavailable.HANDOFF_CLOSING, Unavailable.HANDOFF_CLOSED})


def problem_of_not_open(shut: NotOpen) -> Problem:
    """Return the 409 that says why a handoff can't be entered."""
    members: Members = {"reason": str(shut.reason)}
    if shut.handoff_id is not None:
        members["handoffId"] = shut.handoff_id
    if shut.result is not None:
        members["result"] = shut.result
    kind = HandoffNotOpen if shut.reason in _ENDED else AccessUnavailable
    return kind(_ADVICE[shut.reason], members=members)


def problem_of(declined: UpstreamError) -> Problem:
    """Return the problem of a call to Collate that was no 2xx."""
    answer = declined.answer
    match answer:
        case Deferred():
            return CollateUnavailable(
                "Calls to Collate are held back for a moment. Ask again, after Retry-After.",
                retry_after_seconds=max(1.0, answer.until - time.time()),
                members={"reason": str(answer.reason)},
            )
        case NotSent():
            return CollateUnavailable(
                "Collate could not be reached. Ask again, after Retry-After.",
                retry_after_seconds=_SOON_SECONDS,
                members={"reason": "not_sent"},
            )
        case Ambiguous():
            return _ambiguous(answer)
        case Refused():
            return _refused(declined.operation, answer)
        case _:
            assert_never(answer)


def _ambiguous(answer: Ambiguous) -> Problem:
    members = _members("ambiguous", answer.request_id)
    if answer.cause in _NOT_COLLATES_WORDS:
        return CollateFailed("Collate's answer could not be read. Ask again; tell us if it stays so.", members=members)
    return CollateUnavailable(
        "Collate gave no answer. Ask again, after Retry-After.",
        retry_after_seconds=answer.retry_after_seconds or _SOON_SECONDS,
        members=members,
    )


def _refused(operation: Operation, answer: Refused) -> Problem:
    todo = route(operation, answer)
    members = _members(todo.reason, answer.request_id)
    if answer.details_reason is not None:
        members["detailsReason"] = answer.details_reason
    match todo.reason:
        case "authorization_not_found":
            return AuthorizationNotFound(todo.advice, members=members)
        case "not_found":
            kind = AuthorizationNotFound if operation is Operation.GET_AUTHORIZATION else HandoffNotFound
            return kind(todo.advice, members=members)
        case "credentials" | "rate_limited" | "collate_says_retry":
            return CollateUnavailable(
                "Collate does not serve us now. Ask again, after Retry-After.",
                retry_after_seconds=todo.wait_seconds or _SOON_SECONDS,
                members=members,
            )
        case "request_refused" | "unexpected_code":
            return CollateFailed(
                "Collate refused our request for a reason that you can't mend. Tell us the requestId.", members=members
            )
    if operation is Operation.MINT_GRANT and todo.disposition in {Disposition.REREAD, Disposition.MINT_ANEW}:
        return AccessUnavailable(todo.advice, members=members)
    return CollateRefused(todo.advice, members=members)


def _members(reason: str, request_id: str | None) -> Members:
    members: Members = {"reason": reason}
    if request_id is not None:
        members["collateRequestId"] = request_id
    return members

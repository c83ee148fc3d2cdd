"""The error router: the next step after each result that is not a 2xx. Pure; docs/collate-errors.md is made from it.

    Refused    -> by error.code (RULES: every code of docs/collate-contract.md §7; the set is open)
               -> else by `retryable` and status (DEFAULTS)
    Ambiguous, NotSent, Deferred -> the same request again, later

A refusal is certain only for its own attempt. After an ambiguous attempt of the same write, the refusal may be caused
by that attempt's effect. A reject or dead letter then becomes a reread.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from adapters.collate.answers import Ambiguous, CallFailure, Deferred, NotSent, Refused
from adapters.collate.operations import Operation


class Disposition(StrEnum):
    """What to do next."""

    REJECT = "reject"
    """The command is rejected finally; the caller can act on the advice."""
    DEAD_LETTER = "dead_letter"
    """Neither the caller nor time can fix the cause: an operator must decide."""
    REREAD = "reread"
    """Nothing was done: read the authorization (and handoff) and decide again; a further write takes the next n."""
    RESEND = "resend"
    """Send the identical request later: same key, same If-Match, same bytes."""
    SUSPEND = "suspend"
    """The command is valid: send the identical request when the budget allows it."""
    MINT_AGAIN = "mint_again"
    """The gateway mints no other grant by itself: the caller requests a new one, under a new key."""


@dataclass(frozen=True, slots=True)
class Route:
    """A disposition, its stable reason and one sentence of advice. `wait_seconds` comes from Retry-After."""

    disposition: Disposition
    reason: str
    advice: str
    wait_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """The meaning of a code. `statuses` are its documented ones; `on` has operations with another disposition."""

    code: str
    statuses: tuple[int, ...]
    disposition: Disposition
    reason: str
    advice: str
    on: Mapping[Operation, Disposition] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Default:
    """The meaning of a status with an unknown code, for a write and for a read."""

    statuses: tuple[int, ...]
    write: Disposition
    read: Disposition
    reason: str
    advice: str


_NOT_OURS: Final = (
    "Collate responded with a code of an endpoint that the gateway does not call; compare versions with Collate."
)
_ASK_STATE: Final = "Read the authorization's status and next action; repeat the command only if they still require it."

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "bad_request", (400,), Disposition.DEAD_LETTER, "request_refused",
        "Collate could not read the gateway's request, usually its If-Match; report it with the request id.",
    ),
    Rule(
        "final_submission_policy_required", (400,), Disposition.DEAD_LETTER, "unexpected_code", _NOT_OURS,
    ),
    Rule(
        "unauthorized", (401,), Disposition.SUSPEND, "credentials",
        "Collate refuses the API key; put the environment's current key into the key file. No restart is needed.",
    ),
    Rule(
        "forbidden", (403,), Disposition.REJECT, "forbidden",
        "The API key has no permission for this action on this authorization; ask Collate for access.",
    ),
    Rule(
        "insufficient_permissions", (403,), Disposition.REJECT, "forbidden",
        "The API key lacks a permission for this authorization; ask Collate for access.",
    ),
    Rule(
        "prior_authorization_not_found", (404,), Disposition.REJECT, "authorization_not_found",
        "Check the authorization id and that it belongs to this environment and organization.",
    ),
    Rule(
        "authorization_not_found", (404,), Disposition.REJECT, "authorization_not_found",
        "Check the authorization id and that it belongs to this environment and organization.",
    ),
    Rule("provider_not_found", (404,), Disposition.DEAD_LETTER, "unexpected_code", _NOT_OURS),
    Rule("payer_not_found", (404,), Disposition.DEAD_LETTER, "unexpected_code", _NOT_OURS),
    Rule("file_not_found", (404,), Disposition.DEAD_LETTER, "unexpected_code", _NOT_OURS),
    Rule(
        "access_grant_expired", (404,), Disposition.MINT_AGAIN, "grant_expired",
        "Request a new grant, with a new Idempotency-Key.",
        on={op: Disposition.REREAD for op in Operation if op is not Operation.MINT_GRANT},
    ),
    Rule(
        "access_grant_revoked", (404,), Disposition.REREAD, "grant_revoked",
        "Read the handoff again before you request another grant.",
    ),
    Rule(
        "channel_session_lost", (404,), Disposition.REREAD, "session_lost",
        "The payer session is lost; read the authorization to see its state at Collate.",
    ),
    Rule("unsupported_route", (409,), Disposition.DEAD_LETTER, "unexpected_code", _NOT_OURS),
    Rule("provider_access_not_configured", (409,), Disposition.DEAD_LETTER, "unexpected_code", _NOT_OURS),
    Rule(
        "idempotency_key_reused", (409,), Disposition.REREAD, "key_reused",
        "Collate knows the key with another request; check whether that request had an effect before using a new key.",
    ),
    Rule(
        "version_conflict", (409,), Disposition.REREAD, "version_conflict",
        "The authorization has changed; read it again and repeat the command only if it is still required.",
    ),
    Rule("prior_authorization_not_mutable", (409,), Disposition.REREAD, "not_mutable", _ASK_STATE),
    Rule("authorization_not_mutable", (409,), Disposition.REREAD, "not_mutable", _ASK_STATE),
    Rule("prior_authorization_not_actionable", (409,), Disposition.REREAD, "not_actionable", _ASK_STATE),
    Rule("authorization_not_confirmable", (409,), Disposition.REREAD, "not_actionable", _ASK_STATE),
    Rule(
        "requirements_not_satisfied", (409,), Disposition.REJECT, "requirements_not_satisfied",
        "Resolve the authorization's open requirements, then repeat the command.",
    ),
    Rule(
        "review_stale", (409,), Disposition.REJECT, "review_stale",
        "Show the current review snapshot, let the reviewer accept it, and repeat the command with its id.",
    ),
    Rule(
        "live_session_not_available", (409,), Disposition.REREAD, "session_not_available",
        "There is no session to enter now; details.reason has the cause. Read the handoff before you retry.",
    ),
    Rule("manual_handoff_not_allowed", (409,), Disposition.REREAD, "handoff_not_allowed", _ASK_STATE),
    Rule("file_not_ready", (409,), Disposition.DEAD_LETTER, "unexpected_code", _NOT_OURS),
    Rule("next_action_required", (409,), Disposition.REREAD, "not_actionable", _ASK_STATE),
    Rule("next_action_mismatch", (409,), Disposition.REREAD, "not_actionable", _ASK_STATE),
    Rule("next_action_not_confirmable", (409,), Disposition.REREAD, "not_actionable", _ASK_STATE),
    Rule(
        "validation_failed", (409,), Disposition.DEAD_LETTER, "request_refused",
        "Collate refuses a field of the gateway's request; report it with the request id.",
    ),
    Rule("unsupported_case", (409,), Disposition.DEAD_LETTER, "unexpected_code", _NOT_OURS),
)  # fmt: skip

RETRYABLE: Final = Default((), Disposition.RESEND, Disposition.RESEND, "collate_says_retry", "Collate allows a retry.")
DEFAULTS: Final[tuple[Default, ...]] = (
    Default(
        (401,),
        Disposition.SUSPEND,
        Disposition.SUSPEND,
        "credentials",
        "Collate refuses the API key; put the environment's current key into the key file. No restart is needed.",
    ),
    Default(
        (403,),
        Disposition.REJECT,
        Disposition.REJECT,
        "forbidden",
        "The API key has no permission for this action on this authorization; ask Collate for access.",
    ),
    Default(
        (404, 410),
        Disposition.REREAD,
        Disposition.REJECT,
        "not_found",
        "Check the ids and that they belong to this environment and organization.",
    ),
    Default((408, 425, 429), Disposition.RESEND, Disposition.RESEND, "rate_limited", "Collate limits the call rate.",
    ),
    Default((409, 412, 423), Disposition.REREAD, Disposition.RESEND, "conflict", _ASK_STATE),
)  # fmt: skip
OTHERWISE: Final = Default(
    (), Disposition.DEAD_LETTER, Disposition.DEAD_LETTER, "request_refused",
    "Collate refuses the gateway's request for an unknown reason; report it with its code and request id.",
)  # fmt: skip

UNSENT: Final = Route(Disposition.RESEND, "not_sent", "Collate was not reachable; nothing was sent.")
UNKNOWN: Final = Route(
    Disposition.RESEND, "ambiguous", "Collate gave no definite result; the gateway sends the same request again."
)
SUSPENDED: Final = Route(
    Disposition.SUSPEND,
    "credentials",
    "Collate refuses the API key, or may refuse it; calls resume when the key is valid.",
)
SEE: Final = "An earlier attempt of this write may be the cause; read first."

_BY_CODE: Final = {rule.code: rule for rule in RULES}
_BY_STATUS: Final = {status: default for default in DEFAULTS for status in default.statuses}
_VERDICTS: Final = frozenset({Disposition.REJECT, Disposition.DEAD_LETTER})


def route(operation: Operation, result: CallFailure, *, after_ambiguous: bool = False) -> Route:
    """Return the next step after a result that is not a 2xx.

    `after_ambiguous`: an earlier attempt of the same write ended as Ambiguous, in this process or an earlier one.
    """
    match result:
        case NotSent() | Deferred():
            return UNSENT
        case Ambiguous(retry_after_seconds=wait):
            return replace(UNKNOWN, wait_seconds=wait)
        case Refused(suspended=True):
            return replace(SUSPENDED, wait_seconds=result.retry_after_seconds)
        case Refused(code=code, retry_after_seconds=wait):
            rule = _BY_CODE.get(code) if code else None
            found = _default(operation, result) if rule is None else _ruled(operation, rule)
            disposition = found.disposition
            if result.retryable and disposition in _VERDICTS:
                disposition = Disposition.RESEND if not operation.writes else Disposition.REREAD
            if after_ambiguous and operation.writes and disposition in _VERDICTS:
                return Route(Disposition.REREAD, found.reason, SEE, wait)
            return replace(found, disposition=disposition, wait_seconds=wait)


def _ruled(operation: Operation, rule: Rule) -> Route:
    disposition = rule.on.get(operation, rule.disposition)
    if disposition is Disposition.REREAD and not operation.writes:
        disposition = Disposition.RESEND
    return Route(disposition, rule.reason, rule.advice)


def _default(operation: Operation, refused: Refused) -> Route:
    # A Retry-After implies retryable, unless `retryable: false` says otherwise.
    is_retryable = refused.retryable or (refused.retryable is None and refused.retry_after_seconds is not None)
    default = RETRYABLE if is_retryable else _BY_STATUS.get(refused.status, OTHERWISE)
    if refused.status in {401, 408, 425, 429}:
        default = _BY_STATUS[refused.status]
    return Route(default.write if operation.writes else default.read, default.reason, default.advice)

"""Why a command waits: a closed set, because the values are labels of metrics and events."""

from enum import StrEnum

from consumers.engine import HandlerFailure


class WaitReason(StrEnum):
    """Why a command or an observation of an authorization is retried later."""

    RETRY_AFTER = "retry_after"
    RATE_LIMITED = "rate_limited"
    BREAKER = "breaker"
    BUDGET = "budget"
    CREDENTIALS = "credentials"
    FORBIDDEN = "forbidden"
    STALE_READ = "stale_read"
    CLOSING = "closing"
    OFFERED = "offered"
    UNREADABLE_ANSWER = "unreadable_answer"
    BACKOFF = "backoff"
    HANDLER_FAILED = HandlerFailure.RAISED.value
    STATE_UNREADABLE = "memory_unreadable"

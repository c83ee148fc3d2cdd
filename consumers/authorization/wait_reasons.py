"""Why a command waits. A closed set, so that it can be a metric's label; the engine's own failures are among them."""

from __future__ import annotations

from enum import StrEnum

from consumers.engine import HandlerFailure


class WaitReason(StrEnum):
    """Why a command of an authorization, or an observation of it, is tried again later."""

    RETRY_AFTER = "retry_after"
    RATE_LIMITED = "rate_limited"
    BREAKER = "breaker"
    BUDGET = "budget"
    CREDENTIALS = "credentials"
    FORBIDDEN = "forbidden"
    STALE_READ = "stale_read"
    CLOSING = "closing"
    BACKOFF = "backoff"
    HANDLER_FAILED = HandlerFailure.RAISED.value
    MEMORY_UNREADABLE = "memory_unreadable"

"""Why a command waits: a closed set, because the values are labels of metrics and events."""

from enum import StrEnum
from typing import Final

from consumers.engine import HandlerFailure

# How long a read that contradicts the state counts as the read of a lagging replica. Later it counts as the truth.
STALE_READ_SECONDS: Final = 60.0
# How long a close waits for Collate to activate a handoff. Then the close is sent: a handoff may stay offered until a
# person accepts it, and a key waits for no person.
OFFERED_SECONDS: Final = 600.0


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

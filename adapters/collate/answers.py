"""What a call to Collate returns. A value, always: nothing that Collate or the network does is an exception.

    Answered    2xx whose body is what it should be
    Refused     4xx with Collate's own error body: a definite answer, nothing was done
    Ambiguous   something was sent and no definite answer came (5xx, typed or not; cut short; not Collate's words)
    NotSent     not a byte of the request left this machine
    Held        not even tried: the call budget asks to come back later

A read has no effect, so an `Ambiguous` read is just one to repeat. A write that is `Ambiguous` may have been done.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

Model = TypeVar("Model")
Model_co = TypeVar("Model_co", covariant=True)


class Cause(StrEnum):
    """Why there is no definite answer. A closed set, fit for a metric's label."""

    # Before anything was sent:
    DNS = "dns"
    REFUSED = "connect_refused"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS = "tls"
    PROXY_UNREACHABLE = "proxy_unreachable"
    PROXY_TIMEOUT = "proxy_timeout"
    PROXY_CREDENTIALS = "proxy_credentials"
    PROXY_REFUSED = "proxy_refused"
    PROXY_FAILED = "proxy_failed"
    # After something may have been sent:
    WRITE_TIMEOUT = "write_timeout"
    READ_TIMEOUT = "read_timeout"
    RESET = "reset"
    CLOSED = "closed"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    # An answer came, but not one of Collate's:
    SERVER_ERROR = "server_error"
    REDIRECT = "redirect"
    UNTYPED = "untyped"
    UNREADABLE = "unreadable"
    MISMATCHED = "mismatched"
    # The call's own time ran out, before or after:
    DEADLINE = "deadline"


class HoldReason(StrEnum):
    """Why the budget does not let a call go. The values are the engine's words for why a lane waits."""

    CREDENTIALS = "credentials"
    FORBIDDEN = "forbidden"
    BREAKER = "breaker"
    RATE_LIMITED = "rate_limited"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class Answered(Generic[Model_co]):
    """2xx. `body` is empty for a grant: only the model's secret fields hold it."""

    status: int
    model: Model_co
    body: bytes = field(repr=False)
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """4xx in Collate's words (collate-api.md section 7). The message is not kept.

    Attributes:
        code: error.code, None if it does not look like one.
        retryable: error.retryable, None where absent.
        retry_after_seconds: from Retry-After (seconds or date), capped.
        expected_version: of a version_conflict: what was sent.
        actual_version: of a version_conflict: what Collate has.
        details_reason: details.reason, as live_session_not_available has it.
        suspended: our credentials are refused or in doubt: the request itself may be right.
    """

    status: int
    code: str | None = None
    retryable: bool | None = None
    retry_after_seconds: float | None = None
    request_id: str | None = None
    expected_version: int | None = None
    actual_version: int | None = None
    details_reason: str | None = None
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Sent, and no definite answer. `status` and `code` where one came, to tell a stored 5xx from a new one."""

    cause: Cause
    status: int | None = None
    code: str | None = None
    retry_after_seconds: float | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing reached Collate; the same call may be made again at any time.

    `proxy_status` is the status with which the outgoing proxy refused to open a tunnel.
    """

    cause: Cause
    proxy_status: int | None = None


@dataclass(frozen=True, slots=True)
class Deferred:
    """Nothing left this machine; ask again at `until` (Unix seconds)."""

    until: float
    reason: HoldReason


Unanswered = Refused | Ambiguous | NotSent | Deferred
Result = Answered[Model] | Refused | Ambiguous | NotSent | Deferred

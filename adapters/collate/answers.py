"""Results of a call to Collate. They are values: no failure of Collate or of the network is an exception.

    Answered    2xx with a valid body
    Refused     4xx with Collate's own error body: a definite result, without effect
    Ambiguous   the request was sent and got no definite result (5xx, cut short, not in Collate's format)
    NotSent     no byte of the request reached Collate
    Deferred    not tried: the call budget allows the call later

A read has no effect, so an `Ambiguous` read is repeated. An `Ambiguous` write may have had an effect.
"""

from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from adapters.http_connection.cause import Cause
from schemas.events.wait_reasons import HoldReason

WHOLE_BODY: Final = "body"
Model = TypeVar("Model")
Model_co = TypeVar("Model_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Answered(Generic[Model_co]):
    """2xx. `body` is empty for a grant: the link exists only in the model's secret fields."""

    status: int
    model: Model_co
    body: bytes = field(repr=False)
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """4xx with Collate's error body (docs/collate-contract.md §7). Its message is not kept.

    Attributes:
        code: error.code; None if it is not a word.
        retryable: error.retryable; None if absent.
        retry_after_seconds: from Retry-After (seconds or date), at most an hour.
        expected_version: of a version_conflict: the version that was sent.
        actual_version: of a version_conflict: the version at Collate.
        details_reason: details.reason, for example of live_session_not_available.
        suspended: Collate refuses or may refuse the API key; the request itself may be valid.
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
    """Sent, without a definite result. `status` and `code` distinguish a replayed 5xx from a new 5xx.

    `fields` names what could not be read in a 2xx body, in the words of docs/collate-contract.md; `body` is all of it.
    """

    cause: Cause
    status: int | None = None
    code: str | None = None
    retry_after_seconds: float | None = None
    request_id: str | None = None
    fields: tuple[str, ...] = ()

    @property
    def names_fields(self) -> bool:
        """Whether a whole answer came that cannot be read in some fields: waiting alone does not repair it."""
        return self.cause is Cause.UNREADABLE and bool(self.fields) and self.fields != (WHOLE_BODY,)


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing reached Collate; the same call may be made again at any time.

    `proxy_status` is the status with which the outgoing proxy refused to open a tunnel.
    """

    cause: Cause
    proxy_status: int | None = None


@dataclass(frozen=True, slots=True)
class Deferred:
    """Nothing was sent; the call may be made after `wait_seconds`."""

    wait_seconds: float
    reason: HoldReason


# Every result except `Answered`.
CallFailure = Refused | Ambiguous | NotSent | Deferred
Result = Answered[Model] | Refused | Ambiguous | NotSent | Deferred

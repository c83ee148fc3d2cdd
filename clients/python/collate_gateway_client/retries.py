"""When a call is tried again. Pure: the caller passes the time and the random number.

    what happened                                   what follows
    2xx                                             the result
    408, 429, 502, 503, 504                         again after Retry-After, or after a random pause
    connection lost, timeout, body not whole        again after a random pause
    any other status                                an exception

Each try of a call has the same Idempotency-Key, so a try whose result is unknown is safe to repeat.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Self

RETRIED_STATUSES: Final = frozenset({408, 429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The bounds of a call.

    Attributes:
        deadline_seconds: The time of the whole call, with all tries and pauses.
        attempt_seconds: The longest silence in one try; `wait` adds its seconds.
        first_pause_seconds: The bound of the first random pause; each further one is twice as long.
        longest_pause_seconds: The bound of every random pause.
        is_none: Never retry. Only a read whose connection is lost is sent once more, at once.
    """

    deadline_seconds: float = 60.0
    attempt_seconds: float = 10.0
    first_pause_seconds: float = 0.2
    longest_pause_seconds: float = 8.0
    is_none: bool = False

    @classmethod
    def none(cls, seconds: float) -> Self:
        """Return the policy of one try within these seconds: a person or a program decides about the next one."""
        return cls(deadline_seconds=seconds, attempt_seconds=seconds, is_none=True)


class Backoff:
    """The pauses between tries: Retry-After, else full jitter below a bound that doubles."""

    def __init__(self, first_seconds: float, longest_seconds: float) -> None:
        self.first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._failures = 0

    def reset(self) -> None:
        """Begin with the shortest pause again, after a success."""
        self._failures = 0

    def pause(self, random: float, retry_after_seconds: float | None = None) -> float:
        """Return the seconds to wait. `random` is in [0, 1)."""
        bound = min(self._longest_seconds, self.first_seconds * 2.0 ** min(self._failures, 30))
        self._failures += 1
        if retry_after_seconds is not None:
            # Never earlier than the gateway says; the jitter separates callers that got the same answer.
            return retry_after_seconds + random * min(bound, self.first_seconds)
        return random * bound


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds of a Retry-After header: a number, or a date as proxies send it. None without a valid one."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())

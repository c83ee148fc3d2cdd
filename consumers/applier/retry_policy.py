"""What the applier is told by settings, in seconds; and how long it waits before it tries again. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from consumers.authorization.wait_reasons import WaitReason
from runtime.settings import CollateSettings, WorkerSettings


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """See the settings of the same names; `waiting_again_seconds` and `clock_skew_seconds` are decisions of 0002."""

    digest_key: bytes
    request_expiry_seconds: float = 3600.0
    life_seconds: float = 24 * 3600.0
    waiting_after_seconds: float = 10.0
    waiting_again_seconds: float = 300.0
    key_retention_seconds: float = 24 * 3600.0
    watch_seconds: float = 90 * 24 * 3600.0
    clock_skew_seconds: float = 60.0
    if_match_on_close: Literal["authorization", "handoff"] = "authorization"
    if_match_is_honoured: bool = True

    @classmethod
    def of(cls, worker: WorkerSettings, collate: CollateSettings, digest_key: bytes) -> "RetryPolicy":
        """Take what the settings say."""
        return cls(
            digest_key=digest_key,
            request_expiry_seconds=worker.request_expiry.total_seconds(),
            life_seconds=worker.command_max_age.total_seconds(),
            waiting_after_seconds=worker.waiting_after.total_seconds(),
            key_retention_seconds=collate.key_retention.total_seconds(),
            watch_seconds=worker.watch_max_age.total_seconds(),
            if_match_on_close=collate.if_match_on_close,
            if_match_is_honoured=collate.if_match_is_honoured,
        )


MOST_WRITES: Final = 8
SAME_REFUSALS: Final = 3
SAME_FAULTS: Final = 3
# After an attempt that nobody answered, "again, later" may mean that it is still under way; by then it is not.
_UNDER_WAY_SECONDS: Final = 600.0
MOST_FAILURES: Final = 5
# An intent of which nothing was sent is decided anew after this long, since the read that it was made from is old.
FRESH_SECONDS: Final = 5.0

#                      first  longest
_PAUSES: Final = {
    WaitReason.STALE_READ: (0.2, 5.0),
    WaitReason.CLOSING: (0.25, 5.0),
}
_PAUSE: Final = (0.25, 60.0)
_SHORTEST: Final = 0.05


def pause(wait: WaitReason, tries: int, chance: Callable[[], float]) -> float:
    """Return how long to wait: capped exponential with full jitter (`chance` is uniform in [0, 1))."""
    first, longest = _PAUSES.get(wait, _PAUSE)
    return max(_SHORTEST, min(longest, first * 2.0 ** min(tries, 30)) * chance())


def fault_patience(nth: int, *, may_be_under_way: bool) -> float:
    """Return for how many seconds the nth request of a command is resent before the same failure counts as stored.

    0, 4, 16, 64 s ...: a store that replays its failures is passed soon, and no outage uses up the requests.
    """
    return max(4.0 ** (nth - 1) if nth > 1 else 0.0, _UNDER_WAY_SECONDS if may_be_under_way else 0.0)

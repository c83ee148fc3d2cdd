"""When the worker retries: the applier's pauses, the limits of its resends, and the watcher's back-off. Pure.

    applier   a command that waits, by reason         first pause   longest pause
              stale_read                                    0.2 s          5 s
              closing, offered                             0.25 s          5 s
              every other reason                           0.25 s         60 s
              The pause doubles with each try and has full jitter. A time that Collate or the budget names replaces it.
    watcher   an observation that failed
              The step of the cadence doubles with each failure, up to a minute, or to the step itself if it is longer.
    both      the state cannot be read                      60 s

The engine has its own pause after a handler failure: it knows nothing of Collate.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from schemas.events.wait_reasons import WaitReason

# The limits of decision 0002.
MOST_WRITES: Final = 8
SAME_REFUSALS: Final = 3
SAME_FAULTS: Final = 3
# After this many handler failures on one record the command becomes a dead letter.
MOST_HANDLER_FAILURES: Final = 5
# An intent that was never sent is withdrawn after this time: the read before it is too old for a write.
UNSENT_INTENT_SECONDS: Final = 5.0
# After an unanswered attempt a retryable refusal may mean that the attempt is still running; not after this time.
_RUNNING_ATTEMPT_SECONDS: Final = 600.0
UNREADABLE_STATE_SECONDS: Final = 60.0

_PAUSES: Final = MappingProxyType(
    {WaitReason.STALE_READ: (0.2, 5.0), WaitReason.CLOSING: (0.25, 5.0), WaitReason.OFFERED: (0.25, 5.0)}
)
_PAUSE: Final = (0.25, 60.0)
_SHORTEST_PAUSE: Final = 0.05

MOST_OBSERVATION_FAILURES: Final = 8
_LONGEST_BACKOFF: Final = 60.0


def pause(reason: WaitReason, tries: int, chance: Callable[[], float]) -> float:
    """Return the seconds until the next try of a command; `chance` is uniform in [0, 1)."""
    first, longest = _PAUSES.get(reason, _PAUSE)
    return max(_SHORTEST_PAUSE, min(longest, first * 2.0 ** min(tries, 30)) * chance())


def stored_fault_seconds(nth: int, *, may_be_running: bool) -> float:
    """Return how long the nth request of a command is resent before an equal failure counts as stored by Collate.

    0, 4, 16, 64 s …: a stored failure delays a command only briefly, and no outage uses up the eight requests.
    """
    return max(4.0 ** (nth - 1) if nth > 1 else 0.0, _RUNNING_ATTEMPT_SECONDS if may_be_running else 0.0)


def observation_backoff(step_seconds: float, failures: int) -> float:
    """Return the seconds until the next observation after that many failures in a row, without jitter."""
    if not failures:
        return step_seconds
    return min(max(step_seconds, _LONGEST_BACKOFF), step_seconds * 2.0 ** min(failures, 10))

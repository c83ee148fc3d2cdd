"""The pause before an event is sent again. Pure.

The pause grows with the time since the first failed try, so it needs no counter that a restart would lose:

    elapsed   0    1 s    3 s    10 s    60 s    5 min   an hour
    pause     1 s  1 s    3 s    10 s    60 s    5 min   5 min        each times 0.5 to 1
"""

from typing import Final

FIRST_PAUSE_SECONDS: Final = 1.0
LAST_PAUSE_SECONDS: Final = 300.0


def pause_seconds(elapsed: float, chance: float, retry_after: float | None = None) -> float:
    """Return the pause before the next try.

    Args:
        elapsed: seconds since the first try of the event. It is negative if the clock was set back.
        chance: from 0 to 1.
        retry_after: the receiver's Retry-After in seconds; the pause is never shorter.
    """
    pause = min(LAST_PAUSE_SECONDS, max(FIRST_PAUSE_SECONDS, elapsed)) * (0.5 + 0.5 * chance)
    return pause if retry_after is None else max(pause, retry_after)

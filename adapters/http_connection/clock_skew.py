"""The difference between our clock and a server's, as the Date header of one response proves it. Pure."""

from email.utils import parsedate_to_datetime


def clock_skew_seconds(date: str | None, sent_at: float, received_at: float) -> float | None:
    """Return the least number of seconds that our clock is ahead (negative: behind); None for an unreadable Date.

    The server wrote the Date, cut to whole seconds, between our Unix times `sent_at` and `received_at`. A slow response
    makes the interval longer, never the skew larger.
    """
    try:
        written_at = parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return max(0.0, sent_at - (written_at + 1.0)) or min(0.0, received_at - written_at)

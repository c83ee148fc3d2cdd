"""The header Retry-After. Pure."""

import re
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_SECONDS: Final = 3_600.0
_SECONDS: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


def retry_after_seconds(value: str | None, now: float) -> float | None:
    """Return the wait that a Retry-After header asks for (RFC 9110 section 10.2.3): seconds or a date.

    `now` is Unix time. A date in the past is 0; a wait longer than an hour is an hour; an unreadable value is None.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_SECONDS)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(0.0, seconds), LONGEST_SECONDS)

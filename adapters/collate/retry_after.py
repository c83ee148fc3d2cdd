"""Retry-After (RFC 9110 section 10.2.3): seconds or an HTTP date, capped. Pure; what can't be read counts as absent."""

import re
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_SECONDS: Final = 3_600.0
_SECONDS: Final = re.compile(r"\d{1,12}(\.\d{1,6})?")


def retry_after_seconds(value: bytes | None, now: float) -> float | None:
    """Return how long to wait. `now` is Unix time, for dates; one in the past is 0."""
    if value is None:
        return None
    text = value.decode("latin-1").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_SECONDS)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(0.0, seconds), LONGEST_SECONDS)

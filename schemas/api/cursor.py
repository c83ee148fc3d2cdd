"""Page cursors: the sort key of a page's last row, as base64url JSON that is opaque to callers."""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any

from schemas.times import format_time, parse_time

_MAX_LENGTH = 512


class CursorInvalid(ValueError):
    """The text is not a cursor of this gateway."""


def write_cursor(*key: datetime | int | str) -> str:
    """Return the cursor after the row with this sort key."""
    members = [format_time(value) if isinstance(value, datetime) else value for value in key]
    return urlsafe_b64encode(json.dumps(members, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(text: str, *types: type) -> tuple[Any, ...]:
    """Return the sort key, with values of these types. Raises CursorInvalid."""
    try:
        if len(text) > _MAX_LENGTH:
            raise CursorInvalid
        key = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return tuple(_member(value, kind) for value, kind in zip(key, types, strict=True))
    except (ValueError, TypeError, AttributeError, binascii.Error, RecursionError):
        raise CursorInvalid("expected the `next` of an earlier response") from None


def _member(value: Any, kind: type) -> Any:
    if kind is datetime:
        return parse_time(value)
    # PostgreSQL has no text with NUL, and UnicodeEncodeError of a lone surrogate is a ValueError.
    is_stored = abs(value) < 1 << 63 if kind is int else b"\0" not in value.encode()
    if type(value) is not kind or not is_stored:
        raise CursorInvalid
    return value

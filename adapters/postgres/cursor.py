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


def write_cursor(at: datetime, *rest: int | str) -> str:
    """Return the cursor after the row with this sort key."""
    return urlsafe_b64encode(json.dumps([format_time(at), *rest], separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(text: str, *types: type) -> tuple[Any, ...]:
    """Return the sort key: a time, then values of these types. Raises CursorInvalid."""
    try:
        if len(text) > _MAX_LENGTH:
            raise CursorInvalid
        key = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        at, *rest = key
        if len(rest) != len(types) or not all(type(value) is kind for value, kind in zip(rest, types, strict=True)):
            raise CursorInvalid
        if any(
            (isinstance(value, int) and abs(value) >= 1 << 63) or (isinstance(value, str) and "\0" in value)
            for value in rest
        ):
            raise CursorInvalid
        return parse_time(at), *rest
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise CursorInvalid("expected the `next` of an earlier response") from None

"""If-Match, and whose version goes into it (collate-api.md section 2; for the closes an open question, section 11)."""

from typing import Literal


def if_match(version: int) -> str:
    """Return the version as a strong quoted entity tag."""
    return f'"{version}"'


def close_version(reading: Literal["authorization", "handoff"], authorization: int, handoff: int) -> int:
    """Return the version that a close must match, by the setting if_match_on_close."""
    return authorization if reading == "authorization" else handoff

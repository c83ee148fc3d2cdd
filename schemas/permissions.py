"""The permissions of callers, and those of commands."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from schemas.enums import CommandType


class Permission(StrEnum):
    """A permission of a caller."""

    HANDOFF_REQUEST = "handoff:request"
    HANDOFF_CLOSE = "handoff:close"
    HANDOFF_GRANT = "handoff:grant"
    AUTHORIZATION_WATCH = "authorization:watch"
    AUTHORIZATION_READ = "authorization:read"
    AUTHORIZATION_REVIEW = "authorization:review"
    AUTHORIZATION_EVIDENCE = "authorization:evidence"
    OPERATE = "operate"


OWN_HANDOFFS: Final = "own"
"""The limit of a service that may close, and get links into, only the handoffs that it opened."""

COMMAND_PERMISSIONS: Final[Mapping[str, Permission]] = {
    CommandType.HANDOFF_REQUEST: Permission.HANDOFF_REQUEST,
    CommandType.HANDOFF_CLOSE: Permission.HANDOFF_CLOSE,
    CommandType.AUTHORIZATION_WATCH: Permission.AUTHORIZATION_WATCH,
}
"""The permission of each command that a caller may send."""

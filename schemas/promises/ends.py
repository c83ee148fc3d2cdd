"""What a record on `commands` leaves on `events`, and what legally repeats: shared by the worker and its judges."""

from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from schemas.enums import CommandType
from schemas.events.reasons import OutcomeReason


class End(Enum):
    """What a finished record must have on `events`."""

    OF_COMMAND = auto()
    """`command.finished` or `command.dead_lettered` of its id and redrive; a redrive names both."""
    OWN_EVENT = auto()
    """An event that the record caused."""
    MAYBE_NONE = auto()
    """A release without a claim, a discard of another number: there may be no event."""


END_OF: Final = MappingProxyType(
    {
        CommandType.HANDOFF_REQUEST: End.OF_COMMAND,
        CommandType.HANDOFF_CLOSE: End.OF_COMMAND,
        CommandType.AUTHORIZATION_WATCH: End.OF_COMMAND,
        CommandType.COMMAND_REDRIVE: End.OF_COMMAND,
        CommandType.HANDOFF_RECORD_ACCESS: End.OWN_EVENT,
        CommandType.AUTHORIZATION_RECORD_READ: End.OWN_EVENT,
        CommandType.AUTHORIZATION_EMPTY_RECENT_COMMANDS: End.OWN_EVENT,
        CommandType.AUTHORIZATION_LOWER_VERSION_FLOOR: End.OWN_EVENT,
        CommandType.HANDOFF_RELEASE: End.MAYBE_NONE,
        CommandType.COMMAND_DISCARD: End.MAYBE_NONE,
    }
)

# Of a record that is rejected before its first step: they end nothing of the command itself, so it may get several.
REFUSALS: Final = frozenset({OutcomeReason.NOT_DEAD_LETTERED, OutcomeReason.TOO_MANY_COMMANDS})

# How long a repeat of a command that has ended is recognised.
KEPT_SECONDS: Final = 24 * 3600.0

"""What a record on `commands` leaves on `events`, and what legally repeats: shared by the worker and its judges."""

from types import MappingProxyType
from typing import Final

from schemas.enums import CommandType, EventType
from schemas.events.reasons import OutcomeReason

# The event that a record of the gateway itself causes. All other commands end with `command.finished` or
# `command.dead_lettered` of their id and redrive; a redrive names both.
OWN_EVENT_OF: Final = MappingProxyType(
    {
        CommandType.HANDOFF_RECORD_ACCESS: EventType.HANDOFF_ACCESS_GRANTED,
        CommandType.AUTHORIZATION_RECORD_READ: EventType.AUTHORIZATION_CONTENT_READ,
        CommandType.AUTHORIZATION_EMPTY_RECENT_COMMANDS: EventType.AUTHORIZATION_RECENT_COMMANDS_EMPTIED,
        CommandType.AUTHORIZATION_LOWER_VERSION_FLOOR: EventType.AUTHORIZATION_VERSION_FLOOR_LOWERED,
    }
)
# A release without a claim and a discard of another number leave nothing.
MAY_LEAVE_NOTHING: Final = frozenset({CommandType.HANDOFF_RELEASE, CommandType.COMMAND_DISCARD})

# Of a record that is rejected before its first step: they end nothing of the command itself, so it may get several.
REFUSALS: Final = frozenset({OutcomeReason.NOT_DEAD_LETTERED, OutcomeReason.TOO_MANY_COMMANDS})

# How long a repeat of a command that has ended is recognised.
KEPT_SECONDS: Final = 24 * 3600.0

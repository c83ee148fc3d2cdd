"""The commands: the data of every record on `commands`, exactly as the caller sent it.

No default is filled in, because a default would change the bytes of a retry. The worker computes absent values from the
record's time.
"""

from types import MappingProxyType
from typing import get_args

from schemas.commands.caller_commands import AuthorizationWatch, HandoffRequest
from schemas.commands.close import (
    CLOSE_ACTIONS,
    OPERATION_OF,
    REPORT_OF,
    RESULT_OF,
    TURNING_AWAY,
    UNABLE_REASONS,
    CloseResult,
    Completed,
    HandoffClose,
    HandoffCloseBody,
    Revoked,
    UnableToComplete,
)
from schemas.commands.command import Command, ShownCommand
from schemas.commands.live_commands import RecordAccess, RecordRead, ReleaseHandoff
from schemas.commands.operator_commands import Discard, EmptyRecentCommands, LowerVersionFloor, Original, Redrive
from schemas.enums import CommandType

COMMANDS = Command.by_type(CommandType)
"""Every command by its CloudEvents type."""

CallerCommand = HandoffRequest | HandoffClose | AuthorizationWatch
CALLER_COMMANDS: MappingProxyType[str, type[CallerCommand]] = MappingProxyType(
    {model.TYPE.value: model for model in get_args(CallerCommand)}
)
"""The commands that a caller may send, by CloudEvents type. Ingress itself appends the other commands."""

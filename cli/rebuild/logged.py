"""The commands of one authorization as `commands` holds them, and which of them have ended. Pure.

A command has ended if `events` has its end. The gateway's own records have no end of their own: one without an event
counts as ended if a later record of the authorization has ended, because a key queue works in the order of the log.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cli.rebuild.history import History
from consumers.applier.decision.decision_input import closer_of
from consumers.applier.task import CommandTask, InvalidRecord, RecordTask, Task
from consumers.authorization.state import Closer, CommandWork
from schemas.commands import Discard, HandoffClose, LowerVersionFloor, RecordRead
from schemas.enums import CommandType


@dataclass(frozen=True, slots=True)
class LoggedCommand:
    """What a rebuild needs of a record on `commands`: no free text.

    Attributes:
        command_id, redrive: name the run whose end is in `events`.
        record_id: the id of the record; equal to `command_id` except for a redrive.
        is_own: a record of the gateway itself: an access, a release, a read, or an operator's decision.
        passes: the record is processed before a command that waits, so its end shows nothing about earlier ones.
        writes: the command may write to Collate.
        ends: the command that a discard ends.
    """

    offset: int
    command_id: str
    record_id: str
    redrive: int
    caller: str
    accepted_at: float
    digest: bytes
    command: CommandType | None = None
    is_own: bool = False
    passes: bool = False
    writes: bool = False
    ends: str | None = None
    closer: Closer | None = None
    inherited: CommandWork | None = None


def logged(task: Task, partition: int, offset: int) -> LoggedCommand:
    """Return what a rebuild needs of a parsed record."""
    match task:
        case CommandTask():
            close = task.payload if isinstance(task.payload, HandoffClose) else None
            return LoggedCommand(
                offset=offset,
                command_id=task.command_id,
                record_id=task.record_id,
                redrive=task.redrive,
                caller=task.caller,
                accepted_at=task.alive_since,
                digest=task.digest,
                command=task.type,
                writes=task.writes,
                closer=None if close is None else closer_of(task, close),
                inherited=task.inherited,
            )
        case RecordTask():
            return LoggedCommand(
                offset=offset,
                command_id=task.record_id,
                record_id=task.record_id,
                redrive=0,
                caller=task.caller,
                accepted_at=task.accepted_at,
                digest=task.digest,
                is_own=True,
                passes=isinstance(task.payload, LowerVersionFloor | RecordRead),
                ends=task.payload.command_id if isinstance(task.payload, Discard) else None,
            )
        case InvalidRecord():
            command_id = task.id_at(partition, offset)
            return LoggedCommand(
                offset, command_id, command_id, task.redrive, task.caller or "", task.accepted_at or 0.0, b""
            )


def first_unended(commands: Sequence[LoggedCommand], history: History) -> LoggedCommand | None:
    """Return the first command of the log that has not ended: the only one that may have written."""
    return next((command for command in commands if not command.is_own and not _has_end(command, history)), None)


def ended(commands: Sequence[LoggedCommand], history: History) -> list[bool]:
    """Return for each command of one authorization, in the order of the log, whether it has ended."""
    proven = [_has_end(command, history) for command in commands]
    seen: set[tuple[str, int]] = set()
    last = -1
    for place, one in enumerate(commands):
        run = (one.command_id, one.redrive)
        # A repeat of a command that has ended shows nothing about the records before the repeat.
        if proven[place] and run not in seen and not one.passes and not one.ends:
            last = place
        seen.add(run)
    return [proven[place] or (one.is_own and place < last) for place, one in enumerate(commands)]


def _has_end(one: LoggedCommand, history: History) -> bool:
    if one.ends is not None:
        return history.discarded_at.get(one.ends, 0.0) >= one.accepted_at
    if one.is_own:
        return one.record_id in history.recorded
    return (one.command_id, one.redrive) in history.ends

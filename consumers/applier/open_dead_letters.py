"""The open dead letters of an authorization: a new one is stored, and one that loses its place ends with an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.applier import dead_letters, outcome
from consumers.authorization.recent_commands import CommandEnd
from schemas.enums import Outcome
from schemas.events.reasons import OutcomeReason

if TYPE_CHECKING:
    from consumers.applier.attempts import Attempts
    from consumers.applier.context import ApplierContext
    from consumers.applier.task import CommandTask
    from consumers.authorization.unit_of_work import UnitOfWork
    from consumers.engine import Invocation, Output
    from schemas.dead_letter import DeadLetter


def open_dead_letter(
    context: ApplierContext,
    invocation: Invocation,
    unit_of_work: UnitOfWork,
    record: DeadLetter,
    first: str,
    *,
    task: CommandTask | None = None,
    handoff_id: str | None = None,
    attempts: Attempts | None = None,
) -> tuple[Output, ...]:
    """Publish, count and store a dead letter. Return its record, and the one that ends a displaced dead letter.

    `first` is the first command of its flow; `task` its command, None if that cannot be read.
    """
    command_id = record.command_id or ""
    before = unit_of_work.state.dead_letters.get(command_id)
    event = outcome.dead_lettered(record, dead_letters.effect_of(record, before), task, handoff_id, attempts)
    unit_of_work.emit(event, command_id, first)
    unit_of_work.on_commit(context.metrics.dead_letters.labels(event.cause).inc)
    output = context.event_writer.dead_letter(invocation.key, record)
    opened = dead_letters.opened(event, invocation.now, first, before, task.digest if task else None)
    displaced = unit_of_work.add_dead_letter(command_id, opened)
    if displaced is None:
        return (output,)
    other_id, other = displaced
    unit_of_work.emit(outcome.discarded(other_id, other, OutcomeReason.TOO_MANY_DEAD_LETTERS), other_id, other.first)
    if other.digest is not None:
        unit_of_work.add_recent_command(other_id, bytes.fromhex(other.digest), CommandEnd.FINISHED, other.caller)
    unit_of_work.on_commit(context.metrics.finished.labels(other.command, "discarded", other.effect).inc)
    fields = {"authorization_id": invocation.key.decode(), "command_id": other_id, "caller": other.caller}
    unit_of_work.on_commit(context.lines["command.dead_letter_displaced"], fields)
    ended = dead_letters.ended(other_id, other.redrive, Outcome.DISCARDED, invocation.now)
    return output, context.event_writer.dead_letter_ended(invocation.key, ended)

"""The open dead letters of an authorization: a new one is stored, and one that loses its place ends with an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.applier import dead_letters, outcome
from consumers.authorization.recent_commands import CommandEnd
from schemas.events.reasons import OutcomeReason

if TYPE_CHECKING:
    from consumers.applier.context import ApplierContext
    from consumers.authorization.unit_of_work import UnitOfWork
    from consumers.engine import Invocation, Output
    from schemas.dead_letter import DeadLetter
    from schemas.events import CommandDeadLettered


def open_dead_letter(
    context: ApplierContext,
    invocation: Invocation,
    unit_of_work: UnitOfWork,
    event: CommandDeadLettered,
    record: DeadLetter,
    *,
    first: str,
    digest: bytes | None = None,
) -> tuple[Output, ...]:
    """Publish, count and store a dead letter. Return its record, and the one that ends a displaced dead letter.

    `first` is the first command of its flow; `digest` that of the command, None if the command cannot be read.
    """
    command_id = event.command_id
    before = unit_of_work.state.dead_letters.get(command_id)
    event = event.model_copy(update={"effect": dead_letters.effect_of(record, before)})
    unit_of_work.emit(event, command_id, first)
    unit_of_work.on_commit(context.metrics.dead_letters.labels(event.cause).inc)
    output = context.event_writer.dead_letter(invocation.key, record)
    displaced = unit_of_work.add_dead_letter(
        command_id, dead_letters.opened(event, invocation.now, first, before, digest)
    )
    if displaced is None:
        return (output,)
    other_id, other = displaced
    unit_of_work.emit(outcome.discarded(other_id, other, OutcomeReason.TOO_MANY_DEAD_LETTERS), other_id, other.first)
    if other.digest is not None:
        unit_of_work.add_recent_command(other_id, bytes.fromhex(other.digest), CommandEnd.FINISHED, other.caller)
    unit_of_work.on_commit(context.metrics.finished.labels(other.command, "discarded", other.effect).inc)
    fields = {"authorization_id": invocation.key.decode(), "command_id": other_id, "caller": other.caller}
    unit_of_work.on_commit(context.lines["command.dead_letter_displaced"], fields)
    ended = dead_letters.discarded(other_id, other.redrive, invocation.now)
    return output, context.event_writer.dead_letter_ended(invocation.key, ended)

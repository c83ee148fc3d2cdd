"""The open dead letters of an authorization: a new one is stored, and one that loses its place ends with an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.applier import dead_letters, outcome
from consumers.applier.reasons import OutcomeReason
from consumers.authorization.recent_commands import CommandEnd

if TYPE_CHECKING:
    from consumers.applier.context import ApplierContext
    from consumers.authorization.state import OpenDeadLetter
    from consumers.authorization.unit_of_work import UnitOfWork
    from consumers.engine import Invocation, Output


def open_dead_letter(
    context: ApplierContext,
    invocation: Invocation,
    unit_of_work: UnitOfWork,
    command_id: str,
    dead_letter: OpenDeadLetter,
) -> tuple[Output, ...]:
    """Store a dead letter. Return the record that ends another one, if this one takes its place."""
    displaced = unit_of_work.add_dead_letter(command_id, dead_letter)
    if displaced is None:
        return ()
    other_id, other = displaced
    unit_of_work.emit(outcome.discarded(other_id, other, OutcomeReason.TOO_MANY_DEAD_LETTERS), other_id, other.first)
    if other.digest is not None:
        unit_of_work.add_recent_command(other_id, bytes.fromhex(other.digest), CommandEnd.FINISHED, other.caller)
    unit_of_work.on_commit(context.metrics.finished.labels(other.command, "discarded", "none").inc)
    fields = {"authorization_id": invocation.key.decode(), "command_id": other_id, "caller": other.caller}
    unit_of_work.on_commit(context.lines["command.dead_letter_displaced"], fields)
    ended = dead_letters.discarded(other_id, other.redrive, invocation.now)
    return (context.event_writer.dead_letter_ended(invocation.key, ended),)

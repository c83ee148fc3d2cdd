"""The outcomes of a command as values, and the events that publish them. Pure."""

from dataclasses import dataclass
from typing import assert_never

from consumers.applier.attempts import Attempts
from consumers.applier.dead_letters import DeadLetterCause
from consumers.applier.reasons import OutcomeReason
from consumers.applier.task import CommandTask, DiscardTask, EmptyTask, operator_decision
from consumers.authorization.state import CommandWork, OpenDeadLetter
from schemas.enums import CommandType, Effect, Outcome
from schemas.events import CommandDeadLettered, CommandFinished, CommandKeyConflict, RecentCommandsEmptied


@dataclass(frozen=True, slots=True)
class Applied:
    """This command has brought Collate into the wanted state."""

    effect: Effect
    handoff_id: str | None = None
    reason: OutcomeReason | None = None


@dataclass(frozen=True, slots=True)
class AlreadyApplied:
    """Collate was already in the wanted state."""

    handoff_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The command cannot be applied."""

    reason: OutcomeReason
    handoff_id: str | None = None


@dataclass(frozen=True, slots=True)
class Expired:
    """The command expired before its first write."""


CommandOutcome = Applied | AlreadyApplied | Rejected | Expired


def finished(
    task: CommandTask, ending: CommandOutcome, version: int | None, attempts: Attempts | None = None
) -> CommandFinished:
    """Return the event of a finished command."""
    outcome, effect, reason = Outcome.ALREADY_DONE, Effect.NONE, None
    match ending:
        case Applied():
            outcome, effect, reason = Outcome.APPLIED, ending.effect, ending.reason
        case AlreadyApplied():
            pass
        case Rejected():
            outcome, reason = Outcome.REJECTED, ending.reason
        case Expired():
            outcome, reason = Outcome.EXPIRED, OutcomeReason.EXPIRED
        case _:
            assert_never(ending)
    return CommandFinished(
        command_id=task.command_id,
        command=task.type,
        caller=task.caller,
        outcome=outcome,
        effect=effect,
        reason=None if reason is None else reason.value,
        advice=None if reason is None else reason.advice,
        handoff_id=None if isinstance(ending, Expired) else ending.handoff_id,
        version=version,
        redrive=task.redrive or None,
        decision=task.decision,
        metadata=task.metadata,
        attempts=attempts.kept if attempts else None,
        attempts_left_out=attempts.left_out or None if attempts else None,
    )


def dead_lettered(
    task: CommandTask, cause: DeadLetterCause, handoff_id: str | None, attempts: Attempts
) -> CommandDeadLettered:
    """Return the event of a dead-lettered command."""
    return CommandDeadLettered(
        command_id=task.command_id,
        command=task.type,
        caller=task.caller,
        cause=cause.value,
        advice=cause.advice,
        handoff_id=handoff_id,
        redrive=task.redrive or None,
        decision=task.decision,
        metadata=task.metadata,
        attempts=attempts.kept,
        attempts_left_out=attempts.left_out or None,
    )


def record_lost(work: CommandWork) -> CommandDeadLettered:
    """Return the event of a dead-lettered write without its command record."""
    cause = DeadLetterCause.RECORD_LOST
    return CommandDeadLettered(
        command_id=work.command_id,
        command=CommandType(work.command),
        caller=work.caller,
        cause=cause.value,
        advice=cause.advice,
        redrive=work.redrive or None,
    )


def record_invalid(command_id: str, command: str | None, caller: str | None) -> CommandDeadLettered:
    """Return the event of a dead-lettered record that is no command."""
    cause = DeadLetterCause.INVALID_RECORD
    return CommandDeadLettered(
        command_id=command_id,
        command=CommandType(command or "unrecognised"),
        caller=caller or "unknown",
        cause=cause.value,
        advice=cause.advice,
    )


def discarded(task: DiscardTask, dead_letter: OpenDeadLetter) -> CommandFinished:
    """Return the event of a discarded command."""
    return CommandFinished(
        command_id=task.payload.command_id,
        command=CommandType(dead_letter.command),
        caller=dead_letter.caller,
        outcome=Outcome.DISCARDED,
        effect=Effect.NONE,
        reason=OutcomeReason.DISCARDED.value,
        advice=OutcomeReason.DISCARDED.advice,
        redrive=dead_letter.redrive or None,
        decision=operator_decision(task.payload, task.caller),
        metadata=dead_letter.metadata,
    )


def recent_commands_emptied(task: EmptyTask, emptied: int) -> RecentCommandsEmptied:
    """Return the event of an operator's decision to forget recent commands."""
    decision = operator_decision(task.payload, task.caller)
    return RecentCommandsEmptied(
        caller=task.caller, of_caller=task.payload.of_caller, emptied=emptied, decision=decision
    )


def key_conflict(task: CommandTask) -> CommandKeyConflict:
    """Return the event of a known id that came with a different body."""
    return CommandKeyConflict(command_id=task.command_id, command=task.type, caller=task.caller)

"""How a run of a command ends, as values, and the event that says so. Pure."""

from dataclasses import dataclass
from typing import assert_never

from consumers.applier.attempts import Attempts
from consumers.applier.reasons import DeadLetterCause, Reason
from consumers.applier.task import CommandTask, decided
from consumers.authorization.state import OpenDeadLetter
from schemas.commands import Discard
from schemas.enums import CommandType, Effect, Outcome
from schemas.events import CommandDeadLettered, CommandFinished, CommandKeyConflict


@dataclass(frozen=True, slots=True)
class Applied:
    """Collate is as asked."""

    effect: Effect
    handoff_id: str | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class AlreadyDoneOutcome:
    """Collate was as asked before."""

    handoff_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """It can't be done."""

    reason: Reason
    handoff_id: str | None = None


@dataclass(frozen=True, slots=True)
class Expired:
    """It was not begun in time."""


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """A person must look."""

    cause: DeadLetterCause
    handoff_id: str | None = None


Ending = Applied | AlreadyDoneOutcome | Rejected | Expired


def finished(
    job: CommandTask, ending: Ending, version: int | None, attempts: Attempts | None = None
) -> CommandFinished:
    """Tell how a command ended."""
    outcome, effect, reason = Outcome.ALREADY_DONE, Effect.NONE, None
    match ending:
        case Applied():
            outcome, effect, reason = Outcome.APPLIED, ending.effect, ending.reason
        case AlreadyDoneOutcome():
            pass
        case Rejected():
            outcome, reason = Outcome.REJECTED, ending.reason
        case Expired():
            outcome, reason = Outcome.EXPIRED, Reason.EXPIRED
        case _:
            assert_never(ending)
    return CommandFinished(
        command_id=job.command_id,
        command=job.type,
        caller=job.caller,
        outcome=outcome,
        effect=effect,
        reason=None if reason is None else reason.value,
        advice=None if reason is None else reason.advice,
        handoff_id=None if isinstance(ending, Expired) else ending.handoff_id,
        version=version,
        redrive=job.redrive or None,
        decision=job.decision,
        metadata=job.metadata,
        attempts=attempts.kept if attempts else None,
        attempts_left_out=attempts.left_out or None if attempts else None,
    )


def dead_lettered(job: CommandTask, ending: DeadLettered, attempts: Attempts | None = None) -> CommandDeadLettered:
    """Tell that a command waits for a person."""
    return CommandDeadLettered(
        command_id=job.command_id,
        command=job.type,
        caller=job.caller,
        cause=ending.cause.value,
        advice=ending.cause.advice,
        handoff_id=ending.handoff_id,
        redrive=job.redrive or None,
        decision=job.decision,
        metadata=job.metadata,
        attempts=attempts.kept if attempts else None,
        attempts_left_out=attempts.left_out or None if attempts else None,
    )


def discarded(data: Discard, dead: OpenDeadLetter) -> CommandFinished:
    """Tell that a person gave a dead letter up."""
    return CommandFinished(
        command_id=data.command_id,
        command=CommandType(dead.command),
        caller=dead.caller,
        outcome=Outcome.DISCARDED,
        effect=Effect.NONE,
        reason=Reason.DISCARDED.value,
        advice=Reason.DISCARDED.advice,
        redrive=dead.redrive or None,
        decision=decided(data),
        metadata=dead.metadata,
    )


def key_conflict(job: CommandTask) -> CommandKeyConflict:
    """Tell that another body came in under a known id."""
    return CommandKeyConflict(command_id=job.command_id, command=job.type, caller=job.caller)

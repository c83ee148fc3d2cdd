"""The ends of an invocation on a command as values, and the events that publish them. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from adapters.collate.answers import Ambiguous, CallFailure, Deferred, Refused
from consumers.applier.attempts import Attempts
from consumers.applier.task import UNKNOWN_CALLER, CommandTask, operator_decision
from consumers.authorization.event_factory import at as time_at
from consumers.authorization.state import OpenDeadLetter
from schemas.callers import vouching
from schemas.commands import EmptyRecentCommands, HandoffClose, HandoffRequest, LowerVersionFloor, RecordRead
from schemas.dead_letter import DeadLetter
from schemas.enums import CommandType, Effect, Outcome
from schemas.events import (
    CommandDeadLettered,
    CommandFinished,
    CommandKeyConflict,
    CommandWaiting,
    ContentRead,
    RecentCommandsEmptied,
    VersionFloorLowered,
    WouldSend,
)
from schemas.events.reasons import DeadLetterCause, OutcomeReason
from schemas.events.wait_reasons import WaitReason
from schemas.operator_decision import OperatorDecision


@dataclass(frozen=True, slots=True)
class Applied:
    """This command has brought Collate into the wanted state.

    `is_version_known`: whether the last read is not older than our write.
    """

    effect: Effect
    handoff_id: str | None = None
    reason: OutcomeReason | None = None
    is_version_known: bool = True


@dataclass(frozen=True, slots=True)
class AlreadyApplied:
    """Collate was already in the wanted state."""

    handoff_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The command cannot be applied. `would_send`: the write that a shadow did not send.

    `claimed_by`: the caller that has the handoff in hand, if that is the reason.
    """

    reason: OutcomeReason
    handoff_id: str | None = None
    would_send: WouldSend | None = None
    claimed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Expired:
    """The command expired before its first write."""


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """The command needs an operator's decision: it has no outcome."""

    cause: DeadLetterCause
    handoff_id: str | None = None


@dataclass(frozen=True, slots=True)
class Waits:
    """The command is tried again: after `seconds`, or after the pause of the retry policy.

    `fields` names what could not be read in Collate's answer.
    """

    reason: WaitReason
    seconds: float | None = None
    fields: tuple[str, ...] = ()

    @classmethod
    def after(cls, failure: CallFailure, wait_seconds: float | None, chance: Callable[[], float]) -> "Waits":
        """Wait as long as the call budget or Collate requires, else for the pause of the retry policy."""
        match failure:
            case Deferred():
                return cls(WaitReason(failure.reason.value), failure.wait_seconds)
            case Ambiguous(names_fields=True):
                return cls(WaitReason.UNREADABLE_ANSWER, fields=failure.fields)
            case Refused(suspended=True):
                reason = WaitReason.CREDENTIALS if failure.status == 401 else WaitReason.FORBIDDEN
            case Refused(status=429):
                reason = WaitReason.RATE_LIMITED
            case _:
                reason = WaitReason.RETRY_AFTER if wait_seconds else WaitReason.BACKOFF
        # Up to 10 % longer, so that commands with the same Retry-After are not all retried at the same moment.
        return cls(reason, wait_seconds * (1.0 + 0.1 * chance()) if wait_seconds else None)


CommandOutcome = Applied | AlreadyApplied | Rejected | Expired
Ending = CommandOutcome | DeadLettered | Waits


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
    payload = task.payload
    requested_by, accepted_by, accepted, reported_by = None, None, None, None
    match payload:
        case HandoffRequest():
            requested_by, accepted_by = payload.requested_by, payload.accepted_by
            accepted = payload.accepted_review_snapshot_id
        case HandoffClose():
            reported_by = payload.reported_by
    return CommandFinished.model_construct(
        command_id=task.command_id,
        command=task.type,
        caller=task.caller,
        outcome=outcome,
        effect=effect,
        reason=None if reason is None else reason.value,
        advice=None if reason is None else reason.advice,
        handoff_id=None if isinstance(ending, Expired) else ending.handoff_id,
        would_send=ending.would_send if isinstance(ending, Rejected) else None,
        claimed_by=ending.claimed_by if isinstance(ending, Rejected) else None,
        version=version,
        redrive=task.redrive or None,
        decision=task.decision,
        requested_by=requested_by,
        accepted_by=accepted_by,
        accepted_review_snapshot_id=accepted,
        reported_by=reported_by,
        asserted_by=vouching(task.caller, requested_by, accepted_by, reported_by),
        metadata=task.metadata,
        attempts=attempts.kept if attempts else None,
        attempts_left_out=attempts.left_out or None if attempts else None,
        digest=task.shared_digest,
    )


def waiting(task: CommandTask, wait: Waits, until: float, attempts: Attempts) -> CommandWaiting:
    """Return the event of a command that waits until a Unix time."""
    reason, fields = wait.reason, wait.fields
    return CommandWaiting(
        command_id=task.command_id,
        command=task.type,
        caller=task.caller,
        reason=reason.value,
        # The read model keeps the sentence, so `gateway status` shows the fields too.
        advice=f"{reason.advice} Unreadable: {', '.join(fields)}." if fields else reason.advice,
        unreadable_fields=list(fields) or None,
        until=time_at(until),
        redrive=task.redrive or None,
        metadata=task.metadata,
        attempts=attempts.kept,
        attempts_left_out=attempts.left_out or None,
    )


def dead_lettered(
    record: DeadLetter,
    effect: Effect,
    task: CommandTask | None = None,
    handoff_id: str | None = None,
    attempts: Attempts | None = None,
) -> CommandDeadLettered:
    """Return the event of a dead letter. `task` is its command, if that can be read."""
    return CommandDeadLettered.model_construct(
        command_id=record.command_id or "",
        command=CommandType(record.command or "unrecognised"),
        caller=record.caller or UNKNOWN_CALLER,
        cause=record.cause,
        advice=record.advice,
        effect=effect,
        handoff_id=handoff_id,
        redrive=record.redrive or None,
        decision=task.decision if task else None,
        metadata=task.metadata if task else None,
        attempts=attempts.kept if attempts else None,
        attempts_left_out=attempts.left_out or None if attempts else None,
        digest=task.shared_digest if task else None,
    )


def discarded(
    command_id: str, dead_letter: OpenDeadLetter, reason: OutcomeReason, decision: OperatorDecision | None = None
) -> CommandFinished:
    """Return the event of a dead letter that an operator discarded, or that lost its place to newer ones."""
    return CommandFinished.model_construct(
        command_id=command_id,
        command=CommandType(dead_letter.command),
        caller=dead_letter.caller,
        outcome=Outcome.DISCARDED,
        effect=Effect(dead_letter.effect),
        reason=reason.value,
        advice=reason.advice,
        redrive=dead_letter.redrive or None,
        decision=decision,
        metadata=dead_letter.metadata,
        digest=dead_letter.shared_digest,
    )


def recent_commands_emptied(decision: EmptyRecentCommands, caller: str, emptied: int) -> RecentCommandsEmptied:
    """Return the event of an operator's decision to forget recent commands."""
    return RecentCommandsEmptied.model_construct(
        caller=caller, of_caller=decision.of_caller, emptied=emptied, decision=operator_decision(decision, caller)
    )


def version_floor_lowered(decision: LowerVersionFloor, caller: str, floor: int) -> VersionFloorLowered:
    """Return the event of an operator's decision to accept lower versions than `floor`."""
    return VersionFloorLowered.model_construct(
        caller=caller,
        from_version=floor,
        to_version=min(floor, decision.to_version),
        decision=operator_decision(decision, caller),
    )


def content_read(read: RecordRead, caller: str) -> ContentRead:
    """Return the event of a read of content with PHI."""
    return ContentRead(
        content=read.content,
        caller=caller,
        operator=read.operator,
        asserted_by=vouching(caller, read.operator),
        review_snapshot_id=read.review_snapshot_id,
        of_command=read.of_command,
    )


def key_conflict(task: CommandTask) -> CommandKeyConflict:
    """Return the event of a known id that came with a different body."""
    return CommandKeyConflict.model_construct(command_id=task.command_id, command=task.type, caller=task.caller)

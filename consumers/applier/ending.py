"""The end of an invocation on a command: what is committed, counted and logged of it.

outcome       `command.finished`, with everything that was read on the way
dead letter   all writes, and their event
wait          RetryAt; first commits an ended intent and `command.waiting`, so that a successor and readers see them
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumers.applier import dead_letters, outcome
from consumers.applier.outcome import AlreadyApplied, Applied, DeadLettered, Rejected, Waits, finished, waiting
from consumers.authorization.facts import DueStated
from consumers.authorization.recent_commands import CommandEnd
from consumers.authorization.retry_policy import pause
from consumers.authorization.state import CommandRef, Waiting
from consumers.engine import Done, RetryAt
from schemas.enums import Effect, Outcome
from schemas.events.reasons import DeadLetterCause, OutcomeReason
from schemas.events.wait_reasons import WaitReason

if TYPE_CHECKING:
    from consumers.applier.attempts import Attempts
    from consumers.applier.command_run import CommandRun
    from consumers.applier.context import ApplierContext
    from consumers.applier.outcome import CommandOutcome, Ending
    from consumers.applier.task import CommandTask
    from consumers.authorization.unit_of_work import UnitOfWork
    from consumers.engine import Invocation, Output
    from schemas.dead_letter import DeadLetter

# A command that waits for the same reason says so again after this time.
_WAITING_AGAIN_SECONDS: Final = 300.0


async def end(run: CommandRun, ending: Ending) -> Done | RetryAt:
    """Return the result of the invocation. A command that is too old to wait becomes a dead letter."""
    if isinstance(ending, Waits):
        dies_at = run.task.alive_since + run.context.worker.command_max_age.total_seconds()
        if run.invocation.now < dies_at:
            return await _wait(run, ending, dies_at)
        ending = DeadLettered(DeadLetterCause.TOO_OLD)
    return _dead_letter(run, ending) if isinstance(ending, DeadLettered) else _finish(run, ending)


def refuse(run: CommandRun, reason: OutcomeReason) -> Done:
    """Reject a record before its first step, with a reason of `REFUSALS`; the command's own state does not change.

    A rebuild of the state reads the same from `command.finished`.
    """
    unit_of_work, task = run.unit_of_work, run.task
    unit_of_work.emit(finished(task, Rejected(reason), None), task.command_id, run.first_command)
    is_over_share = reason is OutcomeReason.TOO_MANY_COMMANDS
    unit_of_work.add_recent_command(
        task.record_id, task.digest, CommandEnd.FINISHED, task.caller, over_share=is_over_share
    )
    rejected = run.context.metrics.finished.labels(task.type.value, Outcome.REJECTED.value, Effect.NONE.value)
    unit_of_work.on_commit(rejected.inc)
    _log(run, "command.finished", outcome=Outcome.REJECTED.value, reason=reason.value)
    return unit_of_work.done(run.context.kept_timer(run.invocation, unit_of_work))


async def report_failures(run: CommandRun) -> None:
    """Publish `command.waiting` for earlier handler failures: a failing invocation cannot publish it itself."""
    at = run.invocation.now + run.context.worker.waiting_after.total_seconds()
    if _say_waiting(run, Waits(WaitReason.HANDLER_FAILED), at):
        await run.unit_of_work.checkpoint()


def _finish(run: CommandRun, ending: CommandOutcome) -> Done:
    unit_of_work, task, context, now = run.unit_of_work, run.task, run.context, run.invocation.now
    known, is_version_known = unit_of_work.state.known, not isinstance(ending, Applied) or ending.is_version_known
    event = finished(task, ending, known.version if known and is_version_known else None, run.attempts)
    if event.effect is Effect.NONE and _gave_up_a_write(run):
        event = event.model_copy(update={"effect": Effect.UNKNOWN})
    unit_of_work.emit(event, task.command_id, run.first_command)
    if task.due_at is not None and isinstance(ending, Applied | AlreadyApplied):
        stated_by = CommandRef.model_construct(command_id=task.command_id, metadata=task.metadata)
        unit_of_work.apply(DueStated(task.due_at, task.accepted_at, stated_by, is_redrive=task.redrive > 0))
    _clear_work(run)
    unit_of_work.add_recent_run(task.command_id, task.record_id, task.digest, CommandEnd.FINISHED, task.caller)
    others: tuple[Output, ...] = ()
    if task.redrive:
        ended = dead_letters.ended(task.command_id, task.redrive, event.outcome, now)
        others = (context.event_writer.dead_letter_ended(run.invocation.key, ended),)
        unit_of_work.remove_dead_letter(task.command_id)
    ended_as, effect = event.outcome.value, event.effect.value
    unit_of_work.on_commit(context.metrics.finished.labels(task.type.value, ended_as, effect).inc)
    seconds = max(0.0, now - task.accepted_at)
    unit_of_work.on_commit(context.metrics.finish_seconds.labels(task.type.value).observe, seconds)
    _log(run, "command.finished", outcome=ended_as, effect=effect, reason=event.reason)
    return _done(run, *others)


def _gave_up_a_write(run: CommandRun) -> bool:
    """Whether an operator had a command redriven that may have changed Collate, and no read resolved that write."""
    dead_letter = run.unit_of_work.state.dead_letters.get(run.task.command_id)
    return dead_letter is not None and dead_letter.effect == Effect.UNKNOWN and run.ambiguous is None


def _dead_letter(run: CommandRun, ending: DeadLettered) -> Done:
    unit_of_work, task, work, cause = run.unit_of_work, run.task, run.work, ending.cause
    first = run.first_command
    writes = dead_letters.intents(work, run.ambiguous)
    record = dead_letters.dead_letter(task, cause, run.record, run.invocation.now, writes)
    _clear_work(run)
    unit_of_work.add_recent_run(task.command_id, task.record_id, task.digest, CommandEnd.DEAD_LETTERED, task.caller)
    outputs = open_dead_letter(
        run.context,
        run.invocation,
        unit_of_work,
        record,
        first,
        task=task,
        handoff_id=ending.handoff_id,
        attempts=run.attempts,
    )
    _log(run, "command.dead_lettered", cause=cause.value, writes=work.n if work else 0)
    return _done(run, *outputs, cause=cause)


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


def _done(run: CommandRun, *outputs: Output, cause: DeadLetterCause | None = None) -> Done:
    unit_of_work, context = run.unit_of_work, run.context
    if unit_of_work.state.known is not None:
        # After a dead letter the operator needs observations, and a handoff may have been opened unseen.
        unit_of_work.watch(context.worker.watch_max_age.total_seconds())
    timer_at = context.next_timer(unit_of_work.state, run.invocation.now)
    failure = None if cause is None else dead_letters.failure(cause)
    return unit_of_work.done(timer_at, *outputs, dead_lettered=failure)


def _clear_work(run: CommandRun) -> None:
    if run.intent is not None:
        run.context.hints.drop(run.intent.key)
    others = None if run.work is not None else run.unit_of_work.state.work
    run.unit_of_work.change(work=others, waiting=None)


async def _wait(run: CommandRun, wait: Waits, dies_at: float) -> RetryAt:
    unit_of_work, invocation = run.unit_of_work, run.invocation
    seconds = pause(wait.reason, invocation.tries, run.context.chance) if wait.seconds is None else wait.seconds
    at = min(invocation.now + seconds, dies_at)
    _say_waiting(run, wait, at)
    committed = unit_of_work.committed.work
    has_ended_intent = committed is not None and committed.intent is not None and run.intent is None
    if unit_of_work.has_pending_events or has_ended_intent:
        await unit_of_work.checkpoint()
    return RetryAt(at, wait.reason)


def _say_waiting(run: CommandRun, wait: Waits, at: float) -> bool:
    """Emit `command.waiting`, if readers do not know it yet. Return whether it was emitted."""
    unit_of_work, task, invocation, reason = run.unit_of_work, run.task, run.invocation, wait.reason
    now, last = invocation.now, unit_of_work.state.waiting
    if invocation.steady - invocation.since + at - now < run.context.worker.waiting_after.total_seconds():
        return False
    is_same = last is not None and (last.command_id, last.redrive, last.reason) == (
        task.command_id,
        task.redrive,
        reason,
    )
    if last is not None and is_same and (last.until >= now or now - last.emitted_at < _WAITING_AGAIN_SECONDS):
        return False
    shown = Waiting(command_id=task.command_id, redrive=task.redrive, reason=reason.value, until=at, emitted_at=now)
    unit_of_work.change(waiting=shown)
    unit_of_work.emit(waiting(task, wait, at, run.attempts), task.command_id, run.first_command)
    unit_of_work.on_commit(run.context.metrics.waiting_events.labels(reason.value).inc)
    _log(
        run,
        "command.waiting",
        reason=reason.value,
        until=round(at, 3),
        **({"fields": wait.fields} if wait.fields else {}),
    )
    return True


def _log(run: CommandRun, event: str, **fields: object) -> None:
    task = run.task
    line = {
        "authorization_id": task.authorization_id,
        "command_id": task.command_id,
        "command": task.type.value,
        "redrive": task.redrive or None,
        "tries": run.invocation.tries,
    }
    run.unit_of_work.on_commit(run.context.lines[event], line | fields)

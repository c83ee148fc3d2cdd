"""One invocation on one command: what the gateway knows of it, and its end, which `steps` chooses.

outcome       `command.finished`, with everything that was read on the way
dead letter   all writes, and their event
wait          RetryAt; first commits an ended intent and `command.waiting`, so that a successor and readers see them
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumers.applier import dead_letters, outcome
from consumers.applier.attempts import RecordedReads
from consumers.applier.outcome import AlreadyApplied, Applied, DeadLettered, Rejected, Waits, finished, waiting
from consumers.authorization.facts import DueStated
from consumers.authorization.recent_commands import CommandEnd
from consumers.authorization.retry_policy import pause
from consumers.authorization.state import AmbiguousWrite, CommandRef, Waiting
from consumers.authorization.unit_of_work import UnitOfWork
from consumers.engine import Done, RetryAt
from runtime.logs import get_log
from schemas.commands import HandoffClose
from schemas.enums import Effect, Outcome
from schemas.events.reasons import DeadLetterCause, OutcomeReason
from schemas.events.wait_reasons import WaitReason

if TYPE_CHECKING:
    from consumers.applier.attempt_hints import AttemptHint
    from consumers.applier.attempts import Attempts
    from consumers.applier.context import ApplierContext
    from consumers.applier.outcome import CommandOutcome, Ending
    from consumers.applier.task import CommandTask
    from consumers.authorization.state import AuthorizationState, CommandWork, Intent
    from consumers.engine import Invocation, Output, Record
    from schemas.dead_letter import DeadLetter

# A command that waits for the same reason says so again after this time.
_WAITING_AGAIN_SECONDS: Final = 300.0


class CommandRun:
    """One invocation on one command."""

    def __init__(
        self,
        context: ApplierContext,
        invocation: Invocation,
        record: Record,
        task: CommandTask,
        state: AuthorizationState,
    ) -> None:
        self.context = context
        self.invocation = invocation
        self.record = record
        self.task = task
        self.attempts = context.attempts.of(task.record_id)
        unit_of_work = self.unit_of_work = UnitOfWork(
            invocation,
            state,
            context.event_writer,
            context.rules,
            task.traceparent,
            caused_at=record.timestamp,
            accepted_at=task.alive_since,
            called_at=self.attempts.last_at,
        )
        self.reads = RecordedReads(context.collate, invocation.turn, self.attempts, lambda: unit_of_work.time)
        self.close = task.payload if isinstance(task.payload, HandoffClose) else None
        self.began = invocation.steady

    @property
    def first_command(self) -> str:
        """Return the first command of the flow: the request whose handoff the command closes, else the command."""
        return self.unit_of_work.state.first_command(self.task.command_id, self.task.handoff_id)

    @property
    def work(self) -> CommandWork | None:
        """Return the writes of this run of the command; None before its first intent."""
        work, task = self.unit_of_work.state.work, self.task
        is_own = work is not None and work.command_id == task.command_id and work.redrive == task.redrive
        return work if is_own else None

    @property
    def intent(self) -> Intent | None:
        """Return the intent that may be in flight."""
        return self.work.intent if self.work else None

    @property
    def ambiguous(self) -> AmbiguousWrite | None:
        """Return the first write that may have been applied, ended or in flight."""
        work = self.work
        if work is None or work.ambiguous is not None:
            return work.ambiguous if work else None
        intent = work.intent
        if intent is None or self.hint(intent).clean:
            return None
        return AmbiguousWrite(version=intent.version, since=intent.first_sent_at)

    def hint(self, intent: Intent) -> AttemptHint:
        """Return what this process knows about an intent."""
        return self.context.hints.of(intent.key, self.invocation.since)

    def report_double_effect(self, handoff_id: str | None, if_match: int, version: int) -> None:
        """Count and log a suspected double effect: after a resent create the version moved by more than one opening."""
        self.unit_of_work.on_commit(self.context.metrics.double_effects.inc)
        self.unit_of_work.on_commit(
            get_log().error,
            "command.double_effect_suspected",
            authorization_id=self.task.authorization_id,
            command_id=self.task.command_id,
            handoff_id=handoff_id,
            if_match=if_match,
            version=version,
        )

    # How it ends

    async def end(self, ending: Ending) -> Done | RetryAt:
        """Return the result of the invocation. A command that is too old to wait becomes a dead letter."""
        if isinstance(ending, Waits):
            dies_at = self.task.alive_since + self.context.worker.command_max_age.total_seconds()
            if self.invocation.now < dies_at:
                return await self._wait(ending, dies_at)
            ending = DeadLettered(DeadLetterCause.TOO_OLD)
        return self._dead_letter(ending) if isinstance(ending, DeadLettered) else self._finish(ending)

    def refuse(self, reason: OutcomeReason) -> Done:
        """Reject a record before its first step, with a reason of `REFUSALS`; the command's own state does not change.

        A rebuild of the state reads the same from `command.finished`.
        """
        unit_of_work, task = self.unit_of_work, self.task
        unit_of_work.emit(finished(task, Rejected(reason), None), task.command_id, self.first_command)
        is_over_share = reason is OutcomeReason.TOO_MANY_COMMANDS
        unit_of_work.add_recent_command(
            task.record_id, task.digest, CommandEnd.FINISHED, task.caller, over_share=is_over_share
        )
        rejected = self.context.metrics.finished.labels(task.type.value, Outcome.REJECTED.value, Effect.NONE.value)
        unit_of_work.on_commit(rejected.inc)
        self._log("command.finished", outcome=Outcome.REJECTED.value, reason=reason.value)
        return unit_of_work.done(self.context.kept_timer(self.invocation, unit_of_work))

    async def report_failures(self) -> None:
        """Publish `command.waiting` for earlier handler failures: a failing invocation cannot publish it itself."""
        at = self.invocation.now + self.context.worker.waiting_after.total_seconds()
        if self._say_waiting(Waits(WaitReason.HANDLER_FAILED), at):
            await self.unit_of_work.checkpoint()

    def _finish(self, ending: CommandOutcome) -> Done:
        unit_of_work, task, context, now = self.unit_of_work, self.task, self.context, self.invocation.now
        known = unit_of_work.state.known
        is_older = isinstance(ending, Applied) and not ending.is_version_known
        event = finished(task, ending, None if known is None or is_older else known.version, self.attempts)
        if event.effect is Effect.NONE and self._gave_up_a_write():
            event = event.model_copy(update={"effect": Effect.UNKNOWN})
        unit_of_work.emit(event, task.command_id, self.first_command)
        if task.due_at is not None and isinstance(ending, Applied | AlreadyApplied):
            stated_by = CommandRef.model_construct(command_id=task.command_id, metadata=task.metadata)
            unit_of_work.apply(DueStated(task.due_at, task.accepted_at, stated_by, is_redrive=task.redrive > 0))
        self._clear_work()
        unit_of_work.add_recent_run(task.command_id, task.record_id, task.digest, CommandEnd.FINISHED, task.caller)
        others: tuple[Output, ...] = ()
        if task.redrive:
            ended = dead_letters.ended(task.command_id, task.redrive, event.outcome, now)
            others = (context.event_writer.dead_letter_ended(self.invocation.key, ended),)
            unit_of_work.remove_dead_letter(task.command_id)
        ended_as, effect = event.outcome.value, event.effect.value
        unit_of_work.on_commit(context.metrics.finished.labels(task.type.value, ended_as, effect).inc)
        seconds = max(0.0, now - task.accepted_at)
        unit_of_work.on_commit(context.metrics.finish_seconds.labels(task.type.value).observe, seconds)
        self._log("command.finished", outcome=ended_as, effect=effect, reason=event.reason)
        return self._done(*others)

    def _gave_up_a_write(self) -> bool:
        """Whether an operator had a command redriven that may have changed Collate, and no read resolved that write."""
        dead_letter = self.unit_of_work.state.dead_letters.get(self.task.command_id)
        return dead_letter is not None and dead_letter.effect == Effect.UNKNOWN and self.ambiguous is None

    def _dead_letter(self, ending: DeadLettered) -> Done:
        unit_of_work, task, work, cause = self.unit_of_work, self.task, self.work, ending.cause
        first = self.first_command
        writes = dead_letters.intents(work, self.ambiguous)
        record = dead_letters.dead_letter(task, cause, self.record, self.invocation.now, writes)
        self._clear_work()
        unit_of_work.add_recent_run(task.command_id, task.record_id, task.digest, CommandEnd.DEAD_LETTERED, task.caller)
        outputs = open_dead_letter(
            self.context,
            self.invocation,
            unit_of_work,
            record,
            first,
            task=task,
            handoff_id=ending.handoff_id,
            attempts=self.attempts,
        )
        self._log("command.dead_lettered", cause=cause.value, writes=work.n if work else 0)
        return self._done(*outputs, cause=cause)

    def _done(self, *outputs: Output, cause: DeadLetterCause | None = None) -> Done:
        unit_of_work, context = self.unit_of_work, self.context
        if unit_of_work.state.known is not None:
            # After a dead letter the operator needs observations, and a handoff may have been opened unseen.
            unit_of_work.watch(context.worker.watch_max_age.total_seconds())
        timer_at = context.next_timer(unit_of_work.state, self.invocation.now)
        failure = None if cause is None else dead_letters.failure(cause)
        return unit_of_work.done(timer_at, *outputs, dead_lettered=failure)

    def _clear_work(self) -> None:
        if self.intent is not None:
            self.context.hints.drop(self.intent.key)
        others = None if self.work is not None else self.unit_of_work.state.work
        self.unit_of_work.change(work=others, waiting=None)

    async def _wait(self, wait: Waits, dies_at: float) -> RetryAt:
        unit_of_work, invocation = self.unit_of_work, self.invocation
        seconds = pause(wait.reason, invocation.tries, self.context.chance) if wait.seconds is None else wait.seconds
        at = min(invocation.now + seconds, dies_at)
        self._say_waiting(wait, at)
        committed = unit_of_work.committed.work
        has_ended_intent = committed is not None and committed.intent is not None and self.intent is None
        if unit_of_work.has_pending_events or has_ended_intent:
            await unit_of_work.checkpoint()
        return RetryAt(at, wait.reason)

    def _say_waiting(self, wait: Waits, at: float) -> bool:
        """Emit `command.waiting`, if readers do not know it yet. Return whether it was emitted."""
        unit_of_work, task, invocation, reason = self.unit_of_work, self.task, self.invocation, wait.reason
        now, last = invocation.now, unit_of_work.state.waiting
        if invocation.steady - invocation.since + at - now < self.context.worker.waiting_after.total_seconds():
            return False
        own = task.command_id, task.redrive, reason
        is_own = last is not None and (last.command_id, last.redrive, last.reason) == own
        if last is not None and is_own and (last.until >= now or now - last.emitted_at < _WAITING_AGAIN_SECONDS):
            return False
        shown = Waiting(command_id=task.command_id, redrive=task.redrive, reason=reason.value, until=at, emitted_at=now)
        unit_of_work.change(waiting=shown)
        unit_of_work.emit(waiting(task, wait, at, self.attempts), task.command_id, self.first_command)
        unit_of_work.on_commit(self.context.metrics.waiting_events.labels(reason.value).inc)
        shown_fields = {"fields": wait.fields} if wait.fields else {}
        self._log("command.waiting", reason=reason.value, until=round(at, 3), **shown_fields)
        return True

    def _log(self, event: str, **fields: object) -> None:
        task = self.task
        line = {
            "authorization_id": task.authorization_id,
            "command_id": task.command_id,
            "command": task.type.value,
            "redrive": task.redrive or None,
            "tries": self.invocation.tries,
        }
        self.unit_of_work.on_commit(self.context.lines[event], line | fields)


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

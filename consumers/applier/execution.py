"""One invocation on one command: its state, its writes so far and its results. `steps` chooses the result.

finish        the outcome, with everything that was read on the way
dead_letter   a dead letter with all writes, and its event
wait          RetryAt; first commits an ended intent and `command.waiting`, so that a successor and readers see them
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.collate.answers import Ambiguous, Deferred, Refused
from consumers.applier import dead_letters
from consumers.applier.attempts import RecordedReads
from consumers.applier.open_dead_letters import open_dead_letter
from consumers.applier.outcome import AlreadyApplied, Applied, Rejected, finished
from consumers.authorization.event_factory import at as time_at
from consumers.authorization.facts import DueStated
from consumers.authorization.recent_commands import CommandEnd
from consumers.authorization.retry_policy import pause
from consumers.authorization.state import (
    AmbiguousWrite,
    CommandRef,
    Waiting,
)
from consumers.authorization.unit_of_work import UnitOfWork
from consumers.engine import Done, RetryAt
from runtime.logs import get_log
from schemas.enums import Effect, Outcome
from schemas.events import CommandWaiting
from schemas.events.reasons import DeadLetterCause, OutcomeReason
from schemas.events.wait_reasons import WaitReason

if TYPE_CHECKING:
    from adapters.collate.answers import CallFailure
    from consumers.applier.attempt_hints import AttemptHint
    from consumers.applier.context import ApplierContext
    from consumers.applier.outcome import CommandOutcome
    from consumers.applier.task import CommandTask
    from consumers.authorization.state import AuthorizationState, CommandWork, Intent
    from consumers.engine import Invocation, Output, Record

# A command that waits for the same reason says so again after this time.
_WAITING_AGAIN_SECONDS: Final = 300.0


class CommandExecution:
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
        self.turn = invocation.turn
        self.reads = RecordedReads(context.collate, self.turn, self.attempts, lambda: unit_of_work.time)
        self._record = record
        self._began = invocation.steady

    @property
    def first_command(self) -> str:
        """Return the first command of the flow: the request whose handoff the command closes, else the command."""
        return self.unit_of_work.state.first_command(self.task.command_id, self.task.handoff_id)

    # The writes so far

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

    @property
    def is_expired(self) -> bool:
        """Whether the command has expired; never after a write that may have been sent."""
        expires_at = self.task.expires_at
        return self.work is None and expires_at is not None and expires_at <= self.invocation.now

    @property
    def _gave_up_a_write(self) -> bool:
        """Whether an operator had a command redriven that may have changed Collate, and no read resolved that write."""
        dead_letter = self.unit_of_work.state.dead_letters.get(self.task.command_id)
        return dead_letter is not None and dead_letter.effect == Effect.UNKNOWN and self.ambiguous is None

    def has_time(self, seconds: float) -> bool:
        """Whether the invocation has run for less than `seconds`: it must end before the engine's handler deadline."""
        return self.invocation.steady - self._began < seconds

    # The result of the invocation

    def finish(self, ending: CommandOutcome, *, is_version_known: bool = True) -> Done:
        """End the command with an outcome. `is_version_known`: whether the last read is not older than our write."""
        unit_of_work, task, context = self.unit_of_work, self.task, self.context
        known = unit_of_work.state.known
        event = finished(task, ending, known.version if known and is_version_known else None, self.attempts)
        if event.effect is Effect.NONE and self._gave_up_a_write:
            event = event.model_copy(update={"effect": Effect.UNKNOWN})
        unit_of_work.emit(event, task.command_id, self.first_command)
        if task.due_at is not None and isinstance(ending, Applied | AlreadyApplied):
            stated_by = CommandRef.model_construct(command_id=task.command_id, metadata=task.metadata)
            unit_of_work.apply(DueStated(task.due_at, task.accepted_at, stated_by, is_redrive=task.redrive > 0))
        self._clear_work()
        unit_of_work.add_recent_run(task.command_id, task.record_id, task.digest, CommandEnd.FINISHED, task.caller)
        others: tuple[Output, ...] = ()
        if task.redrive:
            ended = dead_letters.ended(task.command_id, task.redrive, event.outcome, self.invocation.now)
            others = (context.event_writer.dead_letter_ended(self.invocation.key, ended),)
            unit_of_work.remove_dead_letter(task.command_id)
        if unit_of_work.state.known is not None:
            unit_of_work.watch(context.worker.watch_max_age.total_seconds())
        outcome, effect = event.outcome.value, event.effect.value
        unit_of_work.on_commit(context.metrics.finished.labels(task.type.value, outcome, effect).inc)
        seconds = max(0.0, self.invocation.now - task.accepted_at)
        unit_of_work.on_commit(context.metrics.finish_seconds.labels(task.type.value).observe, seconds)
        self._log("command.finished", outcome=outcome, effect=effect, reason=event.reason)
        return unit_of_work.done(context.next_timer(unit_of_work.state, self.invocation.now), *others)

    def refuse(self, reason: OutcomeReason) -> Done:
        """Reject a record before its first step, with a reason of `REFUSALS`; the command's own state does not change.

        A rebuild of the state reads the same from `command.finished`.
        """
        unit_of_work, task = self.unit_of_work, self.task
        unit_of_work.emit(finished(task, Rejected(reason), None), task.command_id, self.first_command)
        unit_of_work.add_recent_command(
            task.record_id,
            task.digest,
            CommandEnd.FINISHED,
            task.caller,
            over_share=reason is OutcomeReason.TOO_MANY_COMMANDS,
        )
        rejected = self.context.metrics.finished.labels(task.type.value, Outcome.REJECTED.value, Effect.NONE.value)
        unit_of_work.on_commit(rejected.inc)
        self._log("command.finished", outcome=Outcome.REJECTED.value, reason=reason.value)
        return unit_of_work.done(self.context.kept_timer(self.invocation, unit_of_work))

    def dead_letter(self, cause: DeadLetterCause, handoff_id: str | None = None) -> Done:
        """End the command as a dead letter, for an operator's decision."""
        unit_of_work, task, context, work = self.unit_of_work, self.task, self.context, self.work
        first = self.first_command
        writes = dead_letters.intents(work, self.ambiguous)
        record = dead_letters.dead_letter(task, cause, self._record, self.invocation.now, writes)
        self._clear_work()
        unit_of_work.add_recent_run(task.command_id, task.record_id, task.digest, CommandEnd.DEAD_LETTERED, task.caller)
        invocation, attempts = self.invocation, self.attempts
        outputs = open_dead_letter(
            context, invocation, unit_of_work, record, first, task=task, handoff_id=handoff_id, attempts=attempts
        )
        if unit_of_work.state.known is not None:
            # The operator needs later observations for the decision, and a handoff may have been opened unseen.
            unit_of_work.watch(context.worker.watch_max_age.total_seconds())
        self._log("command.dead_lettered", cause=cause.value, writes=work.n if work else 0)
        timer_at = context.next_timer(unit_of_work.state, self.invocation.now)
        return unit_of_work.done(timer_at, *outputs, dead_lettered=dead_letters.failure(cause))

    async def wait(
        self, reason: WaitReason, seconds: float | None = None, *, fields: tuple[str, ...] = ()
    ) -> Done | RetryAt:
        """Retry the command after `seconds`, or after the pause of the retry policy. A command that is too old ends.

        `fields` names what could not be read in Collate's answer.
        """
        invocation = self.invocation
        dies_at = self.task.alive_since + self.context.worker.command_max_age.total_seconds()
        now = invocation.now
        if now >= dies_at:
            return self.dead_letter(DeadLetterCause.TOO_OLD)
        if seconds is None:
            seconds = pause(reason, invocation.tries, self.context.chance)
        at = min(now + seconds, dies_at)
        if self._must_emit_waiting(reason, at):
            self._emit_waiting(reason, at, fields)
        committed = self.unit_of_work.committed.work
        has_ended_intent = committed is not None and committed.intent is not None and self.intent is None
        if self.unit_of_work.has_pending_events or has_ended_intent:
            await self.unit_of_work.checkpoint()
        return RetryAt(at, reason)

    async def wait_for(self, result: CallFailure, wait_seconds: float | None) -> Done | RetryAt:
        """Wait as long as the call budget or Collate requires, else for the pause of the retry policy."""
        match result:
            case Deferred():
                return await self.wait(WaitReason(result.reason.value), result.wait_seconds)
            case Ambiguous(names_fields=True):
                return await self.wait(WaitReason.UNREADABLE_ANSWER, fields=result.fields)
            case Refused(suspended=True):
                reason = WaitReason.CREDENTIALS if result.status == 401 else WaitReason.FORBIDDEN
            case Refused(status=429):
                reason = WaitReason.RATE_LIMITED
            case _:
                reason = WaitReason.RETRY_AFTER if wait_seconds else WaitReason.BACKOFF
        # Up to 10 % longer, so that commands with the same Retry-After are not all retried at the same moment.
        return await self.wait(reason, wait_seconds * (1.0 + 0.1 * self.context.chance()) if wait_seconds else None)

    async def report_failures(self) -> None:
        """Publish `command.waiting` for earlier handler failures: a failing invocation cannot publish it itself."""
        at = self.invocation.now + self.context.worker.waiting_after.total_seconds()
        if self._must_emit_waiting(WaitReason.HANDLER_FAILED, at):
            self._emit_waiting(WaitReason.HANDLER_FAILED, at)
            await self.unit_of_work.checkpoint()

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

    def _must_emit_waiting(self, reason: WaitReason, at: float) -> bool:
        last, task = self.unit_of_work.state.waiting, self.task
        now, waited = self.invocation.now, self.invocation.steady - self.invocation.since
        if waited + at - now < self.context.worker.waiting_after.total_seconds():
            return False
        if last is None or (last.command_id, last.redrive, last.reason) != (task.command_id, task.redrive, reason):
            return True
        return last.until < now and now - last.emitted_at >= _WAITING_AGAIN_SECONDS

    def _emit_waiting(self, reason: WaitReason, at: float, fields: tuple[str, ...] = ()) -> None:
        task, now = self.task, self.invocation.now
        waiting = Waiting(
            command_id=task.command_id, redrive=task.redrive, reason=reason.value, until=at, emitted_at=now
        )
        self.unit_of_work.change(waiting=waiting)
        event = CommandWaiting(
            command_id=task.command_id,
            command=task.type,
            caller=task.caller,
            reason=reason.value,
            # The read model keeps the sentence, so `gateway status` shows the fields too.
            advice=f"{reason.advice} Unreadable: {', '.join(fields)}." if fields else reason.advice,
            unreadable_fields=list(fields) or None,
            until=time_at(at),
            redrive=task.redrive or None,
            metadata=task.metadata,
            attempts=self.attempts.kept,
            attempts_left_out=self.attempts.left_out or None,
        )
        self.unit_of_work.emit(event, task.command_id, self.first_command)
        self.unit_of_work.on_commit(self.context.metrics.waiting_events.labels(reason.value).inc)
        shown = {"fields": fields} if fields else {}
        self._log("command.waiting", reason=reason.value, until=round(at, 3), **shown)

    def _clear_work(self) -> None:
        if self.intent is not None:
            self.context.hints.drop(self.intent.key)
        others = None if self.work is not None else self.unit_of_work.state.work
        self.unit_of_work.change(work=others, waiting=None)

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

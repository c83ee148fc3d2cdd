"""The applier: handles one record of `commands`. See decision 0002.

invalid ─▶ dead letter               known id ─▶ nothing, or command.key_conflict
access grant ─▶ handoff.access_granted        discard ─▶ command.finished (discarded)
empty recent commands ─▶ authorization.recent_commands_emptied
command or redrive ─▶ `workflow.apply` ─▶ command.finished, command.dead_lettered, or wait
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.applier import dead_letters, outcome
from consumers.applier.dead_letters import DeadLetterCause
from consumers.applier.execution import CommandExecution
from consumers.applier.reasons import OutcomeReason
from consumers.applier.task import (
    AccessTask,
    CommandTask,
    DiscardTask,
    EmptyTask,
    InvalidRecord,
    operator_decision,
    read,
)
from consumers.applier.workflow import apply
from consumers.authorization import recent_callers, recent_commands
from consumers.authorization.facts import GrantRecorded
from consumers.authorization.recent_commands import CommandEnd
from consumers.authorization.retry_policy import MOST_HANDLER_FAILURES, UNREADABLE_STATE_SECONDS
from consumers.authorization.state import AuthorizationState, OpenDeadLetter, StateUnreadable
from consumers.authorization.unit_of_work import UnitOfWork
from consumers.authorization.wait_reasons import WaitReason
from consumers.engine import Done, RetryAt
from runtime.logs import get_log
from schemas.field_types import is_command_id
from schemas.identity import dead_letter_id

if TYPE_CHECKING:
    from consumers.applier.context import ApplierContext
    from consumers.applier.task import Task
    from consumers.engine import Invocation, Record


class Applier:
    """The handler of records; the watcher handles the timers."""

    def __init__(self, context: ApplierContext) -> None:
        self._context = context
        self._log = get_log()

    async def on_record(self, invocation: Invocation, record: Record) -> Done | RetryAt:
        """Handle one record."""
        try:
            state = AuthorizationState.decode(invocation.state)
        except StateUnreadable as unreadable:
            # Without the state no event can be numbered and no write sent: the key waits until an operator repairs the
            # state.
            self._log.error("command.state_unreadable", detail=str(unreadable), partition=record.partition)
            return RetryAt(invocation.now + UNREADABLE_STATE_SECONDS, WaitReason.STATE_UNREADABLE)
        task = read(record, self._context.settings.digest_key)
        result = await self._handle(invocation, record, task, state)
        return result if isinstance(result, RetryAt) else result._replace(source=_sender(task))

    async def _handle(
        self, invocation: Invocation, record: Record, task: Task, state: AuthorizationState
    ) -> Done | RetryAt:
        match task:
            case InvalidRecord():
                return self._reject_record(invocation, record, task, state)
            case AccessTask():
                return self._record_grant(invocation, task, state)
            case DiscardTask():
                return self._discard(invocation, task, state)
            case EmptyTask():
                return self._empty_recent_commands(invocation, task, state)
            case CommandTask():
                return await self._apply(invocation, record, task, state)

    async def _apply(
        self, invocation: Invocation, record: Record, task: CommandTask, state: AuthorizationState
    ) -> Done | RetryAt:
        execution = CommandExecution(self._context, invocation, record, task, state)
        if invocation.failures >= MOST_HANDLER_FAILURES:
            return execution.dead_letter(DeadLetterCause.HANDLER_FAILED)
        if invocation.failures > 1:
            await execution.report_failures()
        if execution.work is None:
            if state.work is not None:
                await self._dead_letter_lost_record(execution.unit_of_work, invocation, state)
            result = self._known(execution)
            if result is not None:
                return result
        return await apply(execution)

    def _known(self, execution: CommandExecution) -> Done | None:
        """Return the result for a command that has ended before; None for a command that must be applied."""
        task, invocation, unit_of_work = execution.task, execution.invocation, execution.unit_of_work
        state = unit_of_work.state
        recent = recent_commands.find(state.recent_commands, task.record_id)
        if recent is not None:
            if recent.digest != recent_commands.short(task.digest):
                return self._key_conflict(execution)
            return unit_of_work.done(self._timer(invocation, unit_of_work))
        dead_letter = state.dead_letters.get(task.command_id)
        if task.redrive:
            is_next = dead_letter is not None and dead_letter.redrive < task.redrive
            return None if is_next else execution.refuse(OutcomeReason.NOT_DEAD_LETTERED)
        if dead_letter is not None:
            if dead_letter.digest is not None and dead_letter.digest != recent_commands.short(task.digest).hex():
                return self._key_conflict(execution)
            return unit_of_work.done(self._timer(invocation, unit_of_work))
        return self._bounded(execution)

    def _bounded(self, execution: CommandExecution) -> Done | None:
        """Return the result for a caller whose share of the recent commands is full; None for the others."""
        recent = execution.unit_of_work.recent_commands_of(execution.task.caller)
        if recent < recent_callers.MOST_ACCEPTED:
            return None
        self._context.metrics.caller_share_exceeded.inc()
        task = execution.task
        self._log.warning(
            "command.caller_share_exceeded", authorization_id=task.authorization_id, caller=task.caller, recent=recent
        )
        if recent < recent_callers.SHARE:
            return execution.refuse(OutcomeReason.TOO_MANY_COMMANDS)
        # The rejection could not be remembered, and a second record of this id would end the command again.
        return execution.postpone(WaitReason.TOO_MANY_COMMANDS, execution.invocation.now + recent_commands.KEPT_SECONDS)

    def _key_conflict(self, execution: CommandExecution) -> Done:
        task, unit_of_work = execution.task, execution.unit_of_work
        unit_of_work.emit(outcome.key_conflict(task), task.command_id)
        self._context.metrics.key_conflicts.inc()
        self._log.warning(
            "command.key_conflict_found", authorization_id=task.authorization_id, command_id=task.command_id
        )
        return unit_of_work.done(self._timer(execution.invocation, unit_of_work))

    def _record_grant(self, invocation: Invocation, task: AccessTask, state: AuthorizationState) -> Done:
        unit_of_work = self._unit_of_work(invocation, state, task.traceparent)
        if recent_commands.find(state.recent_commands, task.record_id) is not None:
            return unit_of_work.done(self._timer(invocation, unit_of_work))
        grant = task.payload
        unit_of_work.apply(
            GrantRecorded(
                handoff_id=grant.handoff_id,
                operator=grant.operator,
                caller=task.caller,
                expires_at=grant.grant_expires_at.timestamp(),
                cause=task.record_id,
            )
        )
        if unit_of_work.recent_commands_of(task.caller) < recent_callers.SHARE:
            unit_of_work.add_recent_command(task.record_id, task.digest, CommandEnd.FINISHED, task.caller)
        unit_of_work.watch(self._context.settings.watch_seconds)
        return unit_of_work.done(self._timer(invocation, unit_of_work))

    def _discard(self, invocation: Invocation, task: DiscardTask, state: AuthorizationState) -> Done:
        unit_of_work = self._unit_of_work(invocation, state, task.traceparent)
        decision, command_id = task.payload, task.payload.command_id
        dead_letter = state.dead_letters.get(command_id)
        if dead_letter is None:
            self._log.warning("command.discard_ignored", command_id=command_id, record_id=task.record_id)
            return unit_of_work.done(self._timer(invocation, unit_of_work))
        unit_of_work.emit(outcome.discarded(task, dead_letter), command_id)
        unit_of_work.remove_dead_letter(command_id)
        digest = task.digest if dead_letter.digest is None else bytes.fromhex(dead_letter.digest)
        unit_of_work.add_recent_command(command_id, digest, CommandEnd.FINISHED, dead_letter.caller)
        self._context.metrics.finished.labels(dead_letter.command, "discarded", "none").inc()
        shown = operator_decision(decision, task.caller).model_dump(mode="json", exclude_none=True, by_alias=False)
        self._log.info("command.discarded", command_id=command_id, **shown)
        ended = dead_letters.discarded(decision, dead_letter.redrive, invocation.now)
        output = self._context.event_writer.dead_letter_ended(invocation.key, ended)
        return unit_of_work.done(self._timer(invocation, unit_of_work), output)

    def _empty_recent_commands(self, invocation: Invocation, task: EmptyTask, state: AuthorizationState) -> Done:
        unit_of_work = self._unit_of_work(invocation, state, task.traceparent)
        if recent_commands.find(state.recent_commands, task.record_id) is None:
            emptied = unit_of_work.empty_recent_commands(task.payload.of_caller)
            event = outcome.recent_commands_emptied(task, emptied)
            unit_of_work.emit(event, task.record_id)
            unit_of_work.add_recent_command(task.record_id, task.digest, CommandEnd.FINISHED, task.caller)
            shown = event.model_dump(mode="json", exclude_none=True, by_alias=False)
            self._log.warning("command.recent_commands_emptied", authorization_id=invocation.key.decode(), **shown)
        return unit_of_work.done(self._timer(invocation, unit_of_work))

    def _reject_record(
        self, invocation: Invocation, record: Record, invalid: InvalidRecord, state: AuthorizationState
    ) -> Done:
        unit_of_work = self._unit_of_work(invocation, state, None)
        position = f"{record.partition}-{record.offset}"
        # A record without a readable id gets an id made from its position, so that its event and dead letter match.
        has_id = invalid.command_id is not None and is_command_id(invalid.command_id)
        command_id = (has_id and invalid.command_id) or dead_letter_id(position, 0)
        if command_id in state.dead_letters:
            return unit_of_work.done(self._timer(invocation, unit_of_work))
        dead_letter = dead_letters.invalid_record(invalid, command_id, record, invocation.now)
        event = outcome.record_invalid(command_id, dead_letter.command, dead_letter.caller)
        unit_of_work.emit(event, command_id)
        unit_of_work.add_dead_letter(
            command_id, OpenDeadLetter(at=invocation.now, command=event.command.value, caller=event.caller)
        )
        self._context.metrics.dead_letters.labels(event.cause).inc()
        self._log.error("command.record_rejected", problem=invalid.problem, position=position, command_id=command_id)
        output = self._context.event_writer.dead_letter(invocation.key, dead_letter)
        failure = dead_letters.failure(DeadLetterCause.INVALID_RECORD)
        return unit_of_work.done(self._timer(invocation, unit_of_work), output, dead_lettered=failure)

    async def _dead_letter_lost_record(
        self, unit_of_work: UnitOfWork, invocation: Invocation, state: AuthorizationState
    ) -> None:
        """Dead-letter a write whose command record is gone: only an operator can resolve it."""
        work = state.work
        if work is None:
            return
        event = outcome.record_lost(work)
        unit_of_work.emit(event, work.command_id)
        unit_of_work.add_dead_letter(
            work.command_id,
            OpenDeadLetter(redrive=work.redrive, at=invocation.now, command=work.command, caller=work.caller),
        )
        unit_of_work.change(work=None, waiting=None)
        self._context.metrics.dead_letters.labels(event.cause).inc()
        self._log.error("command.record_lost", command_id=work.command_id, writes=work.n)
        dead_letter = dead_letters.lost_record(work, invocation.key, invocation.now)
        await unit_of_work.checkpoint(self._context.event_writer.dead_letter(invocation.key, dead_letter))

    def _timer(self, invocation: Invocation, unit_of_work: UnitOfWork) -> float | None:
        """Keep the current timer: a record without a read does not postpone the next observation.

        A new watch replaces it: the current timer may be the one that deletes the state after months.
        """
        if invocation.timer_at is None or unit_of_work.starts_watch:
            return self._context.next_timer(unit_of_work.state, invocation.now)
        return invocation.timer_at

    def _unit_of_work(self, invocation: Invocation, state: AuthorizationState, traceparent: str | None) -> UnitOfWork:
        return UnitOfWork(invocation, state, self._context.event_writer, self._context.rules, traceparent)


def _sender(task: Task) -> str | None:
    """Return the caller; None for an operator's decision, which shows nothing about the deployment."""
    return None if isinstance(task, DiscardTask | EmptyTask) else task.caller or "unknown"

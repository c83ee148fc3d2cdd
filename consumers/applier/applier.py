"""The applier: handles one record of `commands`. See decision 0002.

invalid ─▶ dead letter               known id ─▶ nothing, or command.key_conflict
access grant ─▶ handoff.access_granted        discard ─▶ command.finished (discarded)
read of content ─▶ authorization.content_read
empty recent commands ─▶ authorization.recent_commands_emptied
lower version floor ─▶ authorization.version_floor_lowered
command or redrive ─▶ `take_steps` ─▶ command.finished, command.dead_lettered, or wait
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumers.applier import dead_letters, outcome
from consumers.applier.command_run import CommandRun, open_dead_letter
from consumers.applier.outcome import DeadLettered
from consumers.applier.steps import take_steps
from consumers.applier.task import UNKNOWN_CALLER, CommandTask, InvalidRecord, RecordTask, operator_decision, read
from consumers.authorization import recent_callers, recent_commands
from consumers.authorization.facts import GrantRecorded, ReleaseRecorded, VersionFloorSet
from consumers.authorization.recent_commands import CommandEnd
from consumers.authorization.retry_policy import MOST_HANDLER_FAILURES, UNREADABLE_STATE_SECONDS
from consumers.authorization.state import AuthorizationState, StateUnreadable
from consumers.authorization.unit_of_work import UnitOfWork
from consumers.engine import Done, RetryAt
from runtime.logs import get_log
from schemas.commands import (
    Discard,
    EmptyRecentCommands,
    LowerVersionFloor,
    RecordAccess,
    RecordRead,
    ReleaseHandoff,
)
from schemas.enums import Outcome
from schemas.events.reasons import DeadLetterCause, OutcomeReason
from schemas.events.wait_reasons import WaitReason

if TYPE_CHECKING:
    from consumers.applier.context import ApplierContext
    from consumers.applier.task import Task
    from consumers.engine import Invocation, Output, Record
    from schemas.events import Event
    from schemas.model import Model


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
        task = read(record, self._context.digest_key, self._context.keys)
        result = await self._handle(invocation, record, task, state)
        return result if isinstance(result, RetryAt) else result._replace(source=_sender(task))

    async def _handle(
        self, invocation: Invocation, record: Record, task: Task, state: AuthorizationState
    ) -> Done | RetryAt:
        match task:
            case InvalidRecord():
                return self._reject_record(invocation, record, task, state)
            case RecordTask():
                return self._carry_out(invocation, record, task, state)
            case CommandTask():
                return await self._apply(invocation, record, task, state)

    async def _apply(
        self, invocation: Invocation, record: Record, task: CommandTask, state: AuthorizationState
    ) -> Done | RetryAt:
        run = CommandRun(self._context, invocation, record, task, state)
        if invocation.failures >= MOST_HANDLER_FAILURES:
            return await run.end(DeadLettered(DeadLetterCause.HANDLER_FAILED))
        if invocation.failures > 1:
            await run.report_failures()
        if run.work is None:
            if state.work is not None:
                await self._dead_letter_lost_record(run.unit_of_work, invocation, state)
            result = self._result_of_repeat(run)
            if result is not None:
                return result
        return await run.end(await take_steps(run))

    def _result_of_repeat(self, run: CommandRun) -> Done | None:
        """Return the result for a command that has ended before; None for a command that must be applied."""
        task, invocation, unit_of_work = run.task, run.invocation, run.unit_of_work
        state = unit_of_work.state
        recent = recent_commands.find(state.recent_commands, task.record_id)
        if recent is not None:
            if recent.digest != recent_commands.digest_prefix(task.digest):
                return self._key_conflict(run)
            return unit_of_work.done(self._context.kept_timer(invocation, unit_of_work))
        dead_letter = state.dead_letters.get(task.command_id)
        if task.redrive:
            is_next = dead_letter is not None and dead_letter.redrive < task.redrive
            return None if is_next else run.refuse(OutcomeReason.NOT_DEAD_LETTERED)
        if dead_letter is not None:
            if (
                dead_letter.digest is not None
                and dead_letter.digest != recent_commands.digest_prefix(task.digest).hex()
            ):
                return self._key_conflict(run)
            return unit_of_work.done(self._context.kept_timer(invocation, unit_of_work))
        return self._result_over_share(run)

    def _result_over_share(self, run: CommandRun) -> Done | None:
        """Return the result for a caller whose share of the recent commands is full; None for the others."""
        unit_of_work, task = run.unit_of_work, run.task
        recent = unit_of_work.recent_commands_of(task.caller)
        if recent < recent_callers.MOST_ACCEPTED and not unit_of_work.may_have_forgotten(task.caller):
            return None
        unit_of_work.on_commit(self._context.metrics.caller_share_exceeded.inc)
        fields = {"authorization_id": task.authorization_id, "caller": task.caller, "recent": recent}
        unit_of_work.on_commit(self._log.warning, "command.caller_share_exceeded", **fields)
        return run.refuse(OutcomeReason.TOO_MANY_COMMANDS)

    def _key_conflict(self, run: CommandRun) -> Done:
        task, unit_of_work = run.task, run.unit_of_work
        unit_of_work.emit(outcome.key_conflict(task), task.command_id, run.first_command)
        unit_of_work.on_commit(self._context.metrics.key_conflicts.inc)
        fields = {"authorization_id": task.authorization_id, "command_id": task.command_id}
        unit_of_work.on_commit(self._log.warning, "command.key_conflict_found", **fields)
        return unit_of_work.done(self._context.kept_timer(run.invocation, unit_of_work))

    def _carry_out(self, invocation: Invocation, record: Record, task: RecordTask, state: AuthorizationState) -> Done:
        unit_of_work = self._unit_of_work(invocation, record, state, task.accepted_at, task.traceparent)
        outputs: tuple[Output, ...] = ()
        if recent_commands.find(state.recent_commands, task.record_id) is None:
            match task.payload:
                case RecordAccess() as grant:
                    self._record_grant(unit_of_work, task, grant)
                case ReleaseHandoff(handoff_id=handoff_id):
                    # Like a read: the ingress sends each record once, and a second release changes nothing.
                    unit_of_work.apply(ReleaseRecorded(handoff_id, task.caller, task.record_id))
                case RecordRead() as content:
                    # The id is in no list of recent commands: the ingress sends each record once, and reads take no
                    # share.
                    unit_of_work.emit(outcome.content_read(content, task.caller), task.record_id)
                    unit_of_work.change(content_read_at=invocation.now)  # the state is deleted long after its event
                case Discard() as decision:
                    outputs = self._discard(invocation, unit_of_work, task, decision)
                case EmptyRecentCommands() as decision:
                    self._empty_recent_commands(invocation, unit_of_work, task, decision)
                case LowerVersionFloor() as decision:
                    self._lower_version_floor(invocation, unit_of_work, task, decision)
                    # With a lower floor, what Collate shows now replaces what the gateway knows: it is read at once.
                    return unit_of_work.done(invocation.now)
        return unit_of_work.done(self._context.kept_timer(invocation, unit_of_work), *outputs)

    def _record_grant(self, unit_of_work: UnitOfWork, task: RecordTask, grant: RecordAccess) -> None:
        unit_of_work.apply(
            GrantRecorded(
                handoff_id=grant.handoff_id,
                operator=grant.operator,
                caller=task.caller,
                expires_at=grant.grant_expires_at.timestamp(),
                cause=task.record_id,
                take_over=bool(grant.take_over),
                claim_check=grant.claim_check,
            )
        )
        unit_of_work.add_recent_grant(task.record_id, task.digest, task.caller)
        unit_of_work.watch(self._context.worker.watch_max_age.total_seconds())

    def _discard(
        self, invocation: Invocation, unit_of_work: UnitOfWork, task: RecordTask, decision: Discard
    ) -> tuple[Output, ...]:
        """Discard a dead letter; return the records that end it. A decision about another number ends nothing."""
        command_id = decision.command_id
        dead_letter = unit_of_work.state.dead_letters.get(command_id)
        if dead_letter is None or decision.redrive not in {None, dead_letter.redrive}:
            fields = {"command_id": command_id, "record_id": task.record_id, "number": decision.redrive}
            unit_of_work.on_commit(self._context.metrics.discards_ignored.inc)
            unit_of_work.on_commit(self._log.warning, "command.discard_ignored", **fields)
            return ()
        decided = operator_decision(decision, task.caller)
        ended = outcome.discarded(command_id, dead_letter, OutcomeReason.DISCARDED, decided)
        unit_of_work.emit(ended, command_id, dead_letter.first)
        unit_of_work.remove_dead_letter(command_id)
        digest = task.digest if dead_letter.digest is None else bytes.fromhex(dead_letter.digest)
        unit_of_work.add_recent_command(command_id, digest, CommandEnd.FINISHED, dead_letter.caller)
        unit_of_work.on_commit(
            self._context.metrics.finished.labels(dead_letter.command, "discarded", dead_letter.effect).inc
        )
        unit_of_work.on_commit(self._log.info, "command.discarded", command_id=command_id, **_shown(decided))
        record = dead_letters.ended(command_id, dead_letter.redrive, Outcome.DISCARDED, invocation.now)
        return (self._context.event_writer.dead_letter_ended(invocation.key, record),)

    def _empty_recent_commands(
        self, invocation: Invocation, unit_of_work: UnitOfWork, task: RecordTask, decision: EmptyRecentCommands
    ) -> None:
        emptied = unit_of_work.empty_recent_commands(decision.of_caller)
        event = outcome.recent_commands_emptied(decision, task.caller, emptied)
        self._end_decision(unit_of_work, task, event, "command.recent_commands_emptied", invocation.key)

    def _lower_version_floor(
        self, invocation: Invocation, unit_of_work: UnitOfWork, task: RecordTask, decision: LowerVersionFloor
    ) -> None:
        event = outcome.version_floor_lowered(decision, task.caller, unit_of_work.state.floor)
        unit_of_work.apply(VersionFloorSet(decision.to_version))
        unit_of_work.watch(self._context.worker.watch_max_age.total_seconds())
        self._end_decision(unit_of_work, task, event, "command.version_floor_lowered", invocation.key)

    def _end_decision(self, unit_of_work: UnitOfWork, task: RecordTask, event: Event, line: str, key: bytes) -> None:
        unit_of_work.emit(event, task.record_id)
        unit_of_work.on_commit(self._log.warning, line, authorization_id=key.decode(), **_shown(event))
        unit_of_work.add_recent_command(task.record_id, task.digest, CommandEnd.FINISHED, task.caller)

    def _reject_record(
        self, invocation: Invocation, record: Record, invalid: InvalidRecord, state: AuthorizationState
    ) -> Done:
        unit_of_work = self._unit_of_work(invocation, record, state, invocation.now)
        command_id = invalid.id_at(record.partition, record.offset)
        position = f"{record.partition}-{record.offset}"
        fields = {"problem": invalid.problem, "position": position, "command_id": command_id}
        unit_of_work.on_commit(self._log.error, "command.record_rejected", **fields)
        work = state.work
        if work is not None and (work.command_id, work.redrive) != (command_id, invalid.redrive):
            work = None
        if work is None and _is_known(invalid, command_id, state):
            return unit_of_work.done(self._context.kept_timer(invocation, unit_of_work))
        dead_letter = dead_letters.invalid_record(invalid, command_id, record, invocation.now, work)
        first = state.first_command(command_id, None)
        outputs = open_dead_letter(self._context, invocation, unit_of_work, dead_letter, first)
        if work is not None:
            unit_of_work.change(work=None, waiting=None)
        failure = dead_letters.failure(dead_letters.cause_of(invalid))
        timer_at = self._context.kept_timer(invocation, unit_of_work)
        return unit_of_work.done(timer_at, *outputs, dead_lettered=failure)

    async def _dead_letter_lost_record(
        self, unit_of_work: UnitOfWork, invocation: Invocation, state: AuthorizationState
    ) -> None:
        """Dead-letter a write whose command record is gone: only an operator can resolve it."""
        work = state.work
        if work is None:
            return
        first = state.first_command(work.command_id, work.intent.handoff_id if work.intent else None)
        dead_letter = dead_letters.lost_record(work, invocation.key, invocation.now)
        outputs = open_dead_letter(self._context, invocation, unit_of_work, dead_letter, first)
        unit_of_work.change(work=None, waiting=None)
        unit_of_work.on_commit(self._log.error, "command.record_lost", command_id=work.command_id, writes=work.n)
        await unit_of_work.checkpoint(*outputs)

    def _unit_of_work(
        self,
        invocation: Invocation,
        record: Record,
        state: AuthorizationState,
        accepted_at: float,
        traceparent: str | None = None,
    ) -> UnitOfWork:
        writer, rules, caused_at = self._context.event_writer, self._context.rules, record.timestamp
        return UnitOfWork(invocation, state, writer, rules, traceparent, caused_at=caused_at, accepted_at=accepted_at)


def _is_known(invalid: InvalidRecord, command_id: str, state: AuthorizationState) -> bool:
    """Whether a record changes nothing: a repeat of a command that is a dead letter already, or has ended.

    A redrive that cannot be decrypted is the next dead letter of its command. Without an open dead letter it is a
    repeat, or comes too late.
    """
    dead_letter = state.dead_letters.get(command_id)
    if invalid.is_sealed and invalid.redrive:
        return dead_letter is None or dead_letter.redrive >= invalid.redrive
    return dead_letter is not None or (
        invalid.is_sealed and recent_commands.find(state.recent_commands, command_id) is not None
    )


def _sender(task: Task) -> str | None:
    """Return the caller; None for an operator's decision, which shows nothing about the deployment."""
    return None if isinstance(task, RecordTask) and task.is_decision else task.caller or UNKNOWN_CALLER


def _shown(value: Model) -> dict[str, Any]:
    """Return the fields that a log line shows."""
    return value.model_dump(mode="json", exclude_none=True, by_alias=False)

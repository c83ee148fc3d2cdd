"""The applier: takes a record of `commands`, and does what it asks, or says why not. See decision 0002.

invalid ─▶ dead letter          known id ─▶ nothing, or command.key_conflict
access  ─▶ handoff.access_granted    discard ─▶ command.finished (discarded)
a caller's command, or its redrive ─▶ `writing.apply` ─▶ command.finished, command.dead_lettered, or wait
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeGuard

from consumers.applier.dead_letters import broken_letter, ended_letter, intents, orphan_letter
from consumers.applier.execution import CommandExecution
from consumers.applier.outcome import DeadLettered, discarded, key_conflict
from consumers.applier.reasons import DeadLetterCause, Reason
from consumers.applier.retry_policy import MOST_FAILURES
from consumers.applier.task import Access, CommandTask, Discarding, Invalid, decided, read
from consumers.applier.workflow import apply
from consumers.authorization import recent_commands
from consumers.authorization.facts import Granted
from consumers.authorization.recent_commands import Ending
from consumers.authorization.state import AuthorizationState, OpenDeadLetter, StateUnreadable
from consumers.authorization.unit_of_work import UnitOfWork
from consumers.authorization.wait_reasons import WaitReason
from consumers.engine import Done, RetryAt
from runtime.logs import get_log
from schemas.enums import CommandType, Outcome
from schemas.events import CommandDeadLettered
from schemas.identity import dead_letter_id

if TYPE_CHECKING:
    from consumers.applier.context import ApplierContext
    from consumers.engine import Invocation, Record

_UNREADABLE_SECONDS: Final = 60.0


class Applier:
    """The engine's handler of records; `on_alarm` is the watcher's."""

    def __init__(self, desk: ApplierContext) -> None:
        self._desk = desk
        self._log = get_log()

    async def on_record(self, turn: Invocation, record: Record) -> Done | RetryAt:
        """Do the work of one record."""
        try:
            memory = AuthorizationState.decode(turn.state)
        except StateUnreadable as unreadable:
            # Nothing may be numbered or written without it: the lane stands until an operator has mended the state.
            self._log.error("memory.unreadable", detail=str(unreadable), partition=record.partition)
            return RetryAt(turn.now + _UNREADABLE_SECONDS, WaitReason.MEMORY_UNREADABLE)
        task = read(record, self._desk.policy.digest_key)
        match task:
            case Invalid():
                return self._invalid(turn, record, task, memory)
            case Access():
                return self._access(turn, task, memory)
            case Discarding():
                return self._discard(turn, task, memory)
            case CommandTask():
                return await self._job(turn, record, task, memory)

    async def _job(
        self, turn: Invocation, record: Record, job: CommandTask, memory: AuthorizationState
    ) -> Done | RetryAt:
        run = CommandExecution(self._desk, turn, record, job, memory)
        if turn.failures >= MOST_FAILURES:
            return run.bury(DeadLetterCause.HANDLER_FAILED)
        if turn.failures > 1:
            await run.tell_failures()
        if run.work is None:
            if memory.work is not None:
                await self._bury_orphan(run.draft, turn, memory)
            known = self._known(run)
            if known is not None:
                return known
        return await apply(run)

    def _known(self, run: CommandExecution) -> Done | None:
        """Answer for a command that has ended before; None for one that is to be applied."""
        job, turn, memory = run.job, run.turn, run.draft.memory
        ended = recent_commands.find(memory.remembered, job.record_id)
        if ended is not None:
            if ended.digest != recent_commands.short(job.digest):
                return self._conflict(run)
            return run.draft.done(self._alarm(turn, run.draft))
        dead = memory.dead.get(job.command_id)
        if job.redrive:
            is_next = dead is not None and dead.redrive < job.redrive
            return None if is_next else run.refuse(Reason.NOT_DEAD_LETTERED, remembering=True)
        if dead is not None:
            if dead.digest is not None and dead.digest != recent_commands.short(job.digest).hex():
                return self._conflict(run)
            return run.draft.done(self._alarm(turn, run.draft))
        if recent_commands.is_full(memory.remembered, turn.now):
            return run.refuse(Reason.TOO_MANY_COMMANDS, remembering=False)
        return None

    def _conflict(self, run: CommandExecution) -> Done:
        job = run.job
        run.draft.tell(key_conflict(job), job.command_id)
        self._desk.metrics.key_conflicts.inc()
        self._log.warning("command.key_conflict", authorization_id=job.authorization_id, command_id=job.command_id)
        return run.draft.done(self._alarm(run.turn, run.draft))

    def _access(self, turn: Invocation, access: Access, memory: AuthorizationState) -> Done:
        draft = self._draft(turn, memory, access.traceparent)
        if recent_commands.find(memory.remembered, access.record_id) is not None:
            return draft.done(self._alarm(turn, draft))
        data = access.data
        draft.absorb(Granted(data.handoff_id, data.operator, data.grant_expires_at.timestamp(), access.record_id))
        if not recent_commands.is_full(memory.remembered, turn.now):
            draft.remember(access.record_id, access.digest, Ending.FINISHED)
        draft.follow(self._desk.policy.watch_seconds)
        return draft.done(self._alarm(turn, draft))

    def _discard(self, turn: Invocation, asked: Discarding, memory: AuthorizationState) -> Done:
        draft, command_id = self._draft(turn, memory, asked.traceparent), asked.data.command_id
        dead = memory.dead.get(command_id)
        if dead is None:
            self._log.warning("command.discard_in_vain", command_id=command_id, record_id=asked.record_id)
            return draft.done(self._alarm(turn, draft))
        draft.tell(discarded(asked.data, dead), command_id)
        draft.raise_dead(command_id)
        what = asked.digest if dead.digest is None else bytes.fromhex(dead.digest)
        draft.remember(command_id, what, Ending.FINISHED)
        self._desk.metrics.finished.labels(dead.command, "discarded", "none").inc()
        said = decided(asked.data).model_dump(mode="json", exclude_none=True, by_alias=False)
        self._log.info("command.discarded", command_id=command_id, **said)
        ended = ended_letter(command_id, dead.redrive, Outcome.DISCARDED, turn.now)
        return draft.done(self._alarm(turn, draft), self._desk.publication.dead_letter_ended(turn.key, ended))

    def _invalid(self, turn: Invocation, record: Record, invalid: Invalid, memory: AuthorizationState) -> Done:
        draft = self._draft(turn, memory, None)
        where = f"{record.partition}-{record.offset}"
        # Without a readable id it gets one of the record's place, so that event and dead letter find each other.
        command_id = invalid.command_id if _is_command_id(invalid.command_id) else dead_letter_id(where, 0)
        letter = broken_letter(invalid, command_id, DeadLettered(DeadLetterCause.INVALID_RECORD), record, turn.now)
        if command_id in memory.dead:
            return draft.done(self._alarm(turn, draft))
        command = CommandType(letter.command or "unrecognised")
        caller = letter.caller or "unknown"
        cause = DeadLetterCause.INVALID_RECORD
        draft.tell(
            CommandDeadLettered(
                command_id=command_id, command=command, caller=caller, cause=cause.value, advice=cause.advice
            ),
            command_id,
        )
        draft.bury(command_id, OpenDeadLetter(at=turn.now, command=command.value, caller=caller))
        self._desk.metrics.dead_letters.labels(cause.value).inc()
        self._log.error("command.invalid_record", problem=invalid.problem, where=where, command_id=command_id)
        output = self._desk.publication.dead_letter(turn.key, letter)
        return draft.done(self._alarm(turn, draft), output, dead_lettered=True)

    async def _bury_orphan(self, draft: UnitOfWork, turn: Invocation, memory: AuthorizationState) -> None:
        """Give up a write whose command record never came back: nobody can finish it, a person must look."""
        work = memory.work
        if work is None:
            return
        cause = DeadLetterCause.RECORD_LOST
        draft.tell(
            CommandDeadLettered(
                command_id=work.command_id,
                command=CommandType(work.command),
                caller=work.caller,
                cause=cause.value,
                advice=cause.advice,
                redrive=work.redrive or None,
            ),
            work.command_id,
        )
        dead = OpenDeadLetter(redrive=work.redrive, at=turn.now, command=work.command, caller=work.caller)
        draft.bury(work.command_id, dead)
        draft.memory = draft.memory.but(work=None, waiting=None)
        self._desk.metrics.dead_letters.labels(cause.value).inc()
        self._log.error("command.record_lost", command_id=work.command_id, writes=work.n)
        letter = orphan_letter(work, turn.key, cause, turn.now, intents(work, work.maybe))
        await draft.checkpoint(self._desk.publication.dead_letter(turn.key, letter))

    def _alarm(self, turn: Invocation, draft: UnitOfWork) -> float | None:
        """Keep the alarm that stands: what looks at nothing doesn't postpone the next look.

        Where a watch begins anew, the one that stands is there to forget the authorization, in months.
        """
        if turn.timer_at is None or draft.watches_anew:
            return self._desk.next_look(draft.memory, turn.now)
        return turn.timer_at

    def _draft(self, turn: Invocation, memory: AuthorizationState, traceparent: str | None) -> UnitOfWork:
        return UnitOfWork(turn, memory, self._desk.publication, self._desk.rules, traceparent)


def _is_command_id(text: str | None) -> TypeGuard[str]:
    if text is None or len(text) != 36:
        return False
    return all(text[at] == "-" for at in (8, 13, 18, 23)) and set(text.replace("-", "")) <= set("0123456789abcdef")

"""One turn on one command: everything that it can end with, except how to write to Collate (`writing`).

finish   the outcome, once, with all that was learned on the way
bury     a dead letter with the intents, and its event
wait     Again; before that whatever a successor or a reader must know: an intent that ended, why it takes so long
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consumers.applier.attempts import Recording
from consumers.applier.dead_letters import ended_letter, intents, letter
from consumers.applier.outcome import DeadLettered, Rejected, dead_lettered, finished
from consumers.applier.reasons import WAITING, DeadLetterCause, Reason
from consumers.applier.retry_policy import pause
from consumers.authorization.event_factory import at as time_at
from consumers.authorization.recent_commands import Ending as Remembered
from consumers.authorization.recent_commands import short
from consumers.authorization.state import MOST_PAST, AmbiguousWrite, CommandWork, EndedIntent, OpenDeadLetter, Waiting
from consumers.authorization.unit_of_work import UnitOfWork
from consumers.authorization.wait_reasons import WaitReason
from consumers.engine import Done, RetryAt
from schemas.enums import Effect, Outcome
from schemas.events import CommandWaiting

if TYPE_CHECKING:
    from consumers.applier.attempt_hints import AttemptHint
    from consumers.applier.context import ApplierContext
    from consumers.applier.outcome import Ending
    from consumers.applier.task import CommandTask
    from consumers.authorization.state import AuthorizationState, Intent
    from consumers.engine import Invocation, Output, Record

_REASON_OF_MOVE: Final = {
    "forbidden": Reason.FORBIDDEN,
    "review_stale": Reason.REVIEW_SNAPSHOT_STALE,
    "requirements_not_satisfied": Reason.REQUIREMENTS_OPEN,
}


class CommandExecution:
    """See the module."""

    def __init__(
        self, desk: ApplierContext, turn: Invocation, record: Record, job: CommandTask, memory: AuthorizationState
    ) -> None:
        self.desk = desk
        self.turn = turn
        self.job = job
        self.draft = UnitOfWork(turn, memory, desk.publication, desk.rules, job.traceparent, taken=self._taken)
        self.attempts = desk.attempts.of(job.record_id)
        self.collate = Recording(desk.collate, self.attempts, self._write_number, lambda: turn.now + self._taken())
        self._record = record
        self._began = desk.clock()

    # What is known of the writes so far

    @property
    def work(self) -> CommandWork | None:
        """Return what was written for this run of the command; None before its first intent."""
        work, job = self.draft.memory.work, self.job
        is_this = work is not None and work.command_id == job.command_id and work.redrive == job.redrive
        return work if is_this else None

    @property
    def intent(self) -> Intent | None:
        """Return the intent that may be in flight."""
        return self.work.intent if self.work else None

    @property
    def maybe(self) -> AmbiguousWrite | None:
        """Return the first write that may have been applied, ended or in flight."""
        work = self.work
        if work is None or work.maybe is not None:
            return work.maybe if work else None
        intent = work.intent
        if intent is None or self.note(intent).clean:
            return None
        return AmbiguousWrite(version=intent.version, since=intent.first_sent_at)

    def note(self, intent: Intent) -> AttemptHint:
        """Return what this process knows of an intent."""
        return self.desk.notes.of(intent.key, self.turn.since)

    def set_work(self, work: CommandWork | None) -> None:
        """Change what was written."""
        self.draft.memory = self.draft.memory.but(work=work)

    def end_intent(self, ended: str) -> None:
        """Put the intent aside: its request is over, and the next write takes the next n."""
        work, intent = self.work, self.intent
        if work is None or intent is None:
            return
        past = EndedIntent(
            n=intent.n,
            operation=intent.operation,
            key=intent.key,
            if_match=intent.if_match,
            version=intent.version,
            first_sent_at=intent.first_sent_at,
            ended=ended,
        )
        self.set_work(work.but(intent=None, maybe=self.maybe, past=(*work.past, past)[-MOST_PAST:]))
        self.desk.notes.drop(intent.key)

    def withdraw_intent(self) -> None:
        """Take back an intent of which nothing left this machine: as if it had never been."""
        work, intent = self.work, self.intent
        if work is not None and intent is not None:
            self.set_work(work.but(intent=None, n=intent.n - 1) if intent.n > 1 else None)
            self.desk.notes.drop(intent.key)

    @property
    def is_expired(self) -> bool:
        """Whether it is too late to begin; never after something may have been sent."""
        expires_at = self.job.expires_at(self.desk.policy.request_expiry_seconds)
        return self.work is None and expires_at is not None and expires_at <= self.turn.now

    def has_time(self, seconds: float) -> bool:
        """Whether this turn has not taken that long yet: a turn must end before the engine takes it for hung."""
        return self._taken() < seconds

    def _taken(self) -> float:
        return self.desk.clock() - self._began

    def _write_number(self) -> int | None:
        return self.work.n if self.work else None

    # How a turn ends

    def finish(self, ending: Ending) -> Done:
        """End the command."""
        draft, job, desk = self.draft, self.job, self.desk
        known = draft.memory.known
        event = finished(job, ending, known.version if known else None, self.attempts)
        draft.tell(event, job.command_id)
        self._forget_work()
        draft.remember(job.command_id, job.digest, Remembered.FINISHED)
        others: tuple[Output, ...] = ()
        if job.redrive:
            ended = ended_letter(job.command_id, job.redrive, event.outcome, self.turn.now)
            others = (desk.publication.dead_letter_ended(self.turn.key, ended),)
            draft.raise_dead(job.command_id)
            draft.remember(job.record_id, job.digest, Remembered.FINISHED)
        if draft.memory.known is not None:
            draft.follow(desk.policy.watch_seconds)
        outcome, effect = event.outcome.value, event.effect.value
        desk.metrics.finished.labels(job.type.value, outcome, effect).inc()
        desk.metrics.finish_seconds.labels(job.type.value).observe(max(0.0, self.turn.now - job.accepted_at))
        self._say("command.finished", outcome=outcome, effect=effect, reason=event.reason)
        return draft.done(desk.next_look(draft.memory, self.turn.now), *others)

    def refuse(self, reason: Reason, *, remembering: bool) -> Done:
        """End a run that was never taken up: nothing that is known of the command itself changes."""
        draft, job, turn = self.draft, self.job, self.turn
        draft.tell(finished(job, Rejected(reason), None), job.command_id)
        if remembering:
            draft.remember(job.record_id, job.digest, Remembered.FINISHED)
        self.desk.metrics.finished.labels(job.type.value, Outcome.REJECTED.value, Effect.NONE.value).inc()
        self._say("command.finished", outcome=Outcome.REJECTED.value, reason=reason.value)
        timer_at = turn.timer_at if turn.timer_at is not None else self.desk.next_look(draft.memory, turn.now)
        return draft.done(timer_at)

    def bury(self, cause: DeadLetterCause, handoff_id: str | None = None) -> Done:
        """Give the command up for a person to decide."""
        draft, job, desk, work = self.draft, self.job, self.desk, self.work
        ending = DeadLettered(cause, handoff_id)
        draft.tell(dead_lettered(job, ending, self.attempts), job.command_id)
        dead = letter(job, ending, self._record, self.turn.now, intents(work, self.maybe))
        self._forget_work()
        draft.remember(job.command_id, job.digest, Remembered.DEAD)
        draft.remember(job.record_id, job.digest, Remembered.DEAD)
        draft.bury(
            job.command_id,
            OpenDeadLetter(
                redrive=job.redrive,
                at=self.turn.now,
                command=job.type.value,
                caller=job.caller,
                digest=short(job.digest).hex(),
                metadata=job.metadata,
            ),
        )
        if draft.memory.known is not None:
            # Who decides about it needs to know how it went on, and a handoff may have been opened unseen.
            draft.follow(desk.policy.watch_seconds)
        desk.metrics.dead_letters.labels(cause.value).inc()
        self._say("command.dead_lettered", cause=cause.value, writes=work.n if work else 0)
        output = desk.publication.dead_letter(self.turn.key, dead)
        return draft.done(desk.next_look(draft.memory, self.turn.now), output, dead_lettered=True)

    async def wait(self, reason: WaitReason, at: float | None = None) -> Done | RetryAt:
        """Stay on the command; `at` where somebody has said when. Too old a command is buried instead."""
        turn, policy = self.turn, self.desk.policy
        dies_at = self.job.alive_since + policy.life_seconds
        if turn.now >= dies_at:
            return self.bury(DeadLetterCause.TOO_OLD)
        if at is None:
            at = turn.now + pause(reason, turn.tries, self.desk.chance)
        at = max(turn.now, min(at, dies_at))
        if self._must_tell(reason, at):
            self._tell_waiting(reason, at)
        saved = self.draft.saved.work
        has_ended_intent = saved is not None and saved.intent is not None and self.intent is None
        if self.draft.has_news or has_ended_intent:
            await self.draft.checkpoint()
        return RetryAt(at, reason)

    async def tell_failures(self) -> None:
        """Say before another try that those before have failed: a turn that fails or hangs can't say it itself."""
        at = self.turn.now + self.desk.policy.waiting_after_seconds
        if self._must_tell(WaitReason.HANDLER_FAILED, at):
            self._tell_waiting(WaitReason.HANDLER_FAILED, at)
            await self.draft.checkpoint()

    def _must_tell(self, reason: WaitReason, at: float) -> bool:
        policy, told, job = self.desk.policy, self.draft.memory.waiting, self.job
        if at - self.turn.since < policy.waiting_after_seconds:
            return False
        if told is None or (told.command_id, told.redrive, told.reason) != (job.command_id, job.redrive, reason):
            return True
        is_over, is_old = told.until < self.turn.now, self.turn.now - told.told_at >= policy.waiting_again_seconds
        return is_over and is_old

    def _tell_waiting(self, reason: WaitReason, at: float) -> None:
        job, now = self.job, self.turn.now
        self.draft.tell(
            CommandWaiting(
                command_id=job.command_id,
                command=job.type,
                caller=job.caller,
                reason=reason.value,
                advice=WAITING[reason],
                until=time_at(at),
                redrive=job.redrive or None,
                metadata=job.metadata,
                attempts=self.attempts.kept,
                attempts_left_out=self.attempts.left_out or None,
            ),
            job.command_id,
        )
        self.draft.memory = self.draft.memory.but(
            waiting=Waiting(command_id=job.command_id, redrive=job.redrive, reason=reason.value, until=at, told_at=now)
        )
        self.desk.metrics.waiting_events.labels(reason.value).inc()
        self._say("command.waiting", reason=reason.value, until=round(at, 3))

    def _forget_work(self) -> None:
        if self.intent is not None:
            self.desk.notes.drop(self.intent.key)
        kept = None if self.work is not None else self.draft.memory.work
        self.draft.memory = self.draft.memory.but(work=kept, waiting=None)

    def _say(self, event: str, **facts: object) -> None:
        job = self.job
        line = {
            "authorization_id": job.authorization_id,
            "command_id": job.command_id,
            "command": job.type.value,
            "redrive": job.redrive or None,
            "tries": self.turn.tries,
        }
        self.desk.lines[event](line | facts)


def rejection(reason: str) -> Reason:
    """Return our reason for a refusal that the error router takes for final."""
    return _REASON_OF_MOVE.get(reason, Reason.NOT_ALLOWED)

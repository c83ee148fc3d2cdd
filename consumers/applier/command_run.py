"""One invocation on one command: what the gateway knows of it. `steps` chooses how it ends, `ending` commits that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.applier.attempts import RecordedReads
from consumers.authorization.state import AmbiguousWrite
from consumers.authorization.unit_of_work import UnitOfWork
from runtime.logs import get_log
from schemas.commands import HandoffClose

if TYPE_CHECKING:
    from consumers.applier.attempt_hints import AttemptHint
    from consumers.applier.context import ApplierContext
    from consumers.applier.task import CommandTask
    from consumers.authorization.state import AuthorizationState, CommandWork, Intent
    from consumers.engine import Invocation, Record


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

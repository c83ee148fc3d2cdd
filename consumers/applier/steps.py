"""The steps of a command in each invocation, exactly as decision 0002 defines them.

stored intent ──▶ resend ──▶ response
no intent ──▶ read ──▶ resolve an ambiguous write ──▶ decide ──▶ commit the intent ──▶ send ──▶ response
▲                                                                                         │
└──── definite refusal: the intent ends, the next write takes the next n ◀────────────────┘
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from adapters.collate.errors import Disposition, route
from adapters.collate.operations import Operation, close_version
from consumers.applier.decision.decide import AlreadyDone, Reject, RereadLater, Watch, decide
from consumers.applier.decision.decision_input import DecisionInput, closer_of, operation_of
from consumers.applier.decision.resolve import ForeignHandoff, Inferred, PendingIntent, Unidentified, Unknown, resolve
from consumers.applier.outcome import AlreadyApplied, Applied, Expired, Rejected
from consumers.applier.reasons import rejection
from consumers.applier.write import CommandWrite
from consumers.authorization.facts import CloseInferred, CreateInferred, Observed
from consumers.authorization.observation import MissingAuthorization, ReadFailed, observe
from consumers.authorization.retry_policy import MOST_WRITES, SAME_REFUSALS
from schemas.commands import HandoffClose
from schemas.enums import Effect
from schemas.events import WouldSend
from schemas.events.reasons import DeadLetterCause, OutcomeReason
from schemas.events.wait_reasons import WaitReason

if TYPE_CHECKING:
    from consumers.applier.execution import CommandExecution
    from consumers.authorization.state import CommandWork
    from consumers.engine import Done, RetryAt
    from runtime.settings import CollateSettings

# The bounds of one invocation: it must end before `Settings.invocation_deadline`, and a write should soon follow its
# read.
_ROUNDS: Final = 2
_READ_WITHIN_SECONDS: Final = 15.0
WRITE_WITHIN_SECONDS: Final = 30.0
# Another request may still succeed after these, so they never count as the same refusal.
_NO_SAME_REFUSAL: Final = ("version_conflict", "same_fault", "idempotency_key_reused", "anothers_handoff")


class CommandSteps:
    """The steps of one command in one invocation. A step returns None if the next step must follow."""

    def __init__(self, execution: CommandExecution) -> None:
        self._execution = execution
        self._contract: CollateSettings = execution.context.contract
        self._writes = execution.context.writes
        self._invocation = execution.invocation
        self._task = execution.task
        self._unit_of_work = execution.unit_of_work
        payload = execution.task.payload
        self._close = payload if isinstance(payload, HandoffClose) else None

    async def apply(self) -> Done | RetryAt:
        """Work on the command for one invocation."""
        execution = self._execution
        if execution.work is None and self._task.inherited is not None:
            self._unit_of_work.change(work=self._task.inherited)
        if (intent := execution.intent) is not None and self._writes is not None:
            result = await CommandWrite(execution, self._writes, intent).resend()
            if result is not None:
                return result
        for _ in range(_ROUNDS):
            result = await self._round() if execution.has_time(_READ_WITHIN_SECONDS) else None
            if result is not None:
                return result
        return await execution.wait(WaitReason.BACKOFF)

    async def _round(self) -> Done | RetryAt | None:
        """Read, decide, write; None if another round is needed."""
        execution = self._execution
        if execution.is_expired:
            return execution.finish(Expired())
        observation = await self._observe()
        if isinstance(observation, ReadFailed):
            return await self._read_failed(observation)
        resolved = await self._resolve(observation)
        if resolved is not None:
            return resolved
        self._reduce(observation)
        decision_input = self._decision_input(observation)
        match decide(decision_input):
            case RereadLater(reason):
                return await execution.wait(reason, fields=_unread_fields(observation))
            case Reject(reason, handoff_id):
                return execution.finish(Rejected(reason, handoff_id))
            case AlreadyDone(handoff_id):
                return execution.finish(AlreadyApplied(handoff_id))
            case Watch():
                return execution.finish(Applied(Effect.NONE))
            case _:
                return await self._write(decision_input) if execution.has_time(WRITE_WITHIN_SECONDS) else None

    async def _observe(self) -> Observed | MissingAuthorization | ReadFailed:
        needs_version = self._close is not None and self._contract.if_match_on_close == "handoff"
        # After a first write the handoff itself must be read: the authorization still names a handoff that is closing.
        return await observe(
            self._execution.reads,
            self._task.authorization_id,
            self._unit_of_work.state,
            also=self._close.handoff_id if self._close else None,
            thorough=needs_version or self._execution.work is not None,
        )

    async def _read_failed(self, failed: ReadFailed) -> Done | RetryAt:
        """Reject or dead-letter a command after a final refusal of a read; wait in all other cases."""
        way = route(failed.operation, failed.result)
        if way.disposition is Disposition.REJECT and self._execution.ambiguous is None:
            return self._execution.finish(Rejected(rejection(way.reason)))
        if way.disposition in {Disposition.REJECT, Disposition.DEAD_LETTER}:
            return self._execution.dead_letter(_cause(way.reason))
        return await self._execution.wait_for(failed.result, way.wait_seconds)

    def _reduce(self, observation: Observed | MissingAuthorization) -> None:
        if isinstance(observation, Observed):
            self._unit_of_work.apply(observation)

    def _decision_input(self, observation: Observed | MissingAuthorization) -> DecisionInput:
        waited = self._invocation.steady - self._invocation.since
        only_opener = self._task.caller if self._task.own_handoffs else None
        return DecisionInput.of(
            self._task.payload,
            observation,
            self._unit_of_work.state,
            waited_seconds=waited,
            only_opener=only_opener,
        )

    async def _resolve(self, observation: Observed | MissingAuthorization) -> Done | RetryAt | None:
        """Resolve an ambiguous write; None without such a write, or if it had no effect so far."""
        execution = self._execution
        ambiguous, work = execution.ambiguous, execution.work
        if ambiguous is None or work is None:
            return None
        before = self._decision_input(observation)
        verdict = resolve(before, ambiguous, handoffs_raise_version=self._contract.handoffs_raise_version)
        match verdict:
            case PendingIntent(reason):
                return await execution.wait(reason, fields=_unread_fields(observation))
            case Unknown() if 0 < work.n <= work.inherited_n:
                # The operator saw that no read shows an effect, and redrove the command.
                self._unit_of_work.change(work=work.replace(ambiguous=None))
            case Unknown():
                self._reduce(observation)
                return execution.dead_letter(DeadLetterCause.OUTCOME_UNKNOWN, before.handoff_id)
            case ForeignHandoff(handoff_id):
                self._reduce(observation)
                return execution.finish(AlreadyApplied(handoff_id))
            case Inferred(handoff_id):
                self._reduce_inferred(observation, handoff_id)
                return execution.finish(Applied(Effect.INFERRED, handoff_id))
            case Unidentified():
                execution.report_double_effect(before.handoff_id, ambiguous.version, before.found.version)
                self._reduce(observation)
                return execution.finish(Applied(Effect.INFERRED, reason=OutcomeReason.OPENING_NOT_IDENTIFIED))
            case _:
                pass
        return None

    def _reduce_inferred(self, observation: Observed | MissingAuthorization, handoff_id: str) -> None:
        """Reduce the observation with the command that may have caused it: the events name the actor.

        A handoff that an earlier read has shown gets its command afterwards.
        """
        if self._close is not None:
            self._unit_of_work.apply(CloseInferred(handoff_id, closer_of(self._task, self._close)))
            self._reduce(observation)
            return
        if isinstance(observation, Observed):
            observation = replace(observation, inferred=(handoff_id, self._task.ref))
        self._reduce(observation)
        self._unit_of_work.apply(CreateInferred(handoff_id, self._task.ref))

    async def _write(self, decision_input: DecisionInput) -> Done | RetryAt | None:
        """Commit an intent and send it. A shadow ends the command instead."""
        execution, work, close = self._execution, self._execution.work, self._close
        if work is not None and work.n >= work.inherited_n + MOST_WRITES:
            return execution.dead_letter(DeadLetterCause.TOO_MANY_WRITES, decision_input.handoff_id)
        version = decision_input.found.version
        if work is not None and (code := _same_refusal(work, version)) is not None:
            if execution.ambiguous is None:
                return execution.finish(Rejected(OutcomeReason.NOT_ALLOWED))
            return execution.dead_letter(_cause(code))
        operation, handoff_id, if_match = Operation.CREATE_HANDOFF, None, version
        if close is not None:
            operation, handoff_id = operation_of(close), close.handoff_id
            if decision_input.handoff is None and self._contract.if_match_on_close == "handoff":
                return await execution.wait(WaitReason.STALE_READ)  # the close needs the version of the handoff
            handoff_version = decision_input.handoff.version if decision_input.handoff else 0
            if_match = close_version(self._contract.if_match_on_close, version, handoff_version)
        if self._writes is None:
            if work is not None:  # sent before the writes were switched off: nothing shows that it has no effect
                return execution.dead_letter(DeadLetterCause.OUTCOME_UNKNOWN, handoff_id)
            would_send = WouldSend(operation=operation.value, version=if_match)
            return execution.finish(Rejected(OutcomeReason.WRITES_OFF, handoff_id, would_send))
        write = await CommandWrite.commit(
            execution, self._writes, operation, handoff_id, if_match=if_match, version=version
        )
        return await write.send()


def _unread_fields(observation: Observed | MissingAuthorization) -> tuple[str, ...]:
    return observation.authorization.unread_fields if isinstance(observation, Observed) else ()


def _same_refusal(work: CommandWork, version: int) -> str | None:
    """Return the code that Collate has now given three times in a row to the same version; None if there is none."""
    last = work.ended_intents[-SAME_REFUSALS:]
    codes = {ended.ended for ended in last if ended.version == version}
    is_same = len(last) == SAME_REFUSALS and len(codes) == 1 and all(ended.version == version for ended in last)
    return last[-1].ended if is_same and last[-1].ended not in _NO_SAME_REFUSAL else None


def _cause(reason: str) -> DeadLetterCause:
    is_forbidden = reason in {"forbidden", "insufficient_permissions"}
    return DeadLetterCause.FORBIDDEN if is_forbidden else DeadLetterCause.REQUEST_REFUSED

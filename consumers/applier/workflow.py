"""The workflow of a command in each invocation, exactly as decision 0002 defines it.

stored intent ──▶ resend ──▶ response
no intent ──▶ read ──▶ resolve an ambiguous write ──▶ decide ──▶ checkpoint(intent) ──▶ send ──▶ response
▲                                                                                         │
└──── definite refusal: the intent ends, the next write takes the next n ◀────────────────┘
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from adapters.collate.errors import Disposition, route
from adapters.collate.operations import Operation, close_version, write_key
from consumers.applier.dead_letters import DeadLetterCause
from consumers.applier.decision.decide import AlreadyDone, Reject, RereadLater, Watch, decide
from consumers.applier.decision.decision_input import DecisionInput, closer_of, operation_of
from consumers.applier.decision.resolve import ForeignHandoff, Inferred, PendingIntent, Unidentified, Unknown, resolve
from consumers.applier.delivery import report_double_effect, send, wait_for
from consumers.applier.outcome import AlreadyApplied, Applied, Expired, Rejected
from consumers.applier.reasons import OutcomeReason, rejection
from consumers.applier.task import request_body
from consumers.authorization.facts import CloseInferred, CreateInferred, Observed
from consumers.authorization.observation import MissingAuthorization, ReadFailed, observe
from consumers.authorization.recent_commands import digest
from consumers.authorization.retry_policy import MOST_WRITES, SAME_REFUSALS, UNSENT_INTENT_SECONDS
from consumers.authorization.state import CommandWork, Intent
from consumers.authorization.wait_reasons import WaitReason
from schemas.commands import HandoffClose
from schemas.enums import Effect

if TYPE_CHECKING:
    from consumers.applier.execution import CommandExecution
    from consumers.engine import Done, RetryAt

# The bounds of one invocation: it must end before the engine's deadline (worker.handler_deadline), and a write should
# soon follow its read.
_ROUNDS: Final = 2
_READ_WITHIN_SECONDS: Final = 15.0
_WRITE_WITHIN_SECONDS: Final = 30.0
# Another request may still succeed after these, so they never count as the same refusal.
_NO_SAME_REFUSAL: Final = ("version_conflict", "same_fault", "idempotency_key_reused", "anothers_handoff")


async def apply(execution: CommandExecution) -> Done | RetryAt:
    """Work on a command for one invocation."""
    inherited = execution.task.inherited
    if execution.work is None and inherited is not None:
        execution.set_work(inherited)
    if (intent := execution.intent) is not None:
        result = await _resend(execution, intent)
        if result is not None:
            return result
    for _ in range(_ROUNDS):
        result = await _round(execution) if execution.has_time(_READ_WITHIN_SECONDS) else None
        if result is not None:
            return result
    return await execution.wait(WaitReason.BACKOFF)


async def _resend(execution: CommandExecution, intent: Intent) -> Done | RetryAt | None:
    """Resend an intent that may be in flight; None if the intent has ended, or only a read can resolve it."""
    invocation, settings = execution.invocation, execution.context.settings
    age = invocation.now - intent.first_sent_at
    if execution.hint(intent).unsent and age > UNSENT_INTENT_SECONDS:
        execution.withdraw_intent()
        return None
    body = request_body(execution.task.payload)
    if age > settings.key_retention_seconds or _digest(execution, body) != intent.body_digest:
        execution.end_intent("not_resent")
        return None
    execution.context.metrics.intents_resent.inc()
    return await send(execution, intent, body, is_resend=True)


async def _round(execution: CommandExecution) -> Done | RetryAt | None:
    """Read, decide, write; None if another round is needed."""
    if execution.is_expired:
        return execution.finish(Expired())
    unit_of_work, invocation, payload = execution.unit_of_work, execution.invocation, execution.task.payload
    observation = await _observe(execution)
    if isinstance(observation, ReadFailed):
        return await _read_failed(execution, observation)
    waited = invocation.steady - invocation.since
    before = DecisionInput.of(payload, observation, unit_of_work.state, waited_seconds=waited)
    resolved = await _resolve(execution, before, observation)
    if resolved is not None:
        return resolved
    _apply_observation(execution, observation)
    decision_input = DecisionInput.of(payload, observation, unit_of_work.state, waited_seconds=waited)
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
            has_time = execution.has_time(_WRITE_WITHIN_SECONDS)
            return await _write(execution, decision_input) if has_time else None


async def _observe(execution: CommandExecution) -> Observed | MissingAuthorization | ReadFailed:
    payload = execution.task.payload
    close = payload if isinstance(payload, HandoffClose) else None
    needs_version = close is not None and execution.context.settings.if_match_on_close == "handoff"
    # After a first write the handoff itself must be read: the authorization still names a handoff that is closing.
    return await observe(
        execution.collate,
        execution.task.authorization_id,
        execution.unit_of_work.state,
        also=close.handoff_id if close else None,
        thorough=needs_version or execution.work is not None,
    )


async def _read_failed(execution: CommandExecution, failed: ReadFailed) -> Done | RetryAt:
    """Reject or dead-letter a command after a final refusal of a read; wait in all other cases."""
    way = route(failed.operation, failed.result)
    if way.disposition is Disposition.REJECT and execution.ambiguous is None:
        return execution.finish(Rejected(rejection(way.reason)))
    if way.disposition in {Disposition.REJECT, Disposition.DEAD_LETTER}:
        return execution.dead_letter(_cause(way.reason))
    return await wait_for(execution, failed.result, way.wait_seconds)


async def _resolve(
    execution: CommandExecution, decision_input: DecisionInput, observation: Observed | MissingAuthorization
) -> Done | RetryAt | None:
    """Resolve an ambiguous write; None without such a write, or if it had no effect so far."""
    ambiguous, work = execution.ambiguous, execution.work
    if ambiguous is None or work is None:
        return None
    settings = execution.context.settings
    verdict = resolve(
        decision_input,
        ambiguous,
        settings.clock_skew_seconds,
        handoffs_raise_version=settings.handoffs_raise_version,
    )
    match verdict:
        case PendingIntent(reason):
            return await execution.wait(reason, fields=_unread_fields(observation))
        case Unknown() if 0 < work.n <= work.inherited_n:
            # The operator saw that no read shows an effect, and redrove the command.
            execution.set_work(work.replace(ambiguous=None))
        case Unknown():
            _apply_observation(execution, observation)
            return execution.dead_letter(DeadLetterCause.OUTCOME_UNKNOWN, decision_input.handoff_id)
        case ForeignHandoff(handoff_id):
            _apply_observation(execution, observation)
            return execution.finish(AlreadyApplied(handoff_id))
        case Inferred(handoff_id):
            # The events name the actor, so the observation is reduced with the command that may have caused it. A
            # handoff that an earlier read has shown gets its command afterwards.
            if isinstance(execution.task.payload, HandoffClose):
                execution.unit_of_work.apply(
                    CloseInferred(handoff_id, closer_of(execution.task, execution.task.payload))
                )
                _apply_observation(execution, observation)
            else:
                if isinstance(observation, Observed):
                    observation = replace(observation, inferred=(handoff_id, execution.task.ref))
                _apply_observation(execution, observation)
                execution.unit_of_work.apply(CreateInferred(handoff_id, execution.task.ref))
            return execution.finish(Applied(Effect.INFERRED, handoff_id))
        case Unidentified():
            report_double_effect(execution, decision_input.handoff_id, ambiguous.version, decision_input.found.version)
            _apply_observation(execution, observation)
            return execution.finish(Applied(Effect.INFERRED, reason=OutcomeReason.OPENING_NOT_IDENTIFIED))
        case _:
            pass
    return None


async def _write(execution: CommandExecution, decision_input: DecisionInput) -> Done | RetryAt | None:
    """Commit an intent and send it."""
    task, work, settings = execution.task, execution.work, execution.context.settings
    n, inherited_n = (work.n + 1, work.inherited_n) if work else (1, 0)
    if n > inherited_n + MOST_WRITES:
        return execution.dead_letter(DeadLetterCause.TOO_MANY_WRITES, decision_input.handoff_id)
    if work is not None and (code := _same_refusal(work, decision_input.found.version)) is not None:
        if execution.ambiguous is None:
            return execution.finish(Rejected(OutcomeReason.NOT_ALLOWED))
        return execution.dead_letter(_cause(code))
    body, operation, handoff_id = request_body(task.payload), Operation.CREATE_HANDOFF, None
    if_match = decision_input.found.version
    if isinstance(task.payload, HandoffClose):
        operation, handoff_id = operation_of(task.payload), task.payload.handoff_id
        if decision_input.handoff is None and settings.if_match_on_close == "handoff":
            return await execution.wait(WaitReason.STALE_READ)  # the close needs the version of the handoff
        handoff_version = decision_input.handoff.version if decision_input.handoff else 0
        if_match = close_version(settings.if_match_on_close, if_match, handoff_version)
    intent = Intent.model_construct(
        n=n,
        operation=operation.value,
        handoff_id=handoff_id,
        if_match=if_match,
        version=decision_input.found.version,
        key=write_key(task.command_id, operation, n),
        body_digest=_digest(execution, body),
        first_sent_at=execution.invocation.now,
    )
    work = work or CommandWork.model_construct(
        command_id=task.command_id, command=task.type.value, caller=task.caller, redrive=task.redrive
    )
    execution.set_work(work.replace(n=n, intent=intent))
    await execution.unit_of_work.checkpoint()
    execution.context.hints.begin(intent.key, execution.invocation.since)
    return await send(execution, intent, body, is_resend=False)


def _apply_observation(execution: CommandExecution, observation: Observed | MissingAuthorization) -> None:
    if isinstance(observation, Observed):
        execution.unit_of_work.apply(observation)


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


def _digest(execution: CommandExecution, body: bytes) -> str:
    return digest(execution.context.settings.digest_key, body)[:16].hex()

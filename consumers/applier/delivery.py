"""Sends a committed intent and interprets the response (decision 0002). None as a result: the intent has ended.

This module never decides whether to write, and it starts no write that is not in the committed state.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from adapters.collate.answers import Ambiguous, Answered, Deferred, HoldReason, NotSent, Refused
from adapters.collate.errors import RETRYABLE, Disposition, route
from adapters.collate.operations import Operation
from consumers.applier.dead_letters import DeadLetterCause
from consumers.applier.decision.decision_input import closer_of
from consumers.applier.outcome import Applied, Rejected
from consumers.applier.reasons import rejection
from consumers.authorization.facts import CloseAnswered, CreateAnswered
from consumers.authorization.retry_policy import MOST_WRITES, SAME_FAULTS, stored_fault_seconds
from consumers.authorization.wait_reasons import WaitReason
from runtime.logs import get_log
from schemas.collate.handoff import CloseAnswer, HandoffState, ManualHandoff
from schemas.commands import HandoffClose
from schemas.enums import Effect

if TYPE_CHECKING:
    from adapters.collate.answers import CallFailure, Result
    from adapters.collate.errors import Route
    from consumers.applier.execution import CommandExecution
    from consumers.authorization.state import Intent
    from consumers.engine import Done, RetryAt
    from schemas.collate.authorization import PriorAuthorization

WAIT_REASONS: Final = MappingProxyType(
    {
        HoldReason.CREDENTIALS: WaitReason.CREDENTIALS,
        HoldReason.FORBIDDEN: WaitReason.FORBIDDEN,
        HoldReason.BREAKER: WaitReason.BREAKER,
        HoldReason.RATE_LIMITED: WaitReason.RATE_LIMITED,
        HoldReason.BUDGET: WaitReason.BUDGET,
    }
)
"""Why a command waits, for each reason of the call budget."""

_CLOSES: Final = (Operation.COMPLETE, Operation.UNABLE_TO_COMPLETE, Operation.REVOKE)
_OVER: Final = (HandoffState.CLOSING, HandoffState.CLOSED)
_MOST_CHECKS: Final = 3


async def send(execution: CommandExecution, intent: Intent, body: bytes, *, is_resend: bool) -> Done | RetryAt | None:
    """Send an intent and interpret the response; `is_resend` means that it may have been sent before."""
    hint = execution.hint(intent)
    was_clean, was_unsent = hint.clean, hint.unsent
    await execution.invocation.ensure_owned()  # a resend has no commit that could detect a successor
    # Sent, until a result proves otherwise: the invocation may be cancelled during the call, and another may follow.
    hint.clean = hint.unsent = False
    result = await _call(execution, intent, body)
    if isinstance(result, Answered):
        if isinstance(result.model, ManualHandoff):
            return await _created(execution, intent, result.model, was_resent=is_resend and not was_clean)
        return _closed(execution, intent, result.model)
    if isinstance(result, NotSent | Deferred):
        hint.clean, hint.unsent = was_clean, was_unsent
    elif isinstance(result, Refused):
        hint.clean = was_clean
    return await _after_failure(execution, intent, result)


async def wait_for(execution: CommandExecution, result: CallFailure, wait_seconds: float | None) -> Done | RetryAt:
    """Wait as long as the call budget or Collate requires, else for the pause of the retry policy."""
    if isinstance(result, Deferred):
        return await execution.wait(WAIT_REASONS[result.reason], result.wait_seconds)
    if isinstance(result, Ambiguous) and result.names_fields:
        return await execution.wait(WaitReason.UNREADABLE_ANSWER, fields=result.fields)
    reason = WaitReason.RETRY_AFTER if wait_seconds else WaitReason.BACKOFF
    if isinstance(result, Refused):
        if result.suspended:
            reason = WaitReason.CREDENTIALS if result.status == 401 else WaitReason.FORBIDDEN
        elif result.status == 429:
            reason = WaitReason.RATE_LIMITED
    # Up to 10 % longer, so that commands with the same Retry-After are not all retried at the same moment.
    return await execution.wait(
        reason, wait_seconds * (1.0 + 0.1 * execution.context.chance()) if wait_seconds else None
    )


async def _call(
    execution: CommandExecution, intent: Intent, body: bytes
) -> Result[ManualHandoff] | Result[CloseAnswer]:
    collate, authorization_id = execution.collate, execution.task.authorization_id
    if intent.handoff_id is None:
        return await collate.create_handoff(authorization_id, if_match=intent.if_match, key=intent.key, body=body)
    operation = Operation(intent.operation)
    if operation not in _CLOSES:
        raise ValueError("expected an intent whose operation is a close")
    return await collate.close_handoff(
        authorization_id, intent.handoff_id, operation, if_match=intent.if_match, key=intent.key, body=body
    )


async def _after_failure(execution: CommandExecution, intent: Intent, result: CallFailure) -> Done | RetryAt | None:
    way = route(Operation(intent.operation), result, after_ambiguous=execution.ambiguous is not None)
    if _is_stored(execution, intent, result, way):
        execution.end_intent("same_fault")
        return None
    if not isinstance(result, Refused) or way.disposition in {Disposition.RESEND, Disposition.SUSPEND}:
        return await wait_for(execution, result, way.wait_seconds)
    execution.end_intent(result.code or f"status_{result.status}")
    _raise_floor(execution, intent, result)
    if way.disposition is Disposition.DEAD_LETTER:
        return execution.dead_letter(DeadLetterCause.REQUEST_REFUSED, intent.handoff_id)
    # The write follows a successful read, so a 404 comes from a lagging replica until the next read confirms it.
    if way.disposition is Disposition.REJECT and result.status != 404:
        return execution.finish(Rejected(rejection(way.reason), intent.handoff_id))
    return await wait_for(execution, result, way.wait_seconds) if way.wait_seconds or result.retryable else None


def _is_stored(execution: CommandExecution, intent: Intent, result: CallFailure, way: Route) -> bool:
    """Whether Collate has stored a failure under the key, so that only a different request can succeed."""
    fault: tuple[int, str | None] | None = None
    match result:
        case Ambiguous(status=int(status), code=code) if status >= 500:
            fault = status, code
        case Refused(status=status, code=code) if way.reason == RETRYABLE.reason:
            fault = status, code
    nth = intent.n - (execution.work.inherited_n if execution.work else 0)
    if execution.hint(intent).count_fault(fault) < SAME_FAULTS or nth >= MOST_WRITES:
        return False
    # A retryable refusal may refer to an attempt that is still running; a 5xx ends its own attempt.
    may_be_running = isinstance(result, Refused) and execution.ambiguous is not None
    age = execution.invocation.now - intent.first_sent_at
    return age >= stored_fault_seconds(nth, may_be_running=may_be_running)


async def _created(
    execution: CommandExecution, intent: Intent, handoff: ManualHandoff, *, was_resent: bool
) -> Done | None:
    """Handle the handoff in the response to a create: a new or an existing one (decision 0002, proof)."""
    settings, unit_of_work = execution.context.settings, execution.unit_of_work
    started = handoff.created_at or handoff.activated_at
    since = execution.ambiguous.since if execution.ambiguous else intent.first_sent_at
    is_older = started is not None and started.timestamp() < since - settings.clock_skew_seconds
    if is_older or handoff.id in unit_of_work.state.ended:
        execution.end_intent("anothers_handoff")
        return None
    effect = Effect.OURS if settings.if_match_is_honoured and handoff.state not in _OVER else Effect.INFERRED
    found = await _read_after(execution, intent, handoff.id, reads=_MOST_CHECKS if was_resent else 1)
    if was_resent and not _moved_once(execution, intent, handoff.id, found):
        effect = Effect.INFERRED
    shows_it = found is not None and found.active_handoff_id == handoff.id and found.version >= intent.version
    unit_of_work.apply(
        CreateAnswered(
            handoff,
            intent.version,
            execution.task.ref,
            found if shows_it else None,
            is_inferred=effect is Effect.INFERRED,
        )
    )
    return execution.finish(Applied(effect, handoff.id), is_version_known=shows_it)


async def _read_after(
    execution: CommandExecution, intent: Intent, handoff_id: str, *, reads: int
) -> PriorAuthorization | None:
    """Read the authorization after our create: the response to a create does not show its version.

    Return the first read that shows the effect; None if no read does.
    """
    for _ in range(reads):
        result = await execution.collate.get_authorization(execution.task.authorization_id)
        if not isinstance(result, Answered):
            continue
        if result.model.active_handoff_id == handoff_id or result.model.version > intent.version:
            return result.model
    return None


def _moved_once(execution: CommandExecution, intent: Intent, handoff_id: str, found: PriorAuthorization | None) -> bool:
    """Whether a read shows that a resent create had one effect; False also without such a read."""
    if found is not None and found.active_handoff_id == handoff_id and found.version > intent.version + 1:
        report_double_effect(execution, handoff_id, intent.version, found.version)
        return False
    return found is not None


def report_double_effect(execution: CommandExecution, handoff_id: str | None, if_match: int, version: int) -> None:
    """Count and log a suspected double effect: after a resent create the version moved by more than one opening."""
    execution.context.metrics.double_effects.inc()
    get_log().error(
        "command.double_effect_suspected",
        authorization_id=execution.task.authorization_id,
        command_id=execution.task.command_id,
        handoff_id=handoff_id,
        if_match=if_match,
        version=version,
    )


def _closed(execution: CommandExecution, intent: Intent, answer: CloseAnswer) -> Done:
    payload = execution.task.payload
    if not isinstance(payload, HandoffClose):
        raise TypeError("expected a close command for the response to a close")
    execution.unit_of_work.apply(CloseAnswered(answer, closer_of(execution.task, payload)))
    effect = Effect.OURS if execution.context.settings.if_match_is_honoured else Effect.INFERRED
    return execution.finish(Applied(effect, intent.handoff_id))


def _raise_floor(execution: CommandExecution, intent: Intent, refused: Refused) -> None:
    """Store the version that a conflict names: reads of lower versions are stale from now on."""
    is_handoff_version = intent.handoff_id is not None and execution.context.settings.if_match_on_close == "handoff"
    actual, state = refused.actual_version, execution.unit_of_work.state
    if actual is not None and not is_handoff_version and state.floor < actual:
        execution.unit_of_work.change(floor=actual)

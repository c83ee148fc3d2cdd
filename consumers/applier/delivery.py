"""Sends an intent that is committed, and says what the answer means (decision 0002). None: this request is over.

Nothing here decides *whether* to write; nothing here begins a write that is not in memory already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.collate.answers import Ambiguous, Answered, Deferred, NotSent, Refused
from adapters.collate.errors import RETRYABLE, Disposition, route
from adapters.collate.operations import Operation
from consumers.applier.decision_input import operation_of, reason_of, reported
from consumers.applier.execution import rejection
from consumers.applier.outcome import Applied, Rejected
from consumers.applier.reasons import DeadLetterCause
from consumers.applier.retry_policy import MOST_WRITES, SAME_FAULTS, fault_patience
from consumers.authorization.facts import Closed, Created
from consumers.authorization.state import Closer, Intent
from consumers.authorization.wait_reasons import WaitReason
from runtime.logs import get_log
from schemas.collate.handoff import CloseAnswer, HandoffState, ManualHandoff
from schemas.commands import HandoffClose
from schemas.enums import Effect

if TYPE_CHECKING:
    from adapters.collate.answers import Result, Unanswered
    from adapters.collate.errors import Route
    from consumers.applier.execution import CommandExecution
    from consumers.engine import Done, RetryAt

_CLOSES: Final = (Operation.COMPLETE, Operation.UNABLE_TO_COMPLETE, Operation.REVOKE)
_OVER: Final = (HandoffState.CLOSING, HandoffState.CLOSED)
_CHECKS: Final = 3


async def send(run: CommandExecution, intent: Intent, body: bytes, *, again: bool) -> Done | RetryAt | None:
    """Send it, and take the answer. `again`: it may have been sent before."""
    note = run.note(intent)
    was_clean, was_unsent = note.clean, note.unsent
    await run.turn.ensure_owned()  # a resend commits nothing that would tell us that a successor has begun
    # Until an answer says otherwise it was sent: this turn may be cancelled here and another one go on.
    note.clean = note.unsent = False
    result = await _call(run, intent, body)
    if isinstance(result, Answered):
        if isinstance(result.model, ManualHandoff):
            return await _created(run, intent, result.model, resent=again and not was_clean)
        return _closed(run, intent, result.model)
    if isinstance(result, NotSent | Deferred):
        note.clean, note.unsent = was_clean, was_unsent
    elif isinstance(result, Refused):
        note.clean = was_clean
    return await _unanswered(run, intent, result)


async def wait_for(run: CommandExecution, result: Unanswered, wait_seconds: float | None) -> Done | RetryAt:
    """Wait as long as Collate, the budget or our own patience says."""
    if isinstance(result, Deferred):
        return await run.wait(WaitReason(result.reason.value), result.until)
    reason = WaitReason.RETRY_AFTER if wait_seconds else WaitReason.BACKOFF
    if isinstance(result, Refused):
        if result.suspended:
            reason = WaitReason.CREDENTIALS if result.status == 401 else WaitReason.FORBIDDEN
        elif result.status == 429:
            reason = WaitReason.RATE_LIMITED
    # Spread a little, so that all who were told the same time don't come back at once.
    at = run.turn.now + wait_seconds * (1.0 + 0.1 * run.desk.chance()) if wait_seconds else None
    return await run.wait(reason, at)


def closer(run: CommandExecution, close: HandoffClose) -> Closer:
    """Return what is remembered of our close: words, no free text."""
    return Closer(
        asked=run.job.asked, operation=operation_of(close).value, reported=reported(close), reason=reason_of(close)
    )


async def _call(run: CommandExecution, intent: Intent, body: bytes) -> Result[ManualHandoff] | Result[CloseAnswer]:
    collate, authorization_id = run.collate, run.job.authorization_id
    if intent.handoff_id is None:
        return await collate.create_handoff(authorization_id, if_match=intent.if_match, key=intent.key, body=body)
    operation = Operation(intent.operation)
    if operation not in _CLOSES:
        raise ValueError("an intent names an operation that is no close")
    return await collate.close_handoff(
        authorization_id, intent.handoff_id, operation, if_match=intent.if_match, key=intent.key, body=body
    )


async def _unanswered(run: CommandExecution, intent: Intent, result: Unanswered) -> Done | RetryAt | None:
    way = route(Operation(intent.operation), result, after_ambiguous=run.maybe is not None)
    if _is_stored(run, intent, result, way):
        run.end_intent("same_fault")
        return None
    if not isinstance(result, Refused) or way.disposition in {Disposition.RESEND, Disposition.SUSPEND}:
        return await wait_for(run, result, way.wait_seconds)
    run.end_intent(result.code or f"status_{result.status}")
    _learn_version(run, intent, result)
    if way.disposition is Disposition.DEAD_LETTER:
        return run.bury(DeadLetterCause.REQUEST_REFUSED, intent.handoff_id)
    # We have just read it: a 404 is a lagging replica's until the next read agrees.
    if way.disposition is Disposition.REJECT and result.status != 404:
        return run.finish(Rejected(rejection(way.reason), intent.handoff_id))
    return await wait_for(run, result, way.wait_seconds) if way.wait_seconds or result.retryable else None


def _is_stored(run: CommandExecution, intent: Intent, result: Unanswered, way: Route) -> bool:
    """Whether Collate has kept a failure under the key, so that only another request can get through."""
    fault: tuple[int, str | None] | None = None
    match result:
        case Ambiguous(status=int(status), code=code) if status >= 500:
            fault = status, code
        case Refused(status=status, code=code) if way.reason == RETRYABLE.reason:
            fault = status, code
    nth = intent.n - (run.work.asked_n if run.work else 0)
    if run.note(intent).fails(fault) < SAME_FAULTS or nth >= MOST_WRITES:
        return False
    # "Again, later" may be said of an attempt that is still under way; a 5xx ends what it answers.
    may_be_under_way = isinstance(result, Refused) and run.maybe is not None
    return run.turn.now - intent.first_sent_at >= fault_patience(nth, may_be_under_way=may_be_under_way)


async def _created(run: CommandExecution, intent: Intent, handoff: ManualHandoff, *, resent: bool) -> Done | None:
    """A create was answered with a handoff: ours, or one that was there (decision 0002, proof)."""
    policy, draft = run.desk.policy, run.draft
    started = handoff.created_at or handoff.activated_at
    since = run.maybe.since if run.maybe else intent.first_sent_at
    is_older = started is not None and started.timestamp() < since - policy.clock_skew_seconds
    if is_older or handoff.id in draft.memory.ended:
        run.end_intent("anothers_handoff")
        return None
    effect = Effect.OURS if policy.if_match_is_honoured and handoff.state not in _OVER else Effect.INFERRED
    if resent and not await _moved_once(run, intent, handoff.id):
        effect = Effect.INFERRED
    draft.absorb(Created(handoff, intent.version, run.job.asked))
    return run.finish(Applied(effect, handoff.id))


async def _moved_once(run: CommandExecution, intent: Intent, handoff_id: str) -> bool:
    """Whether a resent create is seen to have had one effect; False as well where nothing can be seen."""
    for _ in range(_CHECKS):
        result = await run.collate.get_authorization(run.job.authorization_id)
        if not isinstance(result, Answered):
            continue
        found = result.model
        if found.active_handoff_id == handoff_id and found.version > intent.version + 1:
            suspect_double_effect(run, handoff_id, intent.version, found.version)
            return False
        if found.active_handoff_id == handoff_id or found.version > intent.version:
            return True
    return False


def suspect_double_effect(run: CommandExecution, handoff_id: str | None, if_match: int, version: int) -> None:
    """Alarm: a create was sent more than once, and the version moved further than by one opening."""
    run.desk.metrics.double_effects.inc()
    get_log().error(
        "command.double_effect_suspected",
        authorization_id=run.job.authorization_id,
        command_id=run.job.command_id,
        handoff_id=handoff_id,
        if_match=if_match,
        version=version,
    )


def _closed(run: CommandExecution, intent: Intent, answer: CloseAnswer) -> Done:
    job = run.job
    if not isinstance(job.data, HandoffClose):
        raise TypeError("a close was answered to a command that closes nothing")
    run.draft.absorb(Closed(answer, closer(run, job.data)))
    effect = Effect.OURS if run.desk.policy.if_match_is_honoured else Effect.INFERRED
    return run.finish(Applied(effect, intent.handoff_id))


def _learn_version(run: CommandExecution, intent: Intent, refused: Refused) -> None:
    """A conflict names the version that Collate has: older reads are stale from now on."""
    is_handoffs = intent.handoff_id is not None and run.desk.policy.if_match_on_close == "handoff"
    actual, memory = refused.actual_version, run.draft.memory
    if actual is not None and not is_handoffs and memory.floor < actual:
        run.draft.memory = memory.but(floor=actual)

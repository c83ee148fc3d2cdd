"""How a command is brought to an end, turn by turn, exactly as decision 0002 says.

intent in memory ──▶ resend it ──▶ answer
none ──▶ look ──▶ resolve what may have been applied ──▶ decide ──▶ checkpoint(intent) ──▶ send ──▶ answer
▲                                                                                   │
└──── refused for certain: the intent ends, next n ◀────────────────────────────────┘
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.collate.errors import Disposition, route
from adapters.collate.operations import Operation, close_version, write_key
from consumers.applier.decide import AlreadyDone, Reject, RereadLater, Watch, decide
from consumers.applier.decision_input import DOUBT_SECONDS, DecisionInput, decision_input, operation_of
from consumers.applier.delivery import closer, send, suspect_double_effect, wait_for
from consumers.applier.execution import rejection
from consumers.applier.outcome import AlreadyDoneOutcome, Applied, Expired, Rejected
from consumers.applier.payloads import body_of
from consumers.applier.reasons import DeadLetterCause, Reason
from consumers.applier.resolve import ForeignHandoff, Inferred, PendingIntent, Unidentified, Unknown, resolve
from consumers.applier.retry_policy import FRESH_SECONDS, MOST_WRITES, SAME_REFUSALS
from consumers.authorization.facts import CloseInferred, CreateInferred, Observed
from consumers.authorization.observation import NotThere, Unread, observe
from consumers.authorization.recent_commands import digest
from consumers.authorization.state import CommandWork, Intent
from consumers.authorization.wait_reasons import WaitReason
from schemas.commands import HandoffClose
from schemas.enums import Effect

if TYPE_CHECKING:
    from consumers.applier.execution import CommandExecution
    from consumers.engine import Done, RetryAt

# A turn looks and writes this often at most, and begins nothing after so long: it must end before the engine takes it
# for hung (worker.handler_deadline), and a write should follow its read closely.
_ROUNDS: Final = 2
_LOOK_WITHIN: Final = 15.0
_WRITE_WITHIN: Final = 30.0
_NO_SAME_REFUSAL: Final = ("version_conflict", "same_fault", "idempotency_key_reused", "anothers_handoff")


async def apply(run: CommandExecution) -> Done | RetryAt:
    """Take one turn on a command."""
    inherited = run.job.inherited
    if run.work is None and inherited is not None:
        run.set_work(inherited)
    if (intent := run.intent) is not None:
        answered = await _take_up(run, intent)
        if answered is not None:
            return answered
    for _ in range(_ROUNDS):
        answered = await _round(run) if run.has_time(_LOOK_WITHIN) else None
        if answered is not None:
            return answered
    return await run.wait(WaitReason.BACKOFF)


async def _take_up(run: CommandExecution, intent: Intent) -> Done | RetryAt | None:
    """Resend what may be in flight; None: it is over, or must be decided by reading."""
    turn, policy = run.turn, run.desk.policy
    age = turn.now - intent.first_sent_at
    if run.note(intent).unsent and age > FRESH_SECONDS:
        run.withdraw_intent()
        return None
    body = body_of(run.job.data)
    if age > policy.key_retention_seconds or _digest(run, body) != intent.body_digest:
        run.end_intent("not_resent")
        return None
    run.desk.metrics.intents_resent.inc()
    return await send(run, intent, body, again=True)


async def _round(run: CommandExecution) -> Done | RetryAt | None:
    """Look, decide, write; None: what was written is over, look again."""
    if run.is_expired:
        return run.finish(Expired())
    draft, turn = run.draft, run.turn
    seen = await _look(run)
    if isinstance(seen, Unread):
        return await _unread(run, seen)
    doubt = turn.now - turn.since < DOUBT_SECONDS
    resolved = await _resolve(run, decision_input(run.job.data, seen, draft.memory, doubt=doubt), seen)
    if resolved is not None:
        return resolved
    if isinstance(seen, Observed):
        draft.absorb(seen)
    now = decision_input(run.job.data, seen, draft.memory, doubt=doubt)
    match decide(now):
        case RereadLater(wait):
            return await run.wait(wait)
        case Reject(reason, handoff_id):
            return run.finish(Rejected(reason, handoff_id))
        case AlreadyDone(handoff_id):
            return run.finish(AlreadyDoneOutcome(handoff_id))
        case Watch():
            return run.finish(Applied(Effect.NONE))
        case _:
            return await _write(run, now) if run.has_time(_WRITE_WITHIN) else None


async def _look(run: CommandExecution) -> Observed | NotThere | Unread:
    close = run.job.data if isinstance(run.job.data, HandoffClose) else None
    needs_version = close is not None and run.desk.policy.if_match_on_close == "handoff"
    # After a first try an authorization that still points at the handoff proves nothing: it may be closing.
    return await observe(
        run.collate,
        run.job.authorization_id,
        run.draft.memory,
        also=close.handoff_id if close else None,
        thorough=needs_version or run.work is not None,
    )


async def _unread(run: CommandExecution, unread: Unread) -> Done | RetryAt:
    """A read had no usable answer: reject what is plain, wait for the rest."""
    way = route(unread.operation, unread.result)
    if way.disposition is Disposition.REJECT and run.maybe is None:
        return run.finish(Rejected(rejection(way.reason)))
    if way.disposition in {Disposition.REJECT, Disposition.DEAD_LETTER}:
        return run.bury(_cause(way.reason))
    return await wait_for(run, unread.result, way.wait_seconds)


async def _resolve(run: CommandExecution, now: DecisionInput, seen: Observed | NotThere) -> Done | RetryAt | None:
    """Say what became of a write that may have been applied; None: there is none, or it had no effect so far."""
    maybe, work = run.maybe, run.work
    if maybe is None or work is None:
        return None
    match resolve(now, maybe, run.desk.policy.clock_skew_seconds):
        case PendingIntent(wait):
            return await run.wait(wait)
        case Unknown() if work.n <= work.asked_n:
            # A person has seen that nothing shows it, and asks again.
            run.set_work(work.but(maybe=None))
        case Unknown():
            _absorb(run, seen)
            return run.bury(DeadLetterCause.OUTCOME_UNKNOWN, now.handoff_id)
        case ForeignHandoff(handoff_id):
            _absorb(run, seen)
            return run.finish(AlreadyDoneOutcome(handoff_id))
        case Inferred(handoff_id):
            # Claimed before the look is reduced (a close), and after (an opening): the reducer tells by whom.
            if isinstance(run.job.data, HandoffClose):
                run.draft.absorb(CloseInferred(handoff_id, closer(run, run.job.data)))
                _absorb(run, seen)
            else:
                _absorb(run, seen)
                run.draft.absorb(CreateInferred(handoff_id, run.job.asked))
            return run.finish(Applied(Effect.INFERRED, handoff_id))
        case Unidentified():
            suspect_double_effect(run, now.handoff_id, maybe.version, now.found.version)
            _absorb(run, seen)
            return run.finish(Applied(Effect.INFERRED, reason=Reason.OPENING_NOT_IDENTIFIED))
        case _:
            pass
    return None


async def _write(run: CommandExecution, now: DecisionInput) -> Done | RetryAt | None:
    """Commit an intent and send it."""
    job, work = run.job, run.work
    n, asked_n = (work.n + 1, work.asked_n) if work else (1, 0)
    if n > asked_n + MOST_WRITES:
        return run.bury(DeadLetterCause.TOO_MANY_WRITES, now.handoff_id)
    if work is not None and (code := _same_refusal(work, now.found.version)) is not None:
        return run.finish(Rejected(Reason.NOT_ALLOWED)) if run.maybe is None else run.bury(_cause(code))
    body, operation, handoff_id, if_match = body_of(job.data), Operation.CREATE_HANDOFF, None, now.found.version
    if isinstance(job.data, HandoffClose):
        operation, handoff_id = operation_of(job.data), job.data.handoff_id
        if now.handoff is None and run.desk.policy.if_match_on_close == "handoff":
            return await run.wait(WaitReason.STALE_READ)  # its version is needed, and this read didn't have it
        handoff_version = now.handoff.version if now.handoff else 0
        if_match = close_version(run.desk.policy.if_match_on_close, if_match, handoff_version)
    intent = Intent(
        n=n,
        operation=operation.value,
        handoff_id=handoff_id,
        if_match=if_match,
        version=now.found.version,
        key=write_key(job.command_id, operation, n),
        body_digest=_digest(run, body),
        first_sent_at=run.turn.now,
    )
    fresh = work or CommandWork(
        command_id=job.command_id, command=job.type.value, caller=job.caller, redrive=job.redrive
    )
    run.set_work(fresh.but(n=n, intent=intent))
    await run.draft.checkpoint()
    run.desk.notes.begin(intent.key, run.turn.since)
    return await send(run, intent, body, again=False)


def _absorb(run: CommandExecution, seen: Observed | NotThere) -> None:
    if isinstance(seen, Observed):
        run.draft.absorb(seen)


def _same_refusal(work: CommandWork, version: int) -> str | None:
    """Return the code that Collate has now answered often enough to one and the same state."""
    last = work.past[-SAME_REFUSALS:]
    codes = {past.ended for past in last if past.version == version}
    is_same = len(last) == SAME_REFUSALS and len(codes) == 1 and all(past.version == version for past in last)
    return last[-1].ended if is_same and last[-1].ended not in _NO_SAME_REFUSAL else None


def _cause(reason: str) -> DeadLetterCause:
    is_forbidden = reason in {"forbidden", "insufficient_permissions"}
    return DeadLetterCause.FORBIDDEN if is_forbidden else DeadLetterCause.REQUEST_REFUSED


def _digest(run: CommandExecution, body: bytes) -> str:
    return digest(run.desk.policy.digest_key, body)[:16].hex()

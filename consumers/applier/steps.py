"""The steps of a command in each invocation, exactly as decision 0002 defines them.

stored intent ──▶ resend ──▶ response
no intent ──▶ read ──▶ resolve an ambiguous write ──▶ decide ──▶ commit the intent ──▶ send ──▶ response
▲                                                                                         │
└──── definite refusal: the intent ends, the next write takes the next n ◀────────────────┘

A step returns how the invocation ends, as a value (`CommandRun.end` commits it), or None if the next step must follow.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from adapters.collate.errors import Disposition, route
from adapters.collate.operations import Operation, close_version
from consumers.applier.decision.decide import AlreadyDone, Reject, RereadLater, Watch, decide
from consumers.applier.decision.decision_input import DecisionInput, closer_of
from consumers.applier.decision.resolve import ForeignHandoff, Inferred, PendingIntent, Unidentified, Unknown, resolve
from consumers.applier.outcome import AlreadyApplied, Applied, DeadLettered, Expired, Rejected, Waits
from consumers.applier.reasons import rejection
from consumers.applier.write import CommandWrite
from consumers.authorization.facts import CloseInferred, CreateInferred, Observed
from consumers.authorization.observation import MissingAuthorization, ReadFailed, observe
from consumers.authorization.retry_policy import MOST_WRITES, SAME_REFUSALS
from schemas.callers import person_of
from schemas.enums import Effect
from schemas.events import WouldSend
from schemas.events.reasons import DeadLetterCause, OutcomeReason
from schemas.events.wait_reasons import WaitReason

if TYPE_CHECKING:
    from consumers.applier.command_run import CommandRun
    from consumers.applier.outcome import Ending
    from consumers.authorization.state import CommandWork
    from runtime.settings import CollateSettings

# The bounds of one invocation: it must end before `Settings.invocation_deadline`, and a write should soon follow its
# read.
_ROUNDS: Final = 2
_READ_WITHIN_SECONDS: Final = 15.0
WRITE_WITHIN_SECONDS: Final = 30.0
# Another request may still succeed after these, so they never count as the same refusal.
_NO_SAME_REFUSAL: Final = ("version_conflict", "same_fault", "idempotency_key_reused", "anothers_handoff")


async def take_steps(run: CommandRun) -> Ending:
    """Work on the command for one invocation."""
    if run.work is None and run.task.inherited is not None:
        run.unit_of_work.change(work=run.task.inherited)
    if (intent := run.intent) is not None and run.context.writes is not None:
        ending = await CommandWrite(run, run.context.writes, intent).resend()
        if ending is not None:
            return ending
    for _ in range(_ROUNDS):
        ending = await _round(run) if _has_time(run, _READ_WITHIN_SECONDS) else None
        if ending is not None:
            return ending
    return Waits(WaitReason.BACKOFF)


async def _round(run: CommandRun) -> Ending | None:
    """Read, decide, write; None if another round is needed."""
    expires_at = run.task.expires_at
    # Never after a write that may have been sent.
    if run.work is None and expires_at is not None and expires_at <= run.invocation.now:
        return Expired()
    observation = await _observe(run)
    if isinstance(observation, ReadFailed):
        return _read_failed(run, observation)
    ending = _resolve(run, observation)
    if ending is not None:
        return ending
    _reduce(run, observation)
    decision_input = _decision_input(run, observation)
    match decide(decision_input):
        case RereadLater(reason):
            return Waits(reason, fields=_unread_fields(observation))
        case Reject(reason, handoff_id):
            return Rejected(reason, handoff_id, claimed_by=decision_input.claimed_by(reason))
        case AlreadyDone(handoff_id):
            return AlreadyApplied(handoff_id)
        case Watch():
            return Applied(Effect.NONE)
        case _:
            return await _write(run, decision_input) if _has_time(run, WRITE_WITHIN_SECONDS) else None


def _has_time(run: CommandRun, seconds: float) -> bool:
    """Whether the invocation has run for less than `seconds`: it must end before the engine's handler deadline."""
    return run.invocation.steady - run.began < seconds


async def _observe(run: CommandRun) -> Observed | MissingAuthorization | ReadFailed:
    contract: CollateSettings = run.context.contract
    needs_version = run.close is not None and contract.if_match_on_close == "handoff"
    # After a first write the handoff itself must be read: the authorization still names a handoff that is closing.
    return await observe(
        run.reads,
        run.task.authorization_id,
        run.unit_of_work.state,
        also=run.close.handoff_id if run.close else None,
        thorough=needs_version or run.work is not None,
    )


def _read_failed(run: CommandRun, failed: ReadFailed) -> Ending:
    """Reject or dead-letter a command after a final refusal of a read; wait in all other cases."""
    way = route(failed.operation, failed.result)
    if way.disposition is Disposition.REJECT and run.ambiguous is None:
        return Rejected(rejection(way.reason))
    if way.disposition in {Disposition.REJECT, Disposition.DEAD_LETTER}:
        return DeadLettered(_cause(way.reason))
    return Waits.after(failed.result, way.wait_seconds, run.context.chance)


def _reduce(run: CommandRun, observation: Observed | MissingAuthorization) -> None:
    if isinstance(observation, Observed):
        run.unit_of_work.apply(observation)


def _decision_input(run: CommandRun, observation: Observed | MissingAuthorization) -> DecisionInput:
    return DecisionInput.of(
        run.task.payload,
        observation,
        run.unit_of_work.state,
        waited_seconds=run.invocation.steady - run.invocation.since,
        only_opener=run.task.caller if run.task.own_handoffs else None,
        # After a write that may have been sent, a claim that moved meanwhile must not end the command.
        person=run.task.caller if run.work is None and person_of(run.task.caller) is not None else None,
    )


def _resolve(run: CommandRun, observation: Observed | MissingAuthorization) -> Ending | None:
    """Resolve an ambiguous write; None without such a write, or if it had no effect so far."""
    ambiguous, work = run.ambiguous, run.work
    if ambiguous is None or work is None:
        return None
    before = _decision_input(run, observation)
    verdict = resolve(before, ambiguous, handoffs_raise_version=run.context.contract.handoffs_raise_version)
    match verdict:
        case PendingIntent(reason):
            return Waits(reason, fields=_unread_fields(observation))
        case Unknown() if 0 < work.n <= work.inherited_n:
            # The operator saw that no read shows an effect, and redrove the command.
            run.unit_of_work.change(work=work.replace(ambiguous=None))
        case Unknown():
            _reduce(run, observation)
            return DeadLettered(DeadLetterCause.OUTCOME_UNKNOWN, before.handoff_id)
        case ForeignHandoff(handoff_id):
            _reduce(run, observation)
            return AlreadyApplied(handoff_id)
        case Inferred(handoff_id):
            _reduce_inferred(run, observation, handoff_id)
            return Applied(Effect.INFERRED, handoff_id)
        case Unidentified():
            run.report_double_effect(before.handoff_id, ambiguous.version, before.found.version)
            _reduce(run, observation)
            return Applied(Effect.INFERRED, reason=OutcomeReason.OPENING_NOT_IDENTIFIED)
        case _:
            pass
    return None


def _reduce_inferred(run: CommandRun, observation: Observed | MissingAuthorization, handoff_id: str) -> None:
    """Reduce the observation with the command that may have caused it: the events name the actor.

    A handoff that an earlier read has shown gets its command afterwards.
    """
    if run.close is not None:
        run.unit_of_work.apply(CloseInferred(handoff_id, closer_of(run.task, run.close)))
        _reduce(run, observation)
        return
    if isinstance(observation, Observed):
        observation = replace(observation, inferred=(handoff_id, run.task.ref))
    _reduce(run, observation)
    run.unit_of_work.apply(CreateInferred(handoff_id, run.task.ref))


async def _write(run: CommandRun, decision_input: DecisionInput) -> Ending | None:
    """Commit an intent and send it. A shadow ends the command instead."""
    work, close, if_match_on_close = run.work, run.close, run.context.contract.if_match_on_close
    if work is not None and work.n >= work.inherited_n + MOST_WRITES:
        return DeadLettered(DeadLetterCause.TOO_MANY_WRITES, decision_input.handoff_id)
    version = decision_input.found.version
    if work is not None and (code := _same_refusal(work, version)) is not None:
        is_certain = run.ambiguous is None
        return Rejected(OutcomeReason.NOT_ALLOWED) if is_certain else DeadLettered(_cause(code))
    operation, handoff_id, if_match = Operation.CREATE_HANDOFF, None, version
    if close is not None:
        operation, handoff_id = Operation(close.result.OPERATION), close.handoff_id
        if decision_input.handoff is None and if_match_on_close == "handoff":
            return Waits(WaitReason.STALE_READ)  # the close needs the version of the handoff
        handoff_version = decision_input.handoff.version if decision_input.handoff else 0
        if_match = close_version(if_match_on_close, version, handoff_version)
    if run.context.writes is None:
        if work is not None:  # sent before the writes were switched off: nothing shows that it has no effect
            return DeadLettered(DeadLetterCause.OUTCOME_UNKNOWN, handoff_id)
        would_send = WouldSend(operation=operation.value, version=if_match)
        return Rejected(OutcomeReason.WRITES_OFF, handoff_id, would_send)
    write = await CommandWrite.commit(
        run, run.context.writes, operation, handoff_id, if_match=if_match, version=version
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

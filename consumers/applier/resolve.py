"""What a re-read says about a write that may have been applied: the table of decision 0002. Pure."""

from dataclasses import dataclass

from consumers.applier.decision_input import DecisionInput, operation_of
from consumers.authorization.handoffs import RESULT_OF
from consumers.authorization.state import AmbiguousWrite
from consumers.authorization.wait_reasons import WaitReason
from schemas.collate.handoff import HandoffResult
from schemas.commands import HandoffClose


@dataclass(frozen=True, slots=True)
class Inferred:
    """It shows what our write would have done."""

    handoff_id: str


@dataclass(frozen=True, slots=True)
class Unidentified:
    """A handoff is open, and more was changed than one opening changes: ours may be this one, or over already."""


@dataclass(frozen=True, slots=True)
class ForeignHandoff:
    """It shows a handoff that is older than our write: another's."""

    handoff_id: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing shows whether there was an effect."""


@dataclass(frozen=True, slots=True)
class NoEffect:
    """There was no effect (so far), or it wasn't ours: decide anew."""


@dataclass(frozen=True, slots=True)
class PendingIntent:
    """Look again soon."""

    wait: WaitReason


Verdict = Inferred | Unidentified | ForeignHandoff | Unknown | NoEffect | PendingIntent


def resolve(situation: DecisionInput, maybe: AmbiguousWrite, clock_skew_seconds: float) -> Verdict:
    """Say what became of the write; only asked if it may have been applied."""
    if situation.is_stale or (situation.is_unknown and situation.doubt):
        return PendingIntent(WaitReason.STALE_READ)
    if situation.is_unknown:
        return Unknown()
    if isinstance(situation.asking, HandoffClose):
        return _close(situation, situation.asking)
    return _create(situation, maybe, clock_skew_seconds)


def _create(situation: DecisionInput, maybe: AmbiguousWrite, clock_skew_seconds: float) -> Verdict:
    handoff_id = situation.handoff_id
    if handoff_id is None:
        return NoEffect() if situation.found.version == maybe.version else Unknown()
    opened_at = _opened_at(situation)
    if opened_at is not None and opened_at < maybe.since - clock_skew_seconds:
        return ForeignHandoff(handoff_id)
    if situation.found.version <= maybe.version + 1:
        return Inferred(handoff_id)
    if situation.is_closing:
        return PendingIntent(WaitReason.CLOSING)
    if situation.is_closed:
        return PendingIntent(WaitReason.STALE_READ) if situation.doubt else Unknown()
    return Unidentified()


def _close(situation: DecisionInput, close: HandoffClose) -> Verdict:
    if situation.state is None:
        return PendingIntent(WaitReason.STALE_READ) if situation.doubt else Unknown()
    if situation.is_closing:
        return PendingIntent(WaitReason.CLOSING)
    if not situation.is_closed:
        return NoEffect()
    if situation.result == RESULT_OF[operation_of(close)]:
        return Inferred(close.handoff_id)
    return NoEffect() if situation.result in set(HandoffResult) else Unknown()


def _opened_at(situation: DecisionInput) -> float | None:
    handoff = situation.handoff
    if handoff is not None:
        started = handoff.created_at or handoff.activated_at
        return started.timestamp() if started else None
    known = situation.remembered
    return known.opened_at if known is not None else None

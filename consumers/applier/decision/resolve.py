"""Resolves a write that may have been applied, from a read: the table of decision 0002. Pure."""

from dataclasses import dataclass
from typing import Final

from consumers.applier.decision.decision_input import DecisionInput
from consumers.authorization.state import AmbiguousWrite
from schemas.collate.handoff import HandoffResult
from schemas.commands import HandoffClose
from schemas.events.wait_reasons import WaitReason

# The tolerance between Collate's clock and ours (decision 0002).
CLOCK_SKEW_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Inferred:
    """The read shows the effect of our write."""

    handoff_id: str


@dataclass(frozen=True, slots=True)
class Unidentified:
    """A handoff is open, but the version shows more than one change: our handoff may be this one or a closed one."""


@dataclass(frozen=True, slots=True)
class ForeignHandoff:
    """The read shows a handoff that is older than our write, so another actor opened it."""

    handoff_id: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The read does not show whether there was an effect."""


@dataclass(frozen=True, slots=True)
class NoEffect:
    """Our write has had no effect so far: decide again."""


@dataclass(frozen=True, slots=True)
class PendingIntent:
    """The read is not conclusive yet: read again later."""

    reason: WaitReason


Verdict = Inferred | Unidentified | ForeignHandoff | Unknown | NoEffect | PendingIntent


def resolve(decision_input: DecisionInput, write: AmbiguousWrite, *, handoffs_raise_version: bool = False) -> Verdict:
    """Return whether an ambiguous write had an effect.

    `handoffs_raise_version`: every opening and every end of a handoff raises the authorization's version.
    """
    if decision_input.is_stale or (decision_input.is_unknown and decision_input.may_be_stale):
        return PendingIntent(WaitReason.STALE_READ)
    if decision_input.is_unknown:
        return Unknown()
    if isinstance(decision_input.payload, HandoffClose):
        return _close(decision_input, decision_input.payload)
    if decision_input.is_unidentified:
        return PendingIntent(WaitReason.UNREADABLE_ANSWER)
    if decision_input.handoff_id is None:
        # If opening and ending each raise the version, our handoff would have raised it by two: one change is not ours.
        changes = decision_input.found.version - write.version
        return NoEffect() if changes == 0 or (changes == 1 and handoffs_raise_version) else Unknown()
    return _create(decision_input, decision_input.handoff_id, write)


def _create(decision_input: DecisionInput, handoff_id: str, write: AmbiguousWrite) -> Verdict:
    opened_at = _opened_at(decision_input)
    if opened_at is not None and opened_at < write.since - CLOCK_SKEW_SECONDS:
        return ForeignHandoff(handoff_id)
    if decision_input.found.version <= write.version + 1:
        return Inferred(handoff_id)
    if decision_input.is_closing:
        return PendingIntent(WaitReason.CLOSING)
    if decision_input.is_closed:
        return PendingIntent(WaitReason.STALE_READ) if decision_input.may_be_stale else Unknown()
    return Unidentified()


def _close(decision_input: DecisionInput, close: HandoffClose) -> Verdict:
    if decision_input.handoff_state is None:
        return PendingIntent(WaitReason.STALE_READ) if decision_input.may_be_stale else Unknown()
    if decision_input.is_closing:
        return PendingIntent(WaitReason.CLOSING)
    if not decision_input.is_closed:
        return NoEffect()
    if decision_input.result == close.result.RESULT:
        return Inferred(close.handoff_id)
    return NoEffect() if decision_input.result in set(HandoffResult) else Unknown()


def _opened_at(decision_input: DecisionInput) -> float | None:
    handoff = decision_input.handoff
    if handoff is not None:
        started = handoff.created_at or handoff.activated_at
        return started.timestamp() if started else None
    return decision_input.stored.opened_at if decision_input.stored is not None else None

"""What to do about a command: a table, read from the top, the first row whose condition holds decides. Pure.

docs/decide.md is made from these rows, and so is the test that walks every combination. Collate's safety rules
(collate-api.md section 6) are rows of it: no handoff while Collate works, none without the accepted current snapshot.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from consumers.applier.decision_input import DecisionInput
from consumers.applier.reasons import Reason
from consumers.authorization.wait_reasons import WaitReason
from schemas.collate.authorization import Status
from schemas.collate.handoff import HandoffResult
from schemas.commands import AuthorizationWatch, HandoffClose, HandoffRequest


@dataclass(frozen=True, slots=True)
class Write:
    """Send the command's write; for a close, to this handoff."""

    handoff_id: str | None = None


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """What was asked is so already; nothing is sent."""

    handoff_id: str | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """A watch needs nothing of Collate."""


@dataclass(frozen=True, slots=True)
class Reject:
    """It can't be done, and waiting for Collate alone doesn't help."""

    reason: Reason
    handoff_id: str | None = None


@dataclass(frozen=True, slots=True)
class RereadLater:
    """Look again soon."""

    wait: WaitReason


Decision = Write | AlreadyDone | Watch | Reject | RereadLater


@dataclass(frozen=True, slots=True)
class Row:
    """A condition in words and in code, and what follows."""

    when: str
    holds: Callable[[DecisionInput], bool]
    then: type[Write] | type[AlreadyDone] | type[Watch] | Reason | WaitReason


_FIRST: Final = (
    Row(
        "Collate doesn't know the authorization, which we had read before (for a minute)",
        lambda s: s.is_unknown and s.was_known,
        WaitReason.STALE_READ,
    ),
    Row("Collate doesn't know the authorization", lambda s: s.is_unknown, Reason.AUTHORIZATION_NOT_FOUND),
    Row("the version read is below the highest one seen", lambda s: s.is_stale, WaitReason.STALE_READ),
)

REQUEST: Final = (
    *_FIRST,
    Row("completed", lambda s: s.status_is(Status.COMPLETED), Reason.AUTHORIZATION_COMPLETED),
    Row("canceled", lambda s: s.status_is(Status.CANCELED), Reason.AUTHORIZATION_CANCELED),
    Row("the open handoff is closing", lambda s: s.is_closing, WaitReason.CLOSING),
    Row(
        "the authorization points at a handoff that has ended (for a minute)",
        lambda s: s.is_closed and s.doubt,
        WaitReason.STALE_READ,
    ),
    Row("a handoff is open (offered, active, or in a state that we don't know)", lambda s: s.is_open, AlreadyDone),
    Row("processing", lambda s: s.status_is(Status.PROCESSING), Reason.AUTHORIZATION_PROCESSING),
    Row("waiting_on_payer", lambda s: s.status_is(Status.WAITING_ON_PAYER), Reason.WAITING_ON_PAYER),
    Row("a status that we don't know", lambda s: not s.status_is(Status.REQUIRES_ACTION), Reason.STATUS_UNKNOWN),
    Row(
        "requires_action, but the read doesn't show the end of the last handoff yet (for a minute)",
        lambda s: s.is_before_the_end,
        WaitReason.STALE_READ,
    ),
    Row("requires_action without a next action", lambda s: s.action is None, Reason.NO_ACTION_NAMED),
    Row(
        "the next action isn't complete_payer_interaction",
        lambda s: not s.asks_for_a_handoff,
        Reason.ACTION_IS_NOT_A_HANDOFF,
    ),
    Row(
        "the next action names another resolution than manual_handoff",
        lambda s: s.resolution_is_other,
        Reason.RESOLUTION_IS_NOT_A_HANDOFF,
    ),
    Row(
        "the next action covers a review snapshot and none was accepted",
        lambda s: s.covered is not None and s.accepted is None,
        Reason.REVIEW_SNAPSHOT_REQUIRED,
    ),
    Row(
        "the accepted review snapshot isn't the covered, current one",
        lambda s: s.accepted is not None and not s.accepted_is_current,
        Reason.REVIEW_SNAPSHOT_STALE,
    ),
    Row("otherwise", lambda _: True, Write),
)

CLOSE: Final = (
    *_FIRST,
    Row(
        "the handoff can't be read, but we know it (for a minute)",
        lambda s: _is_gone(s) and s.was_seen,
        WaitReason.STALE_READ,
    ),
    Row("no such handoff", lambda s: _is_gone(s) or s.is_elsewhere, Reason.HANDOFF_NOT_FOUND),
    Row("the handoff is closing", lambda s: s.is_closing, WaitReason.CLOSING),
    Row("closed by us with the same report", lambda s: s.is_closed and s.report_was_ours, AlreadyDone),
    Row(
        "closed as this close would have: revoked, or unable to complete",
        lambda s: _ended(s, HandoffResult.REVOKED, HandoffResult.UNABLE_TO_COMPLETE) and s.result_is_ours,
        AlreadyDone,
    ),
    Row("closed: expired", lambda s: _ended(s, HandoffResult.EXPIRED), Reason.HANDOFF_EXPIRED),
    Row(
        "closed: the payer session was lost",
        lambda s: _ended(s, HandoffResult.INTERACTION_LOST_UNRECOVERABLE),
        Reason.HANDOFF_LOST,
    ),
    Row("closed: canceled", lambda s: _ended(s, HandoffResult.CANCELED), Reason.HANDOFF_CANCELED),
    Row("closed: revoked", lambda s: _ended(s, HandoffResult.REVOKED), Reason.HANDOFF_REVOKED),
    Row(
        "closed: unable to complete",
        lambda s: _ended(s, HandoffResult.UNABLE_TO_COMPLETE),
        Reason.HANDOFF_REPORTED_UNABLE,
    ),
    Row(
        "closed: completed, by another or with another report",
        lambda s: _ended(s, HandoffResult.COMPLETED_REPORTED),
        Reason.HANDOFF_REPORTED_COMPLETED,
    ),
    Row("closed with a result that we don't know", lambda s: s.is_closed, Reason.HANDOFF_CLOSED),
    Row("open, but completed", lambda s: s.status_is(Status.COMPLETED), Reason.AUTHORIZATION_COMPLETED),
    Row("open, but canceled", lambda s: s.status_is(Status.CANCELED), Reason.AUTHORIZATION_CANCELED),
    Row("otherwise: offered, active, or in a state that we don't know", lambda _: True, Write),
)

WATCH: Final = (
    *_FIRST,
    Row(
        "completed or canceled: there is nothing to wait for",
        lambda s: s.status_is(Status.COMPLETED, Status.CANCELED),
        AlreadyDone,
    ),
    Row("otherwise", lambda _: True, Watch),
)

TABLE: Final = {HandoffRequest: REQUEST, HandoffClose: CLOSE, AuthorizationWatch: WATCH}


def decide(situation: DecisionInput) -> Decision:
    """Return what follows from the first row that holds."""
    return decision_of(deciding_row(situation), situation)


def deciding_row(situation: DecisionInput) -> Row:
    """Return the first row that holds; the last of each table always does."""
    return next(row for row in TABLE[type(situation.asking)] if row.holds(situation))


def decision_of(row: Row, situation: DecisionInput) -> Decision:
    """Return what a row means here."""
    then, handoff_id = row.then, situation.handoff_id
    if isinstance(then, WaitReason):
        return RereadLater(then)
    if isinstance(then, Reason):
        return Reject(then, handoff_id)
    if then is Write:
        return Write(handoff_id if isinstance(situation.asking, HandoffClose) else None)
    return AlreadyDone(handoff_id) if then is AlreadyDone else Watch()


def _is_gone(situation: DecisionInput) -> bool:
    points_at_it = situation.found.active_handoff_id == situation.handoff_id
    known = situation.remembered
    is_known_closed = known is not None and known.result is not None
    return situation.handoff is None and not points_at_it and not is_known_closed


def _ended(situation: DecisionInput, *results: HandoffResult) -> bool:
    return situation.is_closed and situation.result in results

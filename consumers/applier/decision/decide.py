"""The decision about a command: a table. The first row whose condition holds decides. Pure.

docs/decide.md and the test of every combination are made from these rows. They contain Collate's safety rules
(docs/collate-contract.md §6): no handoff while Collate works, and none without the accepted current review snapshot.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from consumers.applier.decision.decision_input import DecisionInput
from schemas.collate.authorization import ActionType, Status
from schemas.collate.handoff import HandoffResult
from schemas.commands import CLOSE_ACTIONS, REPORT_OF, AuthorizationWatch, HandoffClose, HandoffRequest
from schemas.events.reasons import OutcomeReason
from schemas.events.wait_reasons import OFFERED_SECONDS, STALE_READ_SECONDS, WaitReason


@dataclass(frozen=True, slots=True)
class Write:
    """Send the command's write; a close names its handoff."""

    handoff_id: str | None = None


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """Send nothing: Collate is already in the wanted state."""

    handoff_id: str | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """Watch the authorization; nothing is sent to Collate."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Reject the command: waiting for Collate alone would not help."""

    reason: OutcomeReason
    handoff_id: str | None = None


@dataclass(frozen=True, slots=True)
class RereadLater:
    """Wait, then read again."""

    reason: WaitReason


Decision = Write | AlreadyDone | Watch | Reject | RereadLater


@dataclass(frozen=True, slots=True)
class Row:
    """A condition as a sentence and as code, and the decision."""

    when: str
    holds: Callable[[DecisionInput], bool]
    then: type[Write] | type[AlreadyDone] | type[Watch] | OutcomeReason | WaitReason


# The table has the bounds in words.
_IN_WORDS: Final = {60.0: "for a minute", 600.0: "for ten minutes"}
_WHILE_STALE: Final = _IN_WORDS[STALE_READ_SECONDS]
_WHILE_OFFERED: Final = _IN_WORDS[OFFERED_SECONDS]
_FIRST: Final = (
    Row(
        f"Collate does not find the authorization, but we have read it before ({_WHILE_STALE})",
        lambda d: d.is_unknown and d.was_known,
        WaitReason.STALE_READ,
    ),
    Row("Collate does not find the authorization", lambda d: d.is_unknown, OutcomeReason.AUTHORIZATION_NOT_FOUND),
    Row("the version is lower than the highest version read so far", lambda d: d.is_stale, WaitReason.STALE_READ),
)

REQUEST: Final = (
    *_FIRST,
    Row("completed", lambda d: d.status_is(Status.COMPLETED), OutcomeReason.AUTHORIZATION_COMPLETED),
    Row("canceled", lambda d: d.status_is(Status.CANCELED), OutcomeReason.AUTHORIZATION_CANCELED),
    Row("the open handoff has no readable id", lambda d: d.is_unidentified, WaitReason.UNREADABLE_ANSWER),
    Row("the open handoff is closing", lambda d: d.is_closing, WaitReason.CLOSING),
    Row(
        f"the authorization names a handoff that has ended ({_WHILE_STALE})",
        lambda d: d.is_closed and d.may_be_stale,
        WaitReason.STALE_READ,
    ),
    Row("a handoff is open (offered, active, or in an unknown state)", lambda d: d.is_open, AlreadyDone),
    Row("processing", lambda d: d.status_is(Status.PROCESSING), OutcomeReason.AUTHORIZATION_PROCESSING),
    Row("waiting_on_payer", lambda d: d.status_is(Status.WAITING_ON_PAYER), OutcomeReason.WAITING_ON_PAYER),
    Row("an unknown status", lambda d: not d.status_is(Status.REQUIRES_ACTION), OutcomeReason.STATUS_UNKNOWN),
    Row(
        f"requires_action, but the read does not show the end of the last handoff yet ({_WHILE_STALE})",
        lambda d: d.is_before_last_end,
        WaitReason.STALE_READ,
    ),
    Row("requires_action without a next action", lambda d: d.action is None, OutcomeReason.NO_ACTION_NAMED),
    Row(
        "the next action is not complete_payer_interaction",
        lambda d: d.action != ActionType.COMPLETE_PAYER_INTERACTION,
        OutcomeReason.ACTION_IS_NOT_A_HANDOFF,
    ),
    Row(
        "the next action names a resolution other than manual_handoff",
        lambda d: not d.requires_handoff,
        OutcomeReason.RESOLUTION_IS_NOT_A_HANDOFF,
    ),
    Row(
        "the next action covers a review snapshot, and the command accepts none",
        lambda d: d.covered is not None and d.accepted is None,
        OutcomeReason.REVIEW_SNAPSHOT_REQUIRED,
    ),
    Row(
        "the accepted review snapshot is not the covered, current one",
        lambda d: d.accepted is not None and not d.accepted_is_current,
        OutcomeReason.REVIEW_SNAPSHOT_STALE,
    ),
    Row("otherwise", lambda _: True, Write),
)


def _ended(decision_input: DecisionInput, result: HandoffResult) -> bool:
    return decision_input.is_closed and decision_input.result == result


CLOSE: Final = (
    *_FIRST,
    Row(
        f"the handoff cannot be read, but we have read it before ({_WHILE_STALE})",
        lambda d: d.is_absent and d.absence_may_be_stale,
        WaitReason.STALE_READ,
    ),
    Row("no such handoff", lambda d: d.is_absent or d.belongs_elsewhere, OutcomeReason.HANDOFF_NOT_FOUND),
    Row(
        "open, and the caller may close only the handoffs that it opened: another opened this one",
        lambda d: d.is_of_another and not d.is_closed,
        OutcomeReason.NOT_THE_OPENER,
    ),
    Row(
        "open, another person has it in hand, and the close of a person does not take over (before its first write)",
        lambda d: d.is_claimed_by_another and not d.is_closed,
        OutcomeReason.CLAIMED_BY_ANOTHER,
    ),
    Row("the handoff is closing", lambda d: d.is_closing, WaitReason.CLOSING),
    Row("closed by us with the same report", lambda d: d.is_closed and d.has_same_report, AlreadyDone),
    Row(
        f"closed with the result of this close: {' or '.join(REPORT_OF)}",
        lambda d: d.is_closed and d.result_tells_same_report,
        AlreadyDone,
    ),
    Row("closed: expired", lambda d: _ended(d, HandoffResult.EXPIRED), OutcomeReason.HANDOFF_EXPIRED),
    Row(
        "closed: the payer session was lost",
        lambda d: _ended(d, HandoffResult.INTERACTION_LOST_UNRECOVERABLE),
        OutcomeReason.HANDOFF_LOST,
    ),
    Row("closed: canceled", lambda d: _ended(d, HandoffResult.CANCELED), OutcomeReason.HANDOFF_CANCELED),
    *(
        Row(f"closed: {action.RESULT}, with another report", partial(_ended, result=action.RESULT), action.REJECTION)
        for action in CLOSE_ACTIONS
    ),
    Row("closed with an unknown result", lambda d: d.is_closed, OutcomeReason.HANDOFF_CLOSED),
    Row(
        "open, but the authorization is completed",
        lambda d: d.status_is(Status.COMPLETED),
        OutcomeReason.AUTHORIZATION_COMPLETED,
    ),
    Row(
        "open, but the authorization is canceled",
        lambda d: d.status_is(Status.CANCELED),
        OutcomeReason.AUTHORIZATION_CANCELED,
    ),
    Row(
        f"the handoff is offered, not active yet ({_WHILE_OFFERED})", lambda d: d.is_being_prepared, WaitReason.OFFERED
    ),
    Row("otherwise: active, in an unknown state, or offered for longer", lambda _: True, Write),
)

WATCH: Final = (
    *_FIRST,
    Row(
        "completed or canceled: there is nothing to wait for",
        lambda d: d.status_is(Status.COMPLETED, Status.CANCELED),
        AlreadyDone,
    ),
    Row("otherwise", lambda _: True, Watch),
)

TABLE: Final = {HandoffRequest: REQUEST, HandoffClose: CLOSE, AuthorizationWatch: WATCH}


def decide(decision_input: DecisionInput) -> Decision:
    """Return the decision of the first row whose condition holds."""
    return decision_of(deciding_row(decision_input), decision_input)


def deciding_row(decision_input: DecisionInput) -> Row:
    """Return the first row whose condition holds; that of the last row always does."""
    *rows, last = TABLE[type(decision_input.payload)]
    for row in rows:
        if row.holds(decision_input):
            return row
    return last


def decision_of(row: Row, decision_input: DecisionInput) -> Decision:
    """Return the decision of a row for this input."""
    then, handoff_id = row.then, decision_input.handoff_id
    if isinstance(then, WaitReason):
        return RereadLater(then)
    if isinstance(then, OutcomeReason):
        return Reject(then, handoff_id)
    if then is Write:
        return Write(handoff_id if isinstance(decision_input.payload, HandoffClose) else None)
    return AlreadyDone(handoff_id) if then is AlreadyDone else Watch()

"""What a decision looks at, worked out once from the command, one look at Collate, and memory. Pure."""

from dataclasses import dataclass
from typing import Final

from adapters.collate.operations import Operation
from consumers.applier.task import Asking
from consumers.authorization.facts import Observed
from consumers.authorization.handoffs import RESULT_OF
from consumers.authorization.observation import NotThere
from consumers.authorization.state import AuthorizationState, Handoff
from schemas.collate.authorization import ActionType, PriorAuthorization, Status
from schemas.collate.handoff import HandoffState, ManualHandoff
from schemas.commands import Completed, HandoffClose, HandoffRequest, Revoked, UnableToComplete
from schemas.enums import Report

# How long an answer that contradicts what we know is taken for a lagging replica rather than for the truth.
DOUBT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class DecisionInput:
    """Everything that the table's conditions ask about.

    Attributes:
        asking: the command's data.
        authorization: as read; None if Collate knows none.
        memory: what was known before.
        doubt: whether an answer that contradicts memory may still be a stale one (False after DOUBT_SECONDS).
        handoff: for a close the handoff that it names, for a request the open one; None if Collate shows none.
        handoff_id: its id, also where it could not be read.
    """

    asking: Asking
    authorization: PriorAuthorization | None
    memory: AuthorizationState
    doubt: bool
    handoff: ManualHandoff | None
    handoff_id: str | None

    # The authorization

    @property
    def found(self) -> PriorAuthorization:
        """Return the authorization; only asked where it is there."""
        if self.authorization is None:
            raise LookupError("a condition asked about an authorization that Collate doesn't know")
        return self.authorization

    @property
    def is_unknown(self) -> bool:
        """Whether Collate knows no such authorization."""
        return self.authorization is None

    @property
    def was_known(self) -> bool:
        """Whether we had read the authorization before, and lately enough to doubt that it is gone."""
        return self.memory.known is not None and self.doubt

    @property
    def is_stale(self) -> bool:
        """Whether the read is older than one that we had."""
        return self.authorization is not None and self.authorization.version < self.memory.floor

    @property
    def is_before_the_end(self) -> bool:
        """Whether the read doesn't show the end of the last handoff yet."""
        last = self.memory.last
        return (
            self.doubt
            and last is not None
            and last.agreement is None
            and self.found.version <= last.open_version
            and self.handoff_id is None
        )

    def status_is(self, *statuses: Status) -> bool:
        """Whether the authorization's status is one of these."""
        return self.found.status in statuses

    @property
    def action(self) -> str | None:
        """Return the type of the next action."""
        return self.found.next_action.type if self.found.next_action else None

    @property
    def asks_for_a_handoff(self) -> bool:
        """Whether the next action is one that a handoff resolves."""
        return self.action == ActionType.COMPLETE_PAYER_INTERACTION

    @property
    def resolution_is_other(self) -> bool:
        """Whether Collate names a kind of resolution that is no handoff (V3's third test; V2 names none)."""
        action = self.found.next_action
        kind = action.resolution.kind if action and action.resolution else None
        return kind not in {None, "manual_handoff"}

    # The review snapshot

    @property
    def accepted(self) -> str | None:
        """Return the snapshot that the caller's reviewer accepted."""
        return self.asking.accepted_review_snapshot_id if isinstance(self.asking, HandoffRequest) else None

    @property
    def covered(self) -> str | None:
        """Return the snapshot that must have been accepted."""
        return self.found.covers_review_snapshot_id

    @property
    def accepted_is_current(self) -> bool:
        """Whether the accepted snapshot is the one that the action covers and that stands, as far as Collate says."""
        current = self.found.review_snapshot
        if current is not None and current.id == self.accepted:
            return current.status in {None, "current"} and self.covered in {None, self.accepted}
        return self.accepted == self.covered

    # The handoff

    @property
    def state(self) -> str | None:
        """Return the handoff's state: as read, else as known; None if there is no such handoff."""
        if self.handoff_id in self.memory.ended:
            return HandoffState.CLOSED.value
        if self.handoff is not None:
            return self.handoff.state
        known = self.remembered
        return known.state if known is not None else None

    @property
    def remembered(self) -> Handoff | None:
        """Return what we remember of that handoff."""
        for handoff in (self.memory.active, self.memory.last):
            if handoff is not None and handoff.id == self.handoff_id:
                return handoff
        return None

    @property
    def is_closing(self) -> bool:
        """Whether the handoff's end is under way."""
        return self.state == HandoffState.CLOSING

    @property
    def is_closed(self) -> bool:
        """Whether the handoff has ended."""
        return self.state == HandoffState.CLOSED

    @property
    def is_open(self) -> bool:
        """Whether the handoff may be worked in; a state that we don't know counts as open."""
        return self.handoff_id is not None and not self.is_closing and not self.is_closed

    @property
    def was_seen(self) -> bool:
        """Whether we know the handoff, although it can't be read now, and lately enough to doubt that it is gone."""
        known = self.remembered is not None or self.handoff_id in self.memory.ended
        return known and self.doubt

    @property
    def is_elsewhere(self) -> bool:
        """Whether the handoff belongs to another authorization."""
        owner = self.handoff.prior_authorization_id if self.handoff else None
        return owner is not None and owner != self.found.id

    @property
    def result(self) -> str | None:
        """Return how the handoff ended, as read, else as known."""
        known = self.remembered
        if self.handoff is not None and self.handoff.result is not None:
            return self.handoff.result
        return known.result if known is not None else None

    @property
    def result_is_ours(self) -> bool:
        """Whether it ended as this close would have ended it."""
        return isinstance(self.asking, HandoffClose) and self.result == RESULT_OF[operation_of(self.asking)]

    @property
    def report_was_ours(self) -> bool:
        """Whether an earlier command of ours closed it with this very report."""
        known = self.remembered
        if known is None or known.closer is None or known.by != "us" or not isinstance(self.asking, HandoffClose):
            return False
        same = known.closer.operation == operation_of(self.asking) and known.closer.reported == reported(self.asking)
        return same and known.closer.reason == reason_of(self.asking)


def decision_input(
    asking: Asking, seen: Observed | NotThere, memory: AuthorizationState, *, doubt: bool
) -> DecisionInput:
    """Work out what a decision looks at."""
    if isinstance(seen, NotThere):
        named = asking.handoff_id if isinstance(asking, HandoffClose) else None
        return DecisionInput(asking, None, memory, doubt, None, named)
    authorization = seen.authorization
    if isinstance(asking, HandoffClose):
        handoff_id: str | None = asking.handoff_id
    else:
        handoff_id = authorization.active_handoff_id or _still_open(seen, memory)
    return DecisionInput(asking, authorization, memory, doubt, seen.handoff(handoff_id), handoff_id)


def operation_of(close: HandoffClose) -> Operation:
    """Return the call that makes this close."""
    match close.result:
        case Completed():
            return Operation.COMPLETE
        case UnableToComplete():
            return Operation.UNABLE_TO_COMPLETE
        case Revoked():
            return Operation.REVOKE


def reported(close: HandoffClose) -> str | None:
    """Return the report as a word; a revocation reports nothing."""
    match close.result:
        case Completed(reported_outcome=outcome):
            return outcome.value
        case UnableToComplete():
            return Report.UNABLE_TO_COMPLETE.value
        case Revoked():
            return None


def reason_of(close: HandoffClose) -> str | None:
    """Return the operator's reason where it is a word; a revocation's is free text."""
    return close.result.reason if isinstance(close.result, UnableToComplete) else None


def _still_open(seen: Observed, memory: AuthorizationState) -> str | None:
    """Return the remembered handoff if it isn't read as ended, though the authorization doesn't point at it."""
    active = memory.active
    if active is None or active.id in seen.missing:
        return None
    handoff = seen.handoff(active.id)
    is_over = handoff is not None and handoff.state == HandoffState.CLOSED
    return None if is_over else active.id

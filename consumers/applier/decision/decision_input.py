"""The values that a decision reads, derived from the command, one observation of Collate and the state. Pure."""

from dataclasses import dataclass

from consumers.applier.task import CommandTask
from consumers.authorization.facts import Observed
from consumers.authorization.observation import MissingAuthorization
from consumers.authorization.state import AuthorizationState, Closer, Handoff
from schemas.collate.authorization import PriorAuthorization, Status, requires_handoff, snapshot_refusal
from schemas.collate.handoff import HandoffState, ManualHandoff
from schemas.commands import REPORT_OF, CallerCommand, HandoffClose, HandoffRequest
from schemas.events.reasons import OutcomeReason
from schemas.events.wait_reasons import OFFERED_SECONDS, STALE_READ_SECONDS


@dataclass(frozen=True, slots=True)
class DecisionInput:
    """Everything that the conditions of the table read.

    Attributes:
        payload: the payload of the command.
        authorization: the authorization as read; None if Collate does not find it.
        state: the stored state.
        waited_seconds: how long the command has been the first of its key queue.
        handoff: the handoff that a close names, or the open handoff for a request; None if Collate shows none.
        handoff_id: the id of that handoff, also if it could not be read.
        only_opener: the caller, if it may close only the handoffs that it opened.
        person: the caller, if it is a person and no write of the command may have been sent.
    """

    payload: CallerCommand
    authorization: PriorAuthorization | None
    state: AuthorizationState
    waited_seconds: float
    handoff: ManualHandoff | None
    handoff_id: str | None
    only_opener: str | None = None
    person: str | None = None

    @classmethod
    def of(
        cls,
        payload: CallerCommand,
        observation: Observed | MissingAuthorization,
        state: AuthorizationState,
        *,
        waited_seconds: float,
        only_opener: str | None = None,
        person: str | None = None,
    ) -> "DecisionInput":
        """Derive the input of a decision."""
        named = payload.handoff_id if isinstance(payload, HandoffClose) else None
        if isinstance(observation, MissingAuthorization):
            return cls(payload, None, state, waited_seconds, None, named, only_opener, person)
        authorization = observation.authorization
        handoff_id = named or authorization.active_handoff_id or _still_open(observation, state)
        handoff = observation.handoff(handoff_id)
        return cls(payload, authorization, state, waited_seconds, handoff, handoff_id, only_opener, person)

    @property
    def may_be_stale(self) -> bool:
        """Whether a read that contradicts the state may come from a lagging replica."""
        return self.waited_seconds < STALE_READ_SECONDS

    # The authorization

    @property
    def found(self) -> PriorAuthorization:
        """Return the authorization; only for conditions that follow `is_unknown`."""
        if self.authorization is None:
            raise LookupError("a condition reads an authorization that Collate does not find")
        return self.authorization

    @property
    def is_unknown(self) -> bool:
        """Whether Collate does not find the authorization."""
        return self.authorization is None

    @property
    def was_known(self) -> bool:
        """Whether the authorization has been read before, and its absence may be stale."""
        return self.state.known is not None and self.may_be_stale

    @property
    def is_stale(self) -> bool:
        """Whether an earlier read showed a higher version."""
        return self.authorization is not None and self.authorization.version < self.state.floor

    @property
    def is_before_last_end(self) -> bool:
        """Whether the read may be older than the end of the last handoff."""
        last = self.state.last
        return (
            self.may_be_stale
            and last is not None
            and last.agreement is None
            and self.found.version <= last.open_version
            and self.handoff_id is None
        )

    def status_is(self, *statuses: Status) -> bool:
        """Whether the authorization has one of these statuses."""
        return self.found.status in statuses

    @property
    def action(self) -> str | None:
        """Return the type of the next action."""
        return self.found.next_action.type if self.found.next_action else None

    @property
    def requires_handoff(self) -> bool:
        """Whether a handoff resolves the next action."""
        return requires_handoff(self.action, self.found.resolution)

    # The review snapshot

    @property
    def accepted(self) -> str | None:
        """Return the snapshot that the caller's reviewer accepted."""
        return self.payload.accepted_review_snapshot_id if isinstance(self.payload, HandoffRequest) else None

    @property
    def covered(self) -> str | None:
        """Return the snapshot that must be accepted."""
        return self.found.covers_review_snapshot_id

    @property
    def accepted_is_current(self) -> bool:
        """Whether the accepted snapshot is the covered one, and is current if Collate shows its status."""
        current = self.found.review_snapshot
        if current is not None and current.id == self.accepted:
            return snapshot_refusal(self.covered, current.id, current.status) is None
        return self.accepted == self.covered

    # The handoff

    @property
    def handoff_state(self) -> str | None:
        """Return the handoff's state as read, else as stored; None if there is no such handoff."""
        if self.handoff_id in self.state.ended:
            return HandoffState.CLOSED.value
        if self.handoff is not None:
            return self.handoff.state
        return self.stored.state if self.stored is not None else None

    @property
    def stored(self) -> Handoff | None:
        """Return the handoff as stored."""
        return self.state.handoff(self.handoff_id)

    @property
    def is_unidentified(self) -> bool:
        """Whether Collate names an open handoff without an id that can be read, and the state has none either."""
        return self.found.active_manual_handoff is not None and self.handoff_id is None

    @property
    def is_of_another(self) -> bool:
        """Whether the caller may close only its own handoffs, and no command of it opened this one, or may have."""
        opener = self.stored.opener if self.stored is not None else None
        return self.only_opener is not None and (opener is None or opener.caller != self.only_opener)

    @property
    def is_claimed_by_another(self) -> bool:
        """Whether another person has the handoff in hand, and the close does not say that it is theirs."""
        claim = self.stored.claim if self.stored is not None else None
        takes_over = isinstance(self.payload, HandoffClose) and self.payload.take_over
        return self.person is not None and claim is not None and claim.caller != self.person and not takes_over

    def claimed_by(self, reason: OutcomeReason) -> str | None:
        """Return the caller that has the handoff in hand, if that is the reason of a rejection."""
        claim = self.stored.claim if self.stored is not None else None
        return claim.caller if claim is not None and reason is OutcomeReason.CLAIMED_BY_ANOTHER else None

    @property
    def is_closing(self) -> bool:
        """Whether Collate is closing the handoff."""
        return self.handoff_state == HandoffState.CLOSING

    @property
    def is_being_prepared(self) -> bool:
        """Whether Collate may still activate the handoff soon."""
        return self.handoff_state == HandoffState.OFFERED and self.waited_seconds < OFFERED_SECONDS

    @property
    def is_closed(self) -> bool:
        """Whether the handoff has ended."""
        return self.handoff_state == HandoffState.CLOSED

    @property
    def is_open(self) -> bool:
        """Whether an operator may work in the handoff. An unknown state counts as open."""
        return self.handoff_id is not None and not self.is_closing and not self.is_closed

    @property
    def is_absent(self) -> bool:
        """Whether Collate shows no such handoff, and the state does not contain its result."""
        is_active = self.found.active_handoff_id == self.handoff_id
        has_result = self.stored is not None and self.stored.result is not None
        return self.handoff is None and not is_active and not has_result

    @property
    def absence_may_be_stale(self) -> bool:
        """Whether the state contains the handoff, and its absence may be stale."""
        return (self.stored is not None or self.handoff_id in self.state.ended) and self.may_be_stale

    @property
    def belongs_elsewhere(self) -> bool:
        """Whether the handoff belongs to another authorization."""
        owner = self.handoff.prior_authorization_id if self.handoff else None
        return owner is not None and owner != self.found.id

    @property
    def result(self) -> str | None:
        """Return the result of the handoff as read, else as stored."""
        if self.handoff is not None and self.handoff.result is not None:
            return self.handoff.result
        return self.stored.result if self.stored is not None else None

    @property
    def result_tells_same_report(self) -> bool:
        """Whether the handoff has the result of this close, and that result alone tells what was reported."""
        is_close_with_it = isinstance(self.payload, HandoffClose) and self.result == self.payload.result.RESULT
        return is_close_with_it and self.result in REPORT_OF

    @property
    def has_same_report(self) -> bool:
        """Whether an earlier command closed the handoff with the same report."""
        stored = self.stored
        if stored is None or stored.closer is None or stored.by != "us" or not isinstance(self.payload, HandoffClose):
            return False
        closer = stored.closer
        return (closer.operation, closer.reported) == (self.payload.result.OPERATION, self.payload.result.reported())


def closer_of(task: CommandTask, close: HandoffClose) -> Closer:
    """Return the stored form of our close: words, no free text."""
    reported = close.result.reported()
    return Closer.model_construct(
        caused_by=task.ref,
        operation=close.result.OPERATION,
        reported=None if reported is None else reported.value,
        reason=close.result.public_reason(),
        caller=task.caller,
        reported_by=close.reported_by,
    )


def _still_open(observation: Observed, state: AuthorizationState) -> str | None:
    """Return the stored open handoff, unless a read shows its end. The authorization may no longer name it."""
    active = state.active
    if active is None or active.id in observation.missing:
        return None
    handoff = observation.handoff(active.id)
    has_ended = handoff is not None and handoff.state == HandoffState.CLOSED
    return None if has_ended else active.id

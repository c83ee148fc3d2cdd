"""The events of one authorization: the ends of commands, and its handoffs as the reducer changes them. Pure."""

from dataclasses import dataclass, field

from consumers.applier.dead_letters import UNREAD, opened
from consumers.authorization.facts import GrantRecorded
from consumers.authorization.handoffs import reconciled
from consumers.authorization.reducer import reduce
from consumers.authorization.reduction import Reduction
from consumers.authorization.state import NEW, AuthorizationState, Claim, Closer, CommandRef, Handoff, OpenDeadLetter
from schemas.commands import OPERATION_OF
from schemas.enums import ClosedBy, Effect, Outcome
from schemas.events import (
    AuthorizationChanged,
    CommandDeadLettered,
    CommandFinished,
    ContentRead,
    HandoffAccessChanged,
    HandoffAccessGranted,
    HandoffAtRisk,
    HandoffClaimed,
    HandoffClosed,
    HandoffOpened,
    HandoffReconciled,
    HandoffReleased,
    RecentCommandsEmptied,
    VersionFloorLowered,
)
from schemas.events.reasons import OutcomeReason
from schemas.promises.ends import REFUSALS
from schemas.records import PublishedEvent


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of one run of a command, or of an own record of the gateway, in the order of the events."""

    at: float
    command_id: str
    redrive: int
    caller: str
    reason: str | None = None
    is_dead_lettered: bool = False
    is_grant: bool = False
    is_discard: bool = False


@dataclass(slots=True)
class History:
    """What the events of an authorization show, in their order.

    Attributes:
        sequence: the number of the last event; `last_at` is its time.
        ends: the runs of commands that ended or were dead-lettered: command id and redrive.
        undigested: the ids of dead letters whose command could be read in no run.
        recorded: the ids of the gateway's own records that have an event.
        discarded_at: when each dead letter was discarded.
        recent: the ends since `recent_since`, for the recent commands.
        state: the open and the last handoff, the ids of those that ended, and the grant before `handoff.opened`.
        closes: by handoff, the command that closed it according to its own end.
    """

    recent_since: float
    sequence: int = 0
    last_at: float | None = None
    ends: set[tuple[str, int]] = field(default_factory=set)
    recorded: set[str] = field(default_factory=set)
    discarded_at: dict[str, float] = field(default_factory=dict)
    recent: list[Ended] = field(default_factory=list)
    dead_letters: dict[str, OpenDeadLetter] = field(default_factory=dict)
    undigested: set[str] = field(default_factory=set)
    state: AuthorizationState = NEW
    closes: dict[str, str] = field(default_factory=dict)
    content_read_at: float | None = None
    _receipt: bool = False
    _decision: bool = False

    def see(self, event: PublishedEvent) -> None:
        """Fold the next event."""
        self.sequence = event.sequence
        self.last_at = at = event.time.timestamp()
        cause = event.causation_id
        match event.data:
            case CommandFinished() as finished:
                self._finished(finished, at)
            case CommandDeadLettered() as dead:
                self._dead_lettered(dead, at, event.correlation_id)
            case HandoffAccessGranted() | RecentCommandsEmptied() | VersionFloorLowered() | ContentRead():
                self._own_record(event.data, at, cause)
            case AuthorizationChanged() as changed:
                self._changed(changed, at)
            case _:
                self._handoff(event, at)

    def _changed(self, changed: AuthorizationChanged, at: float) -> None:
        self._receipt, self._decision = changed.receipt_seen, changed.decision_seen
        active = self.state.active
        # One read showed both: its receipt is not new since the opening.
        if active is not None and active.seen_at == at:
            self._change_active(active.id, had_receipt=self._receipt, had_decision=self._decision)

    # Commands

    def _finished(self, finished: CommandFinished, at: float) -> None:
        command_id, redrive = finished.command_id, finished.redrive or 0
        is_discard = finished.outcome == Outcome.DISCARDED
        if is_discard:
            self.discarded_at[command_id] = at
        self.ends.add((command_id, redrive))
        if finished.reason not in REFUSALS:
            self.dead_letters.pop(command_id, None)
        if finished.outcome == Outcome.APPLIED and finished.handoff_id is not None:
            self.closes[finished.handoff_id] = command_id
        if finished.reason == OutcomeReason.TOO_MANY_DEAD_LETTERS and command_id in self.undigested:
            return  # the worker keeps no id without the digest of its command
        ended = Ended(at, command_id, redrive, finished.caller, finished.reason, is_discard=is_discard)
        self._add_recent(ended)

    def _dead_lettered(self, dead: CommandDeadLettered, at: float, first: str | None) -> None:
        command_id, redrive = dead.command_id, dead.redrive or 0
        self.ends.add((command_id, redrive))
        before = self.dead_letters.pop(command_id, None)  # a later one is the newest
        self.dead_letters[command_id] = opened(dead, at, first, before)
        if dead.cause in UNREAD:
            if before is None:
                self.undigested.add(command_id)
        else:
            self.undigested.discard(command_id)
            self._add_recent(Ended(at, command_id, redrive, dead.caller, is_dead_lettered=True))

    def _own_record(
        self,
        event: HandoffAccessGranted | RecentCommandsEmptied | VersionFloorLowered | ContentRead,
        at: float,
        cause: str | None,
    ) -> None:
        if cause is not None:
            self.recorded.add(cause)
        match event:
            case ContentRead():
                self.content_read_at = at
                return  # a read is not among the recent commands
            case HandoffAccessGranted():
                until = event.expires_at.timestamp()
                grant = GrantRecorded(event.handoff_id, event.operator, event.caller, until, cause or "")
                self.state, _ = reduce(self.state, grant, at)
            case RecentCommandsEmptied(of_caller=of_caller):
                self.recent = [command for command in self.recent if of_caller not in {None, command.caller}]
            case _:
                pass
        if cause is not None:
            is_grant = isinstance(event, HandoffAccessGranted)
            self._add_recent(Ended(at, cause, 0, event.caller, is_grant=is_grant))

    def _add_recent(self, ended: Ended) -> None:
        if ended.at >= self.recent_since:
            self.recent.append(ended)

    # Handoffs

    def _handoff(self, event: PublishedEvent, at: float) -> None:
        cause = event.causation_id
        match event.data:
            case HandoffOpened() as opened:
                reduction = Reduction(self.state, at)
                reduction.open(self._opened(opened, at, cause), opened.version)
                self.state = reduction.state
            case HandoffAccessChanged() as changed:
                self._change_active(
                    changed.handoff_id,
                    state=changed.state,
                    access_available=changed.access_available,
                    final_submit_capable=changed.final_submit_capable,
                )
            case HandoffAtRisk() as risk if self.state.active is not None:
                risks = self.state.active.emitted_risks
                self._change_active(risk.handoff_id, emitted_risks=(*risks, risk.reason))
            case HandoffClaimed() as claimed:
                self._change_active(claimed.handoff_id, claim=Claim(caller=claimed.caller, since=at))
            case HandoffReleased() as released:
                if cause is not None:
                    self.recorded.add(cause)
                self._change_active(released.handoff_id, claim=None)
            case HandoffClosed() as closed:
                reduction = Reduction(self.state, at)
                reduction.end(self._closed(closed, at, event), closed.version or 0, closed.result)
                early = self.state.early_grant
                is_of_closed = early is not None and early.handoff_id == closed.handoff_id
                self.state = reduction.state.replace(early_grant=None) if is_of_closed else reduction.state
            case HandoffReconciled() as event_of_last if (last := self.state.last) is not None:
                if last.id == event_of_last.handoff_id:
                    self.state = self.state.replace(last=reconciled(last, event_of_last.agreement))
            case _:
                pass

    def _opened(self, opened: HandoffOpened, at: float, cause: str | None) -> Handoff:
        opener = None
        if opened.effect is not None and cause is not None:
            opener = CommandRef(
                command_id=cause,
                metadata=opened.metadata,
                caller=opened.caller,
                requested_by=opened.requested_by,
                accepted_by=opened.accepted_by,
            )
        return Handoff(
            id=opened.handoff_id,
            state="active",
            access_available=opened.access_available,
            final_submit_capable=opened.final_submit_capable,
            opened_at=None if opened.opened_at is None else opened.opened_at.timestamp(),
            seen_at=at,
            open_version=opened.version or 0,
            open_emitted=True,
            had_receipt=self._receipt,
            had_decision=self._decision,
            opener=opener,
            opener_inferred=opened.effect == Effect.INFERRED,
        )

    def _closed(self, closed: HandoffClosed, at: float, event: PublishedEvent) -> Handoff:
        """Return the handoff as it was before its end, with the command that closed it."""
        closer, cause, first = None, event.causation_id, event.correlation_id
        if closed.by == ClosedBy.US and (operation := OPERATION_OF.get(closed.result)) is not None:
            closer = Closer(
                caused_by=None if cause is None else CommandRef(command_id=cause, metadata=closed.metadata),
                operation=operation,
                reported=None if closed.reported is None else closed.reported.value,
                reason=closed.reason,
                caller=closed.caller,
                reported_by=closed.reported_by,
            )
        handoff = self.state.active
        if handoff is None or handoff.id != closed.handoff_id:  # its opening is older than `events`
            handoff = Handoff(
                id=closed.handoff_id,
                state="active",
                seen_at=at,
                open_version=0,
                open_emitted=True,
                had_receipt=True,
                had_decision=True,
                opener=None if first in {None, cause} else CommandRef(command_id=first or ""),
            )
        closed_at = None if closed.closed_at is None else closed.closed_at.timestamp()
        return handoff.replace(closer=closer, closed_at=closed_at)

    def _change_active(self, handoff_id: str, **changes: object) -> None:
        active = self.state.active
        if active is not None and active.id == handoff_id:
            self.state = self.state.replace(active=active.replace(**changes))

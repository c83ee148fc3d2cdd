"""The true history of the simulated Collate, and a subscriber that computes the state from the events."""

from dataclasses import dataclass, field, replace

from local.collate.web import wire
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import HandoffState
from schemas.events import (
    AuthorizationActionRequired,
    AuthorizationChanged,
    AuthorizationOverdue,
    AuthorizationSettled,
    AuthorizationWatchEnded,
    CommandFinished,
    HandoffAccessChanged,
    HandoffAccessGranted,
    HandoffAtRisk,
    HandoffClosed,
    HandoffOpened,
    HandoffReconciled,
)

NO_REPORT = {"revoked", "expired", "interaction_lost_unrecoverable", "canceled"}


@dataclass(frozen=True, slots=True)
class Shown:
    """The part of Collate's state that events publish."""

    status: str | None = None
    outcome: str | None = None
    receipt: bool = False
    decision: bool = False
    open: str | None = None

    @property
    def authorization(self):
        return self.status, self.outcome, self.receipt, self.decision


@dataclass
class Truth:
    """Every state of the world; `changes` are (time, version, shown state)."""

    world: object
    authorization_id: str
    on_change: object
    changes: list = field(default_factory=list)

    def __post_init__(self):
        record = self.world.record

        def recording(effect):
            record(effect)
            self.note(effect.at)

        self.world.record = recording

    def note(self, at):
        version, shown = self.now()
        if not self.changes or (version, shown) != self.changes[-1][1:]:
            self.changes.append((at, version, shown))
            self.on_change(at)

    def now(self):
        current = self.world.authorizations[self.authorization_id]
        authorization = PriorAuthorization.model_validate(wire.authorization_json(current, self.world.profile))
        handoff = current.open_handoff
        is_open = handoff is not None and handoff.state != HandoffState.OFFERED
        shown = Shown(
            authorization.status,
            authorization.outcome,
            authorization.receipt_seen,
            authorization.decision_seen,
            handoff.id if is_open else None,
        )
        return authorization.version, shown

    @property
    def required(self):
        """The required action as `authorization.action_required` names it; None if there is none."""
        current = self.world.authorizations[self.authorization_id]
        authorization = PriorAuthorization.model_validate(wire.authorization_json(current, self.world.profile))
        if (
            authorization.status != "requires_action"
            or authorization.next_action is None
            or current.open_handoff is not None
        ):
            return None
        resolution = authorization.next_action.resolution
        return (
            authorization.next_action.type,
            resolution.kind if resolution else None,
            authorization.covers_review_snapshot_id,
        )

    @property
    def handoffs(self):
        return {handoff.id: handoff for handoff in self.world.authorizations[self.authorization_id].handoffs}

    def intervals(self):
        """Return the intervals without a change as (from, to, shown state)."""
        merged = []
        for at, _, shown in self.changes:
            if not merged or merged[-1][1] != shown:
                merged.append((at, shown))
        ends = [at for at, _ in merged[1:]] + [float("inf")]
        return [(at, end, shown) for (at, shown), end in zip(merged, ends, strict=True)]


class Subscriber:
    """Computes Collate's state from the events; fails on every impossible event."""

    def __init__(self, truth):
        self.truth = truth
        self.shown, self.sequence, self.states = Shown(), 0, []
        self.opened, self.closed, self.reconciled, self.outcomes = {}, {}, {}, {}
        self.settled = self.watch_ended = None
        self.receipt_before = {}
        self.granted, self.risks, self.overdue = {}, set(), set()
        self.action = None
        self.state, self.is_change_in_record = None, False
        self.access = None
        self._reached = self._version = 0

    def take(self, event):
        assert event.sequence == self.sequence + 1, "a gap or a repetition"
        self.sequence = event.sequence
        data = event.data
        if not isinstance(data, CommandFinished | HandoffAccessGranted) and (version := getattr(data, "version", None)):
            assert version >= self._version, f"{data.TYPE} of an older version"
            self._version = version
        match data:
            case AuthorizationChanged():
                self._changed(data)
            case AuthorizationActionRequired():
                assert self.shown.status == "requires_action"
                assert self.shown.open is None
                action = data.action, data.resolution, data.covers_review_snapshot_id
                assert action != self.action, "required twice"
                self.action = action
            case AuthorizationOverdue():
                assert self.settled is None, "overdue after the end"
                assert data.due_at <= event.time, "overdue before the due date"
                assert data.due_at not in self.overdue, "overdue twice"
                self.overdue.add(data.due_at)
            case AuthorizationSettled():
                assert self.settled is None, "settled twice"
                assert data.payer.status == self.shown.status
                assert data.payer.status in {"completed", "canceled"}
                self.settled = data
            case AuthorizationWatchEnded():
                self.watch_ended = data
            case CommandFinished():
                key = data.command_id, data.redrive
                assert key not in self.outcomes, "finished twice"
                self.outcomes[key] = data
            case _:
                self._about_a_handoff(event, data)

    def _about_a_handoff(self, event, data):
        match data:
            case HandoffOpened():
                assert data.handoff_id not in self.opened, "opened twice"
                assert self.shown.open is None, "two handoffs at once"
                assert data.handoff_id in self.truth.handoffs, "an unknown handoff"
                self.opened[data.handoff_id] = event
                self.receipt_before[data.handoff_id] = self.shown.receipt
                self.shown = replace(self.shown, open=data.handoff_id)
                self.action = None
                self.access = ("active", data.access_available, data.final_submit_capable)
            case HandoffAccessChanged():
                assert data.handoff_id == self.shown.open, "access to a handoff that is not open"
                access = data.state, data.access_available, data.final_submit_capable
                assert access != self.access, "access did not change"
                self.access = access
            case HandoffClosed():
                self._closed(data)
            case HandoffReconciled():
                self._reconciled(data)
            case HandoffAtRisk():
                assert data.handoff_id == self.shown.open
                assert data.reason != "grant_expired" or self.granted[data.handoff_id] <= event.time
                risk = data.handoff_id, data.reason
                assert risk not in self.risks, "at risk twice"
                self.risks.add(risk)
            case HandoffAccessGranted():
                before = self.granted.get(data.handoff_id, data.expires_at)
                self.granted[data.handoff_id] = max(before, data.expires_at)
                self.risks &= {(data.handoff_id, "open_too_long")}

    def committed(self, record):
        """Check the public record of a commit against the events so far."""
        self.states.append(self.shown)
        if record is None:
            assert self.shown.status is None, "events without the record that includes them"
            return
        assert record.sequence == self.sequence, "a record without an event"
        state = record.model_dump(exclude={"sequence", "version", "payer_id", "watched_since", "updated_at"})
        assert not self.is_change_in_record or state != self.state, "nothing changed"
        self.state, self.is_change_in_record = state, False
        assert (record.status, record.outcome, record.receipt_seen, record.decision_seen) == self.shown.authorization
        active, last = record.active_handoff, record.last_handoff
        assert (active.id if active and active.state != "offered" else None) == self.shown.open
        assert (last.id if last else None) == (list(self.closed)[-1] if self.closed else None)
        if last is not None:
            closed = self.closed[last.id]
            assert (last.result, last.by, last.reported) == (closed.result, closed.by, closed.reported)
            assert (last.agreement is None) == (last.id not in self.reconciled)
        assert (record.settled_at is None) == (self.settled is None)

    def _changed(self, data):
        assert data.from_status == self.shown.status, "a change from another status"
        before = self.shown
        self.shown = replace(
            before,
            status=data.to_status,
            outcome=data.outcome,
            receipt=data.receipt_seen,
            decision=data.decision_seen,
        )
        # Only the record shows some changes, such as those of the next action.
        self.is_change_in_record = self.shown == before
        self.action = self.action if data.to_status == "requires_action" else None
        changes = self.truth.changes
        for index in range(self._reached, len(changes)):
            if changes[index][2].authorization == self.shown.authorization:
                self._reached = index
                return
        raise AssertionError(f"it never was so, or not since then: {self.shown}, {changes[self._reached :]}")

    def _closed(self, data):
        assert data.handoff_id == self.shown.open, "closed without being open"
        handoff = self.truth.handoffs[data.handoff_id]
        assert handoff.state == HandoffState.CLOSED, "not closed"
        assert data.result in {handoff.result, "unrecognised"}
        self.closed[data.handoff_id] = data
        self.shown = replace(self.shown, open=None)
        self.action = None

    def _reconciled(self, data):
        assert data.handoff_id in self.closed, "reconciled before its end"
        assert data.handoff_id not in self.reconciled, "reconciled twice"
        self.reconciled[data.handoff_id] = data
        closed, payer = self.closed[data.handoff_id], data.payer
        shown = (payer.status, payer.outcome, payer.receipt_seen, payer.decision_seen)
        assert shown in {change[2].authorization for change in self.truth.changes}, "an untrue payer truth"
        if closed.result != "unrecognised":
            assert (data.agreement == "no_report") == (closed.result in NO_REPORT)
        assert data.reported == closed.reported
        back = payer.status == "requires_action" and payer.next_action == "complete_payer_interaction"
        match data.reported, data.agreement:
            case "submitted", "agrees":
                assert payer.receipt_seen
                assert not self.receipt_before[data.handoff_id]
            case "submitted", "contradicts":
                assert back
                assert not payer.receipt_seen
            case "decision_observed", "agrees":
                assert payer.decision_seen
            case "not_required_observed", "agrees":
                assert payer.outcome == "not_required"
            case "follow_up_required_observed", "agrees":
                assert payer.status == "requires_action"
            case "unable_to_complete", "contradicts":
                assert payer.receipt_seen
                assert not self.receipt_before[data.handoff_id]
            case None, "no_report" | "undetermined":
                pass
            case _, verdict:
                assert verdict == "undetermined"

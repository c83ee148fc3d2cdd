"""Random schedules of actions, observations, stale observations, lost responses and restarts.

After an observation the state that a subscriber computes from the events equals Collate's state. No event is repeated,
and no event is untrue. Each `sequence` has one public state, and no public state is withheld. The world is the
simulated Collate's own, without sockets.
"""

import json
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from adapters.collate.answers import Answered, Refused
from consumers.authorization.event_factory import public_record
from consumers.authorization.event_writer import EventWriter
from consumers.authorization.facts import (
    CloseAnswered,
    CloseInferred,
    CreateAnswered,
    CreateInferred,
    GrantRecorded,
    Observed,
    TimePassed,
)
from consumers.authorization.handoffs import RESULT_OF, RiskRules, rank
from consumers.authorization.observation import MissingAuthorization, observe
from consumers.authorization.reducer import reduce
from consumers.authorization.reduction import PendingEvent
from consumers.authorization.state import NEW, AuthorizationState, Closer, CommandRef
from local.collate.http import wire
from local.collate.model import actors, rules
from local.collate.model.authorization import HandoffState
from local.collate.model.creation import AuthorizationSpec
from local.collate.model.effect import Cause
from local.collate.model.state import CollateState
from local.collate.profile import Profile
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import CloseAnswer, ManualHandoff
from schemas.events import (
    AuthorizationActionRequired,
    AuthorizationChanged,
    AuthorizationSettled,
    CommandFinished,
    HandoffAccessChanged,
    HandoffAccessGranted,
    HandoffAtRisk,
    HandoffClosed,
    HandoffOpened,
    HandoffReconciled,
)
from schemas.records import read_authorization, source
from schemas.topics import catalogue

OTHERS = [
    {"do": "open_handoff"},
    {"do": "complete", "reportedOutcome": "submitted"},
    {"do": "unable_to_complete", "reason": "other"},
    {"do": "revoke", "reason": "r"},
    {"do": "expire"},
    {"do": "lose_session"},
    {"do": "cancel"},
    {"do": "edit"},
    {"do": "edit", "freshSnapshot": True},
    {"do": "set_access", "available": False},
    {"do": "set_access", "available": True},
    {"do": "overlay", "handoff": {"accessAvailable": False, "finalSubmitCapable": True}},
    {"do": "overlay", "authorization": {"payer": None, "request": None}},
    {"do": "overlay"},
    {"do": "set_truth", "truth": "nothing"},
    {"do": "set_truth", "truth": "received"},
    {"do": "set_truth", "truth": "as_reported"},
    {"do": "reconcile"},
    {"do": "payer", "truth": "approved"},
    {"do": "payer", "truth": "follow_up"},
]
PROFILES = [
    Profile(),
    Profile(closing_seconds=0.0),
    Profile(offered_seconds=3.0),
    Profile(create_bumps_version=False),
    Profile(status_while_active="processing"),
    Profile(reconcile_seconds=0.0, closing_seconds=0.0),
    Profile(pointer="full", unknown_fields=True),
    Profile(abandonment_seconds=None),
    Profile(abandonment_seconds=None, closing_seconds=0.0),
]
# Wrong words for a status: an unknown one, and one that hides that a person must act.
MISREADINGS = [{"status": "on_hold"}, {"status": "processing", "nextAction": None}]
FACTS_OF_COMMANDS = (CreateAnswered, CreateInferred, CloseAnswered, CloseInferred)
FINISHED = CommandFinished.from_caller(json.dumps(CommandFinished.EXAMPLE))
RULES = RiskRules()
LONG = RULES.open_too_long_seconds
CLOSES = {
    "complete": ({"reportedOutcome": "submitted"}, "submitted"),
    "unable-to-complete": ({"reason": "other"}, "unable_to_complete"),
    "revoke": ({"reason": "r"}, None),
}


def finished(coroutine):
    """Return the value of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the coroutine waits")


class WorldReads:
    """Reads of the world, now or in the past; something may happen between two of them."""

    def __init__(self, model, at=None, between=(), shown_as=None):
        self.model, self.at, self.between, self.shown_as = model, at, list(between), shown_as or {}
        model.here()

    def shown(self):
        history = self.model.history
        return history[-1] if self.at is None else history[max(0, len(history) - 1 - self.at)]

    async def get_authorization(self, _):
        shown = self.shown()
        for doing in self.between:
            self.model.act(doing)
        body = wire.authorization_json(shown, self.model.world.profile) | self.shown_as
        return Answered(200, PriorAuthorization.model_validate(body), b"")

    async def get_handoff(self, _, handoff_id):
        shown = self.shown()
        handoff = shown.handoff(handoff_id)
        if handoff is None:
            return Refused(404, "handoff_not_found")
        return Answered(
            200, ManualHandoff.model_validate(wire.handoff_json(shown, handoff, self.model.world.profile)), b""
        )


class Subscriber:
    """The state that a subscriber computes from the events alone; fails on impossible events."""

    def __init__(self):
        self.status = None
        self.receipt = self.decision = self.settled = False
        self.open, self.closed, self.reconciled = [], {}, {}
        self.action, self.risks = None, set()
        self.access = None

    def receive(self, event):
        match event:
            case AuthorizationChanged():
                assert event.from_status == self.status
                self.status, self.receipt, self.decision = event.to_status, event.receipt_seen, event.decision_seen
                self.action = self.action if event.to_status == "requires_action" else None
                # While the status stays, the record has the change: the publisher compares the records.
            case HandoffOpened():
                assert event.handoff_id not in [*self.open, *self.closed], "opened twice"
                assert not self.open, "two at once"
                self.open.append(event.handoff_id)
                self.action, self.risks = None, set()
                self.access = event.access_available, event.final_submit_capable
            case HandoffAccessChanged():
                assert event.handoff_id in self.open, "access to a handoff that is not open"
                access = event.access_available, event.final_submit_capable
                assert access != self.access or event.state == "closing", "access did not change"
                self.access = access
            case HandoffClosed():
                assert event.handoff_id in self.open, "closed without having been opened"
                self.open.remove(event.handoff_id)
                self.action = None
                self.closed[event.handoff_id] = event
            case HandoffReconciled():
                assert event.handoff_id in self.closed
                assert event.handoff_id not in self.reconciled, "reconciled twice"
                self.reconciled[event.handoff_id] = event
            case AuthorizationSettled():
                assert not self.settled, "settled twice"
                self.settled = True
            case AuthorizationActionRequired():
                assert not self.open, "an action is required while a handoff is open"
                action = event.action, event.resolution, event.covers_review_snapshot_id
                assert action != self.action, "required twice"
                self.action = action
            case HandoffAccessGranted():
                self.risks &= {(event.handoff_id, "open_too_long")}
            case HandoffAtRisk():
                is_warning = event.reason in {"grant_expiring", "abandonment"}
                assert event.ends_at is not None or not is_warning, "a warning without the time"
                assert event.handoff_id in self.open, "at risk without being open"
                assert (event.handoff_id, event.reason) not in self.risks, "at risk twice"
                self.risks.add((event.handoff_id, event.reason))


class Publisher:
    """The records that the worker writes. One `sequence` has one public state, and no public state is withheld.

    Two fields follow with the next event: the version, and the payer of an authorization that was known before.
    """

    LATER = ("version", "payer_id", "sequence", "updated_at", "watched_since")

    def __init__(self):
        self.writer = EventWriter(catalogue("model."), source("model"))
        self.records = {}
        self.last = None

    def publish(self, after, events, now):
        after, outputs = self.writer.outputs(b"auth", after, events, now=now, caused_at=now)
        for output in outputs:
            if output.topic == self.writer.topics.authorizations.name:
                _, record = read_authorization(output.headers, output.value)
                self.last = record.model_copy(update={"updated_at": record.watched_since})
                assert record.sequence == after.sequence
                assert self.records.setdefault(record.sequence, self.last) == self.last, "one sequence, two states"
        if after.known is not None:
            assert self.shown(public_record(after, now)) == self.shown(self.last), "a public state without an event"
        return after

    def shown(self, record):
        return record.model_dump(exclude=set(self.LATER))


class Model(RuleBasedStateMachine):
    @initialize(profile=st.sampled_from(PROFILES), review=st.booleans())
    def begin(self, profile, review):
        self.now = 1_800_000_000.0
        self.world = CollateState(profile, lambda _: None, seed=1)
        wanted = replace(AuthorizationSpec("org"), review_backed=review)
        (self.id,) = actors.create(self.world, wanted, self.now)
        self.state, self.subscriber, self.history = NEW, Subscriber(), [self.world.authorizations[self.id]]
        self.ours, self.lost_opening, self.lost_closings = {}, None, {}
        self.claimed, self.granted_until = {}, {}
        self.numbered, self.last_version = 0, 0
        self.publisher = Publisher()

    # The world

    def here(self):
        self.world.catch_up(self.now)
        current = self.world.authorizations[self.id]
        if current is not self.history[-1]:
            self.history.append(current)
        return current

    def act(self, doing):
        actors.act(self.world, self.id, doing, self.now)
        self.here()

    @rule(doing=st.sampled_from(OTHERS))
    def another_actor_acts(self, doing):
        self.act(doing)

    @rule(seconds=st.sampled_from([0.1, 0.3, 2.0, 60.0, 2000.0]))
    def time_passes(self, seconds):
        self.now += seconds
        self.here()

    # The worker

    def apply(self, fact):
        before = self.state.active
        match fact:
            case CloseAnswered():
                self.claimed[fact.answer.manual_handoff_id] = fact.closer
            case CloseInferred():
                self.claimed[fact.handoff_id] = fact.closer
        after, events = reduce(self.state, fact, self.now)
        # The applier commits these facts together with the end of its command.
        is_finished = isinstance(fact, FACTS_OF_COMMANDS) and after is not self.state
        finished = (PendingEvent(FINISHED),) if is_finished else ()
        self.state = self.publisher.publish(after, events + finished, self.now)
        for pending in events:
            self.check_against_history(pending.event)
            self.subscriber.receive(pending.event)
        after = self.state.active
        if before is not None and after is not None and before.id == after.id:
            assert rank(after.state) >= rank(before.state), "a handoff went back"
        if isinstance(fact, Observed | TimePassed):
            assert self.subscriber.risks >= self.risks_by(self.now - 1.0, due=True), "a risk was not published"

    def risks_by(self, then, *, due=False):
        """Return the risks of an open handoff until that time; with `due`, only those that must be published."""
        active = self.state.active
        if active is None or active.id not in self.subscriber.open or active.state == "closing":
            return set()
        handoff = next(one for one in self.here().handoffs if one.id == active.id)
        opened = handoff.activated_at or handoff.created_at
        until, expiring = self.granted_until.get(active.id, (None, float("inf")))
        ends_at = (until or opened) + RULES.abandonment_seconds
        risks = {
            "not_entered": until is None and opened + RULES.not_entered_seconds <= then,
            "grant_expiring": expiring <= then and not (due and until <= self.now),
            "grant_expired": until is not None and until <= then,
            "abandonment": ends_at - RULES.abandonment_warning_seconds <= then and not (due and ends_at <= self.now),
            "open_too_long": opened + LONG <= then,
        }
        return {(active.id, risk) for risk, is_there in risks.items() if is_there}

    def check_against_history(self, event):
        """Check that an event was true at its version, and that versions never decrease."""
        if isinstance(event, HandoffAtRisk):
            assert (event.handoff_id, event.reason) in self.risks_by(self.now + 1.0), "at no risk"
        if isinstance(event, HandoffClosed) and (closer := self.claimed.get(event.handoff_id)) is not None:
            has_wanted_result = event.result == RESULT_OF[closer.operation]
            assert not has_wanted_result or (event.by, event.reported) == ("us", closer.reported), "our own close"
        if isinstance(event, HandoffAccessGranted) or event.version is None:
            return
        assert event.version >= self.last_version, f"{type(event).__name__} of an older version"
        self.last_version = event.version
        then = [self.as_shown(one) for one in self.history if one.version == event.version]
        match event:
            case AuthorizationChanged():
                assert event.to_status in {one.status for one in then} | {one["status"] for one in MISREADINGS}
            case AuthorizationActionRequired():
                assert any(one.status == "requires_action" and one.active_handoff_id is None for one in then)
            case HandoffReconciled():
                ended_at = next(
                    one.version
                    for one in self.history
                    if (handoff := one.handoff(event.handoff_id)) and handoff.state is HandoffState.CLOSED
                )
                at_rest = [one for one in self.history if one.version >= ended_at and one.status != "processing"]
                assert at_rest, "reconciled before Collate had finished"
                assert at_rest[0].version <= event.version

    def as_shown(self, authorization):
        return PriorAuthorization.model_validate(wire.authorization_json(authorization, self.world.profile))

    def command(self):
        self.numbered += 1
        return CommandRef(command_id=f"c{self.numbered}")

    @rule(lost=st.booleans(), reread=st.booleans())
    def the_worker_opens(self, lost, *, reread=False):
        self.observe()
        current = self.here()
        accepting = actors._accepting(current)
        if current.open_handoff is not None or rules.handoff_refused(current, accepting, self.world.profile):
            return
        command = self.command()
        opened = self.world.open_handoff(current, Cause("client"), self.now)
        handoff = opened.handoffs[-1]
        self.history.append(opened)
        self.here()
        if lost:
            self.lost_opening = (handoff.id, command)
            return
        answer = ManualHandoff.model_validate(wire.handoff_json(opened, handoff, self.world.profile))
        after = self.as_shown(self.here())
        shows_it = reread and after.active_handoff_id == handoff.id
        self.apply(CreateAnswered(answer, current.version, command, after if shows_it else None))

    @rule(operation=st.sampled_from(sorted(CLOSES)), lost=st.booleans())
    def the_worker_closes(self, operation, lost):
        self.observe()
        current = self.here()
        handoff = current.open_handoff
        if handoff is None or rules.close_refused(handoff, self.world.profile):
            return
        body, reported = CLOSES[operation]
        command = self.command()
        closer = Closer(caused_by=command, operation=operation, reported=reported)
        report = rules.report_from(operation, body, "canonical")
        closed = self.world.close_handoff(current, handoff, report, Cause("client"), self.now)
        self.ours[handoff.id] = command.command_id
        self.history.append(closed)
        self.here()
        if lost:
            self.lost_closings[handoff.id] = closer
            return
        answer = wire.close_json(closed, closed.handoffs[-1], self.world.profile)
        self.apply(CloseAnswered(CloseAnswer.model_validate(answer), closer))

    @rule(seconds=st.sampled_from([0.2, 10.0, 3000.0]))
    def a_grant_is_recorded(self, seconds):
        """Record a grant, possibly before the first read of its handoff."""
        handoff = self.here().open_handoff
        if handoff is not None and handoff.id not in self.state.ended:
            grant = self.now + seconds, self.now + seconds - min(RULES.grant_expiring_seconds, seconds / 2)
            self.granted_until[handoff.id] = max(self.granted_until.get(handoff.id, (0.0, 0.0)), grant)
            self.apply(GrantRecorded(handoff.id, "op", "desk", self.now + seconds, self.command().command_id))

    @rule(seen=st.booleans(), link_seconds=st.sampled_from([None, 10.0]), seconds=st.sampled_from([20.0, 2 * LONG]))
    def a_handoff_is_left_open(self, seen, link_seconds, seconds):
        self.another_actor_acts({"do": "open_handoff"})
        if seen:
            self.observe()
        if link_seconds is not None:
            self.a_grant_is_recorded(link_seconds)
        self.time_passes(seconds)
        self.observe()

    @rule()
    def time_passes_without_a_read(self):
        self.apply(TimePassed())

    @rule(between=st.lists(st.sampled_from(OTHERS), max_size=2))
    def observe(self, between=()):
        seen = finished(observe(WorldReads(self, between=between), self.id, self.state, thorough=True))
        self.infer(seen)
        self.apply(seen)
        if self.lost_opening is not None:
            self.apply(CreateInferred(*self.lost_opening))
        if not between:
            self.the_required_action_is_published()
            self.the_access_is_published()

    def the_required_action_is_published(self):
        """After a current observation the required action has been published."""
        current, subscriber = self.here(), self.subscriber
        shown = self.as_shown(current)
        if current.open_handoff or subscriber.open or set(subscriber.reconciled) != set(subscriber.closed):
            return
        action, wanted = shown.next_action, None
        if shown.status == "requires_action" and action is not None:
            kind = action.resolution.kind if action.resolution else None
            wanted = action.type, kind, shown.covers_review_snapshot_id
        assert subscriber.action == wanted

    def the_access_is_published(self):
        """After a current observation the access to an open handoff has been published, new version or not."""
        current = self.here()
        if (handoff := current.open_handoff) is not None and handoff.state is HandoffState.ACTIVE:
            shown = ManualHandoff.model_validate(wire.handoff_json(current, handoff, self.world.profile))
            assert self.subscriber.access == (shown.access_available, shown.final_submit_capable)

    @rule(back=st.integers(1, 4))
    def a_lagging_replica_is_observed(self, back):
        seen = finished(observe(WorldReads(self, at=back), self.id, self.state, thorough=True))
        assert not isinstance(seen, MissingAuthorization)
        self.apply(seen)

    @rule(misreading=st.sampled_from(MISREADINGS))
    def a_wrong_word_is_observed(self, misreading):
        seen = finished(observe(WorldReads(self, shown_as=misreading), self.id, self.state, thorough=True))
        self.infer(seen)
        self.apply(seen)

    def infer(self, seen):
        """Infer a lost close before the observation is reduced, as the applier does."""
        for handoff_id, closer in self.lost_closings.items():
            if (handoff := seen.handoff(handoff_id)) is not None and handoff.state == "closed":
                self.apply(CloseInferred(handoff_id, closer))

    @rule()
    def restart(self):
        self.state = AuthorizationState.decode(self.state.encode())

    # What must hold

    @invariant()
    def events_are_true(self):
        if not hasattr(self, "world"):
            return
        handoffs = {handoff.id: handoff for handoff in self.here().handoffs}
        subscriber = self.subscriber
        assert set(subscriber.open) <= set(handoffs)
        for handoff_id, event in subscriber.closed.items():
            handoff = handoffs[handoff_id]
            assert handoff.state is HandoffState.CLOSED
            assert event.result in {handoff.result, "unrecognised"}
            if event.by == "us":
                assert handoff_id in self.ours
        for handoff_id, event in subscriber.reconciled.items():
            if event.agreement == "no_report":
                assert handoffs[handoff_id].result in {
                    "revoked",
                    "expired",
                    "interaction_lost_unrecoverable",
                    "canceled",
                }
        if subscriber.settled:
            assert self.here().status in {"completed", "canceled"}

    def teardown(self):
        if not hasattr(self, "world"):
            return
        for _ in range(4):
            self.now += 5000.0
            self.observe()
        current, subscriber = self.here(), self.subscriber
        shown = self.as_shown(current)
        assert subscriber.status == shown.status
        assert (subscriber.receipt, subscriber.decision) == (shown.receipt_seen, shown.decision_seen)
        assert subscriber.open == ([current.open_handoff.id] if current.open_handoff else [])
        assert subscriber.settled == (current.status in {"completed", "canceled"})
        at_rest = current.open_handoff is None and shown.status != "processing"
        if at_rest:
            assert set(subscriber.reconciled) == set(subscriber.closed)
        known = self.state.known
        assert (known.version, known.status) == (current.version, shown.status)
        before = self.state
        self.observe()
        assert self.state is before or self.state == before, "a look at nothing new changed something"


Model.TestCase.settings = settings(max_examples=3 * settings().max_examples, stateful_step_count=30, deadline=None)
TestModel = Model.TestCase

"""Random schedules of commands, other actors, payer truths, lost and late responses, crashes and restarts.

The state that a subscriber computes from the events equals Collate's state. No event is repeated or untrue, and no
state is missing that lasted longer than one step of its cadence.
"""

import itertools
import logging
from datetime import UTC, datetime

import pytest
import structlog
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from consumers.authorization.state import AuthorizationState
from local.collate import Options, named
from local.collate.simulation import Simulation
from schemas.commands import (
    AuthorizationWatch,
    Completed,
    Discard,
    HandoffClose,
    HandoffRequest,
    RecordAccess,
    Revoked,
    UnableToComplete,
)
from schemas.dead_letter import DeadLetter
from schemas.enums import DecisionReason, ReportedOutcome
from schemas.records import read_authorization, read_dead_letter, read_event
from tests.process.authorization.in_memory import InMemoryKeyQueue, key_file
from tests.process.authorization.truth import Subscriber, Truth
from tests.process.key_queue import TOPICS, contract, redrive

READINGS = {
    "keys_on": st.sampled_from(["all", "create_authorization"]),
    "keys_keep": st.sampled_from(["success", "everything"]),
    "check_order": st.sampled_from(["key_first", "if_match_first"]),
    "create_while_active": st.sampled_from(["existing", "conflict"]),
    "repeated_close": st.sampled_from(["conflict", "first_result"]),
    "offered_seconds": st.sampled_from([0.0, 5.0]),
    "closing_seconds": st.sampled_from([0.0, 2.5]),
    "close_while_offered": st.sampled_from(["accepted", "refused"]),
    "reconcile_seconds": st.sampled_from([0.0, 3.0, 3.0, 12.0]),
    "decision_seconds": st.sampled_from([None, 20.0]),
    "abandonment_seconds": st.sampled_from([None, 60.0]),
    "stale_probability": st.sampled_from([0.0, 0.5]),
    "stale_seconds": st.just(5.0),
    "unknown_fields": st.booleans(),
    "pointer": st.sampled_from(["id", "full"]),
}
# Readings, and whether the gateway may rely on them (`handoffs_raise_version`). Never both readings: two states with
# one version look like two replicas.
WHILE_OPEN = [
    ({}, False),
    ({}, True),
    ({"create_bumps_version": False}, False),
    ({"status_while_active": "processing"}, True),
]
TRUTHS = ("as_reported", "nothing", "received", "approved", "not_required", "follow_up")
OTHERS = [
    {"do": "open_handoff"},
    {"do": "complete", "reportedOutcome": "submitted"},
    {"do": "unable_to_complete", "reason": "other"},
    {"do": "revoke", "reason": "r"},
    {"do": "confirm"},
    {"do": "cancel"},
    {"do": "edit", "freshSnapshot": True},
    {"do": "expire"},
    {"do": "lose_session"},
    {"do": "set_access", "available": False},
    {"do": "set_access", "available": True},
    {"do": "reconcile"},
    *({"do": do, "truth": truth} for do in ("set_truth", "payer") for truth in TRUTHS),
]
BEFORE, AFTER = {"when": "before"}, {"when": "after"}
TROUBLES = [
    {"do": "reset"} | AFTER,
    {"do": "reset"} | BEFORE,
    {"do": "truncate"},
    {"do": "delay", "seconds": 3.0} | BEFORE,
    {"do": "delay", "seconds": 40.0} | BEFORE,
    {"do": "answer", "status": 503, "code": "unavailable"} | BEFORE,
    {"do": "answer", "status": 500, "code": "internal_error"} | AFTER,
    {"do": "answer", "status": 502, "shape": "html"} | BEFORE,
    {"do": "answer", "status": 429, "code": "rate_limited", "retryAfter": "7"} | BEFORE,
    {"do": "answer", "status": 404, "code": "prior_authorization_not_found"} | BEFORE,
    {"do": "answer", "status": 401, "code": "unauthorized"} | BEFORE,
    *({"do": "act", "actor": action} for action in OTHERS if action["do"] in {"edit", "revoke", "complete", "cancel"}),
]
RESULTS = [
    *(Completed(reported_outcome=outcome) for outcome in ReportedOutcome),
    UnableToComplete(reason="channel_outage"),
    Revoked(reason="r"),
]
# Each is a little longer than a step of some class.
THEN = st.sampled_from([0.0, 0.05, 3.0, 12.0, 40.0])
JITTER = 1.1
OURS = ("applied", "ours")


class Model(RuleBasedStateMachine):
    @initialize(
        readings=st.fixed_dictionaries({}, optional=READINGS),
        while_open=st.sampled_from(WHILE_OPEN),
        review_backed=st.booleans(),
        state=st.sampled_from([*["complete_payer_interaction"] * 3, "approve_submission", "processing"]),
        old_receipt=st.booleans(),
    )
    def begin(self, readings, while_open, review_backed, state, old_receipt):
        self.sim = Simulation(Options(profile=named(["v2"], readings | while_open[0]), seed=1))
        self.sim.clock.freeze()
        # A receipt of an earlier submission does not confirm a later report.
        before = {"submission": {"payerReceipt": {"referenceNumber": "r"}}} if old_receipt else None
        (self.id,) = self.sim.create(state, review_backed=review_backed, finds_after_seconds=30.0, overlay=before)
        own = contract(handoffs_raise_version=while_open[1])
        self.queue = InMemoryKeyQueue(self.sim, self.key_file, self.id, on_outputs=self.commit, contract=own)
        self.is_sound, self.last_due, self.due_dates = True, None, 0
        self.marks, self.dead_letters, self.commands, self.calls = [], [], {}, 0
        self.truth = Truth(self.sim.state, self.id, self.mark)
        self.truth.note(self.sim.now())
        self.subscriber = Subscriber(self.truth)

    # The observer

    def commit(self, outputs):
        self.is_sound = False
        record = None
        for output in outputs:
            if output.topic == TOPICS.events.name:
                self.subscriber.take(read_event(output.headers, output.value))
            elif output.topic == TOPICS.authorizations.name:
                _, record = read_authorization(output.headers, output.value)
            elif output.topic == TOPICS.dead_letters.name:
                dead_letter = read_dead_letter(output.headers, output.value)
                self.dead_letters += [dead_letter] * isinstance(dead_letter, DeadLetter)
        if outputs:
            self.subscriber.committed(record)
        self.is_sound = True

    def mark(self, at, patience=None):
        """Record the longest time until the next observation; by default the step of the cadence."""
        state = AuthorizationState.decode(self.queue.state)
        watch = state.watch
        if watch is None or watch.ended or state.settled_at is not None or not self.queue.is_idle:
            patience = float("inf")  # no observation before the waiting command has ended
        if patience is None:
            every = self.queue.cadence.every(state, at)
            patience = max(every, 60.0) if watch.failures else every
        self.marks.append((at, JITTER * patience + 0.1))

    def act(self):
        """Let the queue take the next step. A failed call or a command moves the next observation."""
        before = self.queue.finished
        self.queue.act()
        new = list(itertools.takewhile(lambda call: call.number > self.calls, reversed(self.sim.ledger.calls)))
        self.calls = new[0].number if new else self.calls
        disturbed = any(call.faults or call.ended != "answered" for call in new)
        if not self.queue.is_idle:
            self.mark(self.queue.now(), float("inf"))
        elif disturbed or not new or self.sim.state.profile.stale_probability:
            # A failed or deferred observation is repeated within a minute or its step.
            self.mark(
                self.queue.now(), max(60.0, self.queue.cadence.every(self.queue.decoded_state(), self.queue.now()))
            )
        elif self.queue.finished != before:
            self.mark(self.queue.now())

    # The schedule

    @rule(due=st.sampled_from([None, None, -5.0, 2.0, 100.0, 5_000.0]))
    def a_caller_watches(self, due):
        # A date that comes back after another one is a new date (decision 0024): each gets an instant of its own.
        if due != self.last_due:
            self.last_due, self.due_dates = due, self.due_dates + 1
        due_at = due and datetime.fromtimestamp(self.queue.now() + due + self.due_dates / 1_000, UTC)
        self.send(AuthorizationWatch(due_at=due_at))

    @rule(snapshot=st.sampled_from([*["current"] * 4, "none", "wrong"]), then=THEN)
    def a_caller_requests_a_handoff(self, snapshot, then):
        covered = self.sim.state.authorizations[self.id].covered_snapshot
        accepted = {"current": covered.id if covered else None, "none": None, "wrong": "rev_wrong"}[snapshot]
        self.send(HandoffRequest(accepted_review_snapshot_id=accepted))
        self.queue.run_for(then, self.act)

    @rule(result=st.sampled_from(RESULTS), which=st.sampled_from([0, 0, 0, 1, 2]), then=THEN)
    def a_caller_closes(self, result, which, then):
        handoffs = list(self.truth.handoffs)
        handoff_id = handoffs[-1 - which] if which < len(handoffs) else "mhand_none"
        self.send(HandoffClose(handoff_id=handoff_id, result=result))
        self.queue.run_for(then, self.act)

    @rule(result=st.sampled_from(RESULTS), open_seconds=st.sampled_from([0.05, 4.0, 70.0]), then=THEN)
    def a_handoff_from_request_to_close(self, result, open_seconds, then):
        self.a_caller_requests_a_handoff("current", open_seconds)
        self.a_caller_closes(result, 0, then)

    @rule(result=st.sampled_from(RESULTS), lag=st.sampled_from([3.0, 20.0]), then=THEN)
    def a_close_while_replicas_lag(self, result, lag, then):
        self.sim.change(stale_probability=1.0, stale_seconds=lag)
        self.a_caller_closes(result, 0, then)
        self.sim.change(stale_probability=0.0)
        self.mark(self.queue.now(), 60.0)

    def send(self, data):
        self.commands[self.queue.send(data)] = data

    @rule(seconds=st.sampled_from([5.0, 100.0]))
    def a_grant_is_recorded(self, seconds):
        if (handoffs := list(self.truth.handoffs)) and self.sim.act(self.id, "mint_grant") is None:
            until = datetime.fromtimestamp(self.queue.now() + seconds, UTC)
            self.queue.send(RecordAccess(handoff_id=handoffs[-1], operator="op", grant_expires_at=until))

    @precondition(lambda self: getattr(self, "commands", None))
    @rule(which=st.integers(0, 5), other=st.booleans())
    def a_duplicate_command(self, which, other):
        command_id, data = list(self.commands.items())[which % len(self.commands)]
        self.queue.send(AuthorizationWatch(metadata={"another": "body"}) if other else data, command_id)

    @precondition(lambda self: getattr(self, "dead_letters", None))
    @rule(again=st.booleans())
    def an_operator_decides_a_dead_letter(self, again):
        dead_letter = self.dead_letters[-1]
        if not again:
            self.queue.send(Discard(command_id=dead_letter.command_id, requested_by="p", reason=DecisionReason.OTHER))
            return
        redrive(self.queue, dead_letter)

    @rule(action=st.sampled_from(OTHERS), then=THEN)
    def another_actor_acts(self, action, then):
        if action["do"] != "cancel" or len(self.queue.records) > 3:
            self.sim.act(self.id, **action)
            self.queue.run_for(then, self.act)

    @rule(trouble=st.sampled_from(TROUBLES), method=st.sampled_from(["GET", "POST"]), count=st.integers(1, 3))
    def a_fault_is_planned(self, trouble, method, count):
        self.sim.fault(**trouble, method=method, count=count)

    @rule(point=st.integers(0, 8))
    def a_crash_is_planned(self, point):
        self.queue.fuse.arm(point)

    @rule()
    def the_process_restarts(self):
        self.queue.restart()
        self.mark(self.queue.now())

    @rule()
    def the_key_queue_takes_one_step(self):
        due = self.queue.next_due()
        if due is not None and due <= self.queue.now() + 1.0:
            self.queue.advance(max(0.001, due - self.queue.now()))
            self.act()

    @rule(seconds=st.sampled_from([0.05, 0.5, 3.0, 15.0, 90.0, 900.0, 9_000.0]))
    def time_passes(self, seconds):
        self.queue.run_for(seconds, self.act)

    # What must hold

    @invariant()
    def settled_is_published_only_if_true(self):
        if getattr(self, "subscriber", None) and self.subscriber.settled:
            assert self.truth.now()[1].status in {"completed", "canceled"}

    def teardown(self):
        if not hasattr(self, "queue") or not self.is_sound:
            return
        self.sim.faults.clear()
        self.sim.change(stale_probability=0.0)
        self.queue.fuse.arm(None)
        self.mark(self.queue.now(), 60.0)
        self.queue.run_for(3 * 3600.0, self.act)
        self.every_lasting_state_was_published()
        self.the_last_state_is_published()
        self.our_closes_are_attributed_to_us()
        self.every_command_has_ended()
        self.an_observation_without_news_changes_nothing()

    def every_lasting_state_was_published(self):
        """Check that each state that lasted an undisturbed step was published, in order."""
        states, reached = self.subscriber.states, 0
        for begin, end, shown in self.truth.intervals():
            moments = [(at, patience) for at, patience in self.marks if begin <= at < end] + [(end, 0.0)]
            if not any(after - at > patience for (at, patience), (after, _) in itertools.pairwise(moments)):
                continue
            while reached < len(states) and states[reached] != shown:
                reached += 1
            assert reached < len(states), f"never published: {shown} from {begin} to {end}"
            event("a state that lasted")

    def the_last_state_is_published(self):
        state = self.queue.decoded_state()
        if state.known is None:
            assert self.subscriber.shown.status is None
            return
        version, shown = self.truth.now()
        if state.watch is None or (state.watch.ended and state.settled_at is None):
            return
        assert self.subscriber.shown == shown
        assert state.known.version == version
        if state.due is not None and self.subscriber.settled is None and state.due.at <= self.queue.now():
            assert datetime.fromtimestamp(state.due.at, UTC) in self.subscriber.overdue
        assert (self.subscriber.settled is not None) == (shown.status in {"completed", "canceled"})
        if shown.open is None and shown.status != "processing":
            assert set(self.subscriber.reconciled) == set(self.subscriber.closed)
            assert self.subscriber.action == self.truth.required
        if shown.open in self.subscriber.granted and self.truth.handoffs[shown.open].state == "active":
            assert (shown.open, "grant_expired") in self.subscriber.risks

    def our_closes_are_attributed_to_us(self):
        """Check that each close with `effect: ours` was published as ours, with its report."""
        for (command_id, _), outcome in self.subscriber.outcomes.items():
            closed = self.subscriber.closed.get(outcome.handoff_id)
            data = self.commands.get(command_id)
            if closed is None or not isinstance(data, HandoffClose) or (outcome.outcome, outcome.effect) != OURS:
                continue
            assert closed.by == "us" or closed.result == "unrecognised"
            event("a close of ours")

    def every_command_has_ended(self):
        assert self.queue.is_idle
        dead = {dead_letter.command_id for dead_letter in self.dead_letters}
        ended = {command_id for command_id, _ in self.subscriber.outcomes}
        assert set(self.commands) <= ended | dead

    def an_observation_without_news_changes_nothing(self):
        if self.queue.timer_at is None or self.queue.timer_at > self.queue.now() + 86_400.0:
            return
        before = len(self.queue.outputs), self.queue.state
        self.queue.run_for(max(0.0, self.queue.timer_at - self.queue.now()) + 0.01)
        assert (len(self.queue.outputs), self.queue.state) == before


@pytest.fixture(autouse=True, scope="module")
def _surroundings(tmp_path_factory):
    Model.key_file = key_file(tmp_path_factory.mktemp("queue"))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


Model.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None, report_multiple_bugs=False)
TestModel = Model.TestCase

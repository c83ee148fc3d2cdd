"""The times and verdicts that a worker counts: driven by the reducer's own events."""

import json

import pytest
from prometheus_client import CollectorRegistry

from consumers.authorization.event_factory import at
from consumers.authorization.facts import CloseAnswered, CreateAnswered, DueStated, Observed, TimePassed
from consumers.authorization.numbers.handoff_numbers import HandoffNumbers
from consumers.authorization.reducer import reduce
from consumers.authorization.state import NEW, Closer, CommandRef
from runtime.metrics import Metrics, PayerLabels
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import CloseAnswer, ManualHandoff
from schemas.times import format_time

HOUR = 3600.0
WAITS = {"type": "complete_payer_interaction"}
REF = CommandRef(command_id="c-1")


class World:
    """A worker that commits one fact at a time."""

    def __init__(self, payers=("payer_a",)):
        self.registry = CollectorRegistry()
        self.numbers = HandoffNumbers(Metrics(self.registry).people, PayerLabels(payers))
        self.state, self.version = NEW, 1

    def commit(self, *facts, now):
        before, pending = self.state, []
        for fact in facts:
            self.state, events = reduce(self.state, fact, now)
            pending += events
        self.numbers.count(before, self.state, pending, now)

    def read(self, status, *handoffs, payer="payer_a", **more):
        self.version += 1
        wire = {"id": "auth_1", "version": self.version, "status": status, "payer": {"id": payer}} | more
        return Observed(PriorAuthorization.from_wire(json.dumps(wire)), handoffs)

    def value(self, name, **labels):
        return self.registry.get_sample_value(f"collate_gateway_{name}", labels)

    def stage(self, stage, payer="payer_a"):
        """Return how often the stage was counted, and its sum in seconds."""
        labels = {"stage": stage, "payer": payer}
        return self.value("handoff_stage_seconds_count", **labels), self.value("handoff_stage_seconds_sum", **labels)

    def verdicts(self, agreement, when, payer="payer_a"):
        return self.value("handoff_agreements_total", agreement=agreement, when=when, payer=payer)


def handoff(state="active", opened=None, closed=None, result=None):
    wire = {"id": "mh_1", "version": 1, "state": state, "priorAuthorizationId": "auth_1", "result": result}
    wire |= {"activatedAt": format_time(at(opened))} if opened is not None else {}
    wire |= {"closedAt": format_time(at(closed))} if closed is not None else {}
    return ManualHandoff.from_wire(json.dumps(wire))


def close_of(reported="submitted"):
    answer = {
        "manualHandoffId": "mh_1",
        "state": "closing",
        "authorization": {"id": "auth_1", "version": 9, "status": "processing"},
    }
    return CloseAnswered(
        CloseAnswer.from_wire(json.dumps(answer)), Closer(caused_by=REF, operation="complete", reported=reported)
    )


def walk(world, truth, payer="payer_a", closed_at=3 * HOUR):
    """Walk one handoff: needed at 0 h, opened at 1 h, closed at 3 h, its truth known at 7 h."""
    world.commit(world.read("requires_action", payer=payer, nextAction=WAITS), now=1.0)
    world.commit(CreateAnswered(handoff(opened=HOUR), world.version, REF), now=HOUR + 5)
    world.commit(close_of(), now=3 * HOUR)
    world.version = 9
    closed = handoff("closed", opened=HOUR, closed=closed_at, result="completed_reported")
    world.commit(world.read("processing", closed, payer=payer), now=3 * HOUR + 9)
    world.commit(world.read(payer=payer, **truth), now=7 * HOUR)


RECEIPT = {"status": "waiting_on_payer", "submission": {"payerReceipt": {"referenceNumber": "R"}}}
NOTHING = {"status": "requires_action", "nextAction": WAITS}


def test_every_series_exists_from_the_start():
    world = World(payers=())
    for payer in ("other", "unknown"):
        assert world.stage("need_to_open", payer) == (0, 0)
        assert world.verdicts("contradicts", "reconciled", payer) == 0
    assert world.verdicts("agrees", "settled", "payer_a") is None


def test_a_handoff_has_a_time_for_each_stage_and_a_verdict():
    world = World()
    walk(world, RECEIPT)
    assert world.stage("need_to_open") == (1, pytest.approx(HOUR - 1.0))
    assert world.stage("open_to_close") == (1, pytest.approx(2 * HOUR))
    assert world.stage("close_to_truth") == (1, pytest.approx(4 * HOUR))
    assert world.verdicts("agrees", "reconciled") == 1
    assert world.verdicts("contradicts", "reconciled") == 0
    world.commit(world.read("completed", outcome="approved", submission=RECEIPT["submission"]), now=9 * HOUR)
    assert world.verdicts("agrees", "settled") == 1


def test_the_time_to_the_truth_begins_when_the_end_was_read_if_collate_shows_no_time():
    world = World()
    walk(world, RECEIPT, closed_at=None)
    assert world.stage("close_to_truth") == (1, pytest.approx(4 * HOUR - 9))
    assert world.state.last.end_seen_at is None, "a reconciled handoff needs it no more"


@pytest.mark.parametrize(("closed_at", "expected"), [(2 * HOUR, HOUR), (None, 0)])
def test_a_close_and_its_truth_in_one_commit_have_a_time(closed_at, expected):
    world = World()
    active = {"activeManualHandoff": {"id": "mh_1"}}
    world.commit(world.read("requires_action", handoff(opened=HOUR), **active), now=HOUR)
    world.version = 9
    closed = handoff("closed", opened=HOUR, closed=closed_at, result="completed_reported")
    world.commit(world.read(RECEIPT["status"], closed, submission=RECEIPT["submission"]), now=3 * HOUR)
    assert world.stage("close_to_truth") == (1, pytest.approx(expected))


def test_a_need_and_its_opening_in_one_commit_have_a_time():
    world = World()
    needed = world.read("requires_action", nextAction=WAITS)
    world.commit(needed, CreateAnswered(handoff(opened=HOUR), world.version, REF), now=HOUR)
    assert world.stage("need_to_open") == (1, 0)


def test_an_opening_that_collate_does_not_show_is_the_first_read_of_it():
    world = World()
    world.commit(world.read("requires_action", handoff(), activeManualHandoff={"id": "mh_1"}), now=HOUR)
    world.version = 9
    closed = handoff("closed", closed=3 * HOUR, result="completed_reported")
    world.commit(world.read("processing", closed), now=3 * HOUR)
    assert world.stage("open_to_close") == (1, pytest.approx(2 * HOUR))


def test_a_contradiction_is_counted():
    world = World()
    walk(world, NOTHING)
    assert world.verdicts("contradicts", "reconciled") == 1


@pytest.mark.parametrize(("payer", "label"), [("payer_b", "other"), (None, "unknown")])
def test_a_payer_that_is_not_named_gets_no_series_of_its_own(payer, label):
    world = World()
    walk(world, NOTHING, payer=payer)
    assert world.verdicts("contradicts", "reconciled", label) == 1
    assert world.stage("open_to_close", label)[0] == 1
    assert world.value("handoff_stage_seconds_count", stage="open_to_close", payer="payer_b") is None


def test_a_second_handoff_does_not_count_the_need_of_the_first():
    world = World()
    world.commit(world.read("requires_action", nextAction=WAITS), now=1.0)
    world.commit(CreateAnswered(handoff(opened=HOUR), world.version, REF), now=HOUR)
    world.commit(close_of(), now=2 * HOUR)
    assert world.stage("need_to_open")[0] == 1
    assert not world.state.emitted_action


def test_an_authorization_without_a_handoff_has_no_verdict():
    world = World()
    world.commit(world.read("completed", outcome="approved"), now=1.0)
    assert world.verdicts("no_report", "settled") == 0


def test_due_dates_are_counted_by_payer():
    world = World()
    for payer in ("payer_a", "other", "unknown"):
        assert world.value("authorizations_overdue_total", payer=payer) == 0
        for in_time in ("yes", "no"):
            assert world.value("authorizations_settled_due_total", in_time=in_time, payer=payer) == 0
    world.commit(world.read("processing"), DueStated(HOUR, 1.0, REF), now=1.0)
    world.commit(TimePassed(), now=HOUR)
    assert world.value("authorizations_overdue_total", payer="payer_a") == 1
    world.commit(world.read("completed"), now=2 * HOUR)
    assert world.value("authorizations_settled_due_total", in_time="no", payer="payer_a") == 1
    world = World()
    world.commit(world.read("processing", payer="payer_b"), DueStated(HOUR, 1.0, REF), now=1.0)
    world.commit(world.read("canceled", payer="payer_b"), now=HOUR)
    assert world.value("authorizations_settled_due_total", in_time="yes", payer="other") == 1
    assert world.value("authorizations_overdue_total", payer="other") == 0

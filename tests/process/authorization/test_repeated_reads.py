"""Observations that repeat the last one decode nothing, make one call per body, and miss nothing."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from adapters.collate.call_policy.calls import Priority
from consumers.authorization.state import AuthorizationState
from consumers.watcher.cadence import CadenceStep, Pace
from consumers.watcher.repeated_reads import LastObservation, LastObservations
from runtime.settings import WorkerSettings
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import ManualHandoff
from schemas.commands import AuthorizationWatch, HandoffRequest, RecordAccess
from schemas.enums import EventType
from tests.measured import value_of
from tests.process.authorization.in_memory import run_now, simulated

READ = "prior-authorizations/[^/]+$"
BOTH = ["prior-authorizations", "manual-handoffs"]


@pytest.fixture
def make_queue(tmp_path):
    def make(state="handoff_active", **readings):
        readings |= {"abandonment_seconds": None}
        queue = simulated(tmp_path, state, readings=readings, finds_after_seconds=1e6)
        queue.send(AuthorizationWatch())
        queue.run_for(60.0)
        return queue

    return make


@pytest.fixture
def decoded(monkeypatch):
    """Count what is decoded from now on, by class."""
    counts = Counter()

    def count(model, name):
        read = getattr(model, name)

        def counted(body):
            counts[model.__name__] += 1
            return read(body)

        monkeypatch.setattr(model, name, counted)

    count(PriorAuthorization, "from_wire")
    count(ManualHandoff, "from_wire")
    count(AuthorizationState, "decode")
    return counts


def observe(queue):
    """Make the next observation; return its calls."""
    before = len(queue.sim.ledger.calls)
    queue.advance(queue.timer_at - queue.now())
    run_now(queue.fire_timer())
    return [call.path.rsplit("/", 2)[-2] for call in list(queue.sim.ledger.calls)[before:]]


def test_an_open_handoff_with_access_is_observed_thirty_times_in_ten_minutes(make_queue):
    queue = make_queue("complete_payer_interaction")
    queue.send(HandoffRequest())
    queue.run_for(1.0)
    before = len(queue.sim.ledger.calls)
    queue.run_for(600.0)
    calls = [call.path.rsplit("/", 2)[-2] for call in list(queue.sim.ledger.calls)[before:]]
    assert 28 <= calls.count("prior-authorizations") <= 34
    assert calls == ["prior-authorizations", "manual-handoffs"] * (len(calls) // 2)


@pytest.mark.parametrize(("state", "called"), [("processing", BOTH[:1]), ("handoff_active", BOTH)])
def test_a_repeated_observation_decodes_nothing_and_makes_one_call_per_body(make_queue, decoded, state, called):
    queue = make_queue(state)
    queue.run_for(900.0)  # all early risks of the open handoff are published
    for _ in range(20):
        observe(queue)
    decoded.clear()
    outputs = len(queue.outputs)
    calls = [observe(queue) for _ in range(20)]
    assert calls == [called] * 20
    assert (decoded, len(queue.outputs)) == ({}, outputs)
    observed = queue.metrics.commands.observations.labels("nothing")
    assert value_of(observed) >= 40


def test_while_access_is_missing_both_bodies_are_compared(make_queue, decoded):
    queue = make_queue()
    queue.sim.act(queue.authorization_id, "set_access", available=False)
    queue.run_for(60.0)
    assert queue.public_record().active_handoff.access_available is False
    decoded.clear()
    assert observe(queue) == BOTH
    assert decoded == {}
    queue.sim.act(queue.authorization_id, "set_access", available=True)
    assert observe(queue) == BOTH, "no call is made twice"
    assert queue.public_record().active_handoff.access_available


def shown(*, available, submit=False):
    """Another access without a new version of the handoff."""
    return {"do": "overlay", "handoff": {"accessAvailable": available, "finalSubmitCapable": submit}}


def access(*, available):
    """Another access with a new version of the handoff."""
    return {"do": "set_access", "available": available}


@pytest.mark.parametrize("access_of", [access, shown], ids=["new version", "same version"])
def test_access_that_is_withdrawn_or_gained_is_published_within_a_step(make_queue, access_of):
    queue = make_queue()
    queue.run_for(2 * 3600.0)
    before = queue.public_record()
    queue.sim.act(queue.authorization_id, **access_of(available=False))
    queue.run_for(67.0)
    (lost,) = queue.events(EventType.HANDOFF_ACCESS_CHANGED)
    after = queue.public_record()
    assert (lost.data.access_available, lost.data.state, lost.sequence) == (False, "active", before.sequence + 1)
    assert (after.sequence, after.active_handoff.access_available) == (lost.sequence, False)
    queue.sim.act(queue.authorization_id, **access_of(available=True))
    queue.run_for(5.6)
    _, back = queue.events(EventType.HANDOFF_ACCESS_CHANGED)
    assert (back.data.access_available, queue.public_record().sequence) == (True, back.sequence)


def test_a_final_submission_that_becomes_possible_is_published(make_queue):
    queue = make_queue()
    queue.sim.act(queue.authorization_id, **shown(available=True, submit=True))
    queue.run_for(22.1)
    (changed,) = queue.events(EventType.HANDOFF_ACCESS_CHANGED)
    assert (changed.data.access_available, changed.data.final_submit_capable) == (True, True)
    assert queue.public_record().active_handoff.final_submit_capable


def test_another_state_at_the_same_version_is_decoded(make_queue):
    queue = make_queue("processing")
    version = queue.public_record().version
    queue.sim.fault("rewrite", method="GET", path=READ, overlay={"status": "completed", "outcome": "approved"})
    observe(queue)
    (settled,) = queue.events(EventType.AUTHORIZATION_SETTLED)
    assert (settled.data.payer.status, settled.data.version) == ("completed", version)


@pytest.mark.parametrize("seconds", [30.0, 300.0], ids=["before a repetition", "between repetitions"])
def test_a_risk_is_published_at_its_time(make_queue, seconds):
    queue = make_queue()
    (handoff,) = queue.sim.state.authorizations[queue.authorization_id].handoffs
    until = queue.now() + seconds
    grant = datetime.fromtimestamp(until, UTC)
    queue.send(RecordAccess(handoff_id=handoff.id, operator="op", grant_expires_at=grant))
    queue.run_for(600.0)
    expiring, expired, *_ = queue.events(EventType.HANDOFF_AT_RISK)
    assert (expiring.data.reason, expired.data.reason) == ("grant_expiring", "grant_expired")
    assert expiring.time.timestamp() == pytest.approx(until - min(60.0, seconds / 2), abs=3.0)
    assert expired.time.timestamp() == pytest.approx(until, abs=0.1)
    queue.run_for(4 * 3600.0)
    _, _, abandonment, too_long = queue.events(EventType.HANDOFF_AT_RISK)
    assert (abandonment.data.reason, too_long.data.reason) == ("abandonment", "open_too_long")
    assert abandonment.data.ends_at.timestamp() == pytest.approx(until + 900.0)
    assert abandonment.time.timestamp() == pytest.approx(until + 600.0, abs=0.1)


def test_a_handoff_that_nobody_enters_is_published_at_its_time(make_queue):
    queue = make_queue("complete_payer_interaction")
    queue.send(HandoffRequest())
    queue.run_for(600.0)
    (risk,) = queue.events(EventType.HANDOFF_AT_RISK)
    (opened,) = queue.events(EventType.HANDOFF_OPENED)
    assert risk.data.reason == "not_entered"
    assert risk.time - opened.data.opened_at == pytest.approx(timedelta(minutes=5), abs=timedelta(seconds=0.1))


def test_the_end_of_a_watch_is_published_at_its_time(make_queue):
    queue = make_queue()
    queue.limits = WorkerSettings(watch_max_age="600s")
    queue.state = AuthorizationState.decode(queue.state)
    until = queue.now() + 600.0
    queue.state = queue.state.replace(watch=queue.state.watch.replace(until=until)).encode()
    queue.run_for(900.0)
    (ended,) = queue.events(EventType.AUTHORIZATION_WATCH_ENDED)
    assert ended.time.timestamp() == pytest.approx(until, abs=0.1)


@pytest.mark.parametrize(("fault", "result"), [({"do": "reset"}, "no_answer"), ({"do": "truncate"}, "no_answer")])
def test_a_failed_repetition_is_one_call_and_one_failure(make_queue, fault, result):
    queue = make_queue()
    queue.sim.fault(**fault, method="GET", count=1)
    assert observe(queue) == ["prior-authorizations"]
    assert value_of(queue.metrics.commands.observations.labels(result)) == 1
    assert queue.decoded_state().watch.failures == 1
    observe(queue)
    assert queue.decoded_state().watch.failures == 0


def test_a_missing_handoff_is_looked_for_at_every_observation(make_queue):
    queue = make_queue("complete_payer_interaction")
    queue.sim.act(queue.authorization_id, "open_handoff")
    hidden = queue.sim.fault("answer", method="GET", path="manual-handoffs/", status=404, code="handoff_not_found")
    queue.run_for(300.0)
    assert hidden.struck > 2
    assert not queue.events(EventType.HANDOFF_OPENED)
    queue.sim.faults.clear()
    observe(queue)
    assert len(queue.events(EventType.HANDOFF_OPENED)) == 1


def test_a_changed_state_makes_the_next_observation_a_whole_one(make_queue, decoded):
    queue = make_queue()
    observe(queue)
    decoded.clear()
    observe(queue)
    assert decoded == {}
    queue.state = queue.decoded_state().replace(sequence=99).encode()
    decoded.clear()
    observe(queue)
    assert decoded == {"AuthorizationState": 1, "PriorAuthorization": 1, "ManualHandoff": 1}


def test_rare_observations_are_not_remembered_and_the_others_are_bounded(make_queue):
    queue = make_queue("waiting_on_payer")
    remembered = queue.watcher.last
    assert len(remembered) == 1
    queue.run_for(2 * 86_400.0)
    assert len(remembered) == 0
    pace = Pace((CadenceStep(5.0),), moved_at=0.0, until=1.0, priority=Priority.IDLE)
    few, last = LastObservations(most=2), LastObservation(hash(b"state"), pace, 1.0, b"digest", ())
    for key in (b"a", b"b", b"c", b"b"):
        few.remember(key, last, 0.0)
    assert [few.of(key, b"state", 0.0) is not None for key in (b"a", b"b", b"c")] == [False, True, True]

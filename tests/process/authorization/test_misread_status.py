"""One observation shows a wrong word at a version: later ones of the same version still publish the true word."""

import pytest

from schemas.commands import AuthorizationWatch
from schemas.enums import EventType
from tests.process.authorization.in_memory import simulated


@pytest.fixture
def queue(tmp_path):
    queue = simulated(tmp_path, "processing", finds_after_seconds=1e6)
    queue.send(AuthorizationWatch())
    queue.run_for(1.0)
    return queue


def misread(queue, **shown):
    """Let the next observation show another state at the true version."""
    queue.sim.fault("rewrite", method="GET", path="prior-authorizations/[^/]+$", overlay=shown, count=1)


def statuses(queue):
    return [event.data.to_status for event in queue.events(EventType.AUTHORIZATION_CHANGED)]


WRONG = [{"status": "on_hold"}, {"status": "PLEASE WAIT"}, {"status": "processing", "nextAction": None}]


@pytest.mark.parametrize("wrong", WRONG, ids=["unknown", "no word", "another known one"])
def test_a_wrong_word_does_not_hide_the_required_action(queue, wrong):
    misread(queue, **wrong)
    queue.sim.act(queue.authorization_id, "reconcile")
    queue.run_for(120.0)
    assert statuses(queue)[-1] == "requires_action"
    (required,) = queue.events(EventType.AUTHORIZATION_ACTION_REQUIRED)
    assert required.data.action == "complete_payer_interaction"
    assert queue.public_record().status == "requires_action"


@pytest.mark.parametrize("wrong", WRONG, ids=["unknown", "no word", "another known one"])
def test_a_wrong_word_does_not_hide_the_end(queue, wrong):
    misread(queue, **wrong)
    queue.sim.act(queue.authorization_id, "payer", truth="approved")
    queue.run_for(120.0)
    (settled,) = queue.events(EventType.AUTHORIZATION_SETTLED)
    assert (settled.data.payer.status, settled.data.payer.outcome) == ("completed", "approved")


@pytest.mark.parametrize("wrong", WRONG, ids=["unknown", "no word", "another known one"])
def test_a_wrong_word_does_not_hide_a_reconciliation(queue, wrong):
    queue.sim.act(queue.authorization_id, "reconcile")
    queue.sim.act(queue.authorization_id, "open_handoff")
    queue.run_for(60.0)
    queue.sim.change(closing_seconds=0.0, reconcile_seconds=0.0)
    misread(queue, **wrong)
    queue.sim.act(queue.authorization_id, "complete", reportedOutcome="submitted")
    queue.run_for(120.0)
    (reconciled,) = queue.events(EventType.HANDOFF_RECONCILED)
    assert (reconciled.data.payer.status, reconciled.data.agreement) == ("waiting_on_payer", "undetermined")


def test_an_unknown_action_does_not_hide_the_known_one(queue):
    misread(queue, nextAction={"type": "dance", "resolution": {"kind": "dancing"}})
    queue.sim.act(queue.authorization_id, "reconcile")
    queue.run_for(120.0)
    actions = [event.data.action for event in queue.events(EventType.AUTHORIZATION_ACTION_REQUIRED)]
    assert actions == ["dance", "complete_payer_interaction"]


def test_a_less_actionable_word_at_the_same_version_publishes_nothing(queue):
    queue.sim.act(queue.authorization_id, "reconcile")
    queue.run_for(120.0)
    before = len(queue.events())
    for wrong in WRONG:
        misread(queue, **wrong)
        queue.run_for(30.0)
    assert len(queue.events()) == before

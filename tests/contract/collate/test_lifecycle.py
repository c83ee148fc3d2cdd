"""docs/collate-contract.md §3, §4: the authorization and its transitions; a report is not payer truth."""

import pytest

AUTHORIZATION_FIELDS = {
    "id",
    "version",
    "status",
    "outcome",
    "policy",
    "providerNpi",
    "payer",
    "request",
    "route",
    "questionnaire",
    "answers",
    "requirements",
    "attachments",
    "submission",
    "nextAction",
    "activeManualHandoff",
    "metadata",
    "createdAt",
    "updatedAt",
    "completedAt",
    "canceledAt",
}


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("resolve_requirements", "update_authorization"),
        ("continue_authorization", "confirm"),
        ("approve_submission", "confirm"),
        ("complete_payer_interaction", "manual_handoff"),
    ],
)
async def test_sec3_a_next_action_names_its_resolution(sim, caller, state, kind):
    [authorization] = sim.create(state)
    read = await caller.read(authorization)
    assert set(read) == AUTHORIZATION_FIELDS
    assert (read["status"], read["nextAction"]["type"]) == ("requires_action", state)
    assert read["nextAction"]["resolution"] == {"kind": kind}


@pytest.mark.parametrize("state", ["processing", "waiting_on_payer", "completed", "canceled"])
async def test_sec4_a_next_action_exists_only_while_action_is_required(sim, caller, state):
    [authorization] = sim.create(state)
    read = await caller.read(authorization)
    assert (read["status"], read["nextAction"]) == (state, None)
    assert (read["submission"]["payerReceipt"] is not None) == (state in {"waiting_on_payer", "completed"})


async def test_sec3_the_action_covers_the_review_snapshot(sim, caller):
    [authorization] = sim.create(review_backed=True)
    read = await caller.read(authorization)
    snapshot = read["submission"]["reviewSnapshot"]
    assert (snapshot["status"], snapshot["kind"]) == ("current", "final_payer_submission")
    assert read["nextAction"]["covers"]["reviewSnapshotId"] == snapshot["id"]


async def test_sec4_confirm_starts_automation_which_may_need_a_handoff(sim, caller):
    [authorization] = sim.create("approve_submission")
    assert sim.act(authorization, "confirm") is None
    assert (await caller.read(authorization))["status"] == "processing"
    sim.advance(1)
    read = await caller.read(authorization)
    assert (read["status"], read["nextAction"]["type"]) == ("requires_action", "complete_payer_interaction")
    assert sim.act(authorization, "confirm").code == "prior_authorization_not_actionable"


@pytest.mark.parametrize(
    ("truth", "status", "outcome", "action"),
    [
        ("received", "waiting_on_payer", None, None),
        ("approved", "completed", "approved", None),
        ("denied", "completed", "denied", None),
        ("modified", "completed", "modified", None),
        ("not_required", "completed", "not_required", None),
        ("failed", "completed", "failed", None),
        ("follow_up", "requires_action", None, "resolve_requirements"),
        ("nothing", "requires_action", None, "complete_payer_interaction"),
    ],
)
async def test_sec4_the_payers_truth_decides_whatever_was_reported(sim, caller, *, truth, status, outcome, action):
    [authorization] = sim.create(truth=truth)
    handoff = await caller.open(authorization)
    closed = await caller.complete(authorization, handoff, "submitted")
    assert closed.json()["authorization"]["status"] == "processing"
    sim.advance(2)
    read = await caller.read(authorization)
    assert (read["status"], read["outcome"]) == (status, outcome)
    assert (read["nextAction"] or {}).get("type") == action


@pytest.mark.parametrize(
    ("reported", "status"),
    [
        ("submitted", "waiting_on_payer"),
        ("decision_observed", "completed"),
        ("not_required_observed", "completed"),
        ("follow_up_required_observed", "requires_action"),
    ],
)
async def test_sec4_by_default_the_report_is_true(sim, caller, reported, status):
    [authorization] = sim.create()
    await caller.complete(authorization, await caller.open(authorization), reported)
    sim.advance(2)
    assert (await caller.read(authorization))["status"] == status


async def test_sec4_the_payer_decides_after_the_receipt(sim, caller):
    [authorization] = sim.create(decision_seconds=60)
    await caller.complete(authorization, await caller.open(authorization))
    sim.advance(2)
    assert (await caller.read(authorization))["status"] == "waiting_on_payer"
    sim.advance(60)
    read = await caller.read(authorization)
    assert (read["status"], read["outcome"]) == ("completed", "approved")
    assert read["submission"]["decision"] is not None
    assert read["completedAt"] is not None


async def test_sec4_a_payer_that_needs_more_requires_an_action(sim, caller):
    [authorization] = sim.create("waiting_on_payer")
    sim.act(authorization, "payer", truth="follow_up")
    read = await caller.read(authorization)
    assert (read["status"], read["nextAction"]["type"]) == ("requires_action", "resolve_requirements")


async def test_sec4_every_change_increases_the_version(sim, caller):
    [authorization] = sim.create(decision_seconds=5)
    versions = [(await caller.read(authorization))["version"]]
    handoff = await caller.open(authorization)
    versions.append((await caller.read(authorization))["version"])
    await caller.complete(authorization, handoff)
    for seconds in (0, 1, 1, 5):
        sim.advance(seconds)
        versions.append((await caller.read(authorization))["version"])
    assert versions == sorted(versions)
    assert len(set(versions)) >= 5

"""docs/collate-contract.md §5: the manual handoff, its create, its three closes, and its passive ends."""

import pytest

HANDOFF_FIELDS = {
    "id",
    "version",
    "priorAuthorizationId",
    "state",
    "result",
    "accessAvailable",
    "finalSubmitCapable",
    "createdAt",
    "activatedAt",
    "closedAt",
    "message",
}
CLOSES = {
    "complete": ({"reportedOutcome": "submitted"}, "completed_reported"),
    "unable-to-complete": ({"reason": "credential_or_mfa_issue"}, "unable_to_complete"),
    "revoke": ({"reason": "wrong patient", "notes": None}, "revoked"),
}


async def test_sec5_1_create_answers_an_active_handoff_activated_at_its_creation(sim, caller):
    [authorization] = sim.create()
    handoff = (await caller.write(authorization, "manual-handoffs")).json()
    assert set(handoff) == HANDOFF_FIELDS
    assert (handoff["version"], handoff["state"], handoff["result"]) == (1, "active", None)
    assert handoff["priorAuthorizationId"] == authorization
    assert handoff["activatedAt"] == handoff["createdAt"]
    assert handoff["accessAvailable"] is True


async def test_sec5_1_create_sets_the_pointer_and_keeps_the_action(sim, caller):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    read = await caller.read(authorization)
    assert read["activeManualHandoff"] == {"id": handoff}
    assert (read["status"], read["nextAction"]["type"]) == ("requires_action", "complete_payer_interaction")
    assert read["submission"]["payerReceipt"] is None


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("processing", "manual_handoff_not_allowed"),
        ("resolve_requirements", "manual_handoff_not_allowed"),
        ("continue_authorization", "manual_handoff_not_allowed"),
        ("approve_submission", "manual_handoff_not_allowed"),
        ("waiting_on_payer", "prior_authorization_not_actionable"),
        ("completed", "prior_authorization_not_actionable"),
        ("canceled", "prior_authorization_not_actionable"),
    ],
)
async def test_sec5_1_no_handoff_unless_the_next_action_is_one(sim, caller, code, effects, *, state, expected):
    [authorization] = sim.create(state)
    assert code(await caller.write(authorization, "manual-handoffs"), 409) == expected
    assert effects("handoff_opened") == 0


async def test_sec5_1_a_covered_review_snapshot_must_be_accepted_and_current(sim, caller, code):
    [authorization] = sim.create(review_backed=True)
    first = (await caller.read(authorization))["nextAction"]["covers"]["reviewSnapshotId"]
    assert code(await caller.write(authorization, "manual-handoffs"), 409) == "review_stale"
    sim.act(authorization, "edit", freshSnapshot=True)
    stale = await caller.write(authorization, "manual-handoffs", {"acceptedReviewSnapshotId": first})
    assert code(stale, 409) == "review_stale"
    read = await caller.read(authorization)
    assert read["submission"]["reviewSnapshot"]["id"] == read["nextAction"]["covers"]["reviewSnapshotId"] != first
    accepted = {"acceptedReviewSnapshotId": read["nextAction"]["covers"]["reviewSnapshotId"]}
    answer = await caller.write(authorization, "manual-handoffs", accepted)
    assert answer.json()["finalSubmitCapable"] is True


async def test_sec5_2_retrieve_has_neither_grant_nor_report(sim, caller, code, http):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    await caller.mint(authorization, handoff)
    assert set(await caller.read_handoff(authorization, handoff)) == HANDOFF_FIELDS
    missing = await http.get(f"/v1/prior-authorizations/{authorization}/manual-handoffs/mhand_none")
    assert code(missing, 404) == "manual_handoff_not_found"


@pytest.mark.parametrize("operation", CLOSES)
async def test_sec5_4_to_5_6_a_close_response_has_its_own_shape_and_starts_reconciliation(sim, caller, operation):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    before = await caller.read(authorization)
    body, result = CLOSES[operation]
    answer = (await caller.write(authorization, f"manual-handoffs/{handoff}/{operation}", body)).json()
    assert set(answer) == {"manualHandoffId", "state", "authorization", "result", "reconciliation"}
    assert set(answer["authorization"]) == {"id", "version", "status"}
    assert answer["authorization"]["version"] > before["version"]
    assert answer["authorization"]["status"] == "processing"
    assert answer["reconciliation"]["state"] == "pending"
    sim.advance(0.5)
    assert (await caller.read_handoff(authorization, handoff))["result"] == result
    assert (await caller.read(authorization))["activeManualHandoff"] is None


@pytest.mark.parametrize(
    "outcome", ["submitted", "decision_observed", "not_required_observed", "follow_up_required_observed"]
)
async def test_sec5_4_every_reported_outcome_is_accepted(sim, caller, outcome):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    assert (await caller.complete(authorization, handoff, outcome)).status_code == 200


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("complete", {}),
        ("complete", {"reportedOutcome": "done"}),
        ("complete", {"reportedOutcome": "submitted", "operatorNotes": 7}),
        ("unable-to-complete", {}),
        ("revoke", {}),
        ("revoke", {"reason": ""}),
        ("revoke", {"reason": "x", "notes": 7}),
    ],
)
async def test_sec5_4_to_5_6_an_incomplete_report_is_refused(sim, caller, code, operation, body):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    answer = await caller.write(authorization, f"manual-handoffs/{handoff}/{operation}", body)
    assert code(answer, 400) == "bad_request"


async def test_sec5_5_an_unknown_reason_is_accepted_since_the_list_is_open(sim, caller):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    answer = await caller.write(
        authorization, f"manual-handoffs/{handoff}/unable-to-complete", {"reason": "introduced_later"}
    )
    assert answer.status_code == 200


async def test_sec5_a_closed_handoff_stays_closed(sim, caller, code):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    await caller.complete(authorization, handoff)
    for _ in range(2):
        body, _result = CLOSES["revoke"]
        answer = await caller.write(authorization, f"manual-handoffs/{handoff}/revoke", body)
        assert code(answer, 409) == "manual_handoff_not_active"
        sim.advance(1)
    assert (await caller.read_handoff(authorization, handoff))["result"] == "completed_reported"


async def test_sec5_a_handoff_without_visits_expires(sim, caller, effects):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    sim.advance(899)
    assert (await caller.read_handoff(authorization, handoff))["state"] == "active"
    sim.advance(1)
    assert (await caller.read_handoff(authorization, handoff))["result"] == "expired"
    assert (await caller.read(authorization))["status"] == "processing"
    assert effects("handoff_closed", by="collate") == 1


async def test_sec5_a_grant_keeps_its_handoff_from_expiring(sim, caller):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    sim.advance(800)
    await caller.mint(authorization, handoff)
    sim.advance(300 + 899)
    assert (await caller.read_handoff(authorization, handoff))["state"] == "active"
    sim.advance(1)
    assert (await caller.read_handoff(authorization, handoff))["result"] == "expired"


async def test_sec5_a_lost_session_ends_the_handoff_without_payer_truth(sim, caller):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    sim.act(authorization, "lose_session")
    assert (await caller.read_handoff(authorization, handoff))["result"] == "interaction_lost_unrecoverable"
    read = await caller.read(authorization)
    assert (read["status"], read["submission"]["payerReceipt"]) == ("processing", None)


async def test_sec5_cancel_ends_the_active_handoff(sim, caller):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    assert sim.act(authorization, "cancel") is None
    assert (await caller.read_handoff(authorization, handoff))["result"] == "canceled"
    read = await caller.read(authorization)
    assert (read["status"], read["activeManualHandoff"]) == ("canceled", None)
    assert sim.act(authorization, "cancel").code == "prior_authorization_not_actionable"


async def test_sec5_an_offered_handoff_becomes_active_automatically(sim, caller, code):
    sim.use(offered_seconds=5)
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    offered = await caller.read_handoff(authorization, handoff)
    assert (offered["state"], offered["activatedAt"], offered["accessAvailable"]) == ("offered", None, False)
    assert code(await caller.mint(authorization, handoff), 409) == "manual_handoff_not_active"
    sim.advance(5)
    active = await caller.read_handoff(authorization, handoff)
    assert (active["state"], active["accessAvailable"]) == ("active", True)
    assert active["version"] > offered["version"]

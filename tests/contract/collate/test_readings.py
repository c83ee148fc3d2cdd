"""docs/collate-contract.md §10b: the other readings that a client must support, each a profile or one reading."""

import asyncio

import pytest

from local.collate import named

SUBMITTED = {"reportedOutcome": "submitted"}


async def closed_handoff(sim, caller):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    answer = await caller.complete(authorization, handoff, key="close")
    return authorization, handoff, answer


# Keys


async def test_sec10b_v2_needs_the_key_on_every_handoff_call(sim, caller, code):
    [authorization] = sim.create()
    assert code(await caller.post(authorization, "manual-handoffs", if_match='"3"'), 400) == "bad_request"
    handoff = await caller.open(authorization)
    for path, body in (("access-grants", {}), ("complete", SUBMITTED), ("revoke", {"reason": "x"})):
        answer = await caller.post(authorization, f"manual-handoffs/{handoff}/{path}", body, if_match='"4"')
        assert code(answer, 400) == "bad_request"


async def test_sec10b_v3_ignores_the_key_on_handoff_calls(sim, caller, code, effects):
    sim.use("v3")
    [authorization] = sim.create()
    first = await caller.write(authorization, "manual-handoffs", key="k", version=3)
    again = await caller.write(authorization, "manual-handoffs", key="k", version=3)
    assert code(again, 409) == "version_conflict"
    handoff = first.json()["id"]
    assert (await caller.post(authorization, f"manual-handoffs/{handoff}/access-grants")).status_code == 200
    answer = await caller.post(authorization, f"manual-handoffs/{handoff}/complete", SUBMITTED, if_match='"4"')
    assert answer.status_code == 200
    assert effects("handoff_opened") == effects("handoff_closing") == 1


async def test_sec10b_v3_may_refuse_a_key_on_handoff_calls(sim, caller, code, effects):
    sim.use("v3_refuses_keys")
    [authorization] = sim.create()
    refused = await caller.write(authorization, "manual-handoffs", key="k", version=3)
    assert code(refused, 400) == "bad_request"
    opened = await caller.post(authorization, "manual-handoffs", if_match='"3"')
    assert opened.status_code == 200
    handoff = opened.json()["id"]
    for path, body in (("access-grants", {}), ("complete", SUBMITTED)):
        refused = await caller.write(authorization, f"manual-handoffs/{handoff}/{path}", body, key="k", version=4)
        assert code(refused, 400) == "bad_request"
    answer = await caller.post(authorization, f"manual-handoffs/{handoff}/complete", SUBMITTED, if_match='"4"')
    assert answer.status_code == 200
    assert effects("handoff_opened") == effects("handoff_closing") == 1


async def test_sec10b_an_offered_handoff_may_refuse_its_close(sim, caller, code):
    sim.use(offered_seconds=5, close_while_offered="refused")
    sim.clock.freeze()
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    path = f"manual-handoffs/{handoff}/complete"
    refused = await caller.write(authorization, path, SUBMITTED, key="k1", version=4)
    assert code(refused, 409) == "manual_handoff_not_active"
    sim.advance(6)
    assert (await caller.write(authorization, path, SUBMITTED, key="k2", version=4)).status_code == 200


@pytest.mark.parametrize(("status", "expected"), [(422, "validation_failed"), (428, "precondition_required")])
async def test_sec10b_a_missing_header_may_have_another_status(sim, caller, code, status, expected):
    sim.use(missing_header_status=status)
    [authorization] = sim.create()
    assert code(await caller.post(authorization, "manual-handoffs", if_match='"3"'), status) == expected
    assert code(await caller.post(authorization, "manual-handoffs", key="k"), status) == expected


async def test_sec10b_v2_stores_only_successes(sim, caller, code):
    [authorization] = sim.create()
    refused = await caller.write(authorization, "manual-handoffs", key="k", version=2)
    assert code(refused, 409) == "version_conflict"
    assert (await caller.write(authorization, "manual-handoffs", key="k", version=3)).status_code == 200


async def test_sec10b_stores_errors_replays_a_refusal_after_the_state_has_changed(sim, caller, code):
    sim.use("stores_errors")
    [authorization] = sim.create()
    refused = await caller.write(authorization, "manual-handoffs", key="k", version=2)
    again = await caller.write(authorization, "manual-handoffs", key="k", version=3)
    assert again.json() == refused.json()
    assert (await caller.write(authorization, "manual-handoffs", key="k2", version=3)).status_code == 200


async def test_sec10b_stores_errors_replays_an_injected_server_error(sim, caller, code, effects):
    sim.use("stores_errors")
    [authorization] = sim.create()
    sim.fault("answer", status=500, method="POST", count=1)
    answers = [await caller.write(authorization, "manual-handoffs", key="k", version=3) for _ in range(3)]
    assert [code(answer, 500) for answer in answers] == ["internal_error"] * 3
    assert len({answer.json()["requestId"] for answer in answers}) == 1
    assert effects("handoff_opened") == 0
    assert (await caller.write(authorization, "manual-handoffs", key="k2", version=3)).status_code == 200


async def test_sec10b_stores_errors_never_replaces_the_first_result(sim, caller, code):
    sim.use("stores_errors")
    [authorization] = sim.create()
    first = await caller.write(authorization, "manual-handoffs", key="k", version=3)
    sim.fault("answer", status=500, method="POST", count=1)
    assert code(await caller.write(authorization, "manual-handoffs", key="k", version=3), 500) == "internal_error"
    assert (await caller.write(authorization, "manual-handoffs", key="k", version=3)).json() == first.json()


async def test_sec10b_keys_are_kept_for_24_hours(sim, caller, code, effects):
    sim.use(abandonment_seconds=None)
    [authorization] = sim.create()
    await caller.write(authorization, "manual-handoffs", key="k", version=3)
    sim.advance(86_399)
    assert (await caller.write(authorization, "manual-handoffs", key="k", version=3)).status_code == 200
    sim.advance(1)
    late = await caller.write(authorization, "manual-handoffs", key="k", version=3)
    assert code(late, 409) == "version_conflict"


async def test_sec10b_forgets_keys_applies_every_request_again(sim, caller, code):
    sim.use("forgets_keys")
    authorization, handoff, answer = await closed_handoff(sim, caller)
    again = await caller.complete(authorization, handoff, key="close", version=4)
    assert (answer.status_code, code(again, 409)) == (200, "version_conflict")


async def test_sec10b_fingerprints_if_match_treats_a_new_version_as_another_request(sim, caller, code):
    sim.use("fingerprints_if_match")
    [authorization] = sim.create()
    await caller.write(authorization, "manual-handoffs", key="k", version=3)
    assert (await caller.write(authorization, "manual-handoffs", key="k", version=3)).status_code == 200
    other = await caller.write(authorization, "manual-handoffs", key="k", version=4)
    assert code(other, 409) == "idempotency_key_reused"


@pytest.mark.parametrize(("reading", "second"), [("replay", 200), ("conflict", 409)])
async def test_sec10b_two_in_flight_with_one_key(sim, caller, effects, eventually, *, reading, second):
    sim.use(key_in_flight=reading)
    [authorization] = sim.create()
    holding = sim.fault("hold", when="before", nth=1, method="POST")
    slow = asyncio.create_task(caller.post(authorization, "manual-handoffs", key="k", if_match='"3"'))
    await eventually(lambda: holding.struck)
    quick = await caller.post(authorization, "manual-handoffs", key="k", if_match='"3"')
    holding.release()
    assert (quick.status_code, (await slow).status_code) == (second, 200)
    assert effects("handoff_opened") == 1


# Preconditions


async def test_sec10b_if_match_on_a_close_is_the_authorizations_version(sim, caller, code):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    by_handoff = (await caller.read_handoff(authorization, handoff))["version"]
    assert code(await caller.complete(authorization, handoff, version=by_handoff), 409) == "version_conflict"
    assert (await caller.complete(authorization, handoff)).status_code == 200


async def test_sec10b_if_match_on_a_close_may_be_the_handoffs_version(sim, caller, code):
    sim.use(if_match_on_close="handoff")
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    by_handoff = (await caller.read_handoff(authorization, handoff))["version"]
    assert code(await caller.complete(authorization, handoff), 409) == "version_conflict"
    assert (await caller.complete(authorization, handoff, version=by_handoff)).status_code == 200


async def test_sec10b_ignores_preconditions_writes_on_any_version(sim, caller):
    sim.use("ignores_preconditions")
    [authorization] = sim.create()
    assert (await caller.post(authorization, "manual-handoffs", key="k")).status_code == 200
    handoff = (await caller.read(authorization))["activeManualHandoff"]["id"]
    assert (await caller.complete(authorization, handoff, version=999)).status_code == 200


async def test_sec10b_without_keys_and_preconditions_one_command_can_open_two_handoffs(sim, caller, effects):
    sim.use("ignores_preconditions", "forgets_keys")
    [authorization] = sim.create(truth="nothing")
    handoff = await caller.open(authorization, key="k", version=3)
    sim.act(authorization, "revoke", reason="another actor")
    sim.advance(2)
    assert await caller.open(authorization, key="k", version=3) != handoff
    assert effects("handoff_opened", key="k") == 2


@pytest.mark.parametrize(
    ("order", "replayed", "fresh"),
    [
        ("key_first", 200, "version_conflict"),
        ("if_match_first", "version_conflict", "version_conflict"),
        ("active_first", 200, 200),
    ],
)
async def test_sec10b_order_of_checks_on_a_retried_create(sim, caller, code, effects, *, order, replayed, fresh):
    """A replay with the old version, and a new key with the old version, while the handoff is active."""
    sim.use(check_order=order)
    [authorization] = sim.create()
    await caller.open(authorization, key="k", version=3)
    for key, expected in (("k", replayed), ("other", fresh)):
        answer = await caller.write(authorization, "manual-handoffs", key=key, version=3)
        assert (answer.status_code if expected == 200 else code(answer, 409)) == expected
    assert effects("handoff_opened") == 1


# Handoffs


async def test_sec10b_create_while_active_answers_the_existing_handoff(sim, caller, effects):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    assert await caller.open(authorization) == handoff
    assert effects("handoff_opened") == 1


async def test_sec10b_create_while_active_may_be_a_conflict(sim, caller, code):
    sim.use(create_while_active="conflict")
    [authorization] = sim.create()
    await caller.open(authorization)
    assert code(await caller.write(authorization, "manual-handoffs"), 409) == "manual_handoff_already_active"


async def test_sec10b_create_while_active_may_replace_the_active_one(sim, caller):
    sim.use(create_while_active="replace")
    [authorization] = sim.create()
    first = await caller.open(authorization)
    second = await caller.open(authorization)
    assert (await caller.read_handoff(authorization, first))["result"] == "revoked"
    assert (await caller.read(authorization))["activeManualHandoff"] == {"id": second}
    sim.advance(10)
    assert (await caller.read(authorization))["status"] == "requires_action"


@pytest.mark.parametrize(("bumps", "version"), [(True, 4), (False, 3)])
async def test_sec10b_a_create_may_increase_the_version_and_a_grant_never_does(sim, caller, bumps, version):
    sim.use(create_bumps_version=bumps)
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    await caller.mint(authorization, handoff)
    assert (await caller.read(authorization))["version"] == version
    assert (await caller.complete(authorization, handoff)).json()["authorization"]["version"] == version + 1


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_sec11_a_create_may_have_any_2xx_status(sim, caller, status):
    sim.use(created_status=status)
    [authorization] = sim.create()
    assert (await caller.write(authorization, "manual-handoffs")).status_code == status


async def test_sec10b_status_while_active_may_be_processing(sim, caller):
    sim.use(status_while_active="processing")
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    read = await caller.read(authorization)
    assert (read["status"], read["nextAction"]) == ("processing", None)
    assert read["activeManualHandoff"] == {"id": handoff}
    assert (await caller.complete(authorization, handoff)).status_code == 200


async def test_sec10b_a_terminal_authorization_refuses_a_handoff(sim, caller, code):
    [authorization] = sim.create("completed")
    assert code(await caller.write(authorization, "manual-handoffs"), 409) == "prior_authorization_not_actionable"


async def test_sec10b_a_second_identical_close_is_a_conflict_with_an_undocumented_code(sim, caller, code):
    authorization, handoff, _ = await closed_handoff(sim, caller)
    assert code(await caller.complete(authorization, handoff), 409) == "manual_handoff_not_active"


async def test_sec10b_a_second_identical_close_may_answer_the_first_result(sim, caller, code, effects):
    sim.use(repeated_close="first_result")
    authorization, handoff, first = await closed_handoff(sim, caller)
    again = await caller.complete(authorization, handoff, version=4)
    assert again.json()["reconciliation"] == first.json()["reconciliation"]
    other = await caller.complete(authorization, handoff, "decision_observed")
    assert code(other, 409) == "manual_handoff_not_active"
    assert effects("handoff_closing") == 1


async def test_sec10b_closing_keeps_the_pointer_and_has_no_result_and_no_grants(sim, caller, code):
    authorization, handoff, answer = await closed_handoff(sim, caller)
    assert (answer.json()["state"], answer.json()["result"]) == ("closing", None)
    read = await caller.read(authorization)
    assert (read["status"], read["activeManualHandoff"]) == ("processing", {"id": handoff})
    assert (await caller.read_handoff(authorization, handoff))["state"] == "closing"
    assert code(await caller.mint(authorization, handoff), 409) == "manual_handoff_not_active"
    assert code(await caller.write(authorization, "manual-handoffs"), 409) == "manual_handoff_not_allowed"


async def test_sec10b_a_close_may_skip_closing(sim, caller, effects):
    sim.use(closing_seconds=0)
    authorization, _, answer = await closed_handoff(sim, caller)
    assert (answer.json()["state"], answer.json()["result"]) == ("closed", "completed_reported")
    assert (await caller.read(authorization))["activeManualHandoff"] is None
    assert effects("handoff_closing", by="client", key="close") == effects("handoff_closed") == 1


async def test_sec11_the_pointer_may_have_more_than_an_id(sim, caller):
    sim.use(pointer="full")
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    pointer = (await caller.read(authorization))["activeManualHandoff"]
    assert pointer == {"id": handoff, "version": 1, "state": "active", "accessAvailable": True}


# Grants


async def test_sec10b_grants_live_300_seconds_and_several_may_live(sim, caller, http):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    grants = [(await caller.mint(authorization, handoff)).json() for _ in range(2)]
    sim.advance(299)
    assert [(await http.get(grant["url"])).status_code for grant in grants * 2] == [200] * 4
    sim.advance(1)
    assert (await http.get(grants[0]["url"])).status_code == 404


# Reads


async def test_sec10b_stale_replicas_sometimes_return_a_past_state(sim, caller, http):
    sim.use("stale_replicas")
    [authorization] = sim.create()
    sim.advance(10)
    handoff = await caller.open(authorization, version=3)
    reads = [await caller.read(authorization) for _ in range(40)]
    assert {read["version"] for read in reads} == {3, 4}
    url = f"/v1/prior-authorizations/{authorization}/manual-handoffs/{handoff}"
    assert {(await http.get(url)).status_code for _ in range(40)} == {200, 404}
    sim.advance(3)
    assert {(await caller.read(authorization))["version"] for _ in range(40)} == {4}


async def test_sec11_responses_may_have_unknown_fields_and_values(sim, caller):
    sim.use(unknown_fields=True)
    [authorization] = sim.create(overlay={"status": "paused_by_payer", "nextAction": {"priority": "high"}})
    read = await caller.read(authorization)
    assert (read["status"], read["nextAction"]["priority"]) == ("paused_by_payer", "high")
    assert "introducedLater" in read
    sim.act(authorization, "overlay", handoff={"state": "hibernating"})
    handoff = await caller.open(authorization)
    assert (await caller.read_handoff(authorization, handoff))["state"] == "hibernating"


def test_profiles_combine_and_unknown_readings_are_named():
    both = named(["v3", "stale_replicas"], {"closing_seconds": 0})
    assert (both.keys_on, both.stale_seconds, both.closing_seconds) == ("create_authorization", 2.0, 0)
    with pytest.raises(ValueError, match="unknown profile 'v9'"):
        named(["v9"])
    with pytest.raises(ValueError, match="unknown reading 'colour'"):
        named(["v2"], {"colour": "red"})
    with pytest.raises(ValueError, match="check_order is one of"):
        named(["v2"], {"check_order": "random"})
    with pytest.raises(ValueError, match="grant_seconds is a number"):
        named(["v2"], {"grant_seconds": -1})

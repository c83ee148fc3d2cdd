"""docs/collate-contract.md §1, §2, §7: credentials, idempotency keys, preconditions, the error envelope."""

import pytest

from local.collate.model.creation import AuthorizationSpec

ROOT = "/v1/prior-authorizations"


async def test_sec1_health_is_public(sim, http):
    sim.revoke_keys()
    assert (await http.get("/health")).status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer another", "Basic bG9jYWw6", "local-collate-key"])
async def test_sec1_v1_needs_a_valid_bearer_key(sim, http, code, header):
    [authorization] = sim.create()
    answer = await http.get(f"{ROOT}/{authorization}", headers={"authorization": header})
    assert code(answer, 401) == "unauthorized"


async def test_sec1_several_keys_are_valid_at_the_same_time(sim, http):
    [authorization] = sim.create()
    sim.api.organizations["the-next-key"] = sim.api.organizations["local-collate-key"]
    for key in ("local-collate-key", "the-next-key"):
        answer = await http.get(f"{ROOT}/{authorization}", headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 200


async def test_sec1_another_organizations_authorization_is_not_found(sim, http, code):
    [theirs] = sim.create_from(AuthorizationSpec("org_other"))
    assert code(await http.get(f"{ROOT}/{theirs}"), 404) == "prior_authorization_not_found"
    assert code(await http.get(f"{ROOT}/auth_none"), 404) == "prior_authorization_not_found"


async def test_sec2_same_key_and_body_replays_the_first_result(sim, caller, effects):
    [authorization] = sim.create()
    first = await caller.write(authorization, "manual-handoffs", key="k", version=3)
    again = await caller.write(authorization, "manual-handoffs", key="k", version=3)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert effects("handoff_opened") == 1
    assert [call.is_replay for call in sim.ledger.calls] == [False, True]


async def test_sec2_a_replay_works_after_the_state_has_changed(sim, caller, effects):
    [authorization] = sim.create()
    first = await caller.write(authorization, "manual-handoffs", key="k", version=3)
    await caller.complete(authorization, first.json()["id"])
    sim.advance(5)
    again = await caller.write(authorization, "manual-handoffs", key="k", version=3)
    assert again.json() == first.json()
    assert effects("handoff_opened") == 1


async def test_sec2_same_key_and_other_body_is_a_reuse(sim, caller, code):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    assert (await caller.complete(authorization, handoff, key="k")).status_code == 200
    answer = await caller.complete(authorization, handoff, "decision_observed", key="k")
    assert code(answer, 409) == "idempotency_key_reused"


async def test_sec2_a_body_that_is_json_equal_is_the_same_body(sim, http, caller, effects):
    [authorization] = sim.create(review_backed=True)
    snapshot = (await caller.read(authorization))["nextAction"]["covers"]["reviewSnapshotId"]
    headers = {"idempotency-key": "k", "if-match": '"3"'}
    url = f"{ROOT}/{authorization}/manual-handoffs"
    first = await http.post(url, content=f'{{"acceptedReviewSnapshotId":"{snapshot}"}}', headers=headers)
    again = await http.post(url, content=f'{{ "acceptedReviewSnapshotId" : "{snapshot}" }}', headers=headers)
    assert first.json() == again.json()
    assert effects("handoff_opened") == 1


async def test_sec2_one_key_means_different_things_on_different_paths(sim, caller, effects):
    for authorization in sim.create(count=2):
        assert (await caller.write(authorization, "manual-handoffs", key="k")).status_code == 200
    assert effects("handoff_opened", key="k") == 2


@pytest.mark.parametrize("if_match", ["17", 'W/"3"', "*", '"three"', '"3", "4"', '""', "'3'"])
async def test_sec2_if_match_is_a_strong_quoted_version(sim, caller, code, if_match):
    [authorization] = sim.create()
    answer = await caller.post(authorization, "manual-handoffs", key="k", if_match=if_match)
    assert code(answer, 400) == "bad_request"


async def test_sec2_the_error_of_a_stale_if_match_has_both_versions(sim, caller, code):
    [authorization] = sim.create(version=3)
    answer = await caller.write(authorization, "manual-handoffs", version=2)
    assert code(answer, 409) == "version_conflict"
    assert answer.json()["error"]["details"] == {"expectedVersion": 2, "actualVersion": 3}
    assert answer.json()["error"]["retryable"] is False


async def test_sec2_grants_need_no_if_match_and_gets_need_no_header(sim, caller):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    assert (await caller.mint(authorization, handoff)).status_code == 200
    assert (await caller.read_handoff(authorization, handoff))["id"] == handoff


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff"])
async def test_sec7_a_malformed_body_is_a_bad_request(sim, http, code, body):
    [authorization] = sim.create()
    headers = {"idempotency-key": "k", "if-match": '"3"'}
    answer = await http.post(f"{ROOT}/{authorization}/manual-handoffs", content=body, headers=headers)
    assert code(answer, 400) == "bad_request"


async def test_sec7_the_envelope_has_a_request_id_that_differs_by_call(http, code):
    answers = [await http.get(f"{ROOT}/auth_none") for _ in range(2)]
    assert len({answer.json()["requestId"] for answer in answers}) == 2
    assert all(answer.json()["requestId"].startswith("req_") for answer in answers)

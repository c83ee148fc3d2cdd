"""docs/collate-contract.md §6: access grants, and the session behind their link."""


async def test_sec6_a_grant_is_an_id_a_link_and_an_expiry(sim, caller):
    [authorization] = sim.create()
    grant = (await caller.mint(authorization, await caller.open(authorization))).json()
    assert set(grant) == {"id", "url", "expiresAt"}
    assert grant["url"] == f"{sim.url}/runtime/access/{grant['id']}"


async def test_sec5_3_a_grant_needs_an_active_handoff_with_access(sim, caller, code):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    sim.act(authorization, "set_access", available=False)
    assert code(await caller.mint(authorization, handoff), 409) == "manual_handoff_access_not_available"
    sim.act(authorization, "set_access", available=True)
    assert (await caller.mint(authorization, handoff)).status_code == 200
    await caller.complete(authorization, handoff)
    assert code(await caller.mint(authorization, handoff), 409) == "manual_handoff_not_active"


async def test_sec2_a_constant_grant_key_replays_a_grant_that_has_expired(sim, caller):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    first = (await caller.mint(authorization, handoff, key="constant")).json()
    sim.advance(301)
    assert (await caller.mint(authorization, handoff, key="constant")).json() == first
    assert (await caller.mint(authorization, handoff)).json()["id"] != first["id"]


async def test_sec6_opening_needs_no_key_and_shows_a_page_that_is_not_cached(sim, caller, http):
    [authorization] = sim.create()
    grant = (await caller.mint(authorization, await caller.open(authorization))).json()
    page = await http.get(grant["url"], headers={"authorization": "", "accept": "text/html"})
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "Submit to the payer" in page.text


async def test_sec6_an_action_in_the_session_is_payer_truth_only_after_reconciliation(sim, caller, http, effects):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    grant = (await caller.mint(authorization, handoff)).json()
    done = await http.post(grant["url"], data={"did": "submitted"}, headers={"accept": "application/json"})
    assert done.json()["did"] == "submitted"
    read = await caller.read(authorization)
    assert (read["status"], read["submission"]["payerReceipt"]) == ("requires_action", None)
    await caller.complete(authorization, handoff)
    sim.advance(5)
    read = await caller.read(authorization)
    assert read["status"] == "waiting_on_payer"
    assert read["submission"]["payerReceipt"]["referenceNumber"]
    assert effects("portal_worked", by="human") == 1


async def test_sec6_opening_failures_have_their_codes(sim, caller, http, code):
    expired, revoked, lost = sim.create(count=3)
    grants = [(await caller.mint(one, await caller.open(one))).json() for one in (expired, revoked, lost)]
    sim.act(revoked, "revoke", reason="wrong person")
    sim.act(lost, "lose_session")
    as_json = {"accept": "application/json"}
    assert code(await http.get(grants[1]["url"], headers=as_json), 404) == "access_grant_revoked"
    assert code(await http.get(grants[2]["url"], headers=as_json), 404) == "channel_session_lost"
    sim.advance(300)
    assert code(await http.get(grants[0]["url"], headers=as_json), 404) == "access_grant_expired"
    page = await http.get(grants[0]["url"], headers={"accept": "text/html"})
    assert (page.status_code, "expired" in page.text) == (404, True)
    assert (await http.post(grants[0]["url"], data={"did": "submitted"})).status_code == 404

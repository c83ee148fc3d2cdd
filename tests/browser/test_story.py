"""The story of `make demo` by clicks; without JavaScript; by keyboard alone. Then a scan for the link and for PHI."""

import asyncio
import re

import pytest
from playwright.async_api import expect

from tests.browser.person import focus_by_tab, open_row

REFERENCE, NOTES = "REF-7731-PHI", "Patient asked for a call back (PHI)"
# A value of the review snapshot.
SNAPSHOT = "MRI brain without contrast"
NO_ACCESS = {"message": "The portal asks for the one-time code.", "accessAvailable": False}
LINK = re.compile(r"/grants?/|rag_[0-9a-f]{8}")


async def to_authorization(page, authorization):
    """Find the authorization in the work list and open its workbench."""
    row = page.get_by_role("row").filter(has_text=authorization)
    await open_row(page, row)
    await row.get_by_role("link", name=authorization).click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text(authorization)


async def get_into_session(page):
    """Press the button that leads into the session and return the new tab."""
    async with page.context.expect_page() as opened:
        await page.get_by_role("button", name=re.compile("into the session")).click()
    portal = await opened.value
    await portal.wait_for_load_state()
    return portal


async def submit_in(portal, name="Submit to the payer"):
    await portal.get_by_role("button", name=name).click()
    await expect(portal.locator(".done")).to_be_visible()


async def report_submitted(page):
    await page.get_by_label("I submitted it").check()
    await page.get_by_label("Reference number of the payer").fill(REFERENCE)
    await page.get_by_label("Notes for Collate").fill(NOTES)
    await page.get_by_role("button", name="Report and end the handoff").click()


async def load_until(page, text, within=20):
    """Load the page again until it has a text: what a person without JavaScript does."""
    for _ in range(within * 2):
        if await page.get_by_text(text).count():
            return
        await page.wait_for_timeout(500)
        await page.reload()
    pytest.fail(f"{page.url} does not say {text!r} after {within} s")


async def test_the_whole_story_by_clicks_leaves_no_link_and_no_phi(gateway, sign_in):
    authorization = gateway.create("story", reviewBacked=True, handoffOverlay=NO_ACCESS)
    jo = await sign_in("jo.miller")
    page = await jo.visit("/work")
    await to_authorization(page, authorization)
    await expect(page.get_by_text(SNAPSHOT)).to_be_visible()
    await page.get_by_label("I have read this snapshot and accept it").check()
    await page.get_by_role("button", name="and open the handoff").click()
    await expect(page.get_by_text("Collate offers no session yet")).to_be_visible()
    # The page notices by itself that Collate offers access.
    gateway.simulate(f"authorizations/{authorization}/act", {"do": "overlay", "handoff": {}})
    await expect(page.get_by_role("button", name="Get into the session")).to_be_visible()
    portal = await get_into_session(page)
    link = portal.url
    assert link.startswith(gateway.collate_url)
    assert await portal.evaluate("document.referrer") == ""
    assert await portal.evaluate("window.opener") is None
    await submit_in(portal)
    await portal.close()
    await report_submitted(page)
    await expect(page.get_by_text("truth agrees with the report")).to_be_visible()
    gateway.simulate(f"authorizations/{authorization}/act", {"do": "payer", "truth": "approved"})
    gateway.watch(authorization)
    await expect(page.get_by_text("Done: the authorization is completed, approved")).to_be_visible()
    await jo.go(page, f"/authorizations/{authorization}")
    for told in ("jo.miller received access", "Handoff .* is closed", "agrees with the payer's truth"):
        await expect(page.get_by_text(re.compile(told)).first).to_be_visible()
    await jo.settle()
    assert any(SNAPSHOT in text for text in jo.texts.values()), "the scan sees what the pages showed"
    secret = link.rpartition("/")[2]
    assert len(secret) > 10
    found = {address for address, text in jo.texts.items() if secret in text or LINK.search(text)}
    assert found == set(), "pages, fragments and scripts have no link"
    assert [cookie for cookie in await jo.context.cookies() if secret in str(cookie)] == []
    for name, text in gateway.logs().items():
        if name != "collate.log":
            for value in (secret, REFERENCE, NOTES, SNAPSHOT):
                assert value not in text, f"{name} has {value}"
    after_report = {address for address, text in jo.texts.items() if REFERENCE in text or NOTES in text}
    assert after_report == set(), "no page shows the reference or the notes again"
    assert secret not in await page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
    history = await (await jo.context.new_cdp_session(page)).send("Page.getNavigationHistory")
    visited = [entry["url"] for entry in history["entries"]]
    assert len(visited) > 3
    assert [url for url in visited if secret in url or LINK.search(url)] == [], (
        "no link in the history of the console's tab"
    )


async def test_the_story_without_javascript(gateway, sign_in):
    authorization = gateway.create("plain", reviewBacked=True)
    jo = await sign_in("jo.miller", java_script_enabled=False)
    page = await jo.visit("/work")
    await load_until(page, authorization)
    await to_authorization(page, authorization)
    # The browser's own check of the form stands before ours.
    await page.get_by_label("I have read this snapshot and accept it").check()
    await page.get_by_role("button", name="and open the handoff").click()
    await load_until(page, "get into the session, then report")
    portal = await get_into_session(page)
    await submit_in(portal)
    await portal.close()
    await page.reload()
    await report_submitted(page)
    await load_until(page, "truth agrees with the report")


async def test_the_story_by_keyboard_alone(gateway, sign_in):
    authorization = gateway.create("keys", reviewBacked=True)
    jo = await sign_in("jo.miller")
    page = await jo.visit("/developers")
    await page.keyboard.press("g")
    await page.keyboard.press("w")
    await page.wait_for_url("**/work")
    await open_row(page, page.get_by_role("row").filter(has_text=authorization))
    await focus_by_tab(page, authorization)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text(authorization)
    await focus_by_tab(page, "I have read this snapshot")
    await page.keyboard.press("Space")
    await focus_by_tab(page, "and open the handoff")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Get into the session")).to_be_visible()
    await focus_by_tab(page, "Get into the session")
    async with page.context.expect_page() as opened:
        await page.keyboard.press("Enter")
    portal = await opened.value
    await focus_by_tab(portal, "Submit to the payer")
    await portal.keyboard.press("Enter")
    await expect(portal.locator(".done")).to_be_visible()
    await portal.close()
    await focus_by_tab(page, "I submitted it")
    await page.keyboard.press("Space")
    await focus_by_tab(page, "Report and end the handoff")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("truth agrees with the report")).to_be_visible()


async def test_two_people_and_one_authorization(gateway, sign_in, eventually):
    authorization = gateway.create("two")
    jo, sam = await sign_in("jo.miller"), await sign_in("sam.ng")
    hers = await jo.visit(f"/authorizations/{authorization}/work")
    await hers.get_by_role("button", name="Open the handoff").click()
    await expect(hers.get_by_role("button", name="Get into the session")).to_be_visible()
    # Her focus stays on the button: nothing that she could press moves under it.
    await (await get_into_session(hers)).close()
    mine = await jo.visit("/work?tab=mine")
    await open_row(mine, mine.get_by_role("row").filter(has_text=authorization))
    his = await sam.visit("/work?tab=open")
    row = his.get_by_role("row").filter(has_text=authorization)
    await open_row(his, row)
    await expect(row).to_contain_text("jo.miller")
    await row.get_by_role("link", name=authorization).click()
    await expect(his.get_by_text("jo.miller has this handoff in hand")).to_be_visible()
    async with sam.context.expect_page() as opened:
        await his.get_by_role("button", name="Take over from jo.miller").click()
    portal = await opened.value
    assert portal.url.startswith(gateway.collate_url)
    await eventually(lambda: "sam.ng" in gateway.call("GET", f"/v1/authorizations/{authorization}").text)
    await expect(hers.get_by_text("sam.ng has this handoff in hand")).to_be_visible(timeout=2_000)
    await expect(hers.get_by_label("I submitted it")).to_be_hidden()
    await expect(hers.get_by_text("Report in place of another person")).to_be_visible()
    # She is not led in by mistake: her button says what it does now.
    await hers.get_by_role("heading", level=1).click()
    await expect(hers.get_by_role("button", name="Take over from sam.ng")).to_be_visible()
    # She ends his handoff only if she says so.
    await jo.go(hers, f"/authorizations/{authorization}/work")
    await expect(hers.get_by_label("I submitted it")).to_be_hidden()
    await hers.get_by_text("Report in place of sam.ng").click()
    await report_submitted(hers)
    await expect(hers.get_by_text("Your report was accepted at")).to_be_visible()


async def test_a_reason_chooses_its_result_and_another_result_clears_it(gateway, sign_in):
    authorization = gateway.create("pairs")
    jo = await sign_in("jo.miller")
    page = await jo.visit(f"/authorizations/{authorization}/work")
    await page.get_by_role("button", name="Open the handoff").click()
    submitted, unable = page.get_by_label("I submitted it"), page.get_by_label("It could not be completed, because")
    reason, why = page.get_by_label("Why it could not be completed"), page.get_by_label("Why the handoff is withdrawn")
    await submitted.check()
    await reason.select_option("channel_outage")
    await expect(unable).to_be_checked()
    await why.fill("Wrong case.")
    await expect(page.get_by_label("Withdraw the handoff")).to_be_checked()
    await expect(reason).to_have_value("")
    await submitted.check()
    await expect(why).to_have_value("")
    # A reference has no place in a report of a handoff that was not completed: nothing typed is dropped.
    await reason.select_option("channel_outage")
    await page.get_by_label("Reference number of the payer").fill("R-1")
    await page.get_by_role("button", name="Report and end the handoff").click()
    await expect(page.get_by_text("has no reference number. Nothing was sent")).to_be_visible()
    await expect(page.get_by_label("Reference number of the payer")).to_have_value("R-1")
    await expect(reason).to_have_value("channel_outage")
    await expect(unable).to_be_checked()
    jo.complaints = [one for one in jo.complaints if " 422 " not in one]


@pytest.mark.parametrize("by", ["sam.ng", "Collate"])
async def test_who_focuses_the_state_is_told_at_once_that_another_ended_the_handoff(gateway, sign_in, by):
    authorization = gateway.create("ended")
    jo, sam = await sign_in("jo.miller"), await sign_in("sam.ng")
    hers = await jo.visit(f"/authorizations/{authorization}/work")
    await hers.get_by_role("button", name="Open the handoff").click()
    await hers.get_by_label("Notes for Collate").fill(NOTES)
    await (await get_into_session(hers)).close()
    # Her focus stays on the button.
    if by == "sam.ng":
        his = await sam.visit(f"/authorizations/{authorization}/work")
        await his.get_by_text("Report in place of jo.miller").click()
        await report_submitted(his)
        told = "sam.ng ended the handoff: submitted"
    else:
        gateway.simulate(f"authorizations/{authorization}/act", {"do": "expire"})
        told = "Collate ended the handoff: expired"
    await expect(hers.get_by_text(told)).to_be_visible(timeout=20_000)
    await expect(hers.get_by_text("Do the work at the payer")).to_have_count(0)
    await expect(hers.get_by_label("Notes for Collate")).to_have_value(NOTES)


async def test_a_workbench_that_nobody_watches_shows_the_step_once_it_is_watched(gateway, sign_in):
    authorization = gateway.create("unwatched", watched=False)
    jo = await sign_in("jo.miller")
    page = await jo.visit(f"/authorizations/{authorization}/work")
    await expect(page.get_by_text("The gateway does not watch this authorization yet")).to_be_visible()
    gateway.watch(authorization)
    await expect(page.get_by_role("button", name="Open the handoff")).to_be_visible(timeout=15_000)


MESSAGE = "Use the group login; call 555-0100 for the code (PHI)."


async def test_collates_message_is_shown_after_a_click_at_once(gateway, sign_in):
    authorization = gateway.create("told", handoffOverlay={"message": MESSAGE})
    jo = await sign_in("jo.miller")
    page = await jo.visit(f"/authorizations/{authorization}/work")
    # The read of before the opening is shared for 5 s.
    await page.get_by_role("button", name="Open the handoff").click()
    await expect(page.get_by_role("button", name="Get into the session")).to_be_visible()
    await expect(page.get_by_text(MESSAGE)).to_be_visible(timeout=2_000)


async def test_a_message_that_comes_with_later_access_is_one_click_away(gateway, sign_in):
    authorization = gateway.create("later", handoffOverlay={"accessAvailable": False})
    jo = await sign_in("jo.miller")
    page = await jo.visit(f"/authorizations/{authorization}/work")
    await page.get_by_role("button", name="Open the handoff").click()
    await expect(page.get_by_text("Collate offers no session yet")).to_be_visible()
    await page.get_by_label("Notes for Collate").fill(NOTES)
    gateway.simulate(f"authorizations/{authorization}/act", {"do": "overlay", "handoff": {"message": MESSAGE}})
    await expect(page.get_by_role("button", name="Get into the session")).to_be_visible()
    assert await page.get_by_text(MESSAGE).count() == 0, "a read of it needs a click"
    await page.get_by_role("button", name=re.compile("Read Collate.s message")).click(timeout=2_000)
    await expect(page.get_by_text(MESSAGE)).to_be_visible()
    await expect(page.get_by_label("Notes for Collate")).to_have_value(NOTES)


async def test_a_double_click_is_one_command(gateway, sign_in):
    authorization = gateway.create("double")
    jo = await sign_in("jo.miller")
    page = await jo.visit(f"/authorizations/{authorization}/work")
    await page.get_by_role("button", name="Open the handoff").dblclick()
    await expect(page.get_by_role("button", name="Get into the session")).to_be_visible()
    # Back, and the same form again.
    await page.go_back()
    if await page.get_by_role("button", name="Open the handoff").count():
        await page.get_by_role("button", name="Open the handoff").click()
    await asyncio.sleep(1)
    commands = gateway.call("GET", f"/v1/commands?authorizationId={authorization}").json()["commands"]
    assert [one["type"] for one in commands].count("collate-gateway.handoff.request.v1") == 1


async def test_a_reviewed_snapshot_that_changed_is_refused_and_the_new_one_shown(gateway, sign_in):
    authorization = gateway.create("stale", reviewBacked=True)
    jo = await sign_in("jo.miller")
    page = await jo.visit(f"/authorizations/{authorization}/work")
    button = page.get_by_role("button", name="and open the handoff")
    before = await button.inner_text()
    await page.get_by_label("I have read this snapshot and accept it").check()
    gateway.simulate(f"authorizations/{authorization}/act", {"do": "edit", "freshSnapshot": True})
    await button.click()
    await expect(page.get_by_text("the snapshot changed after you read it")).to_be_visible()
    assert await button.inner_text() != before
    assert not await page.get_by_label("I have read this snapshot and accept it").is_checked()

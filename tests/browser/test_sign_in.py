"""People sign in by clicks, in a browser that keeps no secret that a script could read."""

from playwright.async_api import expect

from tests.browser.person import NARROW, axe_violations, overflow, sign_in_at_issuer


async def test_a_person_signs_in_at_the_issuer_and_comes_back_to_the_page(gateway, sign_in):
    jo = await sign_in(None)
    page = await jo.visit("/developers?from=a-bookmark")
    assert await axe_violations(page) == []
    await sign_in_at_issuer(page, "jo.miller")
    assert page.url == f"{gateway.url}/developers?from=a-bookmark"
    cookies = await jo.context.cookies(gateway.url)
    assert cookies
    for cookie in cookies:
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Lax"
        assert cookie["value"].count(".") == 4, "an encrypted token"
    assert await page.evaluate("document.cookie") == ""


async def test_signing_out_ends_the_session_in_every_tab(gateway, sign_in):
    jo = await sign_in(None)
    page = await jo.visit("/developers")
    await sign_in_at_issuer(page, "jo.miller")
    other = await jo.visit("/developers")
    await page.get_by_role("group").get_by_text("jo.miller").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    assert await axe_violations(page) == []
    await other.reload()
    await expect(other.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert await jo.context.cookies(gateway.url) == []


async def test_the_sign_in_fits_a_narrow_window_and_works_without_javascript(sign_in):
    jo = await sign_in(None, java_script_enabled=False, viewport=NARROW)
    page = await jo.visit("/")
    assert await overflow(page) <= 0
    await sign_in_at_issuer(page, "jo.miller")


async def test_a_form_whose_session_has_ended_keeps_what_was_typed(gateway, sign_in, eventually):
    authorization = gateway.create("kept")
    jo = await sign_in(None)
    page = await jo.visit(f"/authorizations/{authorization}/work")
    await sign_in_at_issuer(page, "jo.miller")
    await page.get_by_role("button", name="Open the handoff").click()
    await page.get_by_role("radio", name="It could not be completed").check()
    await page.get_by_label("Why it could not be completed").select_option("channel_outage")
    await page.get_by_label("Notes for Collate").fill("the portal says maintenance")
    await jo.context.clear_cookies()
    await page.get_by_role("button", name="Report and end the handoff").click()
    await expect(page.get_by_text("keeps what you typed")).to_be_visible()
    assert await axe_violations(page) == []
    async with jo.context.expect_page() as opened:
        await page.get_by_role("link", name="Sign in again").click()
    other = await opened.value
    await sign_in_at_issuer(other, "jo.miller")
    await other.close()
    await page.get_by_role("button", name="Send the form").click()
    await expect(page.get_by_text("The report is sent").or_(page.get_by_text("truth is not known yet"))).to_be_visible()
    # The page shows the report before the timeline does. The reason was kept.
    await eventually(lambda: "channel_outage" in str(gateway.timeline(authorization)))
    # The browser reports the 401 that led to the kept form.
    jo.complaints = [one for one in jo.complaints if "401" not in one]

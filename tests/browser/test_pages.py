"""Every page: no violation of axe, light and dark; 320 px wide; printed; without JavaScript; no console message."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.installed import PEOPLE_OF_TESTS
from tests.browser.person import NARROW, axe_violations, overflow, person_at, violations_by_scheme


@pytest.fixture(scope="module")
def subjects(gateway):
    """One authorization in each state, a command and a dead letter."""
    waiting, dead = gateway.create("waiting", reviewBacked=True), gateway.create("dead")
    with gateway.refusing():
        letter = gateway.command(f"/v1/authorizations/{dead}/handoffs", status="dead_lettered")
    opened = gateway.create("opened")
    command = gateway.command(f"/v1/authorizations/{opened}/handoffs")
    return {"waiting": waiting, "opened": opened, "command": command, "letter": letter}


PAGES = [
    "/",
    "/work",
    "/work?tab=mine",
    "/work?tab=open",
    "/work?tab=closed",
    "/work?tab=contradicted",
    "/authorizations/{waiting}",
    "/authorizations/{opened}",
    "/authorizations/auth_of_nobody",
    "/authorizations/{waiting}/work",
    "/authorizations/{opened}/work",
    "/authorizations/auth_of_nobody/work",
    "/commands/{command}",
    "/commands?status=dead_lettered",
    "/dead-letters",
    "/dead-letters/{letter}",
    "/dead-letters/all",
    "/developers",
    "/search?q={waiting}",
    "/search?q=case%3Dnothing",
    "/no-such-page",
]
MISSING = {"/authorizations/auth_of_nobody": (200, 404), "/commands/nothing": (404,), "/no-such-page": (404,)}
# The browser itself reports a page that is not found.
NOT_FOUND = re.compile(r"error: Failed to load resource: .* 404 ")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ada(browser, gateway):
    """A person with one tab for all pages: another takes 0.4 s of processor time."""
    token = gateway.issuer.token("ada.all", PEOPLE_OF_TESTS["ada.all"])
    async with person_at(browser, gateway.url, token=token) as ada:
        await ada.context.new_page()
        yield ada


@pytest.mark.parametrize("address", PAGES)
async def test_a_page_is_accessible_in_every_form(gateway, ada, subjects, address):
    (page,) = ada.context.pages
    ada.complaints.clear()
    await page.set_viewport_size({"width": 1280, "height": 800})
    await page.emulate_media(media="screen")
    response = await page.goto(gateway.url + address.format(**subjects))
    assert response.status in MISSING.get(address, (200,))
    await expect(page.get_by_role("heading", level=1)).to_have_count(1)
    assert re.search(r"\S+ · Handoff gateway", await page.title())
    assert await violations_by_scheme(page) == {"light": [], "dark": []}
    assert await overflow(page) <= 0
    await page.set_viewport_size(NARROW)
    assert await overflow(page) <= 0, "at 320 px nothing is wider than the window"
    await page.set_viewport_size({"width": 794, "height": 1123})
    await page.emulate_media(media="print", color_scheme="dark")
    await expect(page.get_by_role("navigation", name="Pages")).not_to_be_visible()
    assert await overflow(page) <= 0
    background, colour = await page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert luminance(background) > luminance(colour), "paper is white, also for a person who prefers dark"
    ada.complaints = [one for one in ada.complaints if not NOT_FOUND.match(one)]
    assert ada.complaints == []


def luminance(colour):
    """Return the sum of a CSS colour's channels; a transparent background is the paper."""
    numbers = [float(one) for one in re.findall(r"[\d.]+", colour)]
    return 3 * 255 if len(numbers) == 4 and numbers[3] == 0 else sum(numbers[:3])


WITHOUT_SCRIPT = [
    "/",
    "/work",
    "/authorizations/{opened}",
    "/dead-letters",
    "/developers",
]


@pytest.mark.parametrize(("with_script", "shown"), [(True, "local"), (False, "utc")])
async def test_times_are_of_the_browser_with_utc_on_hover_and_in_print(sign_in, subjects, with_script, shown):
    ada = await sign_in("ada.all", java_script_enabled=with_script, timezone_id="Asia/Kolkata")
    page = await ada.visit(f"/authorizations/{subjects['opened']}")
    time = page.locator('time[data-when=""]').first
    utc = datetime.fromisoformat(await time.get_attribute("datetime"))
    clocks = {"utc": f"{utc:%H:%M:%S}", "local": f"{utc.astimezone(ZoneInfo('Asia/Kolkata')):%H:%M:%S}"}
    await expect(time).to_contain_text(clocks[shown])
    await expect(time).to_have_attribute("title", f"{utc:%Y-%m-%d %H:%M:%S} UTC")
    await page.emulate_media(media="print")
    await expect(time).to_contain_text(clocks["utc"])
    await page.emulate_media(media="screen")
    await expect(time).to_contain_text(clocks[shown])


@pytest.mark.parametrize("address", WITHOUT_SCRIPT)
async def test_a_page_without_javascript_shows_its_content_and_no_dead_control(gateway, sign_in, subjects, address):
    ada = await sign_in("ada.all", java_script_enabled=False)
    page = await ada.visit(address.format(**subjects))
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.get_by_role("main")).not_to_be_empty()
    for control in await page.locator("[data-needs-script], [data-held-show], .skeleton").all():
        await expect(control).not_to_be_visible()


async def test_what_a_person_may_not_do_is_disabled_with_a_sentence(sign_in, subjects):
    kim = await sign_in("kim.ops")
    page = await kim.visit(f"/authorizations/{subjects['opened']}/work")
    await expect(page.get_by_role("button", name="Get into the session")).to_be_disabled()
    await expect(page.get_by_text("You may not enter sessions.").first).to_be_visible()
    jo = await sign_in("jo.miller")
    page = await jo.visit("/dead-letters", status=403)
    await expect(page.get_by_role("main").get_by_text("You may not decide as an operator.")).to_be_visible()
    await expect(page.get_by_role("row")).to_have_count(0)
    # The browser reports the status.
    jo.complaints = [one for one in jo.complaints if " 403 " not in one]


async def test_the_keys_move_between_pages_and_can_be_switched_off(sign_in):
    ada = await sign_in("ada.all")
    page = await ada.visit("/")
    for key, path in (("w", "/work"), ("d", "/dead-letters"), ("v", "/developers"), ("o", "/")):
        await page.keyboard.press("g")
        await page.keyboard.press(key)
        await page.wait_for_url(f"**{path}")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert await axe_violations(page) == []
    await page.get_by_label("Use these keys").uncheck()
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keys")).not_to_be_visible()


async def test_the_seventh_tab_works_because_hidden_tabs_hold_no_stream(gateway, sign_in, subjects):
    ada = await sign_in("ada.all")
    for _ in range(6):
        page = await ada.visit(f"/authorizations/{subjects['opened']}")
        await expect(page.locator("#live")).to_be_attached()
        # Playwright keeps every tab visible, so the test says that this one is not.
        await page.evaluate(
            """() => {
              Object.defineProperty(document, "hidden", {get: () => true});
              Object.defineProperty(document, "visibilityState", {get: () => "hidden"});
              document.dispatchEvent(new Event("visibilitychange"));
            }"""
        )
    seventh = await ada.context.new_page()
    await seventh.goto(f"{gateway.url}/work")
    await expect(seventh.get_by_role("row").nth(1)).to_be_visible()

"""The four states of a page: loading, empty, error and stale; then many rows, long ids and a wrong clock."""

import asyncio
import re
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from playwright.async_api import expect

from gateway.console.updates import FRESH_SECONDS
from tests.browser.person import NARROW, axe_violations, overflow, person_at, violations_by_scheme
from tests.browser.scripted import scripted_console
from tests.unit.console.answers import (
    LONG_ID,
    ago,
    away,
    closed,
    item,
    overview,
    overview_in_trouble,
    problem,
    record_in_hand,
    scripted,
    timeline,
    unavailable,
    work,
)
from tests.unit.console.app import NOW

BUSY = {
    "/v1/overview": overview_in_trouble(),
    "/v1/authorizations": work(),
    "/v1/handoffs": closed(),
    "/v1/authorizations/auth_7Q2M": record_in_hand(),
    "/v1/authorizations/auth_7Q2M/timeline": timeline(),
}
EMPTY = {
    "/v1/authorizations": {"authorizations": []},
    "/v1/handoffs": {"handoffs": []},
    "/v1/dead-letters": {"deadLetters": []},
}
ROWS = 50
# The opacity of an element with that of all its ancestors.
CONTRAST = """element => {
  let opacity = 1
  for (let one = element; one; one = one.parentElement) opacity *= Number(getComputedStyle(one).opacity)
  return opacity
}"""


def no_read_model(request):
    if request.url.path == "/v1/me":
        return unavailable(request)
    return problem(404, "no-read-model", "No read model", "This installation has no read model.")


def rows(first, count):
    return {
        "authorizations": [item(f"auth_{n:05}", coversReviewSnapshotId="rev_90") for n in range(first, first + count)],
        "next": "more",
    }


@pytest.fixture
def visit(browser):
    """`async with visit(answers) as (console, jo):` a person at a console over these answers."""

    @asynccontextmanager
    async def at(answers, **options):
        async with (
            scripted_console(answers) as console,
            person_at(browser, console.url, token="scripted", **options) as jo,
        ):
            yield console, jo

    return at


async def assert_accessible(page):
    assert await violations_by_scheme(page) == {"light": [], "dark": []}
    await page.set_viewport_size(NARROW)
    assert await overflow(page) <= 0


@pytest.mark.parametrize("path", ["/", "/work", "/work?tab=closed", "/authorizations/auth_7Q2M"])
async def test_a_busy_page_is_accessible_and_wraps_long_ids(visit, path):
    async with visit(scripted(BUSY)) as (_, jo):
        await assert_accessible(await jo.visit(path))


@pytest.mark.parametrize("path", ["/", "/work"])
async def test_an_empty_page_says_why_and_is_accessible(visit, path):
    async with visit(scripted(EMPTY)) as (_, jo):
        page = await jo.visit(path)
        await expect(page.get_by_role("row")).to_have_count(0)
        await assert_accessible(page)


@pytest.mark.parametrize(
    ("path", "answers", "says"),
    [
        ("/", unavailable, "The gateway's lists are not available now"),
        ("/work", away, "The gateway does not answer"),
        ("/authorizations/auth_7Q2M", no_read_model, "This installation has no lists and no timelines"),
    ],
)
async def test_an_error_has_its_title_and_a_way_to_try_again(visit, path, answers, says):
    async with visit(answers) as (_, jo):
        page = await jo.context.new_page()
        await page.goto(jo.url + path)
        await expect(page.get_by_role("alert")).to_contain_text(says)
        await expect(page.get_by_role("link", name="Try again")).to_be_visible()
        await assert_accessible(page)
        jo.complaints = [one for one in jo.complaints if "Failed to load resource" not in one]


async def test_the_last_content_stays_while_the_gateway_does_not_answer_and_comes_back(visit):
    async with visit(scripted(BUSY)) as (console, jo):
        page = await jo.visit("/work")
        row = page.get_by_role("row").filter(has_text="auth_7Q2M0002")
        await expect(row).to_be_visible()
        # The console itself is away: a laptop without network.
        await jo.context.set_offline(True)
        part = page.locator("#work")
        await expect(part).to_have_attribute("data-state", "stale")
        await expect(part).to_contain_text("The gateway is not reached")
        await expect(row).to_be_visible()
        await jo.context.set_offline(False)
        await expect(part).not_to_have_attribute("data-state", "stale")
        jo.complaints = [one for one in jo.complaints if "INTERNET_DISCONNECTED" not in one]
        # The API is away.
        console.answers = away
        await expect(part).to_contain_text("The gateway does not answer")
        await expect(row).to_be_visible()
        await expect(part).to_contain_text(re.compile(r"This is of \d\d:\d\d:\d\d"))
        assert await row.evaluate(CONTRAST) == 1, "the old content has its full contrast"
        console.answers = scripted(BUSY)
        await expect(part).not_to_contain_text("The gateway does not answer")
        jo.complaints = [one for one in jo.complaints if "Failed to load resource" not in one]


CASE = {"metadata": {"case": "case-0042", "team": "Cardiology"}, "dueAt": ago(hours=2), "payerId": "payer_example"}
# The words of a table that are written on two lines; a name may break behind its hyphen.
BROKEN = """() => {
  const broken = [], walk = document.createTreeWalker(document.querySelector("table.stack"), NodeFilter.SHOW_TEXT)
  for (let node = walk.nextNode(); node; node = walk.nextNode()) for (const word of node.data.matchAll(/[^\\s-]+/g)) {
    const range = document.createRange()
    range.setStart(node, word.index)
    range.setEnd(node, word.index + word[0].length)
    if (new Set([...range.getClientRects()].map((one) => Math.round(one.top))).size > 1) broken.push(word[0])
  }
  return broken
}"""


async def test_no_column_breaks_at_1024_px_and_the_head_of_a_phone_is_low(browser):
    listed = {"authorizations": [one | CASE for one in work()["authorizations"]]}
    columns = "case=Case number,team=Team"
    async with (
        scripted_console(scripted(BUSY | {"/v1/authorizations": listed}), case_columns=columns) as console,
        person_at(browser, console.url, token="scripted", viewport={"width": 1024, "height": 768}) as jo,
    ):
        page = await jo.visit("/work")
        await expect(page.get_by_role("columnheader", name="Case number")).to_be_visible()
        assert await page.evaluate(BROKEN) == []
        assert await overflow(page) <= 0
        await page.set_viewport_size({"width": 390, "height": 844})
        assert (await page.locator("header.top").bounding_box())["height"] <= 96
        assert await overflow(page) <= 0


async def test_a_hidden_list_asks_once_a_minute_and_shows_that_it_grew(visit):
    numbers = overview()
    async with visit(scripted(BUSY | {"/v1/overview": lambda _: httpx.Response(200, json=numbers)})) as (_, jo):
        page = await jo.context.new_page()
        await page.clock.install()
        await jo.go(page, "/work")
        icon = await page.locator("link[rel=icon]").get_attribute("href")
        await page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true, configurable: true})")
        numbers["work"] |= {"person": 13}
        await asyncio.sleep(FRESH_SECONDS)
        await page.clock.run_for(50_000)
        assert (await page.title()).startswith("(12) Work")
        await page.clock.run_for(30_000)
        await expect(page).to_have_title(re.compile(r"^\(13\) Work"))
        assert await page.locator("link[rel=icon]").get_attribute("href") != icon


async def test_a_slow_answer_keeps_what_is_shown_and_a_slow_page_shows_a_bar(visit):
    async with visit(scripted(BUSY)) as (_, jo):
        page = await jo.visit("/work")
        part, row = page.locator("#work"), page.get_by_role("row").filter(has_text="auth_7Q2M0002")
        answer = asyncio.Event()

        async def hold(route):
            await answer.wait()
            await route.continue_()

        await page.route("**/work*", hold)
        await expect(part).to_have_attribute("aria-busy", "true")
        await expect(row).to_be_visible()
        assert await row.evaluate(CONTRAST) == 1
        # Playwright reads nothing from a page that is being left, so the page remembers.
        await page.evaluate(
            """() => new MutationObserver(() => { sessionStorage.shown = document.documentElement.className })
                .observe(document.documentElement, {attributes: true})"""
        )
        await page.get_by_role("link", name="Closed today").click(no_wait_after=True)
        await asyncio.sleep(1)
        answer.set()
        await page.wait_for_url("**/work?tab=closed")
        assert await page.evaluate("sessionStorage.shown") == "loading"
        await expect(part).not_to_have_attribute("aria-busy", "true")


@pytest.mark.parametrize(
    ("projector", "says"),
    [
        ({"at": ago(seconds=1), "behind": 31_000}, "This page is late"),
        ({"at": ago(minutes=14), "behind": 12}, "This page may be old"),
    ],
)
async def test_a_page_of_an_old_read_model_says_how_old_it_is(visit, projector, says):
    async with visit(scripted(BUSY | {"/v1/overview": overview(projector=projector)})) as (_, jo):
        page = await jo.visit("/work")
        await expect(page.get_by_text(says)).to_be_visible()
        await assert_accessible(page)


async def test_a_thousand_rows_come_fifty_a_page_and_new_ones_wait_under_the_pointer(visit):
    async with visit(scripted({"/v1/authorizations": rows(0, ROWS)})) as (console, jo):
        page = await jo.visit("/work")
        await expect(page.get_by_role("row")).to_have_count(ROWS + 1)
        await expect(
            page.get_by_role("link", name=re.compile("More|Next|Older|Further", re.IGNORECASE))
        ).to_be_visible()
        assert len(await page.content()) <= 150_000
        third = page.get_by_role("row").filter(has_text="auth_00002")
        await third.hover()
        before = await third.bounding_box()
        fresh = rows(0, ROWS)
        fresh["authorizations"][:0] = rows(90_000, 3)["authorizations"]
        console.answers = scripted({"/v1/authorizations": fresh})
        more = page.get_by_role("button", name="3 more")
        await expect(more).to_be_visible()
        after = await third.bounding_box()
        assert after["y"] - before["y"] < 60, "only the line above the list has changed"
        await more.click()
        await expect(page.get_by_role("row").nth(1)).to_contain_text("auth_90000")
        assert await overflow(page) <= 0


async def test_a_wrong_clock_of_the_browser_changes_no_age(visit):
    async with visit(scripted(BUSY)) as (_, jo):
        page = await jo.context.new_page()
        await page.clock.set_system_time(NOW + timedelta(hours=9))
        await page.goto(f"{jo.url}/work")
        row = page.get_by_role("row").filter(has_text=LONG_ID)
        await expect(row).to_contain_text("5 h")
        await expect(page.get_by_role("row").filter(has_text="auth_7Q2M0001")).to_contain_text(
            re.compile(r"5\d s left")
        )


async def test_forced_colours_keep_every_state_readable(visit):
    async with visit(scripted(BUSY), forced_colors="active") as (_, jo):
        page = await jo.visit("/work")
        await expect(page.locator(".badge", has_text="at risk")).to_be_visible()
        assert await axe_violations(page) == []


async def test_an_idle_tab_asks_once_in_five_seconds_and_a_hidden_one_never(visit):
    seen = []

    def counted(request):
        if request.url.path == "/v1/authorizations":
            seen.append(request)
        return scripted(BUSY)(request)

    async with visit(counted) as (_, jo):
        page = await jo.context.new_page()
        await page.clock.install()
        await jo.go(page, "/work")
        seen.clear()
        await pass_seconds(page, 11)
        assert 1 <= len(seen) <= 2
        await page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true})")
        seen.clear()
        await pass_seconds(page, 11)
        assert seen == []


async def pass_seconds(page, seconds):
    """Let the page's clock run, second by second, so that each request can end."""
    for _ in range(seconds):
        await page.clock.run_for(1_000)
        await page.wait_for_load_state("networkidle")

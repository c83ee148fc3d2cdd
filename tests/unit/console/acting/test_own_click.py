"""Pages that put a read of a patient's data on record open only by a click of the person."""

import pytest

from tests.unit.console.acting.test_workbench_pages import ACTIVE, HERE, RECORD, ScriptedApi
from tests.unit.console.app import STAFF, browser, console_app, me

COMMAND = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"
PERMISSIONS = (*STAFF, "authorization:evidence", "operate")
PAGES = {
    HERE: "/review-snapshot",
    f"{HERE}/evidence": "/payer-evidence",
    f"/dead-letters/{COMMAND}/reveal": "/original",
}


async def open_page(path, site, **answers):
    api = ScriptedApi(**{"GET /me": lambda request: me(request, PERMISSIONS)} | answers)
    async with browser(console_app(api)) as client:
        del client.headers["sec-fetch-site"]
        response = await client.get(path, headers={} if site is None else {"sec-fetch-site": site})
    # The workbench reads the state of the handoff without the message: that is no patient's data.
    return response, [read for read in api.sent(PAGES[path]) if b"message" not in read.url.query]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("site", ["cross-site", "same-site", None])
async def test_the_page_asks_first_if_another_site_led_to_it(path, site):
    page, reads = await open_page(path, site)
    assert (page.status_code, reads) == (403, [])
    assert f'href="{path}"' in page.text


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_a_click_on_the_console_or_an_address_that_was_typed_opens_it(path, site):
    page, reads = await open_page(path, site)
    assert page.status_code != 403
    assert len(reads) == 1


async def test_a_workbench_asks_first_only_if_it_reads_a_patients_data():
    message, _ = await open_page(HERE, "cross-site", **{"GET /auth_1": RECORD | {"activeHandoff": ACTIVE}})
    assert message.status_code == 403, "the session's step shows Collate's message"
    waiting = {name: value for name, value in RECORD.items() if name != "nextAction"} | {"status": "waiting_on_payer"}
    page, reads = await open_page(HERE, "cross-site", **{"GET /auth_1": waiting})
    assert (page.status_code, reads) == (200, [])

"""A payer that turns people away, on the work list and on a workbench before the opening."""

from playwright.async_api import expect

from tests.browser.person import overflow, violations_by_scheme
from tests.browser.test_shift import PHONE

PAYER = "payer_dead"
DEAD = {"type": "unable_to_complete", "reason": "credential_or_mfa_issue"}
DONE = {"type": "completed", "reportedOutcome": "submitted"}


def reports(gateway, name, result):
    """Let a person open a handoff at the payer and report its result."""
    case = waits_at_payer(gateway)
    path = f"/v1/authorizations/{case}/handoffs"
    gateway.command(path, as_person=name)
    handoff = gateway.call("GET", f"/v1/authorizations/{case}").json()["activeHandoff"]["id"]
    gateway.command(f"{path}/{handoff}/close", {"result": result}, as_person=name)


def waits_at_payer(gateway):
    return gateway.create("dead", overlay={"payer": {"id": PAYER}, "request": {"payerId": PAYER}})


async def test_a_dead_payer_is_said_on_both_pages_until_the_first_submission(gateway, sign_in):
    waiting = waits_at_payer(gateway)
    ada = await sign_in("ada.all")
    pages = [await ada.visit("/work"), await ada.visit(f"/authorizations/{waiting}/work")]
    notices = [page.get_by_role("status").filter(has_text=f"do not get in at {PAYER}") for page in pages]
    for notice in notices:
        await expect(notice).to_have_count(0)
    for name in ("jo.miller", "sam.ng", "jo.miller"):
        reports(gateway, name, DEAD)
    for page, notice in zip(pages, notices, strict=True):
        await expect(notice).to_contain_text("the last 3 handoffs there could not be completed because of a login")
        await expect(notice).to_contain_text("No submission there is on record.")
        assert set(map(tuple, (await violations_by_scheme(page)).values())) == {()}
        await page.set_viewport_size(PHONE)
        assert await overflow(page) <= 0
    await expect(pages[1].get_by_role("button", name="Open the handoff")).to_be_enabled()
    reports(gateway, "sam.ng", DONE)
    for notice in notices:
        await expect(notice).to_have_count(0)

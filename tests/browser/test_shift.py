"""A shift: three people, seven cases, a take-over, a contradiction, a lost session. Then an operator's night."""

import asyncio
import re

from playwright.async_api import expect

from tests.browser.person import axe_violations, open_row, overflow

PHONE = {"width": 390, "height": 844}


async def open_handoff(page):
    await page.get_by_role("button", name="Open the handoff").click()
    await expect(page.get_by_role("button", name="Get into the session")).to_be_visible()


async def enter(page, name="Get into the session"):
    async with page.context.expect_page() as opened:
        await page.get_by_role("button", name=name).click()
    await (await opened.value).close()


async def report(page):
    await page.get_by_label("I submitted it").check()
    await page.get_by_role("button", name="Report and end the handoff").click()
    await expect(page.get_by_text("Your report was accepted at")).to_be_visible()


async def works(person, case):
    """Do a case from its page to the report."""
    page = await person.visit(f"/authorizations/{case}/work")
    await open_handoff(page)
    await enter(page)
    await report(page)
    await page.close()


async def test_a_shift_of_three_people_loses_no_case(gateway, sign_in, eventually):
    cases = [gateway.create("shift", truth="nothing" if number == 0 else "as_reported") for number in range(7)]
    jo, sam, ada = [await sign_in(name) for name in ("jo.miller", "sam.ng", "ada.all")]
    contradicted, taken_over, lost, *rest = cases
    # Each has cases of their own, at the same time.
    await asyncio.gather(*(works(person, case) for person, case in zip((jo, sam, ada), rest, strict=False)))
    # The payer has nothing of what jo reported: it is on top of her list.
    await works(jo, contradicted)
    hers = await jo.visit("/work")
    own = hers.get_by_role("region", name="Yours first")
    await expect(own.get_by_role("link", name=contradicted)).to_be_visible()
    await expect(own).to_contain_text("The payer contradicts your report (submitted).")
    # Sam opens a case and goes; ada finds it by his name and takes it over in two clicks.
    his = await sam.visit(f"/authorizations/{taken_over}/work")
    await open_handoff(his)
    page = await ada.visit("/work")
    await open_row(page, page.get_by_label("Who has it").get_by_role("option", name=re.compile("sam.ng")))
    await page.get_by_label("Who has it").select_option(label="sam.ng (1)")
    await page.get_by_role("button", name="Show", exact=True).click()
    await page.get_by_role("row").get_by_role("link", name=taken_over).click()
    await enter(page, "Take over from sam.ng and get into the session")
    await expect(his.get_by_text("ada.all has this handoff in hand")).to_be_visible()
    await report(page)
    # The session of sam's next case is lost at Collate: it is on top of his list, also on a phone.
    await jo.go(hers, "/work")
    await his.goto(f"{gateway.url}/authorizations/{lost}/work")
    await open_handoff(his)
    await enter(his)
    gateway.simulate(f"authorizations/{lost}/act", {"do": "lose_session"})
    gateway.watch(lost)
    await sam.go(his, "/work")
    own = his.get_by_role("region", name="Yours first")
    await expect(own.get_by_role("link", name=lost)).to_be_visible()
    await expect(own).to_contain_text("Your handoff ended without your report")
    await his.set_viewport_size(PHONE)
    assert await overflow(his) <= 0
    assert await axe_violations(his) == []
    await expect(hers.get_by_text(lost)).to_have_count(1), "only in the list: it is not hers"
    # What is left is done from the list, and no case is lost.
    await asyncio.gather(works(jo, rest[3]), works(sam, lost))
    for case in {*cases} - {contradicted}:
        gateway.watch(case)
        record = await eventually(lambda path=f"/v1/authorizations/{case}": _without_handoff(gateway, path))
        assert record["lastHandoff"]["reported"] == "submitted"


def _without_handoff(gateway, path):
    """Return the record when the last reports are applied: a page says when they are accepted."""
    record = gateway.call("GET", path).json()
    return None if "activeHandoff" in record else record


async def test_an_operators_night_goes_from_a_number_to_its_commands_and_to_a_decision(gateway, sign_in):
    dead, waits = gateway.create("night"), gateway.create("night")
    with gateway.refusing():
        letter = gateway.command(f"/v1/authorizations/{dead}/handoffs", status="dead_lettered")
    kim = await sign_in("kim.ops")
    with gateway.refusing(429, "rate_limited"):
        command = gateway.command(f"/v1/authorizations/{waits}/handoffs", status="waiting")
        page = await kim.visit("/")
        await page.get_by_role("list", name="Now").get_by_role("link", name="waiting").click()
        row = page.get_by_role("row").filter(has_text=waits)
        await open_row(page, row)
        await page.set_viewport_size(PHONE)
        assert await overflow(page) <= 0
        assert await axe_violations(page) == []
        await row.get_by_role("link", name="handoff request").click()
        await page.wait_for_url(f"**/commands/{command}")
        await expect(page.get_by_role("main")).to_contain_text("Waits:")
    await expect(page.get_by_role("main")).to_contain_text("Done")
    # A dead letter of the list leads to its decision.
    await kim.go(page, f"/commands?status=dead_lettered&authorizationId={dead}")
    await page.get_by_role("row").get_by_role("link", name="handoff request").click()
    await page.wait_for_url(f"**/dead-letters/{letter}")
    await page.get_by_label("Reason").select_option(index=1)
    await expect(page.get_by_role("button", name="Redrive")).to_contain_text("sends the command to Collate")
    await page.get_by_role("button", name="Redrive").click()
    await expect(page.get_by_text("Decided")).to_be_visible()

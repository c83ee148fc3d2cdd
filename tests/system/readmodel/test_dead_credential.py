"""A shift of four people over forty items, at one payer with a dead password: with and without the sentence."""

import asyncio
import itertools
from collections import Counter

import httpx
import pytest

from console.views.lists.work_list import turned_away
from local.issuer import LocalIssuer
from local.stack import PEOPLE, STAFF

NAMES = ("jo.miller", "sam.ng", "ada.lee", "kim.fox")
ITEMS, PAYERS = 40, 5  # half of the items are at the dead payer
DEAD = {"type": "unable_to_complete", "reason": "credential_or_mfa_issue"}
DONE = {"type": "completed", "reportedOutcome": "submitted"}


class Person:
    """A member of staff who works by the API. `reads_page`: skips a payer that the page says turns people away."""

    keys = itertools.count()

    def __init__(self, http, token, eventually, *, reads_page):
        self._http, self._token, self._eventually, self._reads_page = http, token, eventually, reads_page

    async def skipped(self):
        overview = await self.call("GET", "overview")
        return {turned["payerId"] for turned in turned_away(overview)} if self._reads_page else set()

    async def works(self, items, entries, dead):
        """Do one item after another, until the page leaves none. Each item is tried once."""
        while True:
            skipped = await self.skipped()
            item = next((item for item in items if items[item] not in skipped), None)
            if item is None:
                return
            entries.append(items.pop(item))
            await self.hands_off(item, DEAD if entries[-1] == dead else DONE)

    async def hands_off(self, authorization, result):
        """Open, enter and report, and stay until the page shows that the handoff has ended."""
        path = f"authorizations/{authorization}"
        handoff = (await self.call("POST", f"{path}/handoffs"))["handoffId"]
        await self.call("POST", f"{path}/handoffs/{handoff}/access-grants")
        await self.call("POST", f"{path}/handoffs/{handoff}/close", {"result": result})

        async def has_ended():
            return (await self.call("GET", path)).get("lastHandoff", {}).get("id") == handoff

        await self._eventually(has_ended)

    async def call(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self._token}", "Prefer": "wait=30"}
        if method == "POST":
            headers["Idempotency-Key"] = f"n-{next(self.keys)}"
        answer = await self._http.request(method, f"/v1/{path}", json=body or None, headers=headers)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json()


@pytest.fixture
async def staff(install, kafka, *, collate, postgres, start, eventually):
    """Return the people of an installation with a read model; they read the page, or do not."""
    collate.change(closing_seconds=0)
    with LocalIssuer(tuple(PEOPLE)) as issuer:
        people = issuer.callers_file_entry(PEOPLE)
        installed = await install(kafka, database=postgres, people=people)
        ingress, *_ = [await start(installed, verb) for verb in ("ingress", "worker", "projector")]
        async with httpx.AsyncClient(base_url=ingress.url, timeout=120) as http:
            yield lambda *, reads_page: [
                Person(http, issuer.token(name, (STAFF,)), eventually, reads_page=reads_page) for name in NAMES
            ]


def at_payer(collate, payer):
    """Create an authorization at a payer and return its id."""
    (authorization,) = collate.create(overlay={"payer": {"id": payer}, "request": {"payerId": payer}})
    return authorization


async def shift(collate, people, name):
    """Return the payers that were entered, in order. Half of the items are at the first one, which is dead."""
    payers = [f"{name}_{number % 2 and 1 + number // 2 % (PAYERS - 1)}" for number in range(ITEMS)]
    items, entries = {at_payer(collate, payer): payer for payer in payers}, []
    async with asyncio.TaskGroup() as tasks:
        for person in people:
            tasks.create_task(person.works(items, entries, payers[0]))
    return entries, payers[0]


async def test_people_who_read_the_page_enter_a_dead_payer_at_most_seven_times(staff, collate):
    found = {}
    for name, reads_page in (("silent", False), ("read", True)):
        people = staff(reads_page=reads_page)
        entries, dead = await shift(collate, people, name)
        last_other = max(place for place, payer in enumerate(entries, 1) if payer != dead)
        found[name] = Counter(entries)[dead], len(entries) - Counter(entries)[dead], last_other
    print(f"entries at the dead payer, at the others, and before the last of these was done: {found}")
    (without, others, last), (with_, same_others, sooner) = found["silent"], found["read"]
    assert without == ITEMS // 2
    assert with_ <= 7
    assert same_others == others == ITEMS // 2
    assert sooner <= last, "the work of other payers is not later"
    # The password is renewed: one person tries, and their reported submission ends it for all.
    jo = people[0]
    assert dead in await jo.skipped()
    await jo.hands_off(at_payer(collate, dead), DONE)
    assert dead not in await jo.skipped()

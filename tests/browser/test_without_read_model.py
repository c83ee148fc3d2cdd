"""Optional means optional for people: the projector is dead, PostgreSQL is full, and then Kafka's broker is frozen."""

import asyncio
import re
import signal
import time
from contextlib import contextmanager, suppress

import httpx
import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import expect

from local.postgres import Postgres
from local.processes.patience import Patience
from tests.browser.installed import PEOPLE_OF_TESTS, installed
from tests.browser.person import axe_violations, person_at
from tests.browser.test_story import get_into_session, submit_in

MESSAGE = "The portal asks for the date of birth of Pat Roe (PHI)"
FROM_COLLATE = re.compile(r"The state is as of \d\d:\d\d:\d\d, from Collate")


@pytest.fixture(scope="module")
def alone(one_broker, _prefixes):
    """An installation with a broker and a PostgreSQL of its own, and two authorizations that wait for a person."""
    if not one_broker.is_running(0):
        one_broker.start(0)
    with (
        Postgres() as database,
        installed(bootstrap=one_broker.bootstrap, database=database.conninfo, prefix=next(_prefixes)) as running,
    ):
        waiting = [running.create(name, handoffOverlay={"message": MESSAGE}) for name in ("first", "second")]
        running.projector.process.kill()
        with full(database.conninfo):
            until_unavailable(running)
            yield running, one_broker, waiting


@pytest_asyncio.fixture(loop_scope="session")
async def jo(browser, alone):
    token = alone[0].issuer.token("jo.miller", PEOPLE_OF_TESTS["jo.miller"])
    async with person_at(browser, alone[0].url, token=token) as jo:
        jo.accepts_refusals = True
        yield jo


@contextmanager
def full(conninfo):
    """Take all places of a PostgreSQL, also those that its other clients lose or take meanwhile."""
    taken, rounds = [], 0
    with psycopg.connect(conninfo, autocommit=True) as first:
        try:
            # A client that is just connecting is not listed yet.
            while rounds < 5:
                with suppress(psycopg.OperationalError):
                    while True:
                        taken.append(psycopg.connect(conninfo))
                others = first.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE backend_type = 'client backend' AND pid <> ALL(%s)",
                    [[one.info.backend_pid for one in (first, *taken)]],
                )
                rounds = 0 if others.rowcount else rounds + 1
                time.sleep(0.02)
            yield
        finally:
            for one in taken:
                one.close()


def until_unavailable(gateway):
    """Wait until the ingress knows that its database takes no connection."""
    patience = Patience(60)
    while not patience.is_over:
        try:
            gateway.call("GET", "/v1/handoffs")
        except httpx.HTTPStatusError:
            return
        time.sleep(patience.pause)
    pytest.fail("the read model still answers")


async def test_a_person_does_a_whole_handoff_without_the_read_model(alone, jo):
    gateway, _, (authorization, _) = alone
    page = await jo.visit("/work", 503)
    await expect(page.get_by_text("This list is not available now")).to_be_visible()
    assert await axe_violations(page) == []
    await page.get_by_label("Id of the authorization").fill(authorization)
    await page.get_by_role("button", name="Open its workbench").click()
    await expect(page.get_by_text(FROM_COLLATE)).to_be_visible()
    await page.get_by_role("button", name="Open the handoff").click()
    await expect(page.get_by_text(re.compile("Your request to open the handoff was accepted at"))).to_be_visible()
    await expect(page.get_by_role("button", name="Get into the session")).to_be_visible()
    await expect(page.get_by_role("button", name="Open the handoff")).to_have_count(0)
    assert await axe_violations(page) == []
    # The first click requires the claim check, and the claims are unknown.
    asked = await get_into_session(page)
    await expect(asked.get_by_text("not known now whether another person has this handoff in hand")).to_be_visible()
    await asked.get_by_role("button", name="Nobody is in it").click()
    await submit_in(asked)
    await asked.close()
    await expect(page.get_by_text(MESSAGE)).to_be_visible()
    await page.get_by_label("I submitted it").check()
    await page.get_by_role("button", name="Report and end the handoff").click()
    await expect(page.get_by_text(re.compile("Your report was accepted at"))).to_be_visible()
    for name, text in gateway.logs().items():
        assert name == "collate.log" or MESSAGE not in text, name


async def test_a_person_learns_what_waits_for_kafka_and_what_does_not(alone, jo):
    _, broker, (_, authorization) = alone
    page = await jo.visit(f"/authorizations/{authorization}/work")
    await page.get_by_role("button", name="Open the handoff").click()
    await page.get_by_role("button", name="Give it back").click()
    await expect(page.get_by_text("You gave the handoff back at")).to_be_visible()
    await withdraw(page)
    await asyncio.to_thread(broker.kill, 0, signal.SIGSTOP)
    try:
        # Kafka stands still: nothing is accepted, nothing typed is lost, and the state is still read.
        await page.get_by_role("button", name="Report and end the handoff").click()
        await expect(page.get_by_role("alert").first).to_be_visible()
        await expect(page.get_by_label("Why the handoff is withdrawn")).to_have_value("Not wanted.")
        await expect(page.get_by_text(FROM_COLLATE)).to_be_visible()
        await expect(page.get_by_text("was accepted at")).to_have_count(0)
        await jo.go(page, f"/authorizations/{authorization}/work")
        await expect(page.get_by_text(FROM_COLLATE)).to_be_visible()
        await expect(page.get_by_role("button", name="Get into the session")).to_be_visible()
    finally:
        await asyncio.to_thread(broker.kill, 0, signal.SIGCONT)
    await withdraw(page)
    # The broker needs a moment. The form says so, and keeps what was typed.
    patience = Patience(60)
    while not patience.is_over:
        await page.get_by_role("button", name="Report and end the handoff").click()
        await page.wait_for_load_state()
        if await page.get_by_text("Your report was accepted at").count():
            break
        await asyncio.sleep(1)
    await expect(page.get_by_text("Your report was accepted at")).to_be_visible()


async def withdraw(page):
    await page.get_by_label("Withdraw the handoff").check()
    await page.get_by_label("Why the handoff is withdrawn").fill("Not wanted.")

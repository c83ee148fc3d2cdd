"""Fixtures of the browser tests: one browser and one installation per session, a context of its own per person.

There is no skip: without a browser the tests fail, and the error says how to get one (`local/browser/chromium.py`).
"""

from contextlib import AsyncExitStack

import psycopg
import pytest
import pytest_asyncio

from tests.browser.installed import PEOPLE_OF_TESTS, installed
from tests.browser.person import person_at


def pytest_collection_modifyitems(items):
    """Run the browser tests in one event loop: the browser belongs to it."""
    for item in items:
        if item.nodeid.startswith("tests/browser/"):  # a path takes 0.15 s for 9,552 tests
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser():
    from playwright.async_api import expect  # noqa: PLC0415 - other tests do not need these imports

    from local.browser.launch import launched  # noqa: PLC0415 - as above

    # A machine that runs all tests is busy; the default is 5 s. Only a failure waits so long.
    expect.set_options(timeout=120_000)
    async with launched() as program:
        yield program


@pytest.fixture(scope="session")
def gateway(kafka, postgres_server, _prefixes):
    """The whole installation, with its console."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE browser_tests")
        try:
            database = psycopg.conninfo.make_conninfo(postgres_server, dbname="browser_tests")
            with installed(bootstrap=kafka, database=database, prefix=next(_prefixes)) as running:
                yield running
        finally:
            connection.execute("DROP DATABASE IF EXISTS browser_tests WITH (FORCE)")


@pytest_asyncio.fixture(loop_scope="session")
async def sign_in(browser, gateway):
    """`jo = await sign_in("jo.miller", color_scheme="dark")`: a person at a browser of their own.

    A proxy signs them in; with `None` as the name they are not signed in.
    """
    async with AsyncExitStack() as people:

        async def enter(name, **options):
            token = None if name is None else gateway.issuer.token(name, PEOPLE_OF_TESTS[name])
            return await people.enter_async_context(person_at(browser, gateway.url, token=token, **options))

        yield enter

"""Fixtures for tests with real processes of the gateway."""

import asyncio

import pytest

from local.installation import Installation
from local.run import Run


@pytest.fixture
def run():
    """A temporary directory and processes that end with the test."""
    with Run("test") as run:
        yield run


@pytest.fixture
async def installation(run, kafka, prefix, collate):
    """A gateway over real Kafka and a simulated Collate; its topics exist, its processes are for the test to start.

    `ingress = await start(installation, "ingress")`; `installation.caller_key` may do everything.
    """
    installed = Installation(run, bootstrap=kafka, collate_url=collate.url, prefix=prefix)
    await asyncio.to_thread(installed.apply_topics)
    return installed


@pytest.fixture
def start():
    """Start a process of an installation and wait until it is ready, without holding up the loop Collate runs on."""

    async def start(installation, verb, name=None):
        program = installation.start(verb, name)
        await asyncio.to_thread(program.await_ready)
        return program

    return start

"""The Python client against real processes, under an ingress that is killed and stopped again and again."""

import asyncio
import logging
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from collate_gateway_client import AsyncGateway, Gateway, RetryPolicy
from local.processes.patience import within
from tests.system.clients.judge import judge

COMMANDS = 60
OVER_SECONDS = 12
THREADS = 8
SEED = 20261127
FINISHED = "collate-gateway.command.finished.v1"
PATIENT = RetryPolicy(deadline_seconds=120)


@pytest.fixture
def tries(caplog):
    """Return a function that counts the further tries of calls so far."""
    caplog.set_level(logging.INFO, "collate_gateway_client")
    return lambda: sum(record.message.startswith("The next try") for record in caplog.records)


def row(event):
    return event.authorization_id, event.sequence, event.type, event.missing


async def test_restarts_lose_and_double_no_command_and_no_event(ingress, installation, collate, listener, tries):
    authorizations = collate.create(count=COMMANDS)
    randomness, streamed = random.Random(SEED), []
    async with (
        AsyncGateway(ingress.url, installation.caller_key, retries=PATIENT) as gateway,
        gateway.events() as events,
    ):

        async def request(authorization):
            await asyncio.sleep(randomness.uniform(0, OVER_SECONDS))
            return await gateway.request_handoff(authorization, metadata={"case": authorization}, wait=150)

        async def read():
            finished = set()
            async for event in events:
                streamed.append(row(event))
                finished |= {event.data["commandId"]} if event.type == FINISHED else set()
                if len(finished) == COMMANDS:
                    return

        reading = asyncio.create_task(read())
        async with ingress.restarting():
            outcomes = await asyncio.gather(*(request(one) for one in authorizations))
        async with within(60):
            await reading
        await judge(listener, collate, authorizations, outcomes, streamed)
        assert ingress.restarts >= 2
        assert events.reconnects >= 1
        assert tries() >= 2


async def test_the_synchronous_client_keeps_the_same_promises(ingress, installation, collate, listener, tries):
    authorizations = collate.create(count=COMMANDS)
    randomness, streamed = random.Random(SEED), []

    def request(authorization):
        time.sleep(randomness.uniform(0, 2 * OVER_SECONDS * THREADS / COMMANDS))
        return gateway.request_handoff(authorization, wait=150)

    def read(events):
        finished = set()
        for event in events:
            streamed.append(row(event))
            finished |= {event.data["commandId"]} if event.type == FINISHED else set()
            if len(finished) == COMMANDS:
                return

    with (
        Gateway(ingress.url, installation.caller_key, retries=PATIENT) as gateway,
        ThreadPoolExecutor(THREADS + 1) as threads,
    ):
        loop = asyncio.get_running_loop()
        events = gateway.events()
        await loop.run_in_executor(threads, events.__enter__)
        reading = loop.run_in_executor(threads, read, events)
        async with ingress.restarting():
            outcomes = await asyncio.gather(*(loop.run_in_executor(threads, request, one) for one in authorizations))
        async with within(60):
            await reading
        await loop.run_in_executor(threads, events.close)
        await judge(listener, collate, authorizations, outcomes, streamed)
        assert ingress.restarts >= 2
        assert events.reconnects >= 1
        assert tries() >= 2

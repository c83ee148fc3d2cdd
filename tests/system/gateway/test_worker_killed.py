"""Promises 2, 3 and 4 against SIGKILL: whatever the worker was doing, each command has one effect and one outcome."""

import asyncio
import random

import httpx
import pytest

from local.event_listener import listening
from tests.system.gateway.services import Service
from tests.system.outcomes import assert_each_is_applied_once

COMMANDS = 120
KILLS = 12
SECONDS = 15
SEED = 20261125


async def _request_all(service, authorizations, randomness):
    """Ask for a handoff of each authorization, over a while, so that kills find commands in every state."""

    async def ask(authorization):
        await asyncio.sleep(randomness.uniform(0, SECONDS))
        return await service.request(authorization)

    return await asyncio.gather(*map(ask, authorizations))


async def _kill_again_and_again(installation, worker, randomness):
    for _ in range(KILLS):
        await asyncio.to_thread(worker.await_ready)
        await asyncio.sleep(randomness.uniform(0, 0.5))
        worker.process.kill()
        await asyncio.to_thread(worker.process.wait)
        worker = installation.start("worker")
    return worker


@pytest.mark.promise(2, 3, 4)
async def test_a_worker_killed_at_any_moment_leaves_one_effect_and_one_outcome_per_command(
    installation, start, collate, kafka, prefix
):
    randomness = random.Random(SEED)
    authorizations = collate.create(count=COMMANDS)
    collate.fault("reset", when="after", method="POST", path=".*/manual-handoffs", probability=0.3, seed=SEED)
    ingress, worker = await start(installation, "ingress"), await start(installation, "worker")
    async with httpx.AsyncClient(timeout=120) as http, listening(kafka, prefix) as listener:
        commands, _ = await asyncio.gather(
            _request_all(Service(http, ingress, installation.caller_key), authorizations, randomness),
            _kill_again_and_again(installation, worker, randomness),
        )
        await assert_each_is_applied_once(listener, collate, authorizations, commands)

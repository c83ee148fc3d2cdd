"""Promises 2, 3 and 4 against SIGKILL: whatever the worker was doing, each command has one effect and one outcome."""

import asyncio
import random
from collections import Counter, defaultdict

import httpx
import pytest

from local.collate.model.effect import Kind
from local.event_listener import listening

COMMANDS = 120
KILLS = 12
SECONDS = 15
SEED = 20261125


async def _request_all(http, ingress, installation, authorizations, randomness):
    """Ask for a handoff of each authorization, over a while, so that kills find commands in every state."""

    async def ask(number, authorization):
        await asyncio.sleep(randomness.uniform(0, SECONDS))
        answer = await http.post(
            f"{ingress.url}/v1/authorizations/{authorization}/handoffs",
            json={},
            headers={"Authorization": f"Bearer {installation.caller_key}", "Idempotency-Key": f"request-{number}"},
        )
        assert answer.status_code == 202, answer.text
        return answer.json()["commandId"]

    return await asyncio.gather(*(ask(number, one) for number, one in enumerate(authorizations)))


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
            _request_all(http, ingress, installation, authorizations, randomness),
            _kill_again_and_again(installation, worker, randomness),
        )
        for command in commands:
            await listener.wait_for("command.finished", 60, commandId=command)
        await listener.take(2)

    effects = [effect for _, effect in collate.ledger.effects if effect.kind is Kind.HANDOFF_OPENED]
    opened = Counter(effect.authorization_id for effect in effects)
    assert opened == Counter(authorizations)
    finished = [event for event in listener.events if event.kind == "command.finished"]
    assert Counter(event.data["commandId"] for event in finished) == Counter(commands)
    assert {event.data["outcome"] for event in finished} == {"applied"}
    sequences = defaultdict(list)
    for event in listener.events:
        sequences[event.authorization_id].append(event.sequence)
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in sequences.values())

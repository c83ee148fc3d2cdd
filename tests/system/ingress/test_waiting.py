"""With a worker: waiting requests at every replica return the outcome, and a stream has every event."""

import asyncio
import json

import pytest

from local.processes.patience import within


@pytest.fixture
async def gateway(installation, start, caller_of):
    programs = await asyncio.gather(
        start(installation, "worker"), start(installation, "ingress", "first"), start(installation, "ingress", "second")
    )
    return [caller_of(program, installation) for program in programs[1:]]


async def test_every_replica_returns_the_outcome_to_waiting_requests(gateway, collate):
    authorizations = collate.create("complete_payer_interaction", count=10)
    replies = await asyncio.gather(
        *(
            caller.request(number, authorization, Prefer="wait=20")
            for number, authorization in enumerate(authorizations)
            for caller in gateway
        )
    )
    assert {reply.status_code for reply in replies} == {200}
    assert {reply.json()["outcome"] for reply in replies} == {"applied"}
    handoffs = {reply.json()["handoffId"] for reply in replies}
    assert len(handoffs) == 10
    assert collate.ledger.summary()["byKind"]["handoff_opened"] == 10


async def test_a_stream_resumes_at_another_replica(gateway, collate):
    (authorization,) = collate.create("complete_payer_interaction")
    received = []

    async def listen(caller, last_id, enough):
        headers = {"Authorization": f"Bearer {caller.key}"} | ({"Last-Event-ID": last_id} if last_id else {})
        async with caller.client.stream("GET", f"{caller.url}/v1/events", headers=headers) as reply:
            assert reply.status_code == 200
            listening.set()
            async for line in reply.aiter_lines():
                if line.startswith("id: "):
                    last_id = line[4:]
                elif line.startswith("data: "):
                    received.append(json.loads(line[6:]))
                    if enough():
                        return last_id
        return None

    first, second = gateway
    listening = asyncio.Event()
    stream = asyncio.create_task(listen(first, None, lambda: True))
    await listening.wait()
    await second.request(1, authorization, Prefer="wait=20")
    last_id = await stream
    async with within(30):
        await listen(second, last_id, lambda: received[-1]["type"].endswith("command.finished.v1"))
    sequences = [int(event["sequence"]) for event in received]
    assert sequences == list(range(1, len(received) + 1))

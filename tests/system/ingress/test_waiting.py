"""With a worker: waiting requests at every replica return the outcome."""

import asyncio

import pytest


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

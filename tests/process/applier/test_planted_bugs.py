"""The tests of this directory catch three planted bugs."""

import uuid

import pytest

from adapters.collate.answers import Refused
from adapters.collate.client import CollateClient
from consumers.applier.outcome import Applied
from consumers.applier.write import CommandWrite
from consumers.authorization.unit_of_work import UnitOfWork
from schemas.commands import HandoffRequest
from schemas.enums import Effect, EventType

CREATE = "/manual-handoffs$"


async def lost_answer(queue, crashing_at=None):
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    command = queue.send(HandoffRequest())
    queue.fuse.arm(crashing_at)
    await queue.drain()
    opened = [effect for _, effect in queue.sim.ledger.effects if effect.kind == "handoff_opened"]
    assert len(opened) == 1, "two effects"
    return queue.check(command)


async def test_a_write_without_an_intent_is_caught(make_queue, monkeypatch):
    async def pretend(unit_of_work, *_):
        unit_of_work.committed = unit_of_work.state

    assert (await lost_answer(make_queue("forgets_keys"), crashing_at=5)).effect == "inferred"
    monkeypatch.setattr(UnitOfWork, "checkpoint", pretend)
    queue = make_queue("forgets_keys")
    queue.sim.ledger.clear()
    with pytest.raises(AssertionError):
        await lost_answer(queue, crashing_at=3)
    (finished,) = queue.events(EventType.COMMAND_FINISHED)
    assert finished.data.outcome == "already_done", "its own handoff counts as foreign"


async def test_a_new_key_for_each_retry_is_caught(make_queue, monkeypatch):
    honest = CollateClient.create_handoff

    async def bold(client, authorization_id, **request):
        return await honest(client, authorization_id, **request | {"key": f"cg1-{uuid.uuid4().hex}"})

    readings = {"create_while_active": "replace"}
    assert (await lost_answer(make_queue("ignores_preconditions", readings=readings))).effect == "ours"
    monkeypatch.setattr(CollateClient, "create_handoff", bold)
    queue = make_queue("ignores_preconditions", readings=readings)
    queue.sim.ledger.clear()
    with pytest.raises(AssertionError, match="two effects"):
        await lost_answer(queue)


async def test_a_409_taken_for_success_is_caught(make_queue, monkeypatch):
    honest = CommandWrite._failed

    def hopeful(write, result):
        is_conflict = isinstance(result, Refused) and result.status == 409
        return Applied(Effect.OURS) if is_conflict else honest(write, result)

    monkeypatch.setattr(CommandWrite, "_failed", hopeful)
    queue = make_queue()
    queue.sim.fault("act", method="POST", path=CREATE, count=1, actor={"do": "edit"})
    command = await queue.apply(HandoffRequest())
    with pytest.raises(AssertionError):
        queue.check(command)

"""The checks of this directory see what they are there for: three planted bugs, each caught."""

import uuid

import pytest

from adapters.collate.answers import Refused
from consumers.applier import delivery
from consumers.applier.outcome import Applied
from consumers.authorization.unit_of_work import UnitOfWork
from schemas.commands import HandoffRequest
from schemas.enums import Effect, EventType

CREATE = "/manual-handoffs$"


async def lost_answer(lane, crashing_at=None):
    lane.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    asked = lane.send(HandoffRequest())
    lane.fuse.passed, lane.fuse.blows_at = 0, crashing_at
    await lane.drain()
    opened = [effect for _, effect in lane.sim.ledger.effects if effect.kind == "handoff_opened"]
    assert len(opened) == 1, "two effects"
    return lane.check(asked)


async def test_no_intent_before_the_effect(make_lane, monkeypatch):
    async def pretend(draft, *_):
        draft.saved = draft.memory

    assert (await lost_answer(make_lane("forgets_keys"), crashing_at=5)).effect == "inferred"
    monkeypatch.setattr(UnitOfWork, "checkpoint", pretend)
    lane = make_lane("forgets_keys")
    lane.sim.ledger.clear()
    with pytest.raises(AssertionError):
        await lost_answer(lane, crashing_at=3)
    (told,) = lane.events(EventType.COMMAND_FINISHED)
    assert told.data.outcome == "already_done", "its own handoff, taken for another's"


async def test_a_new_key_per_retry(make_lane, monkeypatch):
    honest = delivery._call

    async def bold(run, intent, body):
        return await honest(run, intent.replace(key=f"cg1-{uuid.uuid4().hex}"), body)

    readings = {"create_while_active": "replace"}
    assert (await lost_answer(make_lane("ignores_preconditions", readings=readings))).effect == "ours"
    monkeypatch.setattr(delivery, "_call", bold)
    lane = make_lane("ignores_preconditions", readings=readings)
    lane.sim.ledger.clear()
    with pytest.raises(AssertionError, match="two effects"):
        await lost_answer(lane)


async def test_409_taken_for_done(make_lane, monkeypatch):
    honest = delivery._unanswered

    async def hopeful(run, intent, result):
        if isinstance(result, Refused) and result.status == 409:
            return run.finish(Applied(Effect.OURS))
        return await honest(run, intent, result)

    monkeypatch.setattr(delivery, "_unanswered", hopeful)
    lane = make_lane()
    lane.sim.fault("act", method="POST", path=CREATE, count=1, actor={"do": "edit"})
    asked = lane.send(HandoffRequest())
    await lane.drain()
    with pytest.raises(AssertionError):
        lane.check(asked)

"""What this ingress says about the gateway's own parts."""

import asyncio
from types import SimpleNamespace
from unittest.mock import AsyncMock

import pytest

from adapters.collate.answers import Ambiguous, Answered, NotSent
from adapters.http_connection.cause import Cause
from gateway.ingress import own_parts, shared_reads
from gateway.ingress.own_parts import OwnParts
from runtime.health import Health
from schemas.enums import PartFault


@pytest.fixture
def parts():
    """Parts that all work; `workers` are those of the group, and `asked` counts the reads of it."""
    state = SimpleNamespace(
        health=Health(), workers=2, asked=0, asked_deliverers=0, webhooks={}, answer=Answered(200, None, b"")
    )
    state.health.set("kafka", "ok")

    async def health():
        return state.answer

    state.collate = SimpleNamespace(is_away=False, health=health)

    async def count():
        state.asked += 1
        return state.workers

    def report(_):
        state.asked_deliverers += 1
        return {"subscriptions": []} if not state.webhooks else None

    state.own = OwnParts(state.health, state.collate, ("http://d:1",), count, report)
    return state


@pytest.mark.parametrize("workers", [2, None])
async def test_what_works_and_what_is_unknown_is_not_wrong(parts, workers):
    parts.workers = workers
    faults, webhooks = await parts.own.look()
    assert (faults, webhooks.unreachable) == ([], 0)


async def test_without_deliverers_there_are_no_webhooks(parts):
    own = OwnParts(parts.health, parts.collate, (), AsyncMock(return_value=2))
    assert await own.look() == ([], None)


async def test_what_hurts_most_comes_first_and_many_pages_cost_one_read(parts):
    parts.workers, parts.collate.is_away, parts.webhooks = 0, True, {"away": True}
    for _ in range(3):
        faults, webhooks = await parts.own.look()
        assert faults == [PartFault.WORKER, PartFault.COLLATE, PartFault.DELIVERER]
        assert webhooks.unreachable == 1
    assert (parts.asked, parts.asked_deliverers) == (1, 1)


async def test_without_kafka_nothing_is_said_about_workers(parts):
    parts.workers = 0
    parts.health.set_away("kafka", "no broker answers")
    assert (await parts.own.look())[0] == [PartFault.KAFKA]
    assert parts.asked == 0


@pytest.mark.parametrize(
    ("answer", "is_wrong"),
    [
        (NotSent(Cause.REFUSED), True),
        (Ambiguous(Cause.READ_TIMEOUT), True),
        (Ambiguous(Cause.SERVER_ERROR, status=503), False),
        (Answered(200, None, b""), False),
    ],
)
async def test_a_quiet_installation_notices_that_collate_gives_no_answer(parts, answer, is_wrong):
    parts.answer = answer
    assert (await parts.own.look())[0] == [PartFault.COLLATE] * is_wrong


async def test_a_collate_that_hangs_is_away_and_holds_no_later_look(parts, monkeypatch):
    release = asyncio.Event()
    monkeypatch.setattr(own_parts, "_HEALTH_SECONDS", 0.01)
    parts.collate.health = release.wait
    assert (await parts.own.look())[0] == [PartFault.COLLATE]
    monkeypatch.setattr(own_parts, "_HEALTH_SECONDS", 60.0)
    monkeypatch.setattr(shared_reads, "SHARED_SECONDS", -1.0)
    assert (await parts.own.look())[0] == [PartFault.COLLATE], "read again behind the look"
    release.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert (await parts.own.look())[0] == []

"""What this ingress says about the gateway's own parts."""

from types import SimpleNamespace

import pytest

from gateway.ingress.own_parts import OwnParts
from gateway.ingress.webhooks import WebhookStates
from runtime.health import Health
from schemas.enums import PartFault


@pytest.fixture
def parts():
    """Parts that all work; `workers` are those of the group, and `asked` counts the reads of it."""
    state = SimpleNamespace(health=Health(), collate=SimpleNamespace(is_away=False), workers=2, asked=0, webhooks={})
    state.health.set("kafka", "ok")

    async def count():
        state.asked += 1
        return state.workers

    webhooks = WebhookStates(("http://d:1",), lambda _: {"subscriptions": []} if not state.webhooks else None)
    state.own = OwnParts(state.health, state.collate, webhooks, count)
    return state


@pytest.mark.parametrize("workers", [2, None])
async def test_what_works_and_what_is_unknown_is_not_wrong(parts, workers):
    parts.workers = workers
    faults, webhooks = await parts.own.look()
    assert (faults, webhooks.unreachable) == ([], 0)


async def test_what_hurts_most_comes_first_and_many_pages_cost_one_read_of_the_group(parts):
    parts.workers, parts.collate.is_away, parts.webhooks = 0, True, {"away": True}
    for _ in range(3):
        faults, webhooks = await parts.own.look()
        assert faults == [PartFault.WORKER, PartFault.COLLATE, PartFault.DELIVERER]
        assert webhooks.unreachable == 1
    assert parts.asked == 1


async def test_without_kafka_nothing_is_said_about_workers(parts):
    parts.workers = 0
    parts.health.set_away("kafka", "no broker answers")
    assert (await parts.own.look())[0] == [PartFault.KAFKA]
    assert parts.asked == 0

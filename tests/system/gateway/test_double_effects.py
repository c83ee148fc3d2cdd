"""Where Collate honours neither the key nor If-Match, a command can take effect twice: never unseen (promise 2)."""

import httpx
import pytest

from local.collate.model.effect import Kind
from local.event_listener import listening
from tests.system.gateway.services import Service


@pytest.mark.promise(2)
async def test_a_double_effect_is_told_as_inferred_and_alarmed(
    installation, start, collate, *, kafka, prefix, eventually
):
    collate.use("ignores_preconditions", "forgets_keys", create_while_active="replace")
    (authorization,) = collate.create()
    collate.fault("reset", when="after", method="POST", path="/manual-handoffs$", count=1)
    ingress, worker = await start(installation, "ingress"), await start(installation, "worker")
    async with httpx.AsyncClient(timeout=120) as http, listening(kafka, prefix) as listener:
        await Service(http, ingress, installation.caller_key).request(authorization)
        finished = await listener.wait_for("command.finished", 30)

        async def is_counted():
            """The worker counts and logs after the commit that lets the event be read."""
            return "collate_gateway_double_effects_total 1.0" in (await http.get(f"{worker.admin_url}/metrics")).text

        await eventually(is_counted)

    opened = [effect for _, effect in collate.ledger.effects if effect.kind is Kind.HANDOFF_OPENED]
    assert len(opened) == 2
    assert len({effect.cause.key for effect in opened}) == 1
    assert (finished.data["outcome"], finished.data["effect"]) == ("applied", "inferred")
    alarm = [line for line in worker.log.read_text().splitlines() if "command.double_effect_suspected" in line]
    assert len(alarm) == 1
    assert authorization in alarm[0]

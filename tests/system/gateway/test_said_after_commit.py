"""Kafka dies between the decision and its commit: log and metrics name each end once, and as it is recorded."""

import asyncio
import json
import re
from collections import Counter

import httpx
import pytest

from local.collate.model.effect import Kind
from local.event_listener import listening
from local.installation import PARTITIONS, http_here
from schemas.topics import partition_for
from tests.system.gateway.services import Service

EACH = 6
# The worker waits for the answers until Kafka is dead.
SETTINGS = {
    "GATEWAY_WORKER__SESSION_TIMEOUT": "6s",
    "GATEWAY_COLLATE__READ_TIMEOUT": "120s",
    "GATEWAY_COLLATE__TOTAL_TIMEOUT": "120s",
}


@pytest.fixture
async def processes(install, kafka1, start):
    installed = await install(kafka1.bootstrap, settings=SETTINGS)
    return installed, await start(installed, "ingress"), await start(installed, "worker")


def ends_in_log(worker):
    lines = [
        line for line in map(json.loads, worker.log.read_text().splitlines()) if line["event"] == "command.finished"
    ]
    return Counter((line["command_id"], line["outcome"], line["effect"]) for line in lines)


def metric(worker, name):
    """The samples of a counter: label values, in the order of their names, and the value."""
    with http_here() as http:
        text = http.get(f"{worker.admin_url}/metrics").text
    samples = re.findall(rf"^collate_gateway_{name}_total{{(.+)}} (.+)$", text, re.MULTILINE)
    return {tuple(re.findall('"(.*?)"', labels)): float(value) for labels, value in samples}


async def test_an_end_is_said_once_and_as_it_is_recorded(processes, collate, kafka1, prefix, eventually):
    fresh, taken = collate.create(count=EACH), collate.create(count=EACH)
    for authorization in taken:
        collate.act(authorization, "open_handoff")
    installed, ingress, worker = processes

    def opened():
        return {one.authorization_id for _, one in collate.ledger.effects if one.kind is Kind.HANDOFF_OPENED}

    def read():
        return {call.path.rpartition("/")[2] for call in collate.ledger.calls if call.method == "GET"}

    async with httpx.AsyncClient(timeout=120) as http:
        service = Service(http, ingress, installed.caller_key)
        # The answers to the creates of `fresh`, and to the reads of `taken`, come after Kafka's death. Each is a
        # decision: applied, and already done.
        collate.fault("hold", method="POST", when="after")
        commands = await asyncio.gather(*map(service.request, fresh))
        await eventually(lambda: opened() >= set(fresh), within=20)
        collate.fault("hold", method="GET", when="after")
        commands += await asyncio.gather(*map(service.request, taken))
        await eventually(lambda: read() >= set(taken), within=20)
    await asyncio.to_thread(kafka1.kill, 0)
    collate.faults.clear()
    try:
        partitions = {partition_for(one.encode(), PARTITIONS) for one in (*fresh, *taken)}
        await eventually(lambda: sum(metric(worker, "transaction_failures").values()) >= len(partitions), within=60)
        assert not ends_in_log(worker), "nothing is committed"
        for authorization in taken:
            collate.act(authorization, "revoke", reason="another actor")
            collate.act(authorization, "reconcile", truth="nothing")
    finally:
        await asyncio.to_thread(kafka1.start, 0)
    async with listening(kafka1.bootstrap, prefix) as listener:
        for command in commands:
            await listener.wait_for("command.finished", 60, commandId=command)
        await listener.take(1)
    recorded = Counter(
        (one.data["commandId"], one.data["outcome"], one.data["effect"])
        for one in listener.events
        if one.kind == "command.finished"
    )
    assert {outcome for _, outcome, _ in recorded} == {"applied"}
    assert set(recorded.values()) == {1}
    await eventually(lambda: ends_in_log(worker) == recorded)
    counted = {end[1:]: count for end, count in metric(worker, "commands_finished").items() if count}
    assert counted == Counter((effect, outcome) for _, outcome, effect in recorded)

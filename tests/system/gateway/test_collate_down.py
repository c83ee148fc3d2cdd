"""Collate away for a long time under load: nothing is given up, nothing is lost, and nobody storms it afterwards.

Five minutes on a scale of one to ten: the breaker's times, the ramp and the outage are all a tenth of production's.
OUTAGE_SCALE=1 plays them in full.
"""

import asyncio
import os
import time
from collections import Counter

import httpx
import pytest

from local.event_listener import listening
from tests.system.gateway.services import Service

SCALE = float(os.environ.get("OUTAGE_SCALE", "0.1"))
OUTAGE_SECONDS = 300.0 * SCALE
BROKEN_SECONDS = 150.0 * SCALE  # the last part of it: connections are taken, every answer is a 502 of some proxy
COMMANDS_PER_SECOND = 5
CALLS_PER_SECOND = 40
WORKERS = 2
SETTINGS = {
    "GATEWAY_COLLATE__CALLS_PER_SECOND": str(CALLS_PER_SECOND),
    "GATEWAY_COLLATE__MAX_REPLICAS": str(WORKERS),
    "GATEWAY_COLLATE__CONCURRENCY": "16",
    "GATEWAY_COLLATE__BREAKER_OPEN": f"{5_000 * SCALE:.0f}ms",
    "GATEWAY_COLLATE__RAMP_UP": f"{60_000 * SCALE:.0f}ms",
    "GATEWAY_INGRESS__MAX_UNFINISHED_PER_CALLER": "10000",
    "GATEWAY_WORKER__WAITING_AFTER": f"{30_000 * SCALE:.0f}ms",
}


@pytest.mark.timeout(1200 + 900 * SCALE)
async def test_collate_down_under_load(install, start, collate, kafka, prefix):
    installation = await install(kafka, settings=SETTINGS)
    ingress = await start(installation, "ingress")
    for number in range(WORKERS):
        await start(installation, "worker", f"worker-{number}")
    commands, over = [], asyncio.Event()

    async def ask_all_the_time(http):
        service = Service(http, ingress, installation.caller_key)
        while not over.is_set():
            (authorization,) = collate.create()
            commands.append(await service.request(authorization))
            await asyncio.sleep(1 / COMMANDS_PER_SECOND)

    async with httpx.AsyncClient(timeout=120) as http, listening(kafka, prefix) as listener:
        asking = asyncio.create_task(ask_all_the_time(http))
        await asyncio.sleep(3)
        went = int(time.time()) + 1
        collate.begin_outage()
        await asyncio.sleep(OUTAGE_SECONDS - BROKEN_SECONDS)
        broken = collate.fault("answer", status=502, shape="html")
        collate.end_outage()
        await asyncio.sleep(BROKEN_SECONDS)
        collate.faults.clear()
        came = int(time.time()) + 1
        probes = broken.struck
        await asyncio.sleep(3)
        over.set()
        await asking
        for command in commands:
            await listener.wait_for("command.finished", 60 + 300 * SCALE, commandId=command)

    ends = Counter(event.data["outcome"] for event in listener.events if event.kind == "command.finished")
    assert ends == {"applied": len(commands)}
    assert not [event for event in listener.events if event.kind == "command.dead_lettered"]
    waits = {event.data["reason"] for event in listener.events if event.kind == "command.waiting"}
    assert "breaker" in waits
    waiting = len(commands) - COMMANDS_PER_SECOND * 3
    rates = {second - came: count for second, count in sorted(collate.ledger.per_second.items()) if second >= went}
    print(f"{waiting} commands waited; {probes} probes in {BROKEN_SECONDS:.0f} s; calls/s around the end: {rates}")
    # Reads and writes have a breaker each in every worker, which opens again after each failed probe.
    assert probes <= 4 * BROKEN_SECONDS * WORKERS
    afterwards = [count for second, count in rates.items() if second >= 0]
    assert max(afterwards) <= 1.3 * CALLS_PER_SECOND, "a herd"
    assert sum(afterwards[:2]) <= CALLS_PER_SECOND, "no slow start"

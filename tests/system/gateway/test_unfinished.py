"""The bound of a caller's unfinished commands: real Kafka, an ingress, and a worker that comes later."""

import asyncio
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from local.event_listener import listening
from tests.system.gateway.services import Service, add_callers

ROOT = Path(__file__).parents[3]
BOUND = 20
SETTINGS = {
    "GATEWAY_TOPICS__PARTITIONS": "4",
    "GATEWAY_INGRESS__MAX_UNFINISHED_PER_CALLER": str(BOUND),
    "GATEWAY_COLLATE__CALLS_PER_SECOND": "10",
}


@pytest.fixture
async def installation(install, kafka):
    return await install(kafka, settings=SETTINGS)


@pytest.fixture
def callers(run, installation):
    return add_callers(run)


@pytest.fixture
async def listener(kafka, prefix, installation):
    async with listening(kafka, prefix) as listener:
        yield listener


async def unfinished(http, ingress, reason=""):
    name = 'shed_total{reason="unfinished"}' if reason else "unfinished_commands"
    lines = (await http.get(f"{ingress.admin_url}/metrics")).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"collate_gateway_{name} "))


@pytest.mark.promise(8)
async def test_a_caller_beyond_its_bound_waits_until_the_worker_has_caught_up(
    installation, callers, listener, *, collate, start, eventually
):
    ingress = await start(installation, "ingress")
    async with httpx.AsyncClient(timeout=120) as http:
        portal, billing = (Service(http, ingress, key) for key in callers.values())
        authorizations = collate.create(count=BOUND + 1)
        accepted = [await portal.post(f"{each}/watch", {}, "one") for each in authorizations[:BOUND]]
        assert {reply.status_code for reply in accepted} == {202}

        last = f"{authorizations[BOUND]}/watch"
        refused = await portal.post(last, {}, "one")
        assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (429, "too-many-unfinished")
        assert 1 <= int(refused.headers["retry-after"]) <= 900
        again = await portal.post(f"{authorizations[0]}/watch", {}, "one")
        assert (again.status_code, again.json()) == (202, accepted[0].json()), "a repeat is answered before the bound"
        (other,) = collate.create()
        neighbour = await billing.request(other)
        closed = await portal.close(other, "mhand_unknown")

        await start(installation, "worker")
        for command in (neighbour, closed, *(reply.json()["commandId"] for reply in accepted)):
            await listener.wait_for("command.finished", 60, commandId=command)

        async def is_idle():
            return await unfinished(http, ingress) == 0

        await eventually(is_idle)
        reply = await portal.post(last, {}, "one")
        assert reply.status_code == 202
        await listener.wait_for("command.finished", 20, commandId=reply.json()["commandId"])
        written = [event for event in listener.events if event.kind == "command.finished"]
        assert len(written) == BOUND + 3, "the refused try is no second command"


async def test_watch_all_keeps_its_window_and_is_never_refused(installation, collate, start, tmp_path):
    # Without a measured rate of ends the sender waits 30 s before each batch but the first.
    lines = BOUND
    ingress, _ = await start(installation, "ingress"), await start(installation, "worker")
    file = tmp_path / "ids"
    file.write_text("\n".join(["authorizationId", *collate.create(count=lines)]))
    environ = installation.caller_environ(ingress)
    command = [sys.executable, ROOT / "docs/examples/watch_all.py", file]
    running = asyncio.create_task(
        asyncio.to_thread(subprocess.run, command, env=environ, capture_output=True, text=True, check=False)
    )
    most = 0
    async with httpx.AsyncClient(timeout=120) as http:
        while not running.done():
            most = max(most, await unfinished(http, ingress))
            await asyncio.sleep(0.1)
        done = await running
        assert done.returncode == 0, done.stderr
        assert f"{lines} rows, 0 not accepted" in done.stdout
        assert 0 < most <= BOUND // 2, "half of the bound stays free"
        assert await unfinished(http, ingress, "unfinished") == 0

"""The processes on a secured Kafka: each with its own user, its own access and its own kind of login.

The broker ends every login after four seconds, so connections break and are reopened under load.
"""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from local.event_listener import listening
from local.installation import Installation
from tests.preloaded import PreloadedRun, run_gateway
from tests.system.security.conftest import login_of

COMMANDS_FOR_SECONDS = 9  # longer than two lifetimes of a connection


@pytest.fixture
def installed(to_secured, collate, prefix):
    """Create an installation whose processes log in as one user: `installed("SASL_SSL", "ingress")`."""
    runs = []

    def install(security, user, **changes):
        settings = to_secured(security, user=user, **changes)
        runs.append(PreloadedRun(user))
        return Installation(
            runs[-1],
            bootstrap=",".join(settings.bootstrap),
            collate_url=collate.url,
            prefix=prefix,
            settings={"GATEWAY_TOPICS__PARTITIONS": "4", **login_of(settings)},
        )

    yield install
    for run in runs:
        run.close()


@pytest.fixture
async def sides(installed, administrator, access_of):
    """The ingress with a password, the worker with a token, and topics created with a certificate; all checked."""
    by_process = {
        "topics": installed("SSL", "topics"),
        "ingress": installed("SASL_SSL", "ingress"),
        "worker": installed("SASL_SSL", "worker", mechanism="OAUTHBEARER"),
    }
    for process in by_process:
        await administrator.allow(process, *access_of(process))
    await asyncio.to_thread(by_process["topics"].apply_topics)
    for process, installation in by_process.items():
        checked = await asyncio.to_thread(check, installation, process)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    return by_process["ingress"], by_process["worker"]


def check(installation, process):
    return run_gateway("check", "--for", process, environ=installation.environ)


@pytest.fixture
async def listener(secured, sides, prefix):
    async with listening(f"127.0.0.1:{secured.ports['PLAINTEXT']}", prefix) as listener:
        yield listener


@pytest.fixture
async def rotate(administrator, secured, sides):
    """Change the ingress' password and the worker's token."""
    ingress_side, worker_side = (side.environ for side in sides)

    async def rotate(password):
        await administrator.set_password("ingress", password)
        await asyncio.to_thread(Path(ingress_side["GATEWAY_KAFKA__PASSWORD_FILE"]).write_text, password)
        token = secured.tokens.token("worker")
        await asyncio.to_thread(Path(worker_side["GATEWAY_KAFKA__TOKEN_FILE"]).write_text, token)

    yield rotate
    await rotate("right-password")


async def test_least_privilege_is_enough_and_credentials_rotate_under_load(sides, rotate, start, collate, listener):
    ingress, worker = await start(sides[0], "ingress"), await start(sides[1], "worker")
    await rotate("another-password")
    commands, unavailable = [], 0
    until = time.monotonic() + COMMANDS_FOR_SECONDS
    async with httpx.AsyncClient(timeout=120) as http:
        for number, authorization in enumerate(collate.create(count=2_000)):
            if time.monotonic() > until:
                break
            while True:
                response = await http.post(
                    f"{ingress.url}/v1/authorizations/{authorization}/handoffs",
                    json={},
                    headers={
                        "Authorization": f"Bearer {sides[0].caller_key}",
                        "Idempotency-Key": f"key-{number}",
                        "Prefer": "wait=20",
                    },
                )
                if response.status_code != 503:
                    break
                unavailable += 1
            assert response.status_code in {200, 202}, response.text
            commands.append(response.json()["commandId"])
        assert len(commands) > 3
        for command in commands:
            finished = await listener.wait_for("command.finished", 30, commandId=command)
            assert finished.data["outcome"] == "applied"
    print(f"{len(commands)} commands, {unavailable} responses of 503")
    await asyncio.to_thread(worker.await_ready)
    assert await asyncio.to_thread(ingress.stop) == 0
    assert await asyncio.to_thread(worker.stop) == 0

"""The running ingress against its OpenAPI document: schemathesis with all checks, at every path.

Two variables change one run: SCHEMATHESIS_EXAMPLES (for each operation) and SCHEMATHESIS_SEED. With `-s` the run prints
its number of cases (7,000 with 300 examples, in ten minutes):

    SCHEMATHESIS_EXAMPLES=300 SCHEMATHESIS_SEED=7 make test ARGS="-s tests/system/ingress/test_published_document.py"
"""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from local.event_listener import listening

# A list that is too long for a URL is rejected with 414. A batch with a wrong event gets 207.
CONFIG = """
[checks]
negative_data_rejection.expected-statuses = [
    207, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 422, 429, 431, "5xx"
]
"""
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "5"))


@pytest.fixture
async def installed(install, kafka, postgres):
    """An installation with a read model. Its streams end after 1 ms, because a test waits for their end."""
    settings = {
        "GATEWAY_INGRESS__CALLER_RATE": "100000",
        "GATEWAY_INGRESS__CALLER_BURST": "100000",
        "GATEWAY_INGRESS__STREAM_LIFE": "1ms",
    }
    return await install(kafka, database=postgres, settings=settings)


@pytest.fixture
async def processes(installed, start):
    return installed, await start(installed, "ingress"), await start(installed, "projector")


@pytest.fixture
async def known(processes, start, kafka, collate, eventually):
    """An authorization with an open handoff and a dead letter, as the read model and the dead letters show it."""
    installed, ingress, _ = processes
    worker = await start(installed, "worker")
    (authorization,) = collate.create()
    credential = {"Authorization": f"Bearer {installed.caller_key}"}
    at = f"{ingress.url}/v1/authorizations/{authorization}/handoffs"
    async with (
        httpx.AsyncClient(headers=credential, timeout=120) as http,
        listening(kafka, installed.prefix) as listener,
    ):
        opened = await http.post(at, json={}, headers={"Idempotency-Key": "1", "Prefer": "wait=30"})
        handoff = opened.json()["handoffId"]
        collate.fault("answer", when="before", method="POST", path="/revoke$", status=400, code="bad_request")
        close = {"result": {"type": "revoked", "reason": "no longer needed"}}
        closed = await http.post(f"{at}/{handoff}/close", json=close, headers={"Idempotency-Key": "2"})
        command = closed.json()["commandId"]
        await listener.wait_for("command.dead_lettered", 30, commandId=command)
        await asyncio.to_thread(worker.stop)

        async def is_shown():
            reads = (f"/commands/{command}", f"/authorizations/{authorization}", f"/dead-letters/{command}")
            return all([(await http.get(f"{ingress.url}/v1{path}")).status_code == 200 for path in reads])

        await eventually(is_shown, within=30)
    return {"authorizationId": authorization, "handoffId": handoff, "commandId": command, "operator": "op-7"}


@pytest.mark.timeout(1200 + 15 * EXAMPLES)
async def test_the_ingress_conforms_to_its_document(run, processes, known):
    installed, ingress, projector = processes
    arguments = [
        *("run", f"{ingress.url}/openapi.json", "--url", ingress.url),
        *("--header", f"Authorization: Bearer {installed.caller_key}"),
        *("--checks", "all", "--phases", "examples,coverage,fuzzing"),
        *("--max-examples", str(EXAMPLES)),
        *("--seed", os.environ.get("SCHEMATHESIS_SEED", "1"), "--generation-database", "none"),
        *("--request-timeout", "30", "--continue-on-failure", "--no-color"),
    ]
    command = [str(Path(sys.executable).with_name("schemathesis")), *arguments]
    (run.directory / "schemathesis.toml").write_text(CONFIG)
    environ = os.environ | {"SCHEMATHESIS_HOOKS": str(HOOKS), "SCHEMATHESIS_KNOWN": json.dumps(known)}
    done = await asyncio.to_thread(
        subprocess.run, command, env=environ, cwd=run.directory, capture_output=True, text=True, check=False
    )
    print(done.stdout[-2_000:])
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert "Traceback" not in ingress.log.read_text()
    assert [ingress.stop(), projector.stop()] == [0, 0]

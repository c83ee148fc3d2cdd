"""The control API under /_sim, with which tests and the demo control the simulated Collate."""

import asyncio
import json
import signal
import subprocess
import sys

import httpx
import pytest

from local.collate import DEFAULT_KEY

ROOT = "/v1/prior-authorizations"


@pytest.fixture
async def control(sim):
    async with httpx.AsyncClient(base_url=f"{sim.url}/_sim", timeout=120, verify=False) as client:
        yield client


async def test_the_ledger_lists_calls_and_effects(control, caller, sim):
    [authorization] = sim.create()
    handoff = await caller.open(authorization, key="open-it")
    await caller.complete(authorization, handoff, key="close-it")
    listed = (await control.get("/ledger/calls")).json()["calls"]
    calls = [call for call in listed if call["method"] == "POST"]
    assert [call["key"] for call in calls] == ["open-it", "close-it"]
    assert calls[0]["ifMatch"] == '"3"'
    assert calls[1]["fields"] == {"reportedOutcome": "submitted"}
    last = (await control.get("/ledger/effects")).json()["effects"][-1]
    assert (last["kind"], last["key"], last["handoffId"], last["version"]) == (
        "handoff_closing",
        "close-it",
        handoff,
        5,
    )
    summary = (await control.get("/ledger/summary")).json()
    assert summary["byKind"]["handoff_opened"] == 1
    assert summary["byRoute"]["POST /v1/prior-authorizations/*/manual-handoffs"] == 1


async def test_reading_the_ledger_first_runs_due_transitions(control, caller, sim):
    [authorization] = sim.create()
    await caller.open(authorization)
    sim.clock.advance(900)
    effects = (await control.get("/ledger/effects")).json()["effects"]
    assert [effect["details"]["result"] for effect in effects if effect["kind"] == "handoff_closed"] == ["expired"]


async def test_the_ledger_never_contains_free_text_or_reference_numbers(control, caller, sim):
    [authorization] = sim.create()
    handoff = await caller.open(authorization)
    body = {"reportedOutcome": "submitted", "observedReferenceNumber": "PA-CANARY", "operatorNotes": "Jane Canary"}
    await caller.write(authorization, f"manual-handoffs/{handoff}/complete", body)
    for page in ("/ledger/calls", "/ledger/effects", "/ledger/summary"):
        assert "anary" not in (await control.get(page)).text.replace("CANARY", "canary")


async def test_faults_are_added_listed_and_removed(control, http):
    made = await control.post("/faults", json={"id": "f", "do": "answer", "status": 503, "path": "health"})
    assert made.status_code == 201
    assert (await http.get("/health")).status_code == 503
    assert (await control.get("/faults")).json()["faults"][0]["struck"] == 1
    assert (await control.delete("/faults/f")).json() == {"removed": True}
    assert (await control.delete("/faults/f")).status_code == 404
    assert (await http.get("/health")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/authorizations", "[]", 400),
        ("POST", "/authorizations", "{", 400),
        ("POST", "/authorizations", '{"colour": 1}', 400),
        ("POST", "/authorizations", '{"state": "asleep"}', 400),
        ("POST", "/faults", "{}", 400),
        ("GET", "/nothing", "", 404),
        ("GET", "/ledger/nothing", "", 404),
    ],
)
async def test_an_invalid_request_gets_a_problem(control, method, path, body, status):
    answer = await control.request(method, path, content=body)
    assert (answer.status_code, bool(answer.json()["problem"])) == (status, True)


async def test_pipelined_requests_are_answered_in_their_order(sim):
    sim.fault("delay", seconds=0.05, when="after", nth=1)
    reader, writer = await asyncio.open_connection(*sim.url.removeprefix("http://").split(":"))
    writer.write(
        b"GET /health HTTP/1.1\r\nhost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    answered = await reader.read()
    assert answered.index(b"200 OK") < answered.index(b"404 Not Found")
    writer.close()


def test_the_command_serves_until_a_signal():
    command = [sys.executable, "-m", "local.collate", "--set", "reconcile_seconds=5", "--profile", "v3"]
    command += ["--latency-ms", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        started = json.loads(process.stdout.readline())
        http = httpx.Client(timeout=120)
        try:
            control, key = f"{started['url']}/_sim", {"authorization": f"Bearer {DEFAULT_KEY}", "if-match": '"3"'}
            ids = http.post(f"{control}/authorizations", json={"ids": ["auth_1"]}).json()["ids"]
            assert http.get(f"{started['url']}{ROOT}/{ids[0]}", headers=key).json()["version"] == 3
            http.post(f"{control}/faults", json={"do": "reset", "when": "after", "method": "POST", "path": "^/v1"})
            with pytest.raises(httpx.ReadError):
                http.post(f"{started['url']}{ROOT}/auth_1/manual-handoffs", headers=key, json={})
            assert http.get(f"{control}/ledger/summary").json()["byKind"]["handoff_opened"] == 1
        finally:
            http.close()
            process.send_signal(signal.SIGTERM)
        _, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("wrong", [["--set", "colour=red"], ["--set", "closing_seconds"]])
def test_the_command_rejects_unknown_values(wrong):
    refused = subprocess.run(
        [sys.executable, "-m", "local.collate", *wrong], capture_output=True, text=True, check=False
    )
    assert (refused.returncode, "error:" in refused.stderr) == (2, True)

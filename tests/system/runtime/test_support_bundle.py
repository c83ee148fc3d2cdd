"""A bundle of a worker that has worked: versions, settings, checks, state and errors, and nothing secret."""

import json
from pathlib import Path

import httpx

from local.event_listener import listening
from tests.preloaded import run_gateway
from tests.process.authorization.test_canary import CANARY, PLANTED, REFERENCE


def text_of(installation, name):
    return Path(installation.directory, name).read_text()


CLOSE = {
    "result": {
        "type": "completed",
        "reportedOutcome": "submitted",
        "observedReferenceNumber": REFERENCE,
        "operatorNotes": CANARY,
    },
    "reportedBy": "jo.miller",
}


async def test_a_bundle_says_what_is_wrong_and_holds_no_secret_no_phi_and_no_name(
    installation, start, collate, kafka, tmp_path
):
    ingress, worker = await start(installation, "ingress"), await start(installation, "worker")
    (authorization,) = collate.create()
    error = {"code": "bad_request", "message": CANARY, "retryable": False, "details": {"reason": REFERENCE}}
    headers = {"Authorization": f"Bearer {installation.caller_key}"}
    async with (
        httpx.AsyncClient(timeout=120, headers=headers) as http,
        listening(kafka, installation.prefix) as listener,
    ):
        path = f"{ingress.url}/v1/authorizations/{authorization}/handoffs"
        opened = (await http.post(path, json={}, headers={"Idempotency-Key": "a", "Prefer": "wait=30"})).json()
        collate.fault("answer", method="POST", when="before", status=400, shape="json", body={"error": error})
        close = f"{path}/{opened['handoffId']}/close"
        command = (await http.post(close, json=CLOSE, headers={"Idempotency-Key": "b"})).json()["commandId"]
        await listener.wait_for("command.dead_lettered", 60, commandId=command)
    log = tmp_path / "worker.log"
    refused = {"level": "error", "event": "command.record_rejected", "problem": "key: expected the subject"}
    private = {"authorization_id": authorization, "operator": "jo.miller", "why": CANARY}
    lines = [json.dumps(refused | private), f"not JSON: {CANARY}", "[1]", '"error"']
    log.write_text("\n".join([worker.log.read_text(), *lines]))
    environ = installation.environ | {"GATEWAY_ADMIN__PORT": worker.admin_url.rpartition(":")[2]}
    made = run_gateway("support-bundle", "--for", "worker", "--log", str(log), environ=environ)
    assert made.returncode == 0, made.stderr
    bundle = json.loads(made.stdout)
    assert bundle["versions"].keys() >= {"gateway", "python", "aiokafka", "joserfc"}
    assert bundle["settings"]["GATEWAY_KAFKA__BOOTSTRAP"] == {"value": kafka, "set": True}
    assert {one["check"] for one in bundle["check"]} >= {"settings", "process", "kafka", "collate"}
    assert (bundle["process"]["process"], bundle["process"]["ready"]) == ("worker", True)
    assert bundle["errors"][-1] == refused

    names = ("callers.toml", "collate-key", "digest-key", "phi-keys")
    secrets = [word for name in names for word in text_of(installation, name).split() if len(word) > 15]
    forbidden = [*PLANTED, *secrets, installation.caller_key, authorization, "jo.miller"]
    assert len(forbidden) > 8
    assert [word for word in forbidden if word in made.stdout] == []

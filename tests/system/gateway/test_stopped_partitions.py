"""What stops a partition: a bad deployment does, one caller among several does not."""

import hashlib
import itertools
import secrets

import httpx
import pytest

from local.event_listener import listening
from local.installation import Installation

pytestmark = pytest.mark.timeout(300)
REFUSED = {"status": 400, "code": "bad_request"}
CALLERS = ("portal", "billing", "triage")


class Service:
    """A caller of the gateway with a key of its own."""

    def __init__(self, http, ingress, key):
        self._http, self._ingress, self._key = http, ingress, key
        self._numbers = itertools.count()

    async def request(self, authorization):
        return await self._post(f"{authorization}/handoffs", {})

    async def close(self, authorization, handoff):
        result = {"type": "unable_to_complete", "reason": "a_reason_that_collate_refuses"}
        return await self._post(f"{authorization}/handoffs/{handoff}/close", {"result": result})

    async def _post(self, path, body):
        answer = await self._http.post(
            f"{self._ingress.url}/v1/authorizations/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self._key}", "Idempotency-Key": f"n-{next(self._numbers)}"},
        )
        assert answer.status_code == 202, answer.text
        return answer.json()["commandId"]


def add_callers(run):
    """Add callers to the callers' file; return their keys by name."""
    keys = {}
    with (run.directory / "callers.toml").open("a") as file:
        for name in CALLERS:
            key_id = secrets.token_hex(4)
            keys[name] = key = f"cgk_{key_id}_{secrets.token_urlsafe(32)}"
            digest = hashlib.sha256(key.encode()).hexdigest()
            file.write(f'[[caller]]\nname = "{name}"\npermissions = ["handoff:request", "handoff:close"]\n')
            file.write(f'[[caller.key]]\nid = "{key_id}"\nsha256 = "{digest}"\n')
    return keys


@pytest.fixture
async def services(run, kafka, prefix, collate, start):
    """The callers of an installation with one partition and the default limit of dead letters, and its worker."""
    settings = {"GATEWAY_TOPICS__PARTITIONS": "1"}
    installed = Installation(run, bootstrap=kafka, collate_url=collate.url, prefix=prefix, settings=settings)
    installed.apply_topics()
    keys = add_callers(run)
    ingress, worker = await start(installed, "ingress"), await start(installed, "worker")
    async with httpx.AsyncClient(timeout=20) as http, listening(kafka, prefix) as listener:
        yield {name: Service(http, ingress, key) for name, key in keys.items()}, worker, listener, http


async def test_closes_of_one_caller_that_collate_refuses_do_not_stop_the_partition_of_another(services, collate):
    callers, worker, listener, http = services
    (first,) = collate.create()
    command = await callers["billing"].request(first)
    await listener.wait_for("command.finished", 20, commandId=command, outcome="applied")

    collate.fault("answer", method="POST", path="/unable-to-complete$", when="before", **REFUSED)
    for authorization in collate.create("handoff_active", count=15):
        handoff = collate.state.authorizations[authorization].handoffs[-1].id
        refused = await callers["portal"].close(authorization, handoff)
        await listener.wait_for("command.dead_lettered", 20, commandId=refused, cause="request_refused")

    (second,) = collate.create()
    command = await callers["billing"].request(second)
    await listener.wait_for("command.finished", 20, commandId=command, outcome="applied")
    assert (await http.get(f"{worker.admin_url}/readyz")).status_code == 200


async def test_a_bad_deployment_stops_the_partition_and_names_its_causes_and_callers(services, collate, eventually):
    callers, worker, _listener, http = services
    collate.fault("answer", method="POST", path="/manual-handoffs$", when="before", **REFUSED)
    for authorization, name in zip(collate.create(count=15), itertools.cycle(CALLERS), strict=False):
        await callers[name].request(authorization)

    async def stopped():
        answer = await http.get(f"{worker.admin_url}/readyz")
        return answer.text if answer.status_code == 503 else None

    text = await eventually(stopped)
    assert "request_refused 11" in text
    assert all(name in text for name in CALLERS)

"""The read routes of an installation without a read model."""

import json

import pytest

from gateway.ingress.auth.callers import new_key

ID = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"
PATHS = (
    f"/v1/commands/{ID}",
    "/v1/authorizations/auth_1",
    "/v1/authorizations/auth_1/timeline",
    "/v1/handoffs?state=active",
    "/v1/overview",
    "/v1/authorizations?needs=person",
    "/v1/commands?metadata.case=c-7",
    "/v1/troubles?operator=jo",
)


@pytest.mark.parametrize("path", PATHS)
async def test_without_a_read_model_an_authenticated_caller_gets_404(ingress, path):
    key = new_key()
    with ingress.callers_file.open("a") as file:
        file.write(f'\n[[caller]]\nname = "watcher"\npermissions = ["authorization:watch"]\n{key.entry}')
    assert ingress.components.callers.reread_if_changed()
    ingress.process.health.set_away("kafka", "ConnectionError")
    own = ingress.key
    for known in (own, key.key):
        ingress.key = known
        reply = await ingress.get(path)
        assert reply.status == 404
        assert json.loads(reply.body)["type"] == "urn:collate-gateway:problem:no-read-model"

        told = {"faults": ["kafka_away"]} if path == "/v1/overview" and known == own else {}
        assert {name: value for name, value in json.loads(reply.body).items() if name == "faults"} == told

    stranger = await ingress.call("GET", path, headers={"authorization": "Bearer nobody"})
    assert stranger.status == 401


async def test_without_a_read_model_a_202_has_no_location(ingress):
    reply = await ingress.post("/v1/authorizations/auth_1/watch")
    assert reply.status == 202
    assert "location" not in reply.headers

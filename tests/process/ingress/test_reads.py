"""The read routes of an installation without a read model."""

import json

import pytest

ID = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"
PATHS = (
    f"/v1/commands/{ID}",
    "/v1/authorizations/auth_1",
    "/v1/authorizations/auth_1/timeline",
    "/v1/handoffs?state=active",
    "/v1/overview",
    "/v1/authorizations?needs=person",
    "/v1/commands?metadata.case=c-7",
)


@pytest.mark.parametrize("path", PATHS)
async def test_without_a_read_model_an_authenticated_caller_gets_404(ingress, path):
    known = await ingress.get(path)
    assert known.status == 404
    assert json.loads(known.body)["type"] == "urn:collate-gateway:problem:no-read-model"

    stranger = await ingress.call("GET", path, headers={"authorization": "Bearer nobody"})
    assert stranger.status == 401


async def test_without_a_read_model_a_202_has_no_location(ingress):
    reply = await ingress.post("/v1/authorizations/auth_1/watch")
    assert reply.status == 202
    assert "location" not in reply.headers

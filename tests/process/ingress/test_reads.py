"""The read routes where nothing is kept to be read, or the database has never been reached."""

import json

import pytest

ID = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"
PATHS = (
    f"/v1/commands/{ID}",
    "/v1/authorizations/auth_1",
    "/v1/authorizations/auth_1/timeline",
    "/v1/handoffs?state=active",
    "/v1/overview",
)


@pytest.mark.parametrize("path", PATHS)
async def test_an_installation_without_a_read_model_says_so_to_who_is_known(ingress, path):
    known = await ingress.get(path)
    assert known.status == 404
    assert json.loads(known.body)["type"] == "urn:collate-gateway:problem:no-read-model"

    stranger = await ingress.call("GET", path, headers={"authorization": "Bearer nobody"})
    assert stranger.status == 401


async def test_a_202_names_no_place_for_a_status_that_is_not_kept(ingress):
    kept = await ingress.post("/v1/authorizations/auth_1/watch")
    assert kept.status == 202
    assert "location" not in kept.headers

"""A service with `handoffs = "own"`: its closes carry the limit, and its grants need the opener (decision 0013)."""

import pytest

from gateway.ingress.auth.callers import new_key
from gateway.ingress.commands.claims import NoClaims
from schemas.cloudevents import to_http
from tests.process.ingress.test_commands import event
from tests.unit.ingress.test_grants import active_handoff

CLOSE = "/v1/authorizations/auth_1/handoffs/mhand_1/close"
KEY = {"Idempotency-Key": "k-1"}
REVOKED = {"result": {"type": "revoked", "reason": "r"}}


@pytest.fixture
def desk(ingress):
    """The key of a service without the limit; the ingress of the test then calls as one with it."""
    key, desk = new_key(), ingress.key
    entry = '[[caller]]\nname = "intake"\npermissions = ["handoff:close", "handoff:grant"]\nhandoffs = "own"\n'
    ingress.use_callers(f"{ingress.callers_file.read_text()}\n{entry}{key.entry}")
    ingress.key = key.key
    return desk


async def test_the_command_carries_the_limit_from_either_route(ingress, kafka, desk):
    headers, body = to_http(event())
    assert (await ingress.call("POST", CLOSE, REVOKED, KEY)).status == 202
    assert (await ingress.call("POST", "/v1/commands", body, dict(headers))).status == 202
    ingress.key = desk
    assert (await ingress.call("POST", CLOSE, REVOKED, KEY)).status == 202
    assert [(one.caller, one.own_handoffs) for one in kafka.read()] == [
        ("intake", True),
        ("intake", True),
        ("desk", False),
    ]


@pytest.mark.parametrize(
    ("opener", "status", "slug"),
    [("intake", 201, None), ("desk", 403, "not-the-opener"), (None, 403, "not-the-opener")],
)
async def test_a_grant_needs_the_opener_in_the_public_record(
    ingress, kafka, collate, desk, monkeypatch, *, opener, status, slug
):
    async def open_handoff(claims, authorization_id, handoff_id, caller):
        return active_handoff(handoff_id, opener=opener)

    monkeypatch.setattr(NoClaims, "open_handoff", open_handoff)
    reply = await grant(ingress, collate)
    assert (reply.status, reply.json.get("type", ":None").rpartition(":")[2]) == (status, str(slug))
    assert len(kafka.commands) == (status == 201)


async def test_a_grant_without_a_read_model_is_refused_and_only_for_such_a_service(ingress, kafka, collate, desk):
    reply = await grant(ingress, collate)
    assert (reply.status, reply.json["type"]) == (503, "urn:collate-gateway:problem:opener-unknown")
    assert reply.headers["retry-after"]
    assert kafka.commands == []
    ingress.key = desk
    assert (await grant(ingress, collate)).status == 201


@pytest.mark.parametrize(("opener", "status"), [("intake", 200), ("desk", 403), (None, 403)])
async def test_the_message_of_a_handoff_needs_the_opener_too(
    ingress, kafka, collate, desk, monkeypatch, *, opener, status
):
    async def open_handoff(claims, authorization_id, handoff_id, caller):
        return active_handoff(handoff_id, opener=opener)

    (authorization,) = collate.create("handoff_active", handoff_overlay={"message": "PHI"})
    path = f"/v1/authorizations/{authorization}/handoffs/active"
    refused = await ingress.call("GET", f"{path}?operator=jo")
    assert (refused.status, refused.json["type"]) == (503, "urn:collate-gateway:problem:opener-unknown")
    monkeypatch.setattr(NoClaims, "open_handoff", open_handoff)
    reply = await ingress.call("GET", f"{path}?operator=jo")
    assert (reply.status, b"PHI" in reply.body) == (status, status == 200)
    assert len(kafka.commands) == (status == 200), "only a read that happened is on record"
    assert (await ingress.call("GET", f"{path}?message=omit&operator=jo")).status == 200
    ingress.key = desk
    assert (await ingress.call("GET", f"{path}?operator=jo")).status == 200


async def grant(ingress, collate):
    (authorization,) = collate.create("handoff_active")
    path = f"/v1/authorizations/{authorization}/handoffs/active/access-grants"
    return await ingress.call("POST", path, {"operator": "op-7"})
